//! Doing again: many runs at once, the runs below a run, and the HTTP aliases of reruns, overrides and dead letters.

use anyhow::Context as _;
use reqwest::{Method, StatusCode};
use runnel_engine::RunId;
use runnel_engine::run::RunStatus;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{ScriptedWorker, failed};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    many_runs_are_run_again_once,
    runs_are_found_by_the_run_above_them,
    the_aliases_do_again_and_decide,
);

const OPERATION: &str = "operation { id } matched { value } isReplay";

fn file() -> Value {
    let only = json!({ "type": "scripted", "on_exhausted": "dead_letter" });
    workflow("again", json!({ "only": only }))
}

async fn fail_next(worker: &ScriptedWorker) -> anyhow::Result<()> {
    let held = worker.take(1).await?;
    worker.report(vec![failed(&held[0].at(), false)]).await?;
    worker.delete(&held).await
}

fn id(run: RunId) -> String {
    format!("run_{}", run.0.simple())
}

async fn curl(
    client: &Client,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<(StatusCode, Value)> {
    let mut request = client.http.request(method, client.at(path));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    let value = serde_json::from_str(&text).with_context(|| format!("{path}: {status} {text}"))?;
    Ok((status, value))
}

async fn many_runs_are_run_again_once(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = cluster.launch(&file()).await?;
        fail_next(&worker).await?;
        cluster.ends(run, RunStatus::Failed).await?;
        runs.push(run);
    }
    let fine = cluster.launch(&file()).await?;
    worker.succeed_next(1).await?;
    cluster.ends(fine, RunStatus::Succeeded).await?;
    let again = |from: &str, is_dry: bool| {
        json!({ "action": "RERUN", "rerunFrom": from, "filter": { "workflow": "again" }, "dryRun": is_dry,
                "idempotencyKey": from })
    };
    let counted = client
        .mutate("runsBulk", again("FAILED", true), OPERATION)
        .await?;
    assert_eq!(
        counted["matched"]["value"], 3,
        "a run without failures is not meant"
    );
    let counted = client.mutate("runsBulk", again("START", true), OPERATION).await?;
    assert_eq!(counted["matched"]["value"], 4);

    let accepted = client
        .mutate("runsBulk", again("FAILED", false), OPERATION)
        .await?;
    cluster.orchestrator().settle().await;
    let query = "query($id: ID!) { bulkOperation(id: $id) { action status done failed } }";
    let shown = client
        .data(query, json!({ "id": accepted["operation"]["id"] }))
        .await?;
    assert_eq!(
        shown["bulkOperation"],
        json!({ "action": "RERUN", "status": "FINISHED", "done": 3, "failed": 0 })
    );
    let replay = client
        .mutate("runsBulk", again("FAILED", false), OPERATION)
        .await?;
    assert_eq!(replay["isReplay"], true);
    cluster.orchestrator().settle().await;
    worker.succeed_next(3).await?;
    for run in &runs {
        cluster.ends(*run, RunStatus::Succeeded).await?;
    }

    let accepted = client
        .mutate("runsBulk", again("START", false), OPERATION)
        .await?;
    cluster.orchestrator().settle().await;
    assert_eq!(accepted["matched"]["value"], 4);
    worker.succeed_next(4).await?;
    let query = "query($id: ID!) { run(id: $id) { reruns { status } } }";
    let shown = client.data(query, json!({ "id": id(fine) })).await?;
    assert_eq!(
        shown["run"]["reruns"].as_array().map(Vec::len),
        Some(1),
        "{shown:#}"
    );
    cluster.orchestrator().settle().await;
    cluster.finish().await
}

async fn runs_are_found_by_the_run_above_them(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let below = workflow("below", json!({ "only": { "type": "pass" } }));
    client.publish(&below.to_string()).await?;
    let call = json!({ "type": "workflow", "input": { "workflow": "below" } });
    let above = workflow("above", json!({ "one": call, "two": call }));
    let run = cluster.launch(&above).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let found = async |filter: Value| {
        let query = "query($filter: RunFilter) { runs(filter: $filter) { nodes { workflow { key } parent { id } } } }";
        let mut data = client.data(query, json!({ "filter": filter })).await?;
        anyhow::Ok(data["runs"]["nodes"].take())
    };
    let child = json!({ "workflow": { "key": "below" }, "parent": { "id": id(run) } });
    assert_eq!(found(json!({ "parent": id(run) })).await?, json!([child, child]));
    assert_eq!(
        found(json!({ "not": { "parent": id(run) } })).await?,
        json!([{ "workflow": { "key": "above" }, "parent": null }])
    );
    assert_eq!(found(json!({ "parent": "run_nonsense" })).await?, json!([]));
    cluster.finish().await
}

/// Replays the open dead letter of a failed run, which fails again, and discards the next one.
async fn decide_by_aliases(
    cluster: &Cluster,
    client: &Client,
    worker: &ScriptedWorker,
    run: RunId,
) -> anyhow::Result<()> {
    let path = format!("/api/v1/dead-letters?status=open&run={}", id(run));
    let (status, listed) = curl(client, Method::GET, &path, None).await?;
    assert_eq!(status, StatusCode::OK, "{listed:#}");
    let letter = &listed["dead_letters"][0];
    assert_eq!(
        (&letter["task"], &letter["error"]["code"]),
        (&json!("only"), &json!("SCRIPTED"))
    );
    let letter = letter["id"].as_str().context("an id")?.to_owned();
    let (status, _) = curl(client, Method::GET, "/api/v1/dead-letters?status=odd", None).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let replay = format!("/api/v1/dead-letters/{letter}/replay");
    let (status, replayed) = curl(client, Method::POST, &replay, None).await?;
    assert_eq!(
        (status, &replayed["status"]),
        (StatusCode::OK, &json!("REPLAYED")),
        "{replayed:#}"
    );
    fail_next(worker).await?;
    cluster.ends(run, RunStatus::Failed).await?;
    let (_, listed) = curl(client, Method::GET, "/api/v1/dead-letters?status=OPEN", None).await?;
    let letter = listed["dead_letters"][0]["id"]
        .as_str()
        .context("another letter")?;
    let discard = format!("/api/v1/dead-letters/{letter}/discard");
    let (status, _) = curl(client, Method::POST, &discard, None).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a reason is needed");
    let reason = json!({ "reason": "known" });
    let (status, discarded) = curl(client, Method::POST, &discard, Some(reason)).await?;
    assert_eq!((status, &discarded["reason"]), (StatusCode::OK, &json!("known")));
    let (status, _) = curl(client, Method::POST, "/api/v1/dead-letters/nonsense/replay", None).await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    Ok(())
}

async fn the_aliases_do_again_and_decide(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster.launch(&file()).await?;
    let rerun = format!("/api/v1/runs/{}/rerun", id(run));
    let (status, refused) = curl(&client, Method::POST, &rerun, None).await?;
    assert_eq!(status, StatusCode::CONFLICT, "{refused:#}");
    fail_next(&worker).await?;
    cluster.ends(run, RunStatus::Failed).await?;

    decide_by_aliases(&cluster, &client, &worker, run).await?;

    let body = json!({ "from": "FAILED", "reason": "the service is back", "idempotency_key": "k" });
    let (status, again) = curl(&client, Method::POST, &rerun, Some(body.clone())).await?;
    assert_eq!(
        (status, &again["run_id"]),
        (StatusCode::OK, &json!(id(run))),
        "{again:#}"
    );
    let (_, again) = curl(&client, Method::POST, &rerun, Some(body)).await?;
    assert_eq!(again["is_replay"], true);
    let task = format!("/api/v1/tasks/task_{}_0/override", run.0.simple());
    let (status, _) = curl(&client, Method::POST, &task, Some(json!({ "result": "MAYBE" }))).await?;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let body = json!({ "result": "SUCCEED", "output": { "n": 1 }, "reason": "done by hand" });
    let (status, set) = curl(&client, Method::POST, &task, Some(body)).await?;
    assert_eq!(
        (status, &set["status"]),
        (StatusCode::OK, &json!("SUCCEEDED")),
        "{set:#}"
    );
    cluster.ends(run, RunStatus::Succeeded).await?;
    let (status, fresh) = curl(&client, Method::POST, &rerun, Some(json!({ "from": "START" }))).await?;
    assert_eq!(status, StatusCode::CREATED, "{fresh:#}");
    worker.succeed_next(1).await?;
    let query = "{ auditEntries(first: 50) { nodes { action } } }";
    let log = client.data(query, json!({})).await?.to_string();
    for action in [
        "runRerun",
        "taskOverride",
        "deadLetterReplay",
        "deadLetterDiscard",
    ] {
        assert!(log.contains(action), "{action} left no row: {log}");
    }
    cluster.orchestrator().settle().await;
    cluster.finish().await
}
