//! Behaviours at which other orchestrators are weak, one test each.

use std::time::Duration;

use runnel_engine::run::{CancelMode, RunStatus, TaskStatus};
use runnel_runtime::OperateError;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::stack::Stack;
use serde_json::json;

runnel_tests::on_each_stack!(
    a_condition_on_a_root_task_is_evaluated,
    what_was_skipped_stays_skipped,
    templates_keep_the_types_of_deep_paths,
    a_retried_success_gives_the_output_of_its_last_attempt,
    a_cancel_stops_queued_tasks_and_is_refused_on_finished_runs,
    a_timer_holds_no_worker,
    an_unknown_task_type_never_hangs_silently,
);

async fn a_condition_on_a_root_task_is_evaluated(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({
        "no": { "type": "pass", "if": "${{ 1 > 2 }}" },
        "yes": { "type": "pass", "if": "${{ 2 > 1 }}" },
    });
    let run = cluster.launch(&workflow("roots", tasks)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(cluster.task(run, "no").await?.status, TaskStatus::Skipped);
    assert_eq!(cluster.task(run, "yes").await?.status, TaskStatus::Succeeded);
    cluster.finish().await
}

async fn what_was_skipped_stays_skipped(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let tasks = json!({
        "no": { "type": "scripted", "if": "false" },
        "after": { "type": "scripted", "needs": { "no": ["succeeded", "skipped"] } },
    });
    let run = cluster.launch(&workflow("skips", tasks)).await?;
    worker.succeed_next(1).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(cluster.task(run, "no").await?.status, TaskStatus::Skipped);
    assert_eq!(cluster.task(run, "no").await?.output, None);
    cluster.finish().await
}

async fn templates_keep_the_types_of_deep_paths(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let deep = json!({ "a": { "list": [{ "n": 1.5, "is": true, "none": null, "all": [1, { "b": "x" }] }] } });
    let tasks = json!({
        "make": { "type": "pass", "input": deep },
        "take": {
            "type": "pass",
            "needs": ["make"],
            "input": {
                "n": "${{ tasks.make.output.a.list[0].n }}",
                "is": "${{ tasks.make.output.a.list[0].is }}",
                "none": "${{ tasks.make.output.a.list[0].none }}",
                "all": "${{ tasks.make.output.a.list[0].all }}",
                "text": "n=${{ tasks.make.output.a.list[0].n }}",
            },
        },
    });
    let run = cluster.launch(&workflow("deep", tasks)).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let output: serde_json::Value = serde_json::from_str(
        cluster
            .task(run, "take")
            .await?
            .output
            .as_deref()
            .unwrap_or_default(),
    )?;
    let want = json!({ "n": 1.5, "is": true, "none": null, "all": [1, { "b": "x" }], "text": "n=1.5" });
    assert_eq!(output, want);
    cluster.finish().await
}

async fn a_retried_success_gives_the_output_of_its_last_attempt(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let retry = json!({ "limit": 2, "delay": "1s", "jitter": "none" });
    let mut file = workflow("again", json!({ "only": { "type": "scripted", "retry": retry } }));
    file["outputs"] = json!({ "from": "${{ tasks.only.output }}" });
    let run = cluster.launch(&file).await?;
    let held = worker.take(1).await?;
    worker.report(vec![failed(&held[0].at(), true)]).await?;
    worker.delete(&held).await?;
    cluster
        .until_task(run, "only", |task| task.status == TaskStatus::RetryWait)
        .await?;
    cluster.clock.advance(Duration::from_secs(1));
    let held = worker.take(1).await?;
    worker
        .report(vec![succeeded(
            &held[0].at(),
            &json!({ "attempt": held[0].message.at.attempt }),
        )])
        .await?;
    worker.delete(&held).await?;
    let ended = cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(ended.outputs.as_deref(), Some(r#"{"from":{"attempt":2}}"#));
    assert_eq!(cluster.task(run, "only").await?.error, None);
    cluster.finish().await
}

async fn a_cancel_stops_queued_tasks_and_is_refused_on_finished_runs(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    // nobody serves the type yet, so that both tasks wait in the outbox
    let tasks = json!({ "a": { "type": "later" }, "b": { "type": "later" } });
    let run = cluster.launch(&workflow("queued", tasks)).await?;
    cluster
        .until_task(run, "b", |task| task.status == TaskStatus::Queued)
        .await?;
    let orchestrator = cluster.orchestrator();
    let cancel = || orchestrator.cancel_run(&cluster.actor, run, CancelMode::Graceful, None);
    cancel().await?;
    cluster.ends(run, RunStatus::Cancelled).await?;
    let worker = cluster.scripted("late-1", &["later"]).await?;
    orchestrator.settle().await;
    assert!(
        worker.receive(10, Duration::ZERO).await?.is_empty(),
        "a cancelled task was dispatched"
    );
    let refused = cancel().await;
    assert!(matches!(
        refused,
        Err(OperateError::Conflict { status: RunStatus::Cancelled, ref allowed, .. }) if allowed.contains(&"runRerun")
    ));
    cluster.finish().await
}

async fn a_timer_holds_no_worker(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({ "pause": { "type": "wait", "input": { "for": "1h" } } });
    let run = cluster.launch(&workflow("timer", tasks)).await?;
    cluster
        .until_task(run, "pause", |task| task.status == TaskStatus::Waiting)
        .await?;
    let task = cluster.task(run, "pause").await?;
    assert_eq!((task.worker, task.queued_at), (None, None));
    cluster.clock.advance(Duration::from_secs(3_600));
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn an_unknown_task_type_never_hangs_silently(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({ "only": { "type": "nobody_knows", "start_within": "10m" } });
    let run = cluster.launch(&workflow("unknown", tasks)).await?;
    cluster
        .until_task(run, "only", |task| task.waiting_for == Some("NO_WORKER"))
        .await?;
    cluster.clock.advance(Duration::from_secs(600));
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    assert_eq!(
        ended.error.map(|error| error.code).as_deref(),
        Some("START_WITHIN")
    );
    cluster.finish().await
}
