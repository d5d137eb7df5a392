//! A join starts exactly once, however the completions of its upstreams arrive.

use std::time::Duration;

use runnel_engine::RunId;
use runnel_engine::run::{RecordKind, RunStatus, TaskStatus};
use runnel_queue::Report;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{Held, ScriptedWorker, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    join_starts_once_when_both_upstreams_complete_in_one_batch,
    join_starts_once_when_upstreams_complete_in_different_batches,
    join_starts_once_on_a_rough_queue,
);
// one SQLite file has one orchestrator
runnel_tests::on_stack!(
    postgres_embedded_replicas,
    PostgresEmbedded,
    join_starts_once_when_replicas_race
);
runnel_tests::on_stack!(
    postgres_sqs_replicas,
    PostgresSqs,
    join_starts_once_when_replicas_race
);

fn diamond() -> Value {
    let tasks = json!({
        "top": { "type": "scripted" },
        "left": { "type": "scripted", "needs": ["top"] },
        "right": { "type": "scripted", "needs": ["top"] },
        "join": { "type": "scripted", "needs": ["left", "right"] },
    });
    workflow("diamond", tasks)
}

/// Starts a diamond and takes the messages of its two sides.
async fn open(cluster: &Cluster) -> anyhow::Result<(RunId, ScriptedWorker, Vec<Held>)> {
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&diamond()).await?;
    expect(&worker.succeed_next(1).await?, run, &["top"]);
    let sides = worker.take(2).await?;
    expect(&sides, run, &["left", "right"]);
    worker.delete(&sides).await?;
    Ok((run, worker, sides))
}

/// These messages and no others, each of the first attempt of this run.
fn expect(held: &[Held], run: RunId, keys: &[&str]) {
    let mut found: Vec<&str> = held.iter().map(|held| held.message.key.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, keys);
    for held in held {
        assert_eq!(
            held.message.at.run, run.0,
            "{} of another run was dispatched again",
            held.message.key
        );
        assert_eq!(held.message.at.attempt, 1);
    }
}

/// The same completion three times over.
fn thrice(held: &Held) -> Vec<Report> {
    vec![succeeded(&held.at(), &json!(held.message.key)); 3]
}

/// Completes the join and checks that it was there once: in the queue, in the history and in the counters.
async fn close(cluster: Cluster, run: RunId, worker: &ScriptedWorker) -> anyhow::Result<()> {
    expect(&worker.succeed_next(1).await?, run, &["join"]);
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(ended.counts.succeeded, 4);

    cluster.orchestrator().settle().await;
    assert!(
        worker.receive(10, Duration::ZERO).await?.is_empty(),
        "the join was dispatched again"
    );
    let history = cluster.history(run).await?;
    for kind in [RecordKind::TaskQueued, RecordKind::TaskSucceeded] {
        let count = |key: &str| {
            history
                .iter()
                .filter(|e| e.record.kind == kind && e.record.key.as_deref() == Some(key))
                .count()
        };
        for key in ["top", "left", "right", "join"] {
            assert_eq!(count(key), 1, "{kind:?} of {key}");
        }
    }
    cluster.finish().await
}

async fn join_starts_once_when_both_upstreams_complete_in_one_batch(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let (run, worker, sides) = open(&cluster).await?;
    worker.report(sides.iter().flat_map(thrice).collect()).await?;
    close(cluster, run, &worker).await
}

async fn join_starts_once_when_upstreams_complete_in_different_batches(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let (run, worker, sides) = open(&cluster).await?;
    for side in &sides {
        worker.report(thrice(side)).await?;
        cluster
            .until_task(run, &side.message.key, |task| {
                task.status == TaskStatus::Succeeded
            })
            .await?;
        worker.report(thrice(side)).await?;
    }
    close(cluster, run, &worker).await
}

async fn join_starts_once_when_replicas_race(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let second = cluster.add_replica().await?;
    let first = cluster.orchestrator().clone();
    for _ in 0..20 {
        let (run, worker, sides) = open(&cluster).await?;
        let (left, right) = (worker.batch(thrice(&sides[0])), worker.batch(thrice(&sides[1])));
        tokio::join!(
            first.report(left.clone()),
            second.report(right.clone()),
            second.report(left),
            first.report(right)
        );
        expect(&worker.succeed_next(1).await?, run, &["join"]);
        cluster.ends(run, RunStatus::Succeeded).await?;
        let history = cluster.history(run).await?;
        let queued = |e: &&runnel_runtime::view::EventView| e.record.kind == RecordKind::TaskQueued;
        assert_eq!(history.iter().filter(queued).count(), 4);
        assert!(
            worker.receive(10, Duration::ZERO).await?.is_empty(),
            "the join was dispatched again"
        );
    }
    cluster.finish().await
}

/// The embedded queue repeats and reorders; the SQS emulator is at least as rough as SQS, so it runs as it is.
async fn join_starts_once_on_a_rough_queue(stack: Stack) -> anyhow::Result<()> {
    let cluster = match stack {
        Stack::PostgresSqs => Cluster::start(stack).await?,
        Stack::SqliteEmbedded | Stack::PostgresEmbedded => {
            let queue = runnel_queue::embedded::EmbeddedQueue::new(Default::default())
                .with_faults(runnel_queue::embedded::FaultPlan::rough(7));
            Cluster::start_with(stack, std::sync::Arc::new(queue)).await?
        }
    };
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let echo = runnel_tests::scripted::EchoWorker::start(worker);
    let mut runs = Vec::new();
    for _ in 0..30 {
        runs.push(cluster.launch(&diamond()).await?);
    }
    for run in runs {
        let ended = cluster.ends(run, RunStatus::Succeeded).await?;
        assert_eq!(ended.counts.succeeded, 4);
        let history = cluster.history(run).await?;
        let succeeded = history
            .iter()
            .filter(|e| e.record.kind == RecordKind::TaskSucceeded)
            .count();
        assert_eq!(succeeded, 4, "a completion was accepted twice");
    }
    echo.stop().await?;
    cluster.finish().await
}
