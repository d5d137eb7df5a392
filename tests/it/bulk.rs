//! Operations on many runs, and the walls between namespaces.

use std::time::Duration;

use anyhow::Context as _;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    what_matches_is_operated_on_and_nothing_else,
    an_operation_goes_on_after_a_restart,
    a_namespace_sees_nothing_of_another,
);

const OPERATION: &str = "operation { id status total done failed } matched { value isExact } isReplay";

fn waiting() -> String {
    workflow("waits", json!({ "only": { "type": "scripted" } })).to_string()
}

async fn start(client: &Client, count: usize, tag: &str) -> anyhow::Result<Vec<String>> {
    let mut runs = Vec::new();
    for _ in 0..count {
        let input = json!({ "workflow": "waits", "tags": [tag] });
        runs.push(client.start(input).await?);
    }
    Ok(runs)
}

async fn show(client: &Client, id: &Value) -> anyhow::Result<Value> {
    let query = "query($id: ID!) { bulkOperation(id: $id) { id status total done failed finishedAt \
                 failures { totalCount { value } nodes { runId code message } } } }";
    let mut data = client.data(query, json!({ "id": id })).await?;
    Ok(data["bulkOperation"].take())
}

async fn what_matches_is_operated_on_and_nothing_else(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    client.publish(&waiting()).await?;
    let (red, blue) = (start(&client, 70, "red").await?, start(&client, 2, "blue").await?);
    let cancel = |key: &str, dry: bool| {
        json!({ "action": "CANCEL", "mode": "NOW", "filter": { "tag": "red" }, "reason": "wrong colour",
                "dryRun": dry, "idempotencyKey": key })
    };
    let counted = client.mutate("runsBulk", cancel("k", true), OPERATION).await?;
    assert_eq!(counted["matched"], json!({ "value": 70, "isExact": true }));
    assert_eq!(counted["operation"], Value::Null);
    assert_eq!(
        client.status(&red[0]).await?,
        "RUNNING",
        "a dry run cancels nothing"
    );

    let accepted = client.mutate("runsBulk", cancel("k", false), OPERATION).await?;
    assert_eq!(accepted["operation"]["total"], 70, "{accepted:#}");
    cluster.orchestrator().settle().await;
    let done = show(&client, &accepted["operation"]["id"]).await?;
    assert_eq!(
        (&done["status"], &done["done"], &done["failed"]),
        (&json!("FINISHED"), &json!(70), &json!(0)),
        "{done:#}"
    );
    for run in &red {
        assert_eq!(client.status(run).await?, "CANCELLED");
    }
    for run in &blue {
        assert_eq!(client.status(run).await?, "RUNNING");
    }
    let again = client.mutate("runsBulk", cancel("k", false), OPERATION).await?;
    assert_eq!(again["isReplay"], true);
    assert_eq!(again["operation"]["id"], accepted["operation"]["id"]);
    let mut other = cancel("k", false);
    other["filter"] = json!({ "tag": "blue" });
    let refused = client.mutate("runsBulk", other, OPERATION).await?;
    assert_eq!(refused["userErrors"][0]["code"], "IDEMPOTENCY_CONFLICT");
    let nothing = client.mutate("runsBulk", cancel("k2", false), OPERATION).await?;
    assert_eq!(
        (&nothing["operation"]["total"], &nothing["operation"]["status"]),
        (&json!(0), &json!("FINISHED"))
    );

    let pause = json!({ "action": "PAUSE", "filter": {}, "query": "'blue' in tags", "limit": 1 });
    client.mutate("runsBulk", pause, OPERATION).await?;
    cluster.orchestrator().settle().await;
    let data = client
        .data("{ runs(filter: { isPaused: true }) { nodes { id } } }", json!({}))
        .await?;
    assert_eq!(
        data["runs"]["nodes"],
        json!([{ "id": blue[1] }]),
        "the newest first"
    );
    let end = json!({ "action": "CANCEL", "mode": "NOW", "filter": {} });
    client.mutate("runsBulk", end, OPERATION).await?;
    cluster.orchestrator().settle().await;
    cluster.finish().await
}

async fn an_operation_goes_on_after_a_restart(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    client.publish(&waiting()).await?;
    start(&client, 200, "red").await?;
    let input = json!({ "action": "CANCEL", "mode": "NOW", "filter": {} });
    let accepted = client.mutate("runsBulk", input, OPERATION).await?;
    let id = accepted["operation"]["id"].clone();
    cluster.restart().await?;
    // a holder that was killed keeps its claim for a minute; one that stopped gave it back
    cluster.clock.advance(Duration::from_secs(61));
    let restarted = cluster.serve().await?;
    let query = "query($id: ID!) { bulkOperation(id: $id) { status } }";
    let finished = async {
        loop {
            cluster.orchestrator().settle().await;
            let data = restarted.data(query, json!({ "id": id })).await?;
            if data["bulkOperation"]["status"] == "FINISHED" {
                return anyhow::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(runnel_tests::cluster::PATIENCE, finished)
        .await
        .context("the operation did not go on")??;
    let done = show(&restarted, &id).await?;
    assert_eq!(
        (&done["done"], &done["failed"]),
        (&json!(200), &json!(0)),
        "{done:#}"
    );
    cluster.finish().await
}

async fn a_namespace_sees_nothing_of_another(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    client
        .mutate(
            "namespaceCreate",
            json!({ "name": "team-a" }),
            "namespace { name }",
        )
        .await?;
    client.publish(&waiting()).await?;
    let run = client.start(json!({ "workflow": "waits" })).await?;
    let in_team = |query: &str, variables: Value, name: &str| {
        let request = client
            .http
            .post(client.at("/graphql"))
            .header("x-namespace", name)
            .json(&json!({ "query": query, "variables": variables }));
        async move {
            let text = request.send().await?.text().await?;
            anyhow::Ok(serde_json::from_str::<Value>(&text)?)
        }
    };
    let look = "query($run: ID!) { viewer { namespace } run(id: $run) { id } node(id: $run) { id } runs { nodes { id } } \
                workflows { nodes { key } } workflow(key: \"waits\") { id } auditEntries { nodes { action } } events { nodes { seq } } }";
    let seen = in_team(look, json!({ "run": run }), "team-a").await?;
    assert_eq!(
        seen["data"],
        json!({ "viewer": { "namespace": "team-a" }, "run": null, "node": null, "runs": { "nodes": [] },
                "workflows": { "nodes": [] }, "workflow": null, "auditEntries": { "nodes": [] }, "events": { "nodes": [] } }),
        "{seen:#}"
    );
    let cancel = "mutation($run: ID!) { runCancel(input: { id: $run, mode: NOW }) { userErrors { code } } }";
    let refused = in_team(cancel, json!({ "run": run }), "team-a").await?;
    assert_eq!(
        refused["data"]["runCancel"]["userErrors"][0]["code"],
        "RUN_NOT_FOUND"
    );
    let all =
        "mutation { runsBulk(input: { action: CANCEL, mode: NOW, filter: {} }) { operation { total } } }";
    let bulk = in_team(all, json!({}), "team-a").await?;
    assert_eq!(bulk["data"]["runsBulk"]["operation"]["total"], 0);
    assert_eq!(client.status(&run).await?, "RUNNING");

    let unknown = in_team("{ viewer { namespace } }", json!({}), "team-b").await?;
    assert_eq!(
        unknown["errors"][0]["extensions"]["code"], "NOT_FOUND",
        "{unknown:#}"
    );
    let alias = client
        .http
        .get(client.at(&format!("/api/v1/runs/{run}")))
        .header("x-namespace", "team-a");
    assert_eq!(alias.send().await?.status().as_u16(), 404);
    client
        .mutate("runCancel", json!({ "id": run, "mode": "NOW" }), "run { id }")
        .await?;
    cluster.finish().await
}
