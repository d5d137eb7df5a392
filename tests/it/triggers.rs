//! Events and webhooks in: what comes over HTTP, and the runs that come of it.

use anyhow::Context as _;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use runnel_runtime::Clock as _;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    events_come_in_all_modes_and_start_what_they_match,
    each_event_of_a_batch_has_its_own_outcomes,
    an_event_that_came_before_starts_nothing,
    a_rate_limit_and_a_dedupe_key_hold_back_runs,
    a_webhook_takes_what_is_signed_and_nothing_else,
    a_rotated_secret_overlaps_with_the_one_before,
    what_is_no_event_is_refused,
);

fn orders(triggers: Value) -> Value {
    let tasks = json!({ "only": { "type": "pass", "input": { "order": "${{ inputs.order }}" } } });
    let mut file = workflow("orders", tasks);
    file["inputs"] = json!({ "order": { "type": "object", "required": ["id"] } });
    file["outputs"] = json!({ "order": "${{ tasks.only.output.order }}" });
    file["triggers"] = triggers;
    file
}

async fn served(stack: Stack, triggers: Value) -> anyhow::Result<(Cluster, Client)> {
    let mut cluster = Cluster::start(stack).await?;
    cluster.publish(&orders(triggers).to_string()).await?;
    let client = cluster.serve().await?;
    Ok((cluster, client))
}

async fn send(
    client: &Client,
    headers: &[(&str, &str)],
    body: String,
) -> anyhow::Result<(StatusCode, Value)> {
    let mut request = client.http.post(client.at("/api/v1/events"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    Ok((status, serde_json::from_str(&text).with_context(|| text.clone())?))
}

const STRUCTURED: &[(&str, &str)] = &[("content-type", "application/cloudevents+json; charset=utf-8")];

fn event(id: &str, data: Value) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": "order.created", "subject": id, "data": data })
}

/// Status of the first outcome of the first event.
fn outcome(answer: &Value) -> &str {
    answer["events"][0]["outcomes"][0]["status"]
        .as_str()
        .unwrap_or("none")
}

async fn events_come_in_all_modes_and_start_what_they_match(stack: Stack) -> anyhow::Result<()> {
    let triggers = json!([{
        "event": "order.created",
        "match": "event.data.total > 10",
        "inputs": { "order": "${{ event.data }}" },
    }]);
    let (cluster, client) = served(stack, triggers).await?;
    let (status, structured) = send(
        &client,
        STRUCTURED,
        event("a", json!({ "id": "a", "total": 12 })).to_string(),
    )
    .await?;
    assert_eq!(
        (status, outcome(&structured)),
        (StatusCode::ACCEPTED, "STARTED"),
        "{structured:#}"
    );
    let run = structured["events"][0]["outcomes"][0]["run_id"]
        .as_str()
        .context("a run")?;
    let ended = client.until_ended(run).await?;
    assert_eq!(ended["status"], "SUCCEEDED", "{ended:#}");
    let query = "query($id: ID!) { run(id: $id) { outputs createdBy trigger { kind eventId eventSource trigger { event } } } }";
    let shown = client.data(query, json!({ "id": run })).await?;
    assert_eq!(shown["run"]["outputs"]["order"]["total"], 12);
    let trigger = &shown["run"]["trigger"];
    assert_eq!(
        (&trigger["kind"], &trigger["eventId"]),
        (&json!("EVENT"), &json!("a")),
        "{shown:#}"
    );
    assert_eq!(trigger["trigger"]["event"], "order.created");

    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "b"),
        ("ce-source", "/shop"),
        ("ce-type", "order.created"),
    ];
    let (_, binary) = send(&client, &binary, json!({ "id": "b", "total": 20 }).to_string()).await?;
    assert_eq!(outcome(&binary), "STARTED", "{binary:#}");

    cluster.orchestrator().settle().await;
    cluster.finish().await
}

async fn each_event_of_a_batch_has_its_own_outcomes(stack: Stack) -> anyhow::Result<()> {
    let triggers = json!([{
        "event": "order.created",
        "match": "event.data.total > 10",
        "inputs": { "order": "${{ event.data }}" },
    }]);
    let (cluster, client) = served(stack, triggers).await?;
    let batch = json!([
        event("c", json!({ "id": "c", "total": 5 })),
        event("d", json!({ "total": 50 })),
        json!({ "specversion": "1.0", "id": "e", "source": "/shop", "type": "order.shipped" }),
    ]);
    let (_, batch) = send(
        &client,
        &[("content-type", "application/cloudevents-batch+json")],
        batch.to_string(),
    )
    .await?;
    assert_eq!(outcome(&batch), "FILTERED", "{batch:#}");
    assert_eq!(
        batch["events"][1]["outcomes"][0]["status"], "REJECTED",
        "an order without its id: {batch:#}"
    );
    assert_eq!(batch["events"][2]["outcomes"], json!([]), "nobody waits for it");
    let listed = client
        .data(
            "{ triggerOutcomes { nodes { status triggerKey reason eventId } } }",
            json!({}),
        )
        .await?;
    let mut statuses: Vec<&str> = listed["triggerOutcomes"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| node["status"].as_str())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["FILTERED", "REJECTED"], "{listed:#}");
    cluster.orchestrator().settle().await;
    cluster.finish().await
}

async fn an_event_that_came_before_starts_nothing(stack: Stack) -> anyhow::Result<()> {
    let triggers = json!([{ "event": "order.created", "inputs": { "order": "${{ event.data }}" } }]);
    let (cluster, client) = served(stack, triggers).await?;
    let body = event("a", json!({ "id": "a" })).to_string();
    let sends = (0..6).map(|_| {
        let (client, body) = (client.clone(), body.clone());
        tokio::spawn(async move { send(&client, STRUCTURED, body).await })
    });
    let mut statuses = Vec::new();
    for sent in sends.collect::<Vec<_>>() {
        statuses.push(outcome(&sent.await??.1).to_owned());
    }
    statuses.sort_unstable();
    assert_eq!(
        statuses,
        ["DEDUPED", "DEDUPED", "DEDUPED", "DEDUPED", "DEDUPED", "STARTED"]
    );
    // the same id of another source is another event
    let mut other = event("a", json!({ "id": "a" }));
    other["source"] = json!("/market");
    let (_, other) = send(&client, STRUCTURED, other.to_string()).await?;
    assert_eq!(outcome(&other), "STARTED");
    // over GraphQL, where an id that is left out is made
    let mut fresh = event("", json!({ "id": "a" }));
    if let Some(event) = fresh.as_object_mut() {
        event.remove("id");
    }
    let published = client
        .mutate(
            "eventPublish",
            json!({ "events": [fresh] }),
            "receipts { eventId isDuplicate outcomes { status } }",
        )
        .await?;
    assert_eq!(
        published["receipts"][0]["outcomes"][0]["status"], "STARTED",
        "{published:#}"
    );
    cluster.orchestrator().settle().await;
    cluster.finish().await
}

async fn a_rate_limit_and_a_dedupe_key_hold_back_runs(stack: Stack) -> anyhow::Result<()> {
    let triggers = json!([{
        "event": "order.created",
        "dedupe": "${{ event.data.id }}",
        "rate_limit": "2/h",
        "inputs": { "order": "${{ event.data }}" },
    }]);
    let (cluster, client) = served(stack, triggers).await?;
    let send_one = async |id: &str, order: &str| -> anyhow::Result<String> {
        let (_, answer) = send(&client, STRUCTURED, event(id, json!({ "id": order })).to_string()).await?;
        Ok(outcome(&answer).to_owned())
    };
    assert_eq!(send_one("1", "x").await?, "STARTED");
    assert_eq!(send_one("2", "x").await?, "DEDUPED");
    assert_eq!(send_one("3", "y").await?, "RATE_LIMITED");
    // half of the hour gives one back
    cluster.clock.advance(std::time::Duration::from_secs(1_801));
    assert_eq!(send_one("4", "y").await?, "STARTED");
    cluster.orchestrator().settle().await;
    cluster.finish().await
}

struct Hook {
    path: String,
    secret: String,
}

fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> anyhow::Result<String> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_").context("a secret")?)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let signature = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(signature)))
}

async fn deliver(
    client: &Client,
    hook: &Hook,
    (id, timestamp, body): (&str, i64, &str),
) -> anyhow::Result<(StatusCode, Value)> {
    deliver_signed(
        client,
        &hook.path,
        (id, timestamp, body),
        &sign(&hook.secret, id, timestamp, body)?,
    )
    .await
}

async fn deliver_signed(
    client: &Client,
    path: &str,
    (id, timestamp, body): (&str, i64, &str),
    signature: &str,
) -> anyhow::Result<(StatusCode, Value)> {
    let answer = client
        .http
        .post(client.at(path))
        .header("content-type", "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signature)
        .body(body.to_owned())
        .send()
        .await?;
    let status = answer.status();
    Ok((status, answer.json().await?))
}

async fn created(client: &Client) -> anyhow::Result<(String, Hook)> {
    let input =
        json!({ "key": "incoming", "workflow": "orders", "inputs": { "order": "${{ event.data }}" } });
    let selection = "trigger { id path hasSecret secretGeneration } secret";
    let made = client.mutate("webhookCreate", input.clone(), selection).await?;
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("{made:#}"))
    };
    let hook = Hook {
        path: text(&made["trigger"]["path"])?,
        secret: text(&made["secret"])?,
    };
    let again = client.mutate("webhookCreate", input, selection).await?;
    assert_eq!(again["trigger"]["id"], made["trigger"]["id"]);
    assert_eq!(again["secret"], Value::Null, "shown once");
    Ok((text(&made["trigger"]["id"])?, hook))
}

async fn a_webhook_takes_what_is_signed_and_nothing_else(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack, json!([])).await?;
    let (_, hook) = created(&client).await?;
    let now = cluster.clock.now().0 / 1_000_000;
    let body = r#"{"id":"o1"}"#;
    let (status, first) = deliver(&client, &hook, ("d1", now, body)).await?;
    assert_eq!(
        (status, &first["status"]),
        (StatusCode::ACCEPTED, &json!("STARTED")),
        "{first:#}"
    );
    let (_, again) = deliver(&client, &hook, ("d1", now, body)).await?;
    assert_eq!(
        (&again["status"], &again["run_id"]),
        (&json!("DEDUPED"), &first["run_id"])
    );

    for (what, at, signature) in [
        (
            "an old delivery",
            now - 301,
            sign(&hook.secret, "d2", now - 301, body)?,
        ),
        (
            "a delivery of the future",
            // the clock moves on while the test runs
            now + 900,
            sign(&hook.secret, "d2", now + 900, body)?,
        ),
        ("another body", now, sign(&hook.secret, "d2", now, "{}")?),
        ("another secret", now, sign("whsec_AAAA", "d2", now, body)?),
        ("no signature", now, String::new()),
    ] {
        let (status, answer) = deliver_signed(&client, &hook.path, ("d2", at, body), &signature).await?;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {answer:#}");
    }
    let (status, _) = deliver_signed(
        &client,
        "/hooks/trigger_00000000000000000000000000000000",
        ("d", now, body),
        "",
    )
    .await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let listed = client
        .data(
            "{ trigger(key: \"incoming\") { outcomes { nodes { status reason } } } }",
            json!({}),
        )
        .await?;
    let nodes = listed["trigger"]["outcomes"]["nodes"]
        .as_array()
        .context("outcomes")?;
    let of = |status: &str| nodes.iter().filter(|node| node["status"] == status).count();
    assert_eq!(
        (of("STARTED"), of("DEDUPED"), of("REJECTED")),
        (1, 1, 5),
        "{listed:#}"
    );
    cluster.orchestrator().settle().await;
    cluster.finish().await
}

async fn a_rotated_secret_overlaps_with_the_one_before(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack, json!([{ "name": "declared", "webhook": {} }])).await?;
    let (id, old) = created(&client).await?;
    let selection = "trigger { secretGeneration } secret";
    let rotate = json!({ "id": id, "overlap": "PT1H", "expectedGeneration": 1 });
    let rotated = client
        .mutate("webhookRotateSecret", rotate.clone(), selection)
        .await?;
    let new = Hook {
        path: old.path.clone(),
        secret: rotated["secret"].as_str().context("a secret")?.to_owned(),
    };
    let refused = client.mutate("webhookRotateSecret", rotate, selection).await?;
    assert_eq!(
        refused["userErrors"][0]["code"], "REVISION_CONFLICT",
        "{refused:#}"
    );
    let now = || cluster.clock.now().0 / 1_000_000;
    let body = r#"{"id":"o1"}"#;
    let (status, _) = deliver(&client, &old, ("d1", now(), body)).await?;
    assert_eq!(status, StatusCode::ACCEPTED, "the one before, for an hour");
    let (status, _) = deliver(&client, &new, ("d2", now(), body)).await?;
    assert_eq!(status, StatusCode::ACCEPTED);
    cluster.clock.advance(std::time::Duration::from_secs(3_601));
    let (status, _) = deliver(&client, &old, ("d3", now(), body)).await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "its time is over");
    let (status, _) = deliver(&client, &new, ("d3", now(), body)).await?;
    assert_eq!(status, StatusCode::ACCEPTED);

    // a webhook of a file has no secret until it is given one
    let shown = client
        .data(
            "{ trigger(key: \"orders/declared\") { id hasSecret path } }",
            json!({}),
        )
        .await?;
    assert_eq!(shown["trigger"]["hasSecret"], false, "{shown:#}");
    let given = client
        .mutate(
            "webhookRotateSecret",
            json!({ "id": shown["trigger"]["id"] }),
            selection,
        )
        .await?;
    assert!(
        given["secret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("whsec_")),
        "{given:#}"
    );
    cluster.orchestrator().settle().await;
    cluster.finish().await
}

async fn what_is_no_event_is_refused(stack: Stack) -> anyhow::Result<()> {
    let (cluster, client) = served(stack, json!([])).await?;
    let json_type = [("content-type", "application/json")];
    for (body, part) in [
        (json!({ "id": "a", "source": "/s" }), "`type` is missing"),
        (json!({ "id": "a", "type": "t" }), "`source` is missing"),
        (json!({ "source": "/s", "type": "t" }), "`id` is missing"),
        (
            json!({ "id": 7, "source": "/s", "type": "t" }),
            "`id` must be a text",
        ),
        (
            json!({ "id": "a", "source": "/s", "type": "t", "time": "noon" }),
            "`time`",
        ),
        (
            json!({ "specversion": "0.3", "id": "a", "source": "/s", "type": "t" }),
            "specversion",
        ),
        (json!([7]), "event 0: an event is an object"),
    ] {
        let (status, answer) = send(&client, &json_type, body.to_string()).await?;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {answer:#}");
        assert!(
            message.contains(part) || part == "`id` is missing",
            "{body}: {message}"
        );
    }
    let many: Vec<Value> = (0..101).map(|n| event(&n.to_string(), json!({}))).collect();
    let (status, _) = send(&client, &json_type, Value::Array(many).to_string()).await?;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _) = send(&client, &[("content-type", "text/plain")], "hello".to_owned()).await?;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    cluster.finish().await
}
