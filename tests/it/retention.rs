//! Nothing grows without limit, and nothing is lost while nobody is there.

use std::time::Duration;

use runnel_engine::run::RunStatus;
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::EchoWorker;
use runnel_tests::sql;
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    audit_rows_keys_and_operations_leave_when_they_are_old,
    what_comes_while_no_worker_and_no_server_runs_is_served_later,
);

const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn rows(cluster: &Cluster) -> anyhow::Result<[i64; 4]> {
    let mut counts = [0; 4];
    for (count, table) in counts
        .iter_mut()
        .zip(["audit", "idempotency", "bulk_operation", "bulk_item"])
    {
        let sql = format!("SELECT count(*) FROM {table}");
        *count = sql::number(cluster.database_url(), &sql).await?;
    }
    Ok(counts)
}

/// Waits until the sweep of this moment is done: it looks again as soon as a schedule is made.
async fn swept(cluster: &Cluster, expected: [i64; 4]) -> anyhow::Result<()> {
    let reached = async {
        loop {
            cluster.orchestrator().settle().await;
            if rows(cluster).await? == expected {
                return anyhow::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    match tokio::time::timeout(runnel_tests::cluster::PATIENCE, reached).await {
        Ok(done) => done,
        Err(_) => anyhow::bail!("{:?} rows instead of {expected:?}", rows(cluster).await?),
    }
}

async fn audit_rows_keys_and_operations_leave_when_they_are_old(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    client
        .publish(&workflow("waits", json!({ "only": { "type": "scripted" } })).to_string())
        .await?;
    let run = client.start(json!({ "workflow": "waits" })).await?;
    let end = json!({ "action": "CANCEL", "mode": "NOW", "filter": {} });
    client.mutate("runsBulk", end, "operation { id }").await?;
    cluster.orchestrator().settle().await;
    let key = json!({ "id": run, "from": "START", "idempotencyKey": "k" });
    client.mutate("runRerun", key, "run { id }").await?;
    // publish, start, bulk, rerun
    let before = rows(&cluster).await?;
    assert_eq!((before[0], before[2], before[3]), (4, 1, 1), "{before:?}");
    let keys = before[1];

    cluster.clock.advance(Duration::from_secs(23 * 3_600));
    swept(&cluster, [4, keys, 1, 1]).await?;
    cluster.clock.advance(DAY);
    swept(&cluster, [4, 0, 1, 1]).await?;
    cluster.clock.advance(30 * DAY);
    swept(&cluster, [4, 0, 0, 0]).await?;
    cluster.clock.advance(340 * DAY);
    swept(&cluster, [0, 0, 0, 0]).await?;
    cluster.finish().await
}

async fn created(client: &Client, query: &str) -> anyhow::Result<Vec<Value>> {
    let data = client.data(query, json!({})).await?;
    Ok(data["runs"]["nodes"].as_array().cloned().unwrap_or_default())
}

async fn what_comes_while_no_worker_and_no_server_runs_is_served_later(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let mut file = workflow("served", json!({ "only": { "type": "scripted" } }));
    file["triggers"] = json!([
        { "name": "order", "event": "order.created" },
        { "name": "hourly", "every": "1h" },
    ]);
    client.publish(&file.to_string()).await?;
    // accepted with no worker there; the server ends before anybody takes it
    let event = json!({ "id": "e1", "source": "/shop", "type": "order.created", "data": {} });
    let sent = client
        .mutate(
            "eventPublish",
            json!({ "events": [event] }),
            "receipts { outcomes { status } }",
        )
        .await?;
    assert_eq!(
        sent["receipts"][0]["outcomes"][0]["status"], "STARTED",
        "{sent:#}"
    );
    for replica in cluster.replicas.drain(..) {
        replica.stop(Duration::from_secs(10)).await;
    }
    // a time of the schedule passes while there is no server
    cluster.clock.advance(Duration::from_secs(3_700));
    cluster.add_replica().await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    let client = cluster.serve().await?;
    // a queue that holds nothing durable is filled again at the start, so that a message may come twice
    let _echo = EchoWorker::start(worker);
    cluster.orchestrator().settle().await;
    let query = "{ runs { nodes { id status trigger { kind } } } }";
    let mut kinds = Vec::new();
    for run in created(&client, query).await? {
        let id = run["id"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches("run_")
            .parse()?;
        cluster
            .ends(runnel_engine::RunId(id), RunStatus::Succeeded)
            .await?;
        kinds.push(run["trigger"]["kind"].clone());
    }
    kinds.sort_by_key(Value::to_string);
    assert_eq!(kinds, [json!("EVENT"), json!("SCHEDULE")]);
    cluster.finish().await
}
