//! Compensation on real databases and queues: what succeeded is undone, also across a restart.

use runnel_engine::run::{CancelMode, RunStatus, TaskStatus};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{ScriptedWorker, failed};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_each_stack!(
    a_failed_run_is_undone_in_reverse_order,
    a_restart_in_the_middle_of_a_rollback_changes_nothing,
    a_cancelled_run_is_undone_and_its_handlers_see_it,
    a_failed_rollback_goes_on_after_a_retry,
);

/// `stock → charge → ship`, where the first two can be undone.
fn order() -> Value {
    let undo = |task: &str| json!({ "type": "scripted", "input": { "of": format!("${{{{ tasks.{task}.output }}}}") } });
    let tasks = json!({
        "stock": { "type": "scripted", "compensate": undo("stock") },
        "charge": { "type": "scripted", "needs": ["stock"], "compensate": undo("charge") },
        "ship": { "type": "scripted", "needs": ["charge"] },
    });
    workflow("order", tasks)
}

async fn fail_next(worker: &ScriptedWorker) -> anyhow::Result<()> {
    let held = worker.take(1).await?;
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    worker.delete(&held).await
}

async fn succeed(worker: &ScriptedWorker, key: &str) -> anyhow::Result<Value> {
    let held = worker.succeed_next(1).await?;
    assert_eq!(held[0].message.key, key);
    Ok(serde_json::from_str(held[0].message.input.get())?)
}

async fn a_failed_run_is_undone_in_reverse_order(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&order()).await?;
    succeed(&worker, "stock").await?;
    succeed(&worker, "charge").await?;
    fail_next(&worker).await?;
    assert_eq!(
        succeed(&worker, "charge.compensate").await?,
        json!({ "of": "charge" })
    );
    assert_eq!(cluster.run(run).await?.status, RunStatus::Compensating);
    assert_eq!(
        succeed(&worker, "stock.compensate").await?,
        json!({ "of": "stock" })
    );
    let ended = cluster.ends(run, RunStatus::Compensated).await?;
    assert_eq!(ended.error.map(|error| error.code).as_deref(), Some("SCRIPTED"));
    cluster.finish().await
}

async fn a_restart_in_the_middle_of_a_rollback_changes_nothing(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&order()).await?;
    succeed(&worker, "stock").await?;
    succeed(&worker, "charge").await?;
    fail_next(&worker).await?;
    cluster
        .until(run, "rolling back", |run| run.status == RunStatus::Compensating)
        .await?;
    cluster.restart().await?;
    worker.hello().await?;
    succeed(&worker, "charge.compensate").await?;
    cluster
        .until_task(run, "charge.compensate", |task| {
            task.status == TaskStatus::Succeeded
        })
        .await?;
    cluster.restart().await?;
    worker.hello().await?;
    succeed(&worker, "stock.compensate").await?;
    cluster.ends(run, RunStatus::Compensated).await?;
    cluster.finish().await
}

async fn a_cancelled_run_is_undone_and_its_handlers_see_it(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = order();
    file["finally"] = json!({ "audit": { "type": "pass", "input": { "status": "${{ run.status }}" } } });
    let run = cluster.launch(&file).await?;
    succeed(&worker, "stock").await?;
    cluster
        .until_task(run, "stock", |task| task.status == TaskStatus::Succeeded)
        .await?;
    let orchestrator = cluster.orchestrator();
    orchestrator
        .cancel_run(&cluster.actor, run, CancelMode::Graceful, None)
        .await?;
    // the charge was on its way to the worker; its message is void
    let mut undone = false;
    while !undone {
        let held = worker.take(1).await?;
        if held[0].message.key == "stock.compensate" {
            worker
                .report(vec![runnel_tests::scripted::succeeded(
                    &held[0].at(),
                    &json!(true),
                )])
                .await?;
            undone = true;
        }
        worker.delete(&held).await?;
    }
    cluster.ends(run, RunStatus::Compensated).await?;
    let audit = cluster.task(run, "audit").await?;
    assert_eq!(audit.output.as_deref(), Some(r#"{"status":"COMPENSATED"}"#));
    cluster.finish().await
}

async fn a_failed_rollback_goes_on_after_a_retry(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut file = order();
    file["compensation"] = json!({ "on_error": "halt" });
    let run = cluster.launch(&file).await?;
    succeed(&worker, "stock").await?;
    succeed(&worker, "charge").await?;
    fail_next(&worker).await?;
    fail_next(&worker).await?;
    let ended = cluster.ends(run, RunStatus::CompensationFailed).await?;
    assert_eq!(
        ended.error.map(|error| error.code).as_deref(),
        Some("COMPENSATION_FAILED")
    );
    cluster
        .orchestrator()
        .retry_task(&cluster.actor, run, "charge.compensate")
        .await?;
    succeed(&worker, "charge.compensate").await?;
    succeed(&worker, "stock.compensate").await?;
    cluster.ends(run, RunStatus::Compensated).await?;
    cluster.finish().await
}
