//! The number of SQL statements of a batch does not depend on its size: PostgreSQL gets one.

use runnel_engine::run::RunStatus;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::succeeded;
use runnel_tests::stack::Stack;
use runnel_tests::statements::Statements;
use serde_json::{Map, Value, json};

runnel_tests::on_stack!(
    postgres_embedded,
    PostgresEmbedded,
    statements_do_not_grow_with_the_batch
);

/// Statements that write.
const WRITES: &str = r#"(insert into|update) "?(event|task|run|outbox)"?"#;

/// Applies one batch of `size` completions, which make `size` further tasks ready; answers the writes that it took.
async fn writes_of_a_batch(cluster: &Cluster, watcher: &mut Statements, size: usize) -> anyhow::Result<i64> {
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut tasks = Map::new();
    for n in 0..size {
        tasks.insert(format!("a{n}"), json!({ "type": "scripted" }));
        tasks.insert(
            format!("b{n}"),
            json!({ "type": "scripted", "needs": [format!("a{n}")] }),
        );
    }
    let run = cluster.launch(&workflow("counted", Value::Object(tasks))).await?;
    let first = worker.take(size).await?;
    worker.delete(&first).await?;
    cluster.orchestrator().settle().await;

    watcher.reset().await?;
    let reports = first
        .iter()
        .map(|held| succeeded(&held.at(), &json!({ "n": 1 })))
        .collect();
    let before = cluster.orchestrator().applied();
    cluster.orchestrator().report(worker.batch(reports)).await;
    let second = worker.take(size).await?;
    let after = cluster.orchestrator().applied();
    assert_eq!(
        after.statements - before.statements,
        after.batches - before.batches,
        "a batch is one statement"
    );
    let writes = watcher.sum("calls", WRITES).await?;

    worker.delete(&second).await?;
    worker
        .report(
            second
                .iter()
                .map(|held| succeeded(&held.at(), &json!({ "n": 2 })))
                .collect(),
        )
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    Ok(writes)
}

async fn statements_do_not_grow_with_the_batch(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let mut watcher = Statements::of(&cluster).await?;
    let one = writes_of_a_batch(&cluster, &mut watcher, 1).await?;
    let many = writes_of_a_batch(&cluster, &mut watcher, 250).await?;
    assert!(one > 0, "nothing was counted");
    // an applier that finds a part of the batch waiting may split it in two
    assert!(
        many <= 2 * one,
        "a batch of 250 took {many} writing statements, a batch of one {one}"
    );
    cluster.finish().await
}
