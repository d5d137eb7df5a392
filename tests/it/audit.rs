//! Every mutation leaves one row in the audit log, on whichever way it came and whatever came of it.

use std::collections::HashMap;

use anyhow::Context as _;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    every_mutation_of_the_schema_leaves_one_row,
    an_operation_is_logged_with_the_states_around_it,
    aliases_are_logged_as_the_mutations_they_stand_for,
    a_dry_run_leaves_nothing,
    a_repeated_request_answers_as_the_first_one_did,
);

/// Mutations that change nothing.
const CHANGES_NOTHING: [&str; 1] = ["workflowValidate"];

const LOG: &str = "query($filter: AuditFilter) { auditEntries(first: 200, filter: $filter) { nodes { \
                   actor action targetType targetId reason requestId outcome code before after } } }";

async fn log(client: &Client, filter: Value) -> anyhow::Result<Vec<Value>> {
    let data = client.data(LOG, json!({ "filter": filter })).await?;
    let nodes = data["auditEntries"]["nodes"].as_array();
    Ok(nodes.cloned().unwrap_or_default())
}

fn waiting() -> Value {
    workflow("waits", json!({ "only": { "type": "scripted" } }))
}

/// The types of the schema by name.
async fn types(client: &Client) -> anyhow::Result<HashMap<String, Value>> {
    let query = "{ __schema { types { name kind enumValues { name } \
                 inputFields { name defaultValue type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } \
                 fields { name args { name type { kind name ofType { kind name } } } } } } }";
    // introspection is asked for in two parts: lists within lists are refused
    let (status, body) = client.post(query, json!({})).await?;
    anyhow::ensure!(status.is_success(), "{body:#}");
    let types = body["data"]["__schema"]["types"].as_array().cloned();
    Ok(types
        .with_context(|| format!("no types: {body:#}"))?
        .into_iter()
        .filter_map(|found| Some((found["name"].as_str()?.to_owned(), found)))
        .collect())
}

/// A value that is right in form for a type; what it names does not exist.
fn sample(types: &HashMap<String, Value>, ty: &Value) -> Value {
    match ty["kind"].as_str().unwrap_or_default() {
        "NON_NULL" => sample(types, &ty["ofType"]),
        "LIST" => json!([sample(types, &ty["ofType"])]),
        "ENUM" => types[ty["name"].as_str().unwrap_or_default()]["enumValues"][0]["name"].clone(),
        "INPUT_OBJECT" => {
            let fields = types[ty["name"].as_str().unwrap_or_default()]["inputFields"].as_array();
            let needed = fields
                .into_iter()
                .flatten()
                .filter(|field| field["type"]["kind"] == "NON_NULL" && field["defaultValue"].is_null());
            let given = needed.map(|field| {
                let name = field["name"].as_str().unwrap_or_default().to_owned();
                (name, sample(types, &field["type"]))
            });
            Value::Object(given.collect())
        }
        _ => match ty["name"].as_str().unwrap_or_default() {
            "Int" | "Float" => json!(1),
            "Boolean" => json!(true),
            "DateTime" => json!("2026-01-31T09:30:00Z"),
            "Duration" => json!("PT1S"),
            "JSON" => json!({}),
            _ => json!("unknown"),
        },
    }
}

async fn every_mutation_of_the_schema_leaves_one_row(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let types = types(&client).await?;
    let fields = types["Mutation"]["fields"].as_array().cloned();
    let mut checked = 0;
    for field in fields.context("there are mutations")? {
        let name = field["name"].as_str().context("a name")?.to_owned();
        let input_type = &field["args"][0]["type"];
        let type_name = input_type["ofType"]["name"].as_str().context("an input type")?;
        let query = format!("mutation($input: {type_name}!) {{ {name}(input: $input) {{ __typename }} }}");
        let (_, body) = client
            .post(&query, json!({ "input": sample(&types, input_type) }))
            .await?;
        let rows = log(&client, json!({ "actions": [name] })).await?;
        let expected = usize::from(!CHANGES_NOTHING.contains(&name.as_str()));
        assert_eq!(rows.len(), expected, "{name} answered {body:#}");
        for row in &rows {
            assert!(row["requestId"].is_string(), "{row:#}");
            assert_eq!(row["actor"], "anonymous");
        }
        assert!(
            !body.to_string().contains("runnelRail"),
            "{name} shows what only the server asked for"
        );
        checked += 1;
    }
    assert!(checked >= 8, "only {checked} mutations were found");
    cluster.finish().await
}

async fn an_operation_is_logged_with_the_states_around_it(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    client.publish(&waiting().to_string()).await?;
    let run = client.start(json!({ "workflow": "waits" })).await?;
    let input = json!({ "id": run, "reason": "look first" });
    client.mutate("runPause", input, "run { id }").await?;
    let again = client
        .mutate("runPause", json!({ "id": run }), "run { id }")
        .await?;
    assert_eq!(again["userErrors"], json!([]));
    let refused = client
        .mutate("taskRetry", json!({ "run": run, "task": "only" }), "task { id }")
        .await?;
    assert_eq!(refused["userErrors"][0]["code"], "RUN_STATE_CONFLICT");

    let rows = log(&client, json!({ "targetId": run })).await?;
    let short: Vec<_> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            (text("action"), text("outcome"), text("code"))
        })
        .collect();
    let expect =
        |action: &str, outcome: &str, code: &str| (action.to_owned(), outcome.to_owned(), code.to_owned());
    assert_eq!(
        short,
        [
            expect("taskRetry", "REFUSED", "RUN_STATE_CONFLICT"),
            expect("runPause", "OK", "-"),
            expect("runPause", "OK", "-"),
            expect("runStart", "OK", "-"),
        ]
    );
    let (start, pause, retry) = (&rows[3], &rows[2], &rows[0]);
    assert_eq!(start["before"], Value::Null);
    assert_eq!(start["after"]["isPaused"], false);
    assert_eq!(pause["reason"], "look first");
    assert_eq!(
        (&pause["before"]["isPaused"], &pause["after"]["isPaused"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(retry["targetType"], "task");
    assert_eq!(retry["targetId"], format!("{run}:only"));
    let published = log(
        &client,
        json!({ "actions": ["workflowPublish"], "outcomes": ["OK"] }),
    )
    .await?;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0]["targetType"], "workflow");
    client
        .mutate("runCancel", json!({ "id": run, "mode": "NOW" }), "run { id }")
        .await?;
    cluster.finish().await
}

async fn aliases_are_logged_as_the_mutations_they_stand_for(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let publish = client
        .http
        .post(client.at("/api/v1/workflows"))
        .body(waiting().to_string());
    assert!(publish.send().await?.status().is_success());
    let start = client.http.post(client.at("/api/v1/workflows/waits/runs"));
    let started: Value = serde_json::from_str(&start.send().await?.text().await?)?;
    let run = started["run_id"].as_str().context("a run")?.to_owned();
    let cancel = client
        .http
        .post(client.at(&format!("/api/v1/runs/{run}/cancel")))
        .json(&json!({ "mode": "NOW", "reason": "by curl" }));
    assert!(cancel.send().await?.status().is_success());
    let again = client.http.post(client.at(&format!("/api/v1/runs/{run}/pause")));
    assert_eq!(again.send().await?.status().as_u16(), 409);

    let rows = log(&client, Value::Null).await?;
    let actions: Vec<_> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
            (text("action"), text("outcome"))
        })
        .collect();
    let expect = |action: &str, outcome: &str| (action.to_owned(), outcome.to_owned());
    assert_eq!(
        actions,
        [
            expect("runPause", "REFUSED"),
            expect("runCancel", "OK"),
            expect("runStart", "OK"),
            expect("workflowPublish", "OK"),
        ]
    );
    assert_eq!(rows[0]["code"], "CONFLICT");
    assert_eq!(rows[1]["reason"], "by curl");
    assert_eq!(rows[1]["after"]["status"], "CANCELLED");
    assert_eq!(rows[1]["targetId"], rows[2]["targetId"]);
    cluster.finish().await
}

async fn a_dry_run_leaves_nothing(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let input = json!({ "source": waiting().to_string(), "dryRun": true });
    let payload = client.mutate("workflowPublish", input, "isNew").await?;
    assert_eq!(payload["isNew"], true);
    assert_eq!(log(&client, Value::Null).await?, Vec::<Value>::new());
    let data = client
        .data("{ workflow(key: \"waits\") { id } }", json!({}))
        .await?;
    assert_eq!(data["workflow"], Value::Null);
    cluster.finish().await
}

async fn a_repeated_request_answers_as_the_first_one_did(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let create = |name: &str, key: &str| json!({ "name": name, "idempotencyKey": key });
    let selection = "namespace { name createdAt } isReplay";
    let first = client
        .mutate("namespaceCreate", create("team-a", "k1"), selection)
        .await?;
    assert_eq!(first["isReplay"], false, "{first:#}");
    cluster.clock.advance(std::time::Duration::from_secs(5));
    let again = client
        .mutate("namespaceCreate", create("team-a", "k1"), selection)
        .await?;
    assert_eq!(again["isReplay"], true);
    assert_eq!(again["namespace"], first["namespace"]);
    // without a key the second request is a request of its own
    let other = client
        .mutate("namespaceCreate", json!({ "name": "team-a" }), selection)
        .await?;
    assert_eq!(other["userErrors"][0]["code"], "NAMESPACE_EXISTS");

    let query = "mutation($input: NamespaceCreateInput!) { namespaceCreate(input: $input) { isReplay namespace { name }
        userErrors { __typename code path ... on IdempotencyConflict { run { id } } } } }";
    let taken = client
        .data(query, json!({ "input": create("team-b", "k1") }))
        .await?;
    let conflict = json!({
        "__typename": "IdempotencyConflict", "code": "IDEMPOTENCY_CONFLICT", "path": ["input", "idempotencyKey"], "run": null,
    });
    assert_eq!(
        taken["namespaceCreate"],
        json!({ "isReplay": false, "namespace": null, "userErrors": [conflict] })
    );
    let refused = create("default", "k2");
    for _ in 0..2 {
        let payload = client
            .mutate("namespaceCreate", refused.clone(), selection)
            .await?;
        assert_eq!(
            payload["userErrors"][0]["code"], "NAMESPACE_EXISTS",
            "a refusal keeps no key"
        );
    }
    cluster
        .clock
        .advance(std::time::Duration::from_secs(25 * 60 * 60));
    let late = client
        .mutate("namespaceCreate", create("team-c", "k1"), selection)
        .await?;
    assert_eq!(late["isReplay"], false, "a key is kept for a day");
    let rows = log(&client, json!({ "actions": ["namespaceCreate"] })).await?;
    assert_eq!(rows.len(), 7);
    let taken = rows.iter().filter(|row| row["code"] == "IDEMPOTENCY_CONFLICT");
    assert_eq!(taken.map(|row| &row["outcome"]).collect::<Vec<_>>(), ["REFUSED"]);
    cluster.finish().await
}
