//! The number of statements does not depend on the size of a batch.

use runnel_queue::TaskMessage;
use runnel_runtime::Orchestrator;

use crate::harness::*;

const ONE: &str = "id: one\ntasks:\n  a: { type: job }\n";

/// Statements until the report is committed.
async fn statements_of(orchestrator: &Orchestrator, tasks: &[TaskMessage]) -> u64 {
    orchestrator.settle().await;
    let before = orchestrator.statements();
    orchestrator
        .report(batch(tasks.iter().map(succeeded).collect()))
        .await;
    orchestrator.statements() - before
}

// one thread and one applier: all inputs of a report wait together when the applier looks
#[tokio::test(flavor = "current_thread")]
async fn completions_of_one_run_and_of_many_take_the_same_number_of_statements() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        publish(&orchestrator, ONE).await;
        // other loops send a statement now and then: the least of several rounds is what the batch takes
        let mut counts = [u64::MAX; 2];
        for round in 0..8 {
            let runs = [1, 25][round % 2];
            for _ in 0..runs {
                start(&orchestrator, "one").await;
            }
            orchestrator.settle().await;
            let tasks = fixture.take().await;
            assert_eq!(tasks.len(), runs);
            let count = statements_of(&orchestrator, &tasks).await;
            counts[round % 2] = counts[round % 2].min(count);
        }
        assert_eq!(counts[0], counts[1], "of 1 run and of 25");
        assert!(counts[0] <= 4, "{counts:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_hundred_completions_of_a_run_take_as_many_statements_as_one() {
    for mut fixture in Fixture::all().await {
        fixture.appliers = 1;
        let orchestrator = fixture.start().await;
        let tasks: String = (0..410).map(|n| format!("  t{n}: {{ type: job }}\n")).collect();
        publish(&orchestrator, &format!("id: wide\ntasks:\n{tasks}")).await;
        start(&orchestrator, "wide").await;
        orchestrator.settle().await;
        let tasks = fixture.take().await;
        let (mut one, mut hundred) = (u64::MAX, u64::MAX);
        for tasks in tasks[..404].chunks(101) {
            one = one.min(statements_of(&orchestrator, &tasks[..1]).await);
            hundred = hundred.min(statements_of(&orchestrator, &tasks[1..]).await);
        }
        assert_eq!(one, hundred);
    }
}
