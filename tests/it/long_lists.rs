//! Lists of thousands of items: rows as there is room for them, ends in the middle, and a cost that grows with the list and
//! no faster.

use std::collections::HashSet;

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::{CancelMode, Counts, RunStatus, TaskStatus};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{EchoWorker, Held, ScriptedWorker, succeeded};
use runnel_tests::stack::Stack;
use runnel_tests::statements::Statements;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    a_long_list_becomes_tasks_a_window_at_a_time,
    a_cancel_in_the_middle_begins_no_more_items,
    another_orchestrator_goes_on_in_the_middle,
    every_batch_costs_the_same_however_long_the_list,
);
runnel_tests::on_stack!(
    postgres_alone,
    PostgresEmbedded,
    rows_read_grow_with_the_list_and_no_faster
);

/// Items in flight of a fan-out without a limit of its own.
const WINDOW: u32 = 1_000;

fn list(id: &str, items: u32) -> Value {
    let items: Vec<u32> = (0..items).collect();
    let task = json!({ "type": "scripted", "for_each": items, "input": { "n": "${{ each.item }}" } });
    workflow(id, json!({ "each": task }))
}

async fn report(cluster: &Cluster, worker: &ScriptedWorker, held: &[Held]) {
    let one = |held: &Held| succeeded(&held.at(), &json!(1));
    let reports = held.iter().map(one).collect();
    cluster.orchestrator().report(worker.batch(reports)).await;
}

async fn item_counts(cluster: &Cluster, run: RunId) -> anyhow::Result<Counts> {
    let fanout = cluster.task(run, "each").await?;
    let counts = cluster
        .orchestrator()
        .item_counts(&cluster.actor, &[(run, fanout.ix)])
        .await?;
    counts.get(&(run, fanout.ix)).copied().context("no items")
}

async fn a_long_list_becomes_tasks_a_window_at_a_time(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let run = cluster.launch(&list("lazy", 2_500)).await?;
    let mut made = WINDOW;
    let mut ended = 0;
    while ended < 2_500 {
        cluster.orchestrator().settle().await;
        let counts = item_counts(&cluster, run).await?;
        assert_eq!((counts.succeeded, counts.queued), (ended, made - ended));
        let rows = cluster.run(run).await?.counts;
        assert_eq!(
            rows.succeeded + rows.queued + rows.waiting,
            made + 1,
            "rows and the fan-out"
        );
        let held = worker.take(500).await?;
        worker.delete(&held).await?;
        report(&cluster, &worker, &held).await;
        ended += 500;
        made = (made + 500).min(2_500);
    }
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(ended.counts.succeeded, 2_501);
    assert_eq!(cluster.task(run, "each[2499]").await?.attempt, 1);
    cluster.finish().await
}

async fn a_cancel_in_the_middle_begins_no_more_items(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let run = cluster.launch(&list("cancelled", 2_500)).await?;
    let held = worker.take(300).await?;
    report(&cluster, &worker, &held[..200]).await;
    cluster
        .orchestrator()
        .cancel_run(&cluster.actor, run, CancelMode::Now, None)
        .await?;
    cluster.ends(run, RunStatus::Cancelled).await?;
    report(&cluster, &worker, &held[200..]).await;
    worker.delete(&held).await?;
    cluster.orchestrator().settle().await;
    let counts = item_counts(&cluster, run).await?;
    assert_eq!(
        (counts.succeeded, counts.cancelled),
        (200, WINDOW),
        "1,200 rows of 2,500 items"
    );
    assert_eq!(cluster.run(run).await?.counts.cancelled, WINDOW + 1);
    assert!(
        cluster
            .orchestrator()
            .find_task(&cluster.actor, run, "each[1200]")
            .await?
            .is_none()
    );
    cluster.finish().await
}

async fn another_orchestrator_goes_on_in_the_middle(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let run = cluster.launch(&list("restarted", 2_500)).await?;
    let held = worker.take(800).await?;
    let before: HashSet<String> = held.iter().map(|held| held.message.key.clone()).collect();
    report(&cluster, &worker, &held[..400]).await;
    cluster.restart().await?;
    // the worker knows nothing of the restart
    report(&cluster, &worker, &held[400..]).await;
    worker.delete(&held).await?;
    worker.hello().await?;
    let echo = EchoWorker::start(worker);
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(ended.counts.succeeded, 2_501);
    let seen = echo.stop().await?;
    let seen: HashSet<String> = seen.into_iter().map(|message| message.key).collect();
    assert!(
        seen.contains("each[2499]") && seen.len() >= 1_700,
        "{} items after it",
        seen.len()
    );
    let output = cluster.task(run, "each").await?.output.context("no output")?;
    let output: Vec<Value> = serde_json::from_str(&output)?;
    // in the order of the list, whoever answered
    let answers = (0..2_500).map(|n| match before.contains(&format!("each[{n}]")) {
        true => json!(1),
        false => json!({ "n": n }),
    });
    assert_eq!(output, answers.collect::<Vec<_>>());
    for item in ["each[0]", "each[799]", "each[800]", "each[2499]"] {
        let item = cluster.task(run, item).await?;
        assert_eq!(
            (item.attempt, item.status),
            (1, TaskStatus::Succeeded),
            "{}",
            item.key
        );
    }
    cluster.finish().await
}

/// Plays a list of items in batches of a hundred; answers the statements that the appliers sent for each batch.
async fn statements_of_batches(cluster: &Cluster, id: &str, items: u32) -> anyhow::Result<Vec<u64>> {
    const BATCH: u32 = 100;
    let worker = cluster.scripted("w", &["scripted"]).await?;
    let run = cluster.launch(&list(id, items)).await?;
    let mut costs = Vec::new();
    for _ in 0..items / BATCH {
        let held = worker.take(BATCH as usize).await?;
        worker.delete(&held).await?;
        cluster.orchestrator().settle().await;
        let before = cluster.orchestrator().applied();
        report(cluster, &worker, &held).await;
        let after = cluster.orchestrator().applied();
        assert_eq!(
            after.batches - before.batches,
            1,
            "a batch of reports is one transaction"
        );
        costs.push(after.statements - before.statements);
    }
    cluster.ends(run, RunStatus::Succeeded).await?;
    Ok(costs)
}

async fn every_batch_costs_the_same_however_long_the_list(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let costs = statements_of_batches(&cluster, "steady", 5_000).await?;
    let (first, most) = (costs[0], costs.iter().max().copied().unwrap_or_default());
    // whatever it writes, and the rows of sent messages that it takes along
    assert_eq!((first, most), (1, 1), "statements of the batches: {costs:?}");
    cluster.finish().await
}

/// Statements about runs. The rows that one of them returns are counted; those written in one statement with others are not
/// among them.
const ROWS: &str = r#"(from|into|update|join) "?(task|outbox|event|run)"?"#;

/// Rows for each item of a list.
async fn rows_of_a_list(cluster: &Cluster, watcher: &mut Statements, items: u32) -> anyhow::Result<f64> {
    watcher.reset().await?;
    statements_of_batches(cluster, &format!("rows-{items}"), items).await?;
    let rows = watcher.sum("rows", ROWS).await?;
    Ok(rows as f64 / f64::from(items))
}

async fn rows_read_grow_with_the_list_and_no_faster(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let mut watcher = Statements::of(&cluster).await?;
    let few = rows_of_a_list(&cluster, &mut watcher, 1_000).await?;
    let many = rows_of_a_list(&cluster, &mut watcher, 5_000).await?;
    assert!(few > 0.0, "nothing was counted");
    // a state that is read again for each batch would be 25 rows an item of 5,000 and 5 of 1,000
    assert!(
        many < few + 1.0,
        "{many} rows for each of 5,000 items, {few} for each of 1,000"
    );
    cluster.orchestrator().settle().await;
    cluster.finish().await
}
