//! Many tasks at once: each is dispatched exactly once, and none is forgotten.

use std::collections::HashSet;

use runnel_engine::run::{RecordKind, RunStatus};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::EchoWorker;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(two_thousand_independent_tasks_and_a_join_over_half_of_them);

async fn two_thousand_independent_tasks_and_a_join_over_half_of_them(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let echo = EchoWorker::start(cluster.scripted("scripted-1", &["scripted"]).await?);

    let keys: Vec<String> = (0..2_000).map(|index| format!("t{index}")).collect();
    let mut tasks: Map<String, Value> = keys
        .iter()
        .map(|key| (key.clone(), json!({ "type": "scripted" })))
        .collect();
    tasks.insert(
        "join".to_owned(),
        json!({ "type": "scripted", "needs": &keys[..1_000] }),
    );
    let run = cluster.launch(&workflow("wide", Value::Object(tasks))).await?;

    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(ended.counts.succeeded, 2_001);
    cluster.orchestrator().settle().await;

    let history = cluster.history(run).await?;
    let queued: Vec<&str> = history
        .iter()
        .filter(|event| event.record.kind == RecordKind::TaskQueued)
        .filter_map(|event| event.record.key.as_deref())
        .collect();
    assert_eq!(queued.len(), 2_001, "tasks queued, repetitions included");
    assert_eq!(queued.iter().collect::<HashSet<_>>().len(), 2_001);

    let seen = echo.stop().await?;
    let received: HashSet<&str> = seen.iter().map(|message| message.key.as_str()).collect();
    assert_eq!(received.len(), 2_001);
    assert!(
        seen.iter().all(|message| message.at.attempt == 1),
        "a task had a second attempt"
    );
    if stack != Stack::PostgresSqs {
        assert_eq!(seen.len(), 2_001, "the embedded queue repeats nothing by itself");
    }
    cluster.finish().await
}
