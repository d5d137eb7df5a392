//! A start with an idempotency key happens once.

use std::collections::HashSet;

use runnel_engine::run::RunStatus;
use runnel_runtime::{StartError, StartRequest};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    the_same_request_answers_the_same_run,
    another_request_under_the_same_key_is_refused,
    racing_starts_under_one_key_make_one_run,
    identical_content_is_one_version,
);

async fn published(stack: Stack) -> anyhow::Result<Cluster> {
    let cluster = Cluster::start(stack).await?;
    let tasks = json!({ "only": { "type": "pass", "input": { "n": "${{ inputs.n }}" } } });
    let mut file = workflow("keyed", tasks);
    file["inputs"] = json!({ "n": { "type": "integer", "default": 1 } });
    cluster.publish(&file.to_string()).await?;
    Ok(cluster)
}

fn request(key: &str, n: u32) -> StartRequest {
    StartRequest {
        workflow: "keyed".to_owned(),
        inputs: Map::from_iter([("n".to_owned(), Value::from(n))]),
        idempotency_key: Some(key.to_owned()),
        ..StartRequest::default()
    }
}

async fn the_same_request_answers_the_same_run(stack: Stack) -> anyhow::Result<()> {
    let cluster = published(stack).await?;
    let first = cluster
        .orchestrator()
        .start_run(&cluster.actor, request("a", 1))
        .await?;
    assert!(!first.is_replay);
    cluster.ends(first.run.id, RunStatus::Succeeded).await?;
    let again = cluster
        .orchestrator()
        .start_run(&cluster.actor, request("a", 1))
        .await?;
    assert!(again.is_replay);
    assert_eq!(again.run.id, first.run.id);
    let other = cluster
        .orchestrator()
        .start_run(&cluster.actor, request("b", 1))
        .await?;
    assert_ne!(other.run.id, first.run.id);
    cluster.ends(other.run.id, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn another_request_under_the_same_key_is_refused(stack: Stack) -> anyhow::Result<()> {
    let cluster = published(stack).await?;
    let first = cluster
        .orchestrator()
        .start_run(&cluster.actor, request("a", 1))
        .await?;
    match cluster
        .orchestrator()
        .start_run(&cluster.actor, request("a", 2))
        .await
    {
        Err(StartError::IdempotencyConflict { run }) => assert_eq!(run, first.run.id),
        other => anyhow::bail!("expected a conflict and got {other:?}"),
    }
    cluster.ends(first.run.id, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn racing_starts_under_one_key_make_one_run(stack: Stack) -> anyhow::Result<()> {
    let cluster = published(stack).await?;
    let starts = (0..32).map(|_| {
        let (orchestrator, actor) = (cluster.orchestrator().clone(), cluster.actor.clone());
        tokio::spawn(async move { orchestrator.start_run(&actor, request("race", 1)).await })
    });
    let mut runs = HashSet::new();
    let mut made = 0;
    for start in starts.collect::<Vec<_>>() {
        let started = start.await??;
        made += usize::from(!started.is_replay);
        runs.insert(started.run.id);
    }
    assert_eq!((runs.len(), made), (1, 1));
    for run in runs {
        cluster.ends(run, RunStatus::Succeeded).await?;
    }
    cluster.finish().await
}

async fn identical_content_is_one_version(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let file = |n: u32| {
        workflow(
            "content",
            json!({ "only": { "type": "pass", "input": { "n": n } } }),
        )
        .to_string()
    };
    let first = cluster.publish(&file(1)).await?;
    let second = cluster.publish(&file(2)).await?;
    let again = cluster.publish(&file(1)).await?;
    assert_eq!((first.version.number, first.is_new), (1, true));
    assert_eq!((second.version.number, second.is_new), (2, true));
    assert_eq!((again.version.number, again.is_new), (1, false));
    assert_eq!(again.version.hash, first.version.hash);
    cluster.finish().await
}
