//! Rerun and override: in the same run, or as a new one that takes over what is good.

use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_runtime::rerun::{RerunFrom, RerunRequest};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{ScriptedWorker, failed};
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    what_failed_runs_again_in_the_same_run,
    starting_a_finished_run_again_makes_a_new_run,
    a_new_run_takes_over_good_results,
    an_override_lets_a_failed_run_go_on,
    a_rerun_over_the_api_is_typed_and_idempotent,
);

fn file() -> Value {
    let tasks = json!({
        "load": { "type": "scripted", "input": { "n": "${{ inputs.n }}" } },
        "other": { "type": "scripted" },
        "store": { "type": "scripted", "needs": ["load", "other"], "input": { "load": "${{ tasks.load.output }}" } },
    });
    let mut file = workflow("import", tasks);
    file["inputs"] = json!({ "n": { "type": "integer", "default": 1 } });
    file
}

/// A run whose last task failed.
async fn failed_run(cluster: &Cluster, worker: &ScriptedWorker) -> anyhow::Result<RunId> {
    let run = cluster.launch(&file()).await?;
    worker.succeed_next(2).await?;
    let held = worker.take(1).await?;
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    Ok(run)
}

async fn what_failed_runs_again_in_the_same_run(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = failed_run(&cluster, &worker).await?;
    let orchestrator = cluster.orchestrator();
    let again = orchestrator
        .rerun_run(&cluster.actor, RerunRequest::new(run, RerunFrom::Failed))
        .await?;
    assert_eq!((again.run.id, again.is_new), (run, false));
    let held = worker.succeed_next(1).await?;
    assert_eq!(
        (held[0].message.key.as_str(), held[0].message.at.attempt),
        ("store", 2)
    );
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn starting_a_finished_run_again_makes_a_new_run(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = failed_run(&cluster, &worker).await?;
    let orchestrator = cluster.orchestrator();
    let keyed = RerunRequest {
        idempotency_key: Some("k".to_owned()),
        ..RerunRequest::new(run, RerunFrom::Start)
    };
    let first = orchestrator.rerun_run(&cluster.actor, keyed.clone()).await?;
    let again = orchestrator.rerun_run(&cluster.actor, keyed).await?;
    assert!(first.is_new && first.run.id != run);
    assert_eq!((again.run.id, again.is_replay), (first.run.id, true));
    assert_eq!(first.run.rerun_of, Some(run));
    let reruns = orchestrator.reruns(&cluster.actor, run).await?;
    assert_eq!(
        reruns.iter().map(|run| run.id).collect::<Vec<_>>(),
        [first.run.id]
    );
    worker.succeed_next(2).await?;
    worker.succeed_next(1).await?;
    cluster.ends(first.run.id, RunStatus::Succeeded).await?;
    assert_eq!(
        cluster.run(run).await?.status,
        RunStatus::Failed,
        "the old run stays"
    );
    cluster.finish().await
}

async fn a_new_run_takes_over_good_results(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = failed_run(&cluster, &worker).await?;
    let other_inputs = RerunRequest {
        inputs: Some(Map::from_iter([("n".to_owned(), Value::from(2))])),
        ..RerunRequest::new(run, RerunFrom::Failed)
    };
    let again = cluster
        .orchestrator()
        .rerun_run(&cluster.actor, other_inputs)
        .await?;
    assert!(again.is_new);
    let new = again.run.id;
    assert_eq!(cluster.task(new, "other").await?.status, TaskStatus::Cached);
    assert_eq!(
        cluster.task(new, "other").await?.output.as_deref(),
        Some("\"other\"")
    );
    cluster.restart().await?;
    worker.hello().await?;
    let held = worker.succeed_next(1).await?;
    assert_eq!(held[0].message.key, "load", "it reads the input that changed");
    worker.succeed_next(1).await?;
    cluster.ends(new, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn an_override_lets_a_failed_run_go_on(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = failed_run(&cluster, &worker).await?;
    let (view, task) = cluster
        .orchestrator()
        .override_task(&cluster.actor, run, "store", Ok("{\"by\":\"hand\"}".into()), None)
        .await?;
    assert_eq!(task.status, TaskStatus::Succeeded);
    assert_eq!(view.status, RunStatus::Succeeded);
    assert_eq!(task.output.as_deref(), Some("{\"by\":\"hand\"}"));
    cluster.finish().await
}

async fn a_rerun_over_the_api_is_typed_and_idempotent(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let client = cluster.serve().await?;
    let run = failed_run(&cluster, &worker).await?;
    let mutation = "mutation($input: RunRerunInput!) { runRerun(input: $input) { run { id status rerunOf { id } } \
                      userErrors { code ... on RunStateConflict { status allowed } } } }";
    let id = format!("run_{}", run.0.simple());
    let start =
        json!({ "input": { "id": id, "from": "START", "idempotencyKey": "once", "version": "LATEST" } });
    let first = client.data(mutation, start.clone()).await?;
    assert_eq!(first["runRerun"]["run"]["rerunOf"]["id"], id);
    assert_eq!(client.data(mutation, start).await?, first);
    let reruns = client
        .data(
            "query($id: ID!) { run(id: $id) { reruns { id } } }",
            json!({ "id": id }),
        )
        .await?;
    assert_eq!(reruns["run"]["reruns"][0]["id"], first["runRerun"]["run"]["id"]);
    let running = first["runRerun"]["run"]["id"].clone();
    let refused = client
        .data(mutation, json!({ "input": { "id": running } }))
        .await?;
    let error = &refused["runRerun"]["userErrors"][0];
    assert_eq!(
        (error["code"].as_str(), error["status"].as_str()),
        (Some("RUN_STATE_CONFLICT"), Some("RUNNING"))
    );
    worker.succeed_next(2).await?;
    worker.succeed_next(1).await?;
    cluster.finish().await
}
