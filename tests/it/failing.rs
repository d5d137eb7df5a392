//! Giving up, pausing, and the operations that each state allows.

use std::time::Duration;

use runnel_engine::RunId;
use runnel_engine::run::{CancelMode, RunStatus, TaskStatus};
use runnel_runtime::OperateError;
use runnel_runtime::rerun::{RerunError, RerunFrom, RerunRequest};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{ScriptedWorker, failed};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    an_exhausted_task_pauses_its_run_and_is_tried_anew_when_resumed,
    every_operation_is_allowed_or_refused_by_state,
);

async fn fail_next(worker: &ScriptedWorker, is_retryable: bool) -> anyhow::Result<()> {
    let held = worker.take(1).await?;
    worker.report(vec![failed(&held[0].at(), is_retryable)]).await?;
    worker.delete(&held).await
}

async fn an_exhausted_task_pauses_its_run_and_is_tried_anew_when_resumed(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let retry = json!({ "limit": 1, "delay": "1s", "jitter": "none", "when": "error.code == 'SCRIPTED'" });
    let tasks = json!({ "only": { "type": "scripted", "retry": retry, "on_exhausted": "pause" } });
    let run = cluster.launch(&workflow("steady", tasks)).await?;
    fail_next(&worker, true).await?;
    cluster
        .until_task(run, "only", |task| task.status == TaskStatus::RetryWait)
        .await?;
    cluster.clock.advance(Duration::from_secs(1));
    fail_next(&worker, true).await?;
    cluster
        .until_task(run, "only", |task| task.status == TaskStatus::Ready)
        .await?;
    let paused = cluster.run(run).await?;
    assert_eq!((paused.status, paused.is_paused), (RunStatus::Running, true));
    cluster.orchestrator().resume_run(&cluster.actor, run).await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

/// Takes the next message away without an answer.
async fn hold(worker: &ScriptedWorker) -> anyhow::Result<()> {
    let held = worker.take(1).await?;
    worker.delete(&held).await
}

/// The operations of the table, in its order.
const OPERATIONS: [&str; 7] = ["cancel", "pause", "resume", "retry", "skip", "override", "rerun"];

async fn operate(cluster: &Cluster, run: RunId, operation: &str) -> Result<(), OperateError> {
    let (orchestrator, actor) = (cluster.orchestrator(), &cluster.actor);
    match operation {
        "cancel" => orchestrator
            .cancel_run(actor, run, CancelMode::Graceful, None)
            .await
            .map(drop),
        "pause" => orchestrator.pause_run(actor, run, None).await.map(drop),
        "resume" => orchestrator.resume_run(actor, run).await.map(drop),
        "retry" => orchestrator.retry_task(actor, run, "first").await.map(drop),
        "skip" => orchestrator.skip_task(actor, run, "first", None).await.map(drop),
        "override" => orchestrator
            .override_task(actor, run, "first", Ok("1".into()), None)
            .await
            .map(drop),
        _ => {
            let request = RerunRequest::new(run, RerunFrom::Failed);
            match orchestrator.rerun_run(actor, request).await {
                Ok(_) => Ok(()),
                Err(RerunError::Operate(error)) => Err(error),
                Err(RerunError::Start(error)) => panic!("{error}"),
            }
        }
    }
}

/// Brings a fresh run into a state.
async fn bring(cluster: &Cluster, worker: &ScriptedWorker, state: &str) -> anyhow::Result<RunId> {
    let undo: Value = json!({ "type": "scripted" });
    let tasks = json!({
        "first": { "type": "scripted", "compensate": undo },
        "second": { "type": "scripted", "needs": ["first"] },
    });
    let mut file = workflow("states", tasks);
    file["compensation"] =
        json!({ "on": if state == "COMPENSATING" { json!(["failed"]) } else { json!(["timed_out"]) } });
    let run = cluster.launch(&file).await?;
    let orchestrator = cluster.orchestrator();
    let actor = &cluster.actor;
    match state {
        "RUNNING" => hold(worker).await?,
        "PAUSED" => {
            hold(worker).await?;
            orchestrator.pause_run(actor, run, None).await?;
        }
        "SUCCEEDED" => {
            worker.succeed_next(1).await?;
            worker.succeed_next(1).await?;
            cluster.ends(run, RunStatus::Succeeded).await?;
        }
        "FAILED" => {
            fail_next(worker, false).await?;
            cluster.ends(run, RunStatus::Failed).await?;
        }
        "CANCELLED" => {
            hold(worker).await?;
            orchestrator.cancel_run(actor, run, CancelMode::Now, None).await?;
            cluster.ends(run, RunStatus::Cancelled).await?;
        }
        _ => {
            worker.succeed_next(1).await?;
            fail_next(worker, false).await?;
            hold(worker).await?;
            cluster
                .until(run, "compensating", |run| run.status == RunStatus::Compensating)
                .await?;
        }
    }
    Ok(run)
}

/// `first` is the task that the operations name; in `COMPENSATING` it has succeeded and is being undone.
async fn every_operation_is_allowed_or_refused_by_state(stack: Stack) -> anyhow::Result<()> {
    let table: [(&str, [bool; 7]); 6] = [
        // cancel, pause, resume, retry, skip, override, rerun
        ("RUNNING", [true, true, true, false, true, true, false]),
        ("PAUSED", [true, true, true, false, true, true, false]),
        ("COMPENSATING", [false, true, true, false, false, false, false]),
        ("SUCCEEDED", [false, false, false, false, false, false, false]),
        ("FAILED", [false, false, false, true, false, true, true]),
        ("CANCELLED", [false, false, false, true, false, true, true]),
    ];
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    for (state, allowed) in table {
        for (operation, is_allowed) in OPERATIONS.into_iter().zip(allowed) {
            let run = bring(&cluster, &worker, state).await?;
            match operate(&cluster, run, operation).await {
                Ok(()) => assert!(is_allowed, "{operation} in {state} was allowed"),
                Err(OperateError::Conflict { message, .. }) => {
                    assert!(!is_allowed, "{operation} in {state} was refused: {message}");
                }
                Err(other) => anyhow::bail!("{operation} in {state}: {other}"),
            }
            // what is left of it must not reach the next one
            if !cluster.run(run).await?.status.is_terminal() {
                cluster
                    .orchestrator()
                    .cancel_run(&cluster.actor, run, CancelMode::Now, None)
                    .await?;
            }
            cluster.orchestrator().settle().await;
            let left = worker.receive(10, Duration::ZERO).await?;
            worker.delete(&left).await?;
        }
    }
    cluster.finish().await
}
