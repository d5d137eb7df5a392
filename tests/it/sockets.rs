//! WebSockets and their patience: signs of life, slow clients, the end of the server, and that a subscription goes on after each.

use std::time::Duration;

use runnel_api::{ApiConfig, SocketConfig};
use runnel_queue::{LogLine, LogStream, Report};
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, PATIENCE, workflow};
use runnel_tests::scripted::succeeded;
use runnel_tests::socket::{Heard, Socket};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_stack!(
    sqlite_embedded,
    SqliteEmbedded,
    a_client_that_does_not_answer_pings_is_given_up_and_one_that_does_stays,
    a_slow_client_is_cut_off_with_a_code_and_resumes,
    a_server_that_stops_says_so,
    the_log_of_a_task_begins_with_its_place
);
runnel_tests::on_stack!(
    postgres_embedded,
    PostgresEmbedded,
    a_slow_client_is_cut_off_with_a_code_and_resumes,
    the_log_of_a_task_begins_with_its_place
);

/// The next answer of an operation; pings are left unanswered.
async fn answer(socket: &mut Socket, id: &str) -> anyhow::Result<Value> {
    loop {
        match socket.hear().await? {
            Heard::Message(mut message) if message["id"] == id => {
                return Ok(message["payload"]["data"].take());
            }
            Heard::Message(_) => {}
            Heard::Closed(code) => anyhow::bail!("closed with {code}"),
        }
    }
}

async fn served(stack: Stack, socket: SocketConfig) -> anyhow::Result<(Cluster, Client)> {
    let mut cluster = Cluster::start(stack).await?;
    let config = ApiConfig {
        socket,
        ..ApiConfig::default()
    };
    let client = cluster.serve_with(config).await?;
    Ok((cluster, client))
}

const EVENTS: &str =
    "subscription($after: String) { events(after: $after) { kind cursor event { kind run { id } } } }";

async fn a_client_that_does_not_answer_pings_is_given_up_and_one_that_does_stays(
    stack: Stack,
) -> anyhow::Result<()> {
    let patience = SocketConfig {
        ping_every: Duration::from_millis(20),
        ..SocketConfig::default()
    };
    let (cluster, client) = served(stack, patience).await?;
    let mut dumb = Socket::open(&client).await?;
    let mut pings = 0;
    let code = loop {
        match dumb.hear().await? {
            Heard::Message(message) => {
                assert_eq!(message["type"], "ping");
                pings += 1;
            }
            Heard::Closed(code) => break code,
        }
    };
    assert_eq!((code, pings), (4499, patience.pings_max));

    let mut alive = Socket::open(&client).await?;
    for _ in 0..3 * patience.pings_max {
        let Heard::Message(ping) = alive.hear().await? else {
            anyhow::bail!("a client that answers was given up")
        };
        assert_eq!(ping["type"], "ping");
        alive.say(&json!({ "type": "pong" })).await?;
    }
    alive
        .say(&json!({ "type": "ping", "payload": { "n": 7 } }))
        .await?;
    loop {
        let Heard::Message(message) = alive.hear().await? else {
            anyhow::bail!("closed")
        };
        if message["type"] == "pong" {
            assert_eq!(
                message["payload"]["n"], 7,
                "a ping comes back with what it brought"
            );
            break;
        }
    }
    cluster.finish().await
}

/// Half a megabyte: more than a socket takes at once from a server whose client reads nothing.
const LARGE: &str = "{ __schema { types { name description fields { name description args { name description } } \
                     inputFields { name description } enumValues { name description } } } }";

async fn a_slow_client_is_cut_off_with_a_code_and_resumes(stack: Stack) -> anyhow::Result<()> {
    let patience = SocketConfig {
        send_wait: Duration::from_millis(1),
        close_wait: PATIENCE,
        ..SocketConfig::default()
    };
    let (cluster, client) = served(stack, patience).await?;
    let mut slow = Socket::open(&client).await?;
    slow.subscribe("events", EVENTS, json!({ "after": null })).await?;
    let sync = answer(&mut slow, "events").await?;
    assert_eq!(sync["events"]["kind"], "SYNC", "{sync:#}");
    let cursor = sync["events"]["cursor"].clone();
    for n in 0..60 {
        // a server that has closed takes nothing more
        if slow.subscribe(&n.to_string(), LARGE, json!({})).await.is_err() {
            break;
        }
    }
    // the client reads nothing while the server works for others, so what it is sent fills the socket
    for _ in 0..20 {
        client.post(LARGE, json!({})).await?;
    }
    assert_eq!(slow.close_code().await?, 4500);

    let run = cluster
        .launch(&workflow("seen", json!({ "only": { "type": "pass" } })))
        .await?;
    cluster.orchestrator().settle().await;
    let mut again = Socket::open(&client).await?;
    again
        .subscribe("events", EVENTS, json!({ "after": cursor }))
        .await?;
    let sync = answer(&mut again, "events").await?;
    assert_eq!(
        sync["events"]["cursor"], cursor,
        "it goes on where it was cut off"
    );
    let first = answer(&mut again, "events").await?;
    assert_eq!(first["events"]["event"]["kind"], "RUN_CREATED", "{first:#}");
    assert_eq!(
        first["events"]["event"]["run"]["id"],
        format!("run_{}", run.0.simple())
    );
    cluster.finish().await
}

async fn a_server_that_stops_says_so(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack, SocketConfig::default()).await?;
    let mut socket = Socket::open(&client).await?;
    socket
        .subscribe("events", EVENTS, json!({ "after": null }))
        .await?;
    answer(&mut socket, "events").await?;
    let closed = tokio::spawn(async move { socket.close_code().await });
    cluster.finish().await?;
    assert_eq!(closed.await??, 1001);
    Ok(())
}

async fn the_log_of_a_task_begins_with_its_place(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack, SocketConfig::default()).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let run = cluster
        .launch(&workflow("said", json!({ "only": { "type": "scripted" } })))
        .await?;
    let held = worker.take(1).await?;
    let said = |text: &str| Report::Log {
        at: held[0].at(),
        lines: vec![LogLine {
            at_us: 1,
            stream: LogStream::Stdout,
            text: text.to_owned(),
        }],
    };
    let query =
        "subscription($run: ID!, $after: String) { taskLogs(run: $run, task: \"only\", after: $after) {
                 kind cursor attempt lines { text } } }";
    let id = format!("run_{}", run.0.simple());
    let mut socket = Socket::open(&client).await?;
    socket
        .subscribe("log", query, json!({ "run": id, "after": null }))
        .await?;
    let sync = answer(&mut socket, "log").await?["taskLogs"].take();
    assert_eq!(
        (&sync["kind"], &sync["lines"]),
        (&json!("SYNC"), &json!([])),
        "{sync:#}"
    );
    let start = sync["cursor"].clone();
    worker.report(vec![said("one")]).await?;
    let lines = answer(&mut socket, "log").await?["taskLogs"].take();
    assert_eq!(
        (&lines["kind"], &lines["lines"][0]["text"]),
        (&json!("LINES"), &json!("one"))
    );
    worker
        .report(vec![said("two"), succeeded(&held[0].at(), &json!(1))])
        .await?;
    worker.delete(&held).await?;

    for (after, expected) in [
        (start, vec!["one", "two"]),
        (lines["cursor"].clone(), vec!["two"]),
    ] {
        let mut socket = Socket::open(&client).await?;
        socket
            .subscribe("log", query, json!({ "run": id, "after": after }))
            .await?;
        let sync = answer(&mut socket, "log").await?["taskLogs"].take();
        assert_eq!((&sync["kind"], &sync["cursor"]), (&json!("SYNC"), &after));
        let mut heard = Vec::new();
        loop {
            let message = answer(&mut socket, "log").await?["taskLogs"].take();
            if message["kind"] == "END" {
                break;
            }
            let lines = message["lines"].as_array().cloned().unwrap_or_default();
            heard.extend(
                lines
                    .iter()
                    .filter_map(|line| line["text"].as_str().map(str::to_owned)),
            );
        }
        assert_eq!(heard, expected);
    }
    cluster.finish().await
}
