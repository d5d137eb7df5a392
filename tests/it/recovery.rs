//! What survives the end of an orchestrator, and of a worker, within one process; `processes` and `crash` do it for real.

use std::time::Duration;

use runnel_engine::run::{RecordKind, RunStatus, TaskStatus};
use runnel_queue::Report;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::sql;
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    a_restarted_orchestrator_goes_on_where_the_last_one_stopped,
    an_attempt_that_is_handed_back_is_dispatched_again,
    an_attempt_without_heartbeats_is_lost_and_its_late_result_refused,
    a_forged_completion_changes_nothing,
    a_task_that_no_worker_runs_is_visible_with_a_reason,
    a_result_of_an_older_attempt_is_ignored,
);

fn single(options: &Value) -> Value {
    let mut task = json!({ "type": "scripted" });
    if let (Some(task), Some(options)) = (task.as_object_mut(), options.as_object()) {
        task.extend(options.clone());
    }
    workflow(
        "single",
        json!({ "only": task, "after": { "type": "pass", "needs": ["only"], "input": {} } }),
    )
}

async fn a_restarted_orchestrator_goes_on_where_the_last_one_stopped(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&single(&json!({}))).await?;
    let held = worker.take(1).await?;
    cluster.restart().await?;
    // the worker knows nothing of the restart and reports what it was given before it
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(cluster.task(run, "only").await?.attempt, 1);
    cluster.finish().await
}

async fn an_attempt_that_is_handed_back_is_dispatched_again(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&single(&json!({}))).await?;
    let held = worker.take(1).await?;
    worker
        .report(vec![Report::Returned {
            at: held[0].at(),
            reason: "the worker is leaving".to_owned(),
        }])
        .await?;
    worker.delete(&held).await?;
    let again = worker.succeed_next(1).await?;
    assert_eq!(again[0].message.key, "only");
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn an_attempt_without_heartbeats_is_lost_and_its_late_result_refused(
    stack: Stack,
) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&single(&json!({ "heartbeat": "5m" }))).await?;
    let held = worker.take(1).await?;
    worker.delete(&held).await?;
    worker
        .report(vec![Report::Started {
            at: held[0].at(),
            started_us: 0,
        }])
        .await?;
    cluster
        .until_task(run, "only", |task| task.status == TaskStatus::Running)
        .await?;
    // a message whose row is still there would be sent again when the row's lease is over
    while sql::number(cluster.database_url(), "SELECT count(*) FROM outbox").await? > 0 {
        cluster.orchestrator().settle().await;
    }
    // not much later than the alarm: after an outage of its own the orchestrator would grant one more lease
    cluster.clock.advance(Duration::from_secs(301));
    worker.hello().await?;

    let again = worker.take(1).await?;
    assert_eq!(
        (again[0].message.key.as_str(), again[0].message.at.attempt),
        ("only", 2)
    );
    worker
        .report(vec![succeeded(&held[0].at(), &json!("late"))])
        .await?;
    worker
        .report(vec![succeeded(&again[0].at(), &json!("in time"))])
        .await?;
    worker.delete(&again).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let only = cluster.task(run, "only").await?;
    assert_eq!(only.output.as_deref(), Some("\"in time\""));
    assert_eq!(only.losses, 1);
    cluster.finish().await
}

async fn a_forged_completion_changes_nothing(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&single(&json!({}))).await?;
    let held = worker.take(1).await?;
    for forged in [
        String::new(),
        "nonsense".to_owned(),
        format!("test.{}", "0".repeat(64)),
    ] {
        let mut at = held[0].at();
        at.token = forged;
        worker.report(vec![succeeded(&at, &json!("forged"))]).await?;
    }
    // the token of one attempt is no token of the next
    let mut at = held[0].at();
    at.attempt += 1;
    worker.report(vec![succeeded(&at, &json!("forged"))]).await?;
    worker
        .report(vec![succeeded(&held[0].at(), &json!("genuine"))])
        .await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        cluster.task(run, "only").await?.output.as_deref(),
        Some("\"genuine\"")
    );
    cluster.finish().await
}

async fn a_task_that_no_worker_runs_is_visible_with_a_reason(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let run = cluster.launch(&single(&json!({}))).await?;
    cluster.orchestrator().settle().await;
    let only = cluster.task(run, "only").await?;
    assert!(
        matches!(only.status, TaskStatus::Ready | TaskStatus::Queued),
        "{:?}",
        only.status
    );
    assert_eq!(only.waiting_for, Some("NO_WORKER"));

    // it was not lost: a worker that comes later finds it
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_result_of_an_older_attempt_is_ignored(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let retry = json!({ "retry": { "limit": 1, "delay": "1ms", "backoff": "fixed", "jitter": "none" } });
    let run = cluster.launch(&single(&retry)).await?;
    let first = worker.take(1).await?;
    worker.delete(&first).await?;
    worker.report(vec![failed(&first[0].at(), true)]).await?;
    let second = worker.take(1).await?;
    assert_eq!(second[0].message.at.attempt, 2);
    assert_eq!(
        second[0].message.idempotency_key,
        first[0].message.idempotency_key
    );
    worker
        .report(vec![
            succeeded(&first[0].at(), &json!("old")),
            failed(&first[0].at(), true),
        ])
        .await?;
    worker
        .report(vec![succeeded(&second[0].at(), &json!("current"))])
        .await?;
    worker.delete(&second).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        cluster.task(run, "only").await?.output.as_deref(),
        Some("\"current\"")
    );
    let history = cluster.history(run).await?;
    let accepted = history
        .iter()
        .filter(|e| e.record.kind == RecordKind::TaskSucceeded && e.record.key.as_deref() == Some("only"));
    assert_eq!(accepted.count(), 1);
    cluster.finish().await
}
