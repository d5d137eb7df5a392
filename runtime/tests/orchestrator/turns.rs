//! Whose turn it is in a full queue.

use runnel_queue::TaskMessage;
use runnel_runtime::{Actor, Orchestrator, PublishRequest};

use crate::harness::*;

const MANY: &str =
    "id: many\ntasks:\n  a: { type: job, for_each: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20] }\n";
const FEW: &str = "id: few\ntasks:\n  b: { type: job, for_each: [1,2,3] }\n";

async fn start_elsewhere(orchestrator: &Orchestrator) {
    let actor = Actor {
        namespace: "small".into(),
        ..actor()
    };
    let file = PublishRequest {
        source: FEW.to_owned(),
        format: runnel_engine::source::Format::Auto,
        is_dry_run: false,
    };
    orchestrator.publish(&actor, file).await.unwrap();
    orchestrator.start_run(&actor, request("few")).await.unwrap();
}

fn of_small(tasks: &[TaskMessage]) -> usize {
    tasks.iter().filter(|task| task.key.starts_with('b')).count()
}

#[tokio::test]
async fn a_namespace_with_a_long_backlog_does_not_keep_another_waiting() {
    for mut fixture in Fixture::all().await {
        fixture.outstanding_max = 4;
        let orchestrator = fixture.start().await;
        fixture
            .execute("INSERT INTO namespace (id, created_at) VALUES ('small', 0)")
            .await;
        publish(&orchestrator, MANY).await;
        start(&orchestrator, "many").await;
        orchestrator.settle().await;
        start_elsewhere(&orchestrator).await;
        orchestrator.settle().await;
        let first = fixture.take().await;
        assert_eq!((first.len(), of_small(&first)), (4, 0), "they came first");
        orchestrator
            .report(batch(first.iter().map(succeeded).collect()))
            .await;
        orchestrator.settle().await;
        let second = fixture.take().await;
        assert_eq!((second.len(), of_small(&second)), (4, 2), "{:?}", keys(&second));
    }
}
