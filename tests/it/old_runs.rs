//! Ended runs leave with everything that belonged to them once they are older than their namespace keeps them.

use std::time::Duration;

use runnel_engine::RunId;
use runnel_engine::run::RunStatus;
use runnel_runtime::dead_letters::Selection;
use runnel_runtime::retention::{Pace, Retained};
use runnel_tests::cluster::{Cluster, workflow};
use runnel_tests::scripted::{failed, succeeded};
use runnel_tests::sql;
use runnel_tests::stack::Stack;
use serde_json::{Map, Value, json};

runnel_tests::on_both_databases!(
    an_ended_run_leaves_with_all_its_rows,
    a_namespace_says_for_how_long,
    what_still_matters_to_somebody_stays,
    what_a_crash_left_is_deleted,
    a_run_of_thousands_of_rows_goes_in_slices,
);

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Tables with rows of runs.
const TABLES: &[&str] = &["task", "event", "task_log", "wait", "payload_use", "dead_letter"];

fn two_waves() -> Value {
    let tasks = json!({
        "first": { "type": "eval", "input": { "n": 1 } },
        "second": { "type": "eval", "needs": ["first"], "input": { "n": 2 } },
    });
    workflow("waves", tasks)
}

/// Rows of the run, in whatever table.
async fn rows(cluster: &Cluster, run: RunId) -> anyhow::Result<i64> {
    let id = if cluster.database_url().starts_with("postgres") {
        format!("'{}'", run.0)
    } else {
        format!("x'{}'", run.0.simple())
    };
    let mut rows = 0;
    for table in TABLES {
        let sql = format!("SELECT count(*) FROM {table} WHERE run_id = {id}");
        rows += sql::number(cluster.database_url(), &sql).await?;
    }
    Ok(rows)
}

async fn runs(cluster: &Cluster) -> anyhow::Result<i64> {
    sql::number(cluster.database_url(), "SELECT count(*) FROM run").await
}

async fn removed(cluster: &Cluster) -> anyhow::Result<Retained> {
    Ok(cluster.orchestrator().remove_old_runs(Pace::Full).await?)
}

async fn an_ended_run_leaves_with_all_its_rows(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let live = cluster
        .launch(&workflow("waits", json!({ "only": { "type": "scripted" } })))
        .await?;
    client.publish(&two_waves().to_string()).await?;
    let start = json!({ "workflow": "waves", "idempotencyKey": "once" });
    let ended = client.start(start.clone()).await?;
    let id = RunId(ended.trim_start_matches("run_").parse()?);
    cluster.ends(id, RunStatus::Succeeded).await?;
    assert!(rows(&cluster, id).await? > 2);

    cluster.clock.advance(89 * DAY);
    assert_eq!(removed(&cluster).await?, Retained::default());
    assert_eq!(
        client.start(start.clone()).await?,
        ended,
        "the key is known as long as its run"
    );

    cluster.clock.advance(2 * DAY);
    assert_eq!(removed(&cluster).await?.runs, 1);
    assert_eq!(rows(&cluster, id).await?, 0);
    let query = "query($id: ID!) { run(id: $id) { id } }";
    let data = client.data(query, json!({ "id": ended })).await?;
    assert_eq!(data["run"], Value::Null);
    assert_eq!(cluster.run(live).await?.status, RunStatus::Running);
    assert_ne!(client.start(start).await?, ended, "the key is free again");
    assert_eq!(
        sql::number(cluster.database_url(), "SELECT count(*) FROM run_removal").await?,
        0
    );
    cluster.finish().await
}

async fn a_namespace_says_for_how_long(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    let selection = "namespace { runsKeptDays hasOwnRetention } userErrors { code path message }";
    let set = async |name: &str, days: Value| {
        client
            .mutate(
                "namespaceUpdate",
                json!({ "name": name, "runsKeptDays": days }),
                selection,
            )
            .await
    };
    let run = cluster.launch(&two_waves()).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;

    let own = set("default", json!(0)).await?;
    assert_eq!(
        own["namespace"],
        json!({ "runsKeptDays": 0, "hasOwnRetention": true })
    );
    cluster.clock.advance(1_000 * DAY);
    assert_eq!(removed(&cluster).await?.runs, 0, "0 is for ever");

    let standard = set("default", Value::Null).await?;
    assert_eq!(
        standard["namespace"],
        json!({ "runsKeptDays": 90, "hasOwnRetention": false })
    );
    set("default", json!(1_001)).await?;
    assert_eq!(removed(&cluster).await?.runs, 0);
    set("default", json!(999)).await?;
    assert_eq!(removed(&cluster).await?.runs, 1);

    let unknown = set("nobody", json!(1)).await?;
    assert_eq!(unknown["userErrors"][0]["code"], "NAMESPACE_NOT_FOUND");
    for refused in [-1, 36_501] {
        let error = set("default", json!(refused)).await?["userErrors"][0].take();
        assert_eq!(
            error,
            json!({
                "code": "INPUT_INVALID",
                "path": ["input", "runsKeptDays"],
                "message": "runs are kept for 1 to 36500 days; 0 keeps them for ever",
            })
        );
    }
    cluster.finish().await
}

async fn what_still_matters_to_somebody_stays(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let worker = cluster.scripted("scripted-1", &["scripted"]).await?;
    // a child that has ended, of a parent that goes on
    cluster.publish(&two_waves().to_string()).await?;
    let tasks = json!({
        "call": { "type": "workflow", "input": { "workflow": "waves" } },
        "then": { "type": "scripted", "needs": ["call"] },
    });
    let parent = cluster.launch(&workflow("parent", tasks)).await?;
    let held = worker.take(1).await?;
    // a run whose failure waits for a person
    let task = json!({ "type": "scripted", "on_exhausted": "dead_letter" });
    let failing = cluster
        .launch(&workflow("failing", json!({ "only": task })))
        .await?;
    let lost = worker.take(1).await?;
    worker.report(vec![failed(&lost[0].at(), false)]).await?;
    worker.delete(&lost).await?;
    cluster.ends(failing, RunStatus::Failed).await?;

    cluster.clock.advance(91 * DAY);
    assert_eq!(removed(&cluster).await?.runs, 0);
    assert_eq!(runs(&cluster).await?, 3);

    let all = Selection::Filter(Box::default());
    cluster
        .orchestrator()
        .discard_dead_letters(&cluster.actor, &all, Some("old".to_owned()), false)
        .await?;
    // the letter is decided
    assert_eq!(removed(&cluster).await?.runs, 1);
    assert_eq!(rows(&cluster, failing).await?, 0);

    worker
        .report(vec![succeeded(&held[0].at(), &json!(null))])
        .await?;
    worker.delete(&held).await?;
    cluster.ends(parent, RunStatus::Succeeded).await?;
    // the child; its parent has only just ended
    assert_eq!(removed(&cluster).await?.runs, 1);
    cluster.clock.advance(91 * DAY);
    assert_eq!(removed(&cluster).await?.runs, 1);
    assert_eq!(runs(&cluster).await?, 0);
    cluster.finish().await
}

async fn what_a_crash_left_is_deleted(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let run = cluster.launch(&two_waves()).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let other = cluster.launch(&two_waves()).await?;
    cluster.ends(other, RunStatus::Succeeded).await?;
    let before = rows(&cluster, other).await?;
    // what stands after the first transaction
    let id = if cluster.database_url().starts_with("postgres") {
        format!("'{}'", run.0)
    } else {
        format!("x'{}'", run.0.simple())
    };
    let take = format!("INSERT INTO run_removal(run_id) VALUES ({id}); DELETE FROM run WHERE id = {id}");
    sql::execute(cluster.database_url(), &take).await?;

    let retained = removed(&cluster).await?;
    assert!(retained.runs == 0 && retained.rows > 2, "{retained:?}");
    assert_eq!(
        (rows(&cluster, run).await?, rows(&cluster, other).await?),
        (0, before)
    );
    cluster.finish().await
}

async fn a_run_of_thousands_of_rows_goes_in_slices(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    let each = json!({ "type": "eval", "for_each": { "items": "${{ inputs.list }}" }, "input": { "n": "${{ each.item }}" } });
    let mut file = workflow("wide", json!({ "each": each }));
    file["inputs"] = json!({ "list": { "type": "array" } });
    let inputs = Map::from_iter([("list".to_owned(), json!(Vec::from_iter(0..2_500)))]);
    let run = cluster.launch_source(&file.to_string(), inputs).await?;
    cluster.ends(run, RunStatus::Succeeded).await?;
    let before = rows(&cluster, run).await?;
    assert!(before > 2_500, "{before}");
    cluster.clock.advance(91 * DAY);
    let retained = removed(&cluster).await?;
    assert_eq!((retained.runs, retained.rows), (1, u64::try_from(before)?));
    assert_eq!(rows(&cluster, run).await?, 0);
    cluster.finish().await
}
