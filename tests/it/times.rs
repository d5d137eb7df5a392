//! The four times of a task, losses, and when a failure is tried again.

use std::time::Duration;

use runnel_engine::run::{Category, RunStatus, TaskStatus};
use runnel_queue::{AttemptRef, FailureCategory, Outcome, Report};
use runnel_runtime::Clock as _;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{Held, ScriptedWorker, failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    start_within_ends_a_wait_in_the_queue,
    complete_within_spans_all_attempts,
    a_silent_attempt_is_lost_and_another_takes_over,
    losses_have_a_limit_of_their_own,
    a_retry_waits_as_long_as_the_other_side_asked,
    only_failures_that_are_named_are_tried_again,
    an_sla_alerts_and_ends_nothing,
);

/// Longer than an attempt has for its first heartbeat, whatever the task says.
const SILENCE: Duration = Duration::from_secs(61);

/// A workflow of one task with further keys.
fn one(id: &str, more: Value) -> Value {
    let mut task = json!({ "type": "scripted" });
    if let (Some(task), Value::Object(more)) = (task.as_object_mut(), more) {
        task.extend(more);
    }
    workflow(id, json!({ "only": task }))
}

/// The message of an attempt. One before it may come twice when the clock jumps beyond the lease of its row.
async fn take_attempt(worker: &ScriptedWorker, attempt: u32) -> anyhow::Result<Held> {
    loop {
        let held = worker.take(1).await?;
        worker.delete(&held).await?;
        if let Some(held) = held.into_iter().find(|held| held.message.at.attempt == attempt) {
            return Ok(held);
        }
    }
}

fn begun(at: &AttemptRef) -> Report {
    Report::Started {
        at: at.clone(),
        started_us: 0,
    }
}

async fn start_within_ends_a_wait_in_the_queue(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let _worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster
        .launch(&one("start", json!({ "start_within": "1m" })))
        .await?;
    cluster
        .until_task(run, "only", |task| task.status == TaskStatus::Queued)
        .await?;
    cluster.clock.advance(Duration::from_secs(61));
    cluster.ends(run, RunStatus::Failed).await?;
    let task = cluster.task(run, "only").await?;
    assert_eq!(task.status, TaskStatus::TimedOut);
    assert_eq!(task.error.map(|error| error.category), Some(Category::Timeout));
    cluster.finish().await
}

async fn complete_within_spans_all_attempts(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let retry = json!({ "limit": 100, "delay": "30s", "backoff": "fixed", "jitter": "none" });
    let file = one("complete", json!({ "complete_within": "1m", "retry": retry }));
    let run = cluster.launch(&file).await?;
    let mut attempts = 0;
    loop {
        let held = worker.take(1).await?;
        worker.delete(&held).await?;
        worker.report(vec![failed(&held[0].at(), true)]).await?;
        attempts += 1;
        let task = cluster
            .until_task(run, "only", |task| task.status != TaskStatus::Queued)
            .await?;
        if task.status != TaskStatus::RetryWait || attempts == 2 {
            break;
        }
        cluster.clock.advance(Duration::from_secs(31));
    }
    cluster.clock.advance(Duration::from_secs(31));
    cluster.ends(run, RunStatus::Failed).await?;
    let task = cluster.task(run, "only").await?;
    assert_eq!((task.status, attempts), (TaskStatus::TimedOut, 2));
    cluster.finish().await
}

async fn a_silent_attempt_is_lost_and_another_takes_over(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster
        .launch(&one("silent", json!({ "heartbeat": "30s" })))
        .await?;
    let held = worker.take(1).await?;
    worker.delete(&held).await?;
    worker.report(vec![begun(&held[0].at())]).await?;
    cluster
        .until_task(run, "only", |task| task.status == TaskStatus::Running)
        .await?;
    cluster.clock.advance(SILENCE);
    let again = take_attempt(&worker, 2).await?;
    worker.report(vec![succeeded(&again.at(), &json!(1))]).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let task = cluster.task(run, "only").await?;
    assert_eq!((task.losses, task.retries), (1, 0), "a loss is no retry");
    cluster.finish().await
}

async fn losses_have_a_limit_of_their_own(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let file = one(
        "lossy",
        json!({ "heartbeat": "30s", "max_losses": 1, "retry": { "limit": 5, "not_on": ["lost"] } }),
    );
    let run = cluster.launch(&file).await?;
    for attempt in 1..=2 {
        let held = take_attempt(&worker, attempt).await?;
        worker.report(vec![begun(&held.at())]).await?;
        cluster
            .until_task(run, "only", |task| {
                task.status == TaskStatus::Running && task.attempt == attempt
            })
            .await?;
        cluster.clock.advance(SILENCE);
        worker.hello().await?;
    }
    cluster.ends(run, RunStatus::Failed).await?;
    let task = cluster.task(run, "only").await?;
    assert_eq!((task.losses, task.retries), (2, 0));
    assert_eq!(task.error.map(|error| error.category), Some(Category::Lost));
    cluster.finish().await
}

async fn a_retry_waits_as_long_as_the_other_side_asked(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let file = one(
        "later",
        json!({ "retry": { "limit": 1, "delay": "1s", "jitter": "none" } }),
    );
    let run = cluster.launch(&file).await?;
    let held = worker.take(1).await?;
    worker.delete(&held).await?;
    let mut report = failed(&held[0].at(), true);
    if let Report::Completed(attempt) = &mut report
        && let Outcome::Error(failure) = &mut attempt.outcome
    {
        failure.category = FailureCategory::RateLimited;
        failure.retry_after_ms = Some(600_000);
    }
    worker.report(vec![report]).await?;
    let task = cluster
        .until_task(run, "only", |task| task.status == TaskStatus::RetryWait)
        .await?;
    let waits = task.wake_at.map(|at| at.0 - cluster.clock.now().0);
    assert!(
        waits.is_some_and(|waits| (500_000_000..=600_000_000).contains(&waits)),
        "waits {waits:?} µs"
    );
    cluster.clock.advance(Duration::from_secs(601));
    worker.hello().await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn only_failures_that_are_named_are_tried_again(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    for (id, retry, is_tried) in [
        ("on", json!({ "limit": 1, "delay": "0s", "on": ["user"] }), true),
        (
            "other",
            json!({ "limit": 1, "delay": "0s", "on": ["timeout"] }),
            false,
        ),
        (
            "not",
            json!({ "limit": 1, "delay": "0s", "not_on": ["user"] }),
            false,
        ),
        (
            "code",
            json!({ "limit": 1, "delay": "0s", "when": "error.code == 'SCRIPTED'" }),
            true,
        ),
    ] {
        let run = cluster.launch(&one(id, json!({ "retry": retry }))).await?;
        let held = worker.take(1).await?;
        worker.delete(&held).await?;
        worker.report(vec![failed(&held[0].at(), true)]).await?;
        if is_tried {
            worker.succeed_next(1).await?;
        }
        let expected = if is_tried {
            RunStatus::Succeeded
        } else {
            RunStatus::Failed
        };
        cluster.ends(run, expected).await?;
        assert_eq!(
            cluster.task(run, "only").await?.retries,
            u32::from(is_tried),
            "{id}"
        );
    }
    cluster.finish().await
}

async fn an_sla_alerts_and_ends_nothing(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = one("promise", json!({}));
    file["sla"] = json!({ "finish_within": "1m" });
    let run = cluster.launch(&file).await?;
    let held = worker.take(1).await?;
    worker.delete(&held).await?;
    cluster.clock.advance(Duration::from_secs(61));
    cluster.orchestrator().settle().await;
    let alerts = async || {
        let history = cluster.history(run).await?;
        let kinds = history.iter().map(|event| format!("{:?}", event.record.kind));
        anyhow::Ok(kinds.filter(|kind| kind.contains("Sla")).count())
    };
    assert_eq!(alerts().await?, 1);
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(alerts().await?, 1, "noted once");
    cluster.finish().await
}
