//! The transport's own rules, on the real server: hostile documents, forged browsers, slow clients, limits.

use anyhow::Context as _;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, PATIENCE};
use runnel_tests::socket::Socket;
use runnel_tests::stack::Stack;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

runnel_tests::on_stack!(
    sqlite_embedded,
    SqliteEmbedded,
    fragments_that_multiply_are_refused_before_they_are_expanded,
    limits_are_answered_with_client_errors,
    requests_that_a_foreign_page_can_send_are_refused,
    half_a_request_is_cut_off,
    a_foreign_origin_opens_no_websocket,
    a_websocket_without_init_is_closed,
    a_second_operation_under_a_live_id_closes_the_socket
);

async fn served(stack: Stack) -> anyhow::Result<(Cluster, Client)> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    Ok((cluster, client))
}

/// 16 spreads on each of nine levels: unguarded, the library walks 68 billion of them and never answers.
async fn fragments_that_multiply_are_refused_before_they_are_expanded(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let spreads = |level: u32| format!("...f{level} ").repeat(16);
    let mut query = "query A { ...f0 } ".to_owned();
    for level in 0..9 {
        query += &format!("fragment f{level} on Query {{ {} }} ", spreads(level + 1));
    }
    query += "fragment f9 on Query { __typename }";
    let (status, body) = client.post(&query, json!({})).await?;
    assert!(status.is_client_error(), "{status} {body:#}");
    // also when the operation that is run is a harmless one
    let both = format!("{query} query B {{ __typename }}");
    let request = client
        .http
        .post(client.at("/graphql"))
        .json(&json!({ "query": both, "operationName": "B" }));
    let body: Value = request.send().await?.json().await?;
    assert!(body["errors"].is_array(), "{body:#}");
    // a fragment that spreads itself
    let (status, _) = client
        .post(
            "{ ...f } fragment f on Query { ...g } fragment g on Query { ...f }",
            json!({}),
        )
        .await?;
    assert!(status.is_client_error(), "{status}");
    cluster.finish().await
}

async fn limits_are_answered_with_client_errors(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let deep = format!("{{ {} __typename {} }}", "a { ".repeat(500), "}".repeat(500));
    let aliases: String = (0..5_000).map(|n| format!("a{n}: __typename ")).collect();
    let costly = "{ runs(first: 200) { nodes { tasks(first: 200) { nodes { id } } events(first: 200) { nodes { cursor } } } } }";
    let pages = "{ runs(first: 100000) { nodes { id } } }";
    for query in [
        deep.as_str(),
        &format!("{{ {aliases} }}"),
        costly,
        pages,
        "{",
        "",
        "query",
        "{ nothing }",
        "\u{feff}{",
    ] {
        let (status, body) = client.post(query, json!({})).await?;
        assert!(
            status.is_client_error(),
            "{}: {status} {body:#}",
            &query[..query.len().min(60)]
        );
        let text = body.to_string();
        assert!(
            !text.contains("Pos(") && !text.contains(".rs:") && !text.contains("positives"),
            "{text}"
        );
    }
    let batch = client
        .http
        .post(client.at("/graphql"))
        .json(&json!([{ "query": "{ __typename }" }]))
        .send()
        .await?;
    assert!(batch.status().is_client_error(), "batch: {}", batch.status());
    let large = json!({ "query": "{ __typename }", "variables": { "x": "x".repeat(6 << 20) } });
    if let Ok(answer) = client.http.post(client.at("/graphql")).json(&large).send().await {
        assert!(answer.status().is_client_error(), "6 MB: {}", answer.status());
    }
    let data = client.data("{ __typename }", json!({})).await?;
    assert_eq!(data["__typename"], "Query");
    cluster.finish().await
}

async fn requests_that_a_foreign_page_can_send_are_refused(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let mutation = json!({ "query": "mutation { workflowPublish(input: { source: \"id: x\\ntasks: { a: { type: pass } }\" }) { isNew } }" });
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let request = client
            .http
            .post(client.at("/graphql"))
            .header("content-type", kind)
            .body(mutation.to_string());
        let answer = request.send().await?;
        assert!(answer.status().is_client_error(), "{kind}: {}", answer.status());
    }
    let bare = client
        .http
        .post(client.at("/graphql"))
        .body(mutation.to_string())
        .send()
        .await?;
    assert!(
        bare.status().is_client_error(),
        "no content type: {}",
        bare.status()
    );
    let query = reqwest::Url::parse_with_params(
        &client.at("/graphql"),
        [(
            "query",
            "mutation { workflowPublish(input: { source: \"\" }) { isNew } }",
        )],
    )?;
    let get = client.http.get(query).send().await?;
    assert!(get.status().is_client_error(), "GET mutation: {}", get.status());
    let data = client
        .data("{ workflows(first: 1) { nodes { key } } }", json!({}))
        .await?;
    assert_eq!(data["workflows"]["nodes"], json!([]), "one of them was executed");
    cluster.finish().await
}

async fn half_a_request_is_cut_off(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let address = client.base.trim_start_matches("http://").to_owned();
    let halves: [&[u8]; 2] = [
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-ty",
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"que",
    ];
    let cut = halves.map(|half| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut socket = tokio::net::TcpStream::connect(address).await?;
            socket.write_all(half).await?;
            let mut rest = Vec::new();
            // ends when the server closes; an error is a close as well
            let _ = socket.read_to_end(&mut rest).await;
            anyhow::Ok(())
        })
    });
    for cut in cut {
        tokio::time::timeout(PATIENCE, cut)
            .await
            .context("half a request was kept open")???;
    }
    cluster.finish().await
}

async fn a_foreign_origin_opens_no_websocket(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    assert!(
        Socket::connect(&client, Some("https://elsewhere.example"))
            .await
            .is_err()
    );
    assert!(Socket::connect(&client, Some("null")).await.is_err());
    Socket::connect(&client, Some(&client.base)).await?;
    Socket::connect(&client, None).await?;
    cluster.finish().await
}

async fn a_websocket_without_init_is_closed(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let mut socket = Socket::connect(&client, None).await?;
    assert_eq!(socket.close_code().await?, 4408);
    cluster.finish().await
}

async fn a_second_operation_under_a_live_id_closes_the_socket(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack).await?;
    let mut socket = Socket::connect(&client, None).await?;
    let subscribe =
        json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { events { kind } }" } });
    for message in [json!({ "type": "connection_init" }), subscribe.clone(), subscribe] {
        socket.say(&message).await?;
    }
    assert_eq!(socket.close_code().await?, 4409);
    cluster.finish().await
}
