//! A subscriber sees every event once and in order, and a cut in between changes nothing about that.

use anyhow::Context as _;
use futures_util::StreamExt as _;
use runnel_engine::RunId;
use runnel_engine::run::RunStatus;
use runnel_queue::{Progress, Report};
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, PATIENCE, workflow};
use runnel_tests::scripted::{EchoWorker, succeeded};
use runnel_tests::socket::Socket;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_each_stack!(
    a_websocket_subscriber_resumes_without_gap_or_repeat,
    an_sse_subscriber_resumes_without_gap_or_repeat,
    run_updates_end_with_the_run,
    progress_reaches_a_subscriber_while_the_task_runs,
);

const EVENTS: &str = "subscription($run: ID!, $after: String) { events(filter: { run: $run }, after: $after) { \
                      kind cursor event { seq kind } } }";
const TASKS: u32 = 40;

/// A run of forty independent tasks and the id by which the API knows it.
async fn launch(cluster: &Cluster) -> anyhow::Result<(RunId, String)> {
    let tasks: Map<String, Value> = (0..TASKS)
        .map(|n| (format!("t{n}"), json!({ "type": "scripted" })))
        .collect();
    let run = cluster
        .launch(&workflow("observed", Value::Object(tasks)))
        .await?;
    Ok((run, format!("run_{}", run.0.simple())))
}

/// Collects sequence numbers of the events until `enough`; answers the cursor of the last one.
fn take_event(payload: &Value, seqs: &mut Vec<i64>, cursor: &mut Option<String>) -> anyhow::Result<bool> {
    anyhow::ensure!(payload["errors"].is_null(), "{payload:#}");
    let message = &payload["data"]["events"];
    if let Some(at) = message["cursor"].as_str() {
        *cursor = Some(at.to_owned());
    }
    if message["kind"] != "EVENT" {
        return Ok(false);
    }
    seqs.push(message["event"]["seq"].as_i64().context("an event has a seq")?);
    Ok(message["event"]["kind"]
        .as_str()
        .is_some_and(|kind| kind == "RUN_SUCCEEDED"))
}

async fn check(cluster: Cluster, run: RunId, seqs: Vec<i64>) -> anyhow::Result<()> {
    cluster.ends(run, RunStatus::Succeeded).await?;
    let history = cluster.history(run).await?;
    let expected: Vec<i64> = (1..=i64::try_from(history.len())?).collect();
    assert_eq!(
        history.iter().map(|event| event.record.seq).collect::<Vec<_>>(),
        expected,
        "the history has a gap"
    );
    assert_eq!(seqs, expected);
    cluster.finish().await
}

async fn a_websocket_subscriber_resumes_without_gap_or_repeat(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let (mut seqs, mut cursor) = (Vec::new(), Some(place(&client).await?));
    let (run, id) = launch(&cluster).await?;
    let mut echo = None;
    let mut is_over = false;
    while !is_over {
        let mut socket = Socket::open(&client).await?;
        socket
            .subscribe("1", EVENTS, json!({ "run": id, "after": cursor }))
            .await?;
        // cut off after a few events, with more on their way
        let until = seqs.len() + 13;
        while seqs.len() < until && !is_over {
            let message = socket.next().await?;
            anyhow::ensure!(message["type"] == "next", "{message:#}");
            is_over = take_event(&message["payload"], &mut seqs, &mut cursor)?;
            if echo.is_none() && !seqs.is_empty() {
                echo = Some(EchoWorker::start(
                    cluster.scripted("scripted-1", &["scripted"]).await?,
                ));
            }
        }
        drop(socket);
    }
    check(cluster, run, seqs).await
}

async fn an_sse_subscriber_resumes_without_gap_or_repeat(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let (mut seqs, mut cursor) = (Vec::new(), Some(place(&client).await?));
    let (run, id) = launch(&cluster).await?;
    let _echo = EchoWorker::start(cluster.scripted("scripted-1", &["scripted"]).await?);
    let mut is_over = false;
    while !is_over {
        let request = client
            .http
            .post(client.at("/graphql/stream"))
            .header("accept", "text/event-stream")
            .json(&json!({ "query": EVENTS, "variables": { "run": id, "after": cursor } }));
        let answer = request.send().await?;
        anyhow::ensure!(
            answer.status().is_success(),
            "{}: {}",
            answer.status(),
            answer.text().await?
        );
        let mut stream = answer.bytes_stream();
        let mut text = String::new();
        let until = seqs.len() + 13;
        while seqs.len() < until && !is_over {
            let chunk = tokio::time::timeout(PATIENCE, stream.next())
                .await
                .context("no event came")?;
            text += &String::from_utf8_lossy(&chunk.context("the stream ended")??);
            while let Some(end) = text.find("\n\n") {
                let block: String = text.drain(..end + 2).collect();
                let data = block
                    .lines()
                    .filter_map(|line| line.strip_prefix("data:"))
                    .collect::<String>();
                if block.contains("event: next") || block.contains("event:next") {
                    is_over |= take_event(&serde_json::from_str(data.trim())?, &mut seqs, &mut cursor)?;
                }
                if seqs.len() >= until {
                    break;
                }
            }
        }
    }
    check(cluster, run, seqs).await
}

/// The place of the feed before the run: what the first message of a subscription tells.
async fn place(client: &Client) -> anyhow::Result<String> {
    let mut socket = Socket::open(client).await?;
    socket
        .subscribe("1", "subscription { events { kind cursor } }", json!({}))
        .await?;
    let first = socket.next().await?;
    let sync = &first["payload"]["data"]["events"];
    anyhow::ensure!(sync["kind"] == "SYNC", "{first:#}");
    sync["cursor"]
        .as_str()
        .map(str::to_owned)
        .context("SYNC has a cursor")
}

async fn run_updates_end_with_the_run(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let (run, id) = launch(&cluster).await?;
    let mut socket = Socket::open(&client).await?;
    let query =
        "subscription($id: ID!) { runUpdates(id: $id) { kind cursor run { status counts { succeeded } } } }";
    socket.subscribe("1", query, json!({ "id": id })).await?;
    let first = socket.next().await?;
    assert_eq!(
        first["payload"]["data"]["runUpdates"]["kind"], "SNAPSHOT",
        "{first:#}"
    );
    let _echo = EchoWorker::start(cluster.scripted("scripted-1", &["scripted"]).await?);
    let last = loop {
        let message = socket.next().await?;
        anyhow::ensure!(message["type"] == "next", "{message:#}");
        let update = message["payload"]["data"]["runUpdates"].clone();
        if update["kind"] == "END" {
            break update;
        }
    };
    assert_eq!(last["run"]["status"], "SUCCEEDED");
    assert_eq!(last["run"]["counts"]["succeeded"], TASKS);
    let complete = socket.next().await?;
    assert_eq!(complete["type"], "complete");
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}

async fn progress_reaches_a_subscriber_while_the_task_runs(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster
        .launch(&workflow("long", json!({ "work": { "type": "scripted" } })))
        .await?;
    let held = worker.take(1).await?;
    let mut socket = Socket::open(&client).await?;
    let query = "subscription($id: ID!) { runUpdates(id: $id) { kind tasks { status progress { fraction message } } } }";
    socket
        .subscribe("1", query, json!({ "id": format!("run_{}", run.0.simple()) }))
        .await?;
    for fraction in [0.25, 0.5, 0.75] {
        let beat = Report::Heartbeat {
            at: held[0].at(),
            progress: Some(Progress {
                fraction: Some(fraction),
                message: Some("on its way".to_owned()),
                ..Progress::default()
            }),
            checkpoint: None,
        };
        worker.report(vec![beat]).await?;
        // each is told before the next one is reported: nothing else would wake the subscriber
        loop {
            let message = socket.next().await?;
            anyhow::ensure!(message["type"] == "next", "{message:#}");
            let task = &message["payload"]["data"]["runUpdates"]["tasks"][0];
            if task["progress"]["fraction"] == fraction {
                assert_eq!(task["status"], "RUNNING");
                assert_eq!(task["progress"]["message"], "on its way");
                break;
            }
        }
    }
    worker.report(vec![succeeded(&held[0].at(), &json!(1))]).await?;
    worker.delete(&held).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    cluster.finish().await
}
