//! Callbacks, end to end: tokens that are in no row, used once, over HTTP and GraphQL.

use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_runtime::wait::WaitError;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{Held, ScriptedWorker, failed, succeeded};
use runnel_tests::stack::Stack;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    a_task_waits_without_a_message_until_its_token_is_used,
    a_callback_before_the_report_ends_the_task,
    a_token_is_good_once_and_a_forged_one_never,
    a_retry_has_a_new_token_and_the_old_one_is_over,
    heartbeats_keep_a_callback_alive,
    the_token_is_in_no_row,
    callbacks_go_over_http_without_credentials_and_over_graphql,
);

fn called() -> Value {
    json!({ "call": {
        "type": "scripted",
        "callback": true,
        "timeout": "1h",
        "heartbeat": "10m",
        "retry": { "limit": 1, "delay": "0s" },
        "input": { "token": "${{ task.callback_token }}", "url": "${{ task.callback_url }}", "text": "t=${{ task.callback_token }}" },
    }})
}

/// The run, the message that its worker got, and the token in it.
async fn launched(cluster: &Cluster, worker: &ScriptedWorker) -> anyhow::Result<(RunId, Held, String)> {
    let run = cluster.launch(&workflow("called", called())).await?;
    let held = worker.take(1).await?.pop().context("a message")?;
    let token = token_of(&held)?;
    Ok((run, held, token))
}

fn token_of(held: &Held) -> anyhow::Result<String> {
    let input: Value = serde_json::from_str(held.message.input.get())?;
    let token = input["token"].as_str().context("a token")?.to_owned();
    assert_eq!(input["text"], format!("t={token}"));
    assert!(
        input["url"]
            .as_str()
            .is_some_and(|url| url.ends_with(&format!("/callbacks/{token}"))),
        "{input}"
    );
    Ok(token)
}

async fn report(worker: &ScriptedWorker, held: Held) -> anyhow::Result<()> {
    worker
        .report(vec![succeeded(&held.at(), &json!("set going"))])
        .await?;
    worker.delete(&[held]).await
}

/// A run whose worker has reported, and whose task waits for the use of the token.
async fn reported(cluster: &Cluster, worker: &ScriptedWorker) -> anyhow::Result<(RunId, String)> {
    let (run, held, token) = launched(cluster, worker).await?;
    report(worker, held).await?;
    cluster
        .until_task(run, "call", |task| task.status == TaskStatus::Waiting)
        .await?;
    Ok((run, token))
}

async fn a_task_waits_without_a_message_until_its_token_is_used(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let (run, token) = reported(&cluster, &worker).await?;
    assert_eq!(cluster.task(run, "call").await?.waiting_for, Some("CALLBACK"));
    cluster.restart().await?;
    cluster.orchestrator().settle().await;
    assert!(
        worker.receive(10, Duration::ZERO).await?.is_empty(),
        "a waiting task has a message"
    );
    let (_, task) = cluster
        .orchestrator()
        .complete_callback(&token, Ok(json!({ "done": true })))
        .await?;
    assert_eq!(task.output.as_deref(), Some(r#"{"done":true}"#));
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn a_callback_before_the_report_ends_the_task(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let (run, held, token) = launched(&cluster, &worker).await?;
    cluster
        .orchestrator()
        .complete_callback(&token, Ok(json!("early")))
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    report(&worker, held).await?;
    cluster.orchestrator().settle().await;
    assert_eq!(
        cluster.task(run, "call").await?.output.as_deref(),
        Some(r#""early""#)
    );
    cluster.finish().await
}

async fn a_token_is_good_once_and_a_forged_one_never(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let (run, held, token) = launched(&cluster, &worker).await?;
    let orchestrator = cluster.orchestrator();
    let completion = held.at().token;
    report(&worker, held).await?;
    let mut changed = token.clone();
    changed.replace_range(0..1, if token.starts_with('0') { "1" } else { "0" });
    for forged in ["", "x", &changed, &completion] {
        let refused = orchestrator.complete_callback(forged, Ok(json!(1))).await;
        assert!(
            matches!(refused, Err(WaitError::BadToken)),
            "{forged}: {refused:?}"
        );
    }
    orchestrator.complete_callback(&token, Ok(json!(1))).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    for _ in 0..2 {
        let used = orchestrator.complete_callback(&token, Ok(json!(2))).await;
        assert!(matches!(used, Err(WaitError::UsedToken { .. })), "{used:?}");
    }
    assert_eq!(cluster.task(run, "call").await?.output.as_deref(), Some("1"));
    cluster.finish().await
}

async fn a_retry_has_a_new_token_and_the_old_one_is_over(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let (run, held, first) = launched(&cluster, &worker).await?;
    worker.report(vec![failed(&held.at(), true)]).await?;
    worker.delete(&[held]).await?;
    let held = worker.take(1).await?.pop().context("a second message")?;
    let second = token_of(&held)?;
    assert_ne!(first, second);
    let orchestrator = cluster.orchestrator();
    let old = orchestrator.complete_callback(&first, Ok(json!(1))).await;
    assert!(matches!(old, Err(WaitError::UsedToken { .. })), "{old:?}");
    report(&worker, held).await?;
    orchestrator.complete_callback(&second, Ok(json!(2))).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(cluster.task(run, "call").await?.output.as_deref(), Some("2"));
    cluster.finish().await
}

async fn heartbeats_keep_a_callback_alive(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let (run, token) = reported(&cluster, &worker).await?;
    for _ in 0..3 {
        cluster.clock.advance(Duration::from_secs(540));
        cluster.orchestrator().heartbeat_callback(&token).await?;
    }
    assert_eq!(cluster.task(run, "call").await?.status, TaskStatus::Waiting);
    cluster.clock.advance(Duration::from_secs(601));
    // after so long without a sign the first worker counts as gone
    let worker = cluster.scripted("scripted-2", &["scripted"]).await?;
    let again = worker.take(1).await?.pop().context("another attempt")?;
    assert_eq!(again.message.at.attempt, 2);
    let late = cluster.orchestrator().heartbeat_callback(&token).await;
    assert!(matches!(late, Err(WaitError::UsedToken { .. })), "{late:?}");
    cluster
        .orchestrator()
        .complete_callback(&token_of(&again)?, Ok(Value::Null))
        .await?;
    worker.delete(&[again]).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn the_token_is_in_no_row(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let (run, token) = reported(&cluster, &worker).await?;
    let secret = token.rsplit('.').next().context("the signature")?.to_owned();
    let db = sea_orm::Database::connect(cluster.database_url()).await?;
    for (table, columns) in [
        (
            "task",
            "coalesce(input, '') || coalesce(output, '') || coalesce(extra, '')",
        ),
        ("event", "records"),
        ("run", "inputs || extra"),
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE {columns} LIKE '%{secret}%'");
        let statement = sea_orm::Statement::from_string(db.get_database_backend(), sql);
        let row = db.query_one_raw(statement).await?.context("a count")?;
        assert_eq!(row.try_get_by_index::<i64>(0)?, 0, "{table} holds the token");
    }
    db.close().await?;
    cluster
        .orchestrator()
        .complete_callback(&token, Ok(json!(1)))
        .await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn callbacks_go_over_http_without_credentials_and_over_graphql(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let (run, held, _) = launched(&cluster, &worker).await?;
    let input: Value = serde_json::from_str(held.message.input.get())?;
    let url = input["url"].as_str().context("an address")?.to_owned();
    assert!(url.starts_with(&client.base), "{url} is not at {}", client.base);
    report(&worker, held).await?;
    cluster
        .until_task(run, "call", |task| task.status == TaskStatus::Waiting)
        .await?;
    let beat = client.http.post(format!("{url}/heartbeat")).send().await?;
    assert!(beat.status().is_success(), "{}", beat.text().await?);
    let done = client.http.post(&url).body(r#"{"answer":42}"#).send().await?;
    assert!(done.status().is_success(), "{}", done.text().await?);
    cluster.ends(run, RunStatus::Succeeded).await?;
    assert_eq!(
        cluster.task(run, "call").await?.output.as_deref(),
        Some(r#"{"answer":42}"#)
    );
    let again = client.http.post(&url).body("1").send().await?;
    assert_eq!(again.status(), 409);

    let (run, held, token) = launched(&cluster, &worker).await?;
    report(&worker, held).await?;
    let input = json!({ "token": token, "error": { "code": "REMOTE", "message": "it broke" } });
    let payload = client
        .mutate("callbackComplete", input, "task { status } run { id }")
        .await?;
    assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
    let ended = cluster.ends(run, RunStatus::Failed).await?;
    assert_eq!(ended.error.map(|error| error.code).as_deref(), Some("REMOTE"));
    let used = client
        .mutate("callbackHeartbeat", json!({ "token": token }), "task { status }")
        .await?;
    assert_eq!(used["userErrors"][0]["code"], "CALLBACK_TOKEN_USED", "{used:#}");
    let bad = client
        .mutate("callbackComplete", json!({ "token": "x" }), "task { status }")
        .await?;
    assert_eq!(bad["userErrors"][0]["code"], "CALLBACK_TOKEN_INVALID", "{bad:#}");
    cluster.finish().await
}
