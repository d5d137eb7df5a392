//! What an operator does to a run: cancel, pause, resume, retry, skip; each legal or refused by state.

use std::time::Duration;

use runnel_engine::run::{CancelMode, RecordKind, RunStatus, TaskStatus};
use runnel_runtime::OperateError;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    a_cancelled_run_dispatches_nothing_and_refuses_late_results,
    a_graceful_cancel_ends_within_its_grace,
    a_paused_run_takes_results_and_starts_nothing,
    a_failed_task_can_be_retried_after_the_run_has_failed,
    a_handler_that_was_reset_keeps_no_output,
    a_skipped_task_skips_what_needs_it,
    what_the_state_does_not_allow_is_refused_with_what_it_does,
);

fn chain() -> Value {
    let tasks = json!({
        "first": { "type": "scripted" },
        "second": { "type": "scripted", "needs": ["first"] },
    });
    workflow("chain", tasks)
}

async fn a_cancelled_run_dispatches_nothing_and_refuses_late_results(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&chain()).await?;
    let held = worker.take(1).await?;
    let orchestrator = cluster.orchestrator();
    orchestrator
        .cancel_run(&cluster.actor, run, CancelMode::Now, Some("enough".to_owned()))
        .await?;
    cluster.ends(run, RunStatus::Cancelled).await?;
    assert_eq!(
        orchestrator.unwanted(&[held[0].at()]).await,
        vec![held[0].at()],
        "the worker is not told"
    );

    worker
        .report(vec![succeeded(&held[0].at(), &json!("late"))])
        .await?;
    worker.delete(&held).await?;
    orchestrator
        .report(worker.batch(vec![succeeded(&held[0].at(), &json!("late"))]))
        .await;
    orchestrator.settle().await;
    assert_eq!(cluster.run(run).await?.status, RunStatus::Cancelled);
    assert_eq!(cluster.task(run, "first").await?.status, TaskStatus::Cancelled);
    assert_eq!(cluster.task(run, "first").await?.output, None);
    assert!(
        worker.receive(10, Duration::ZERO).await?.is_empty(),
        "a cancelled run dispatched a task"
    );
    cluster.finish().await
}

async fn a_graceful_cancel_ends_within_its_grace(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = chain();
    file["cancel_grace"] = json!("10m");
    let run = cluster.launch(&file).await?;
    let held = worker.take(1).await?;
    worker.delete(&held).await?;
    cluster
        .orchestrator()
        .cancel_run(&cluster.actor, run, CancelMode::Graceful, None)
        .await?;
    let waiting = cluster
        .until(run, "cancelling", |run| run.status != RunStatus::Running)
        .await?;
    if !waiting.status.is_terminal() {
        assert_eq!(waiting.status, RunStatus::Cancelling);
        cluster.clock.advance(Duration::from_secs(601));
    }
    cluster.ends(run, RunStatus::Cancelled).await?;
    cluster.finish().await
}

async fn a_paused_run_takes_results_and_starts_nothing(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&chain()).await?;
    let held = worker.take(1).await?;
    let orchestrator = cluster.orchestrator();
    let paused = orchestrator.pause_run(&cluster.actor, run, None).await?;
    assert!(paused.is_paused);

    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.delete(&held).await?;
    cluster
        .until_task(run, "first", |task| task.status == TaskStatus::Succeeded)
        .await?;
    orchestrator.settle().await;
    assert!(
        worker.receive(10, Duration::ZERO).await?.is_empty(),
        "a paused run dispatched a task"
    );
    let second = cluster.task(run, "second").await?;
    assert!(
        matches!(second.status, TaskStatus::Blocked | TaskStatus::Ready),
        "{:?}",
        second.status
    );

    orchestrator.resume_run(&cluster.actor, run).await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_failed_task_can_be_retried_after_the_run_has_failed(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = chain();
    file["tasks"]["first"]["retry"] = json!(0);
    let run = cluster.launch(&file).await?;
    let held = worker.take(1).await?;
    worker.report(vec![failed(&held[0].at(), true)]).await?;
    worker.delete(&held).await?;
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    assert_eq!(ended.error.map(|error| error.code).as_deref(), Some("SCRIPTED"));
    assert_eq!(cluster.task(run, "second").await?.status, TaskStatus::Skipped);

    cluster
        .orchestrator()
        .retry_task(&cluster.actor, run, "first")
        .await?;
    let again = worker.succeed_next(1).await?;
    assert_eq!(again[0].message.at.attempt, 2);
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let history = cluster.history(run).await?;
    assert!(
        history
            .iter()
            .any(|event| event.record.kind == RecordKind::RunReopened)
    );
    cluster.finish().await
}

async fn a_handler_that_was_reset_keeps_no_output(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = workflow("handled", json!({ "first": { "type": "scripted" } }));
    file["on_failure"] = json!({ "alert": { "type": "scripted" } });
    let run = cluster.launch(&file).await?;
    for report in [failed, |at: &_, _| succeeded(at, &json!("alarmed"))] {
        let held = worker.take(1).await?;
        worker.report(vec![report(&held[0].at(), false)]).await?;
        worker.delete(&held).await?;
    }
    cluster.ends(run, RunStatus::Failed).await?;
    assert!(cluster.task(run, "alert").await?.output.is_some());

    cluster
        .orchestrator()
        .retry_task(&cluster.actor, run, "first")
        .await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let alert = cluster.task(run, "alert").await?;
    assert_eq!((alert.status, alert.output), (TaskStatus::Skipped, None));
    cluster.finish().await
}

async fn a_skipped_task_skips_what_needs_it(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&chain()).await?;
    let held = worker.take(1).await?;
    worker.delete(&held).await?;
    let actor = cluster.actor.clone();
    cluster
        .orchestrator()
        .skip_task(&actor, run, "first", Some("not needed".to_owned()))
        .await?;
    cluster
        .until(run, "terminal", |run| run.status.is_terminal())
        .await?;
    assert_eq!(cluster.task(run, "first").await?.status, TaskStatus::Skipped);
    assert_eq!(cluster.task(run, "second").await?.status, TaskStatus::Skipped);
    cluster.finish().await
}

async fn what_the_state_does_not_allow_is_refused_with_what_it_does(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&chain()).await?;
    worker.succeed_next(1).await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let orchestrator = cluster.orchestrator();
    match orchestrator.pause_run(&cluster.actor, run, None).await {
        Err(OperateError::Conflict { status, .. }) => assert_eq!(status, RunStatus::Succeeded),
        other => anyhow::bail!("a finished run was paused: {other:?}"),
    }
    let nobody = runnel_engine::RunId(uuid::Uuid::nil());
    let unknown = orchestrator
        .cancel_run(&cluster.actor, nobody, CancelMode::Now, None)
        .await;
    assert!(matches!(unknown, Err(OperateError::UnknownRun)), "{unknown:?}");
    let unknown = orchestrator.retry_task(&cluster.actor, run, "nothing").await;
    assert!(
        matches!(unknown, Err(OperateError::UnknownTask { .. })),
        "{unknown:?}"
    );

    let stranger = runnel_runtime::Actor {
        name: "stranger".into(),
        namespace: "elsewhere".into(),
    };
    let foreign = orchestrator
        .cancel_run(&stranger, run, CancelMode::Now, None)
        .await;
    assert!(
        matches!(foreign, Err(OperateError::UnknownRun)),
        "not yours answers not found: {foreign:?}"
    );
    assert!(orchestrator.find_run(&stranger, run).await?.is_none());
    cluster.finish().await
}
