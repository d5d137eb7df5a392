//! Errands of child runs are leased: of two replicas one does each, and what a dead one held is done after its time.

use std::time::Duration;

use runnel_engine::RunId;
use runnel_engine::run::RunStatus;
use runnel_runtime::Clock as _;
use runnel_tests::cluster::{Cluster, PATIENCE, workflow};
use runnel_tests::sql;
use runnel_tests::stack::Stack;
use serde_json::{Value, json};

runnel_tests::on_both_databases!(
    of_racing_replicas_one_does_each_errand,
    an_errand_of_a_dead_replica_is_done_after_its_lease,
);

/// As long as a claim is good.
const LEASE: Duration = Duration::from_secs(30);

/// A workflow whose only task starts `below`.
fn above(id: &str, task: Value) -> Value {
    let mut call = json!({ "type": "workflow", "input": { "workflow": "below" } });
    if let (Some(call), Value::Object(task)) = (call.as_object_mut(), task) {
        call.extend(task);
    }
    workflow(id, json!({ "call": call }))
}

async fn start(stack: Stack, replicas: usize) -> anyhow::Result<Cluster> {
    let mut cluster = Cluster::start(stack).await?;
    for _ in 1..replicas {
        cluster.add_replica().await?;
    }
    let below = workflow("below", json!({ "only": { "type": "pass" } }));
    cluster.publish(&below.to_string()).await?;
    Ok(cluster)
}

async fn children(cluster: &Cluster) -> anyhow::Result<i64> {
    let children = "SELECT count(*) FROM run WHERE parent_run_id IS NOT NULL";
    sql::number(cluster.database_url(), children).await
}

/// Waits for the end of a run, whichever replica brings it: on SQLite no replica hears the others' doorbells.
async fn succeeds(cluster: &Cluster, run: RunId) -> anyhow::Result<()> {
    let watched = async {
        while !cluster.run(run).await?.status.is_terminal() {
            for replica in &cluster.replicas {
                replica.settle().await;
            }
            tokio::task::yield_now().await;
        }
        anyhow::ensure!(cluster.run(run).await?.status == RunStatus::Succeeded);
        Ok(())
    };
    tokio::time::timeout(PATIENCE, watched).await?
}

/// From now on every claim leaves a row; one that is rolled back leaves none.
fn log_claims(stack: Stack) -> &'static str {
    match stack {
        Stack::SqliteEmbedded => {
            "CREATE TABLE claim_log (run_id BLOB, ix INTEGER, attempt INTEGER, kind INTEGER); \
             CREATE TRIGGER claimed AFTER UPDATE OF leased_until ON errand WHEN NEW.leased_until > 0 BEGIN \
             INSERT INTO claim_log VALUES (NEW.run_id, NEW.ix, NEW.attempt, NEW.kind); END"
        }
        Stack::PostgresEmbedded | Stack::PostgresSqs => {
            "CREATE TABLE claim_log (run_id UUID, ix INTEGER, attempt INTEGER, kind SMALLINT); \
             CREATE FUNCTION claimed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO claim_log VALUES (NEW.run_id, NEW.ix, NEW.attempt, NEW.kind); RETURN NULL; END $$; \
             CREATE TRIGGER claimed AFTER UPDATE OF leased_until ON errand FOR EACH ROW \
             WHEN (NEW.leased_until > 0) EXECUTE FUNCTION claimed()"
        }
    }
}

async fn of_racing_replicas_one_does_each_errand(stack: Stack) -> anyhow::Result<()> {
    let cluster = start(stack, 3).await?;
    sql::execute(cluster.database_url(), log_claims(stack)).await?;
    let items: Vec<u32> = (0..200).collect();
    let run = cluster
        .launch(&above("above", json!({ "for_each": items })))
        .await?;
    succeeds(&cluster, run).await?;
    for replica in &cluster.replicas {
        replica.settle().await;
    }
    let url = cluster.database_url();
    let claimed = "SELECT count(*) FROM (SELECT DISTINCT run_id, ix, attempt, kind FROM claim_log) AS c";
    let twice = "SELECT count(*) FROM (SELECT 1 FROM claim_log GROUP BY run_id, ix, attempt, kind \
                 HAVING count(*) > 1) AS c";
    assert!(
        sql::number(url, claimed).await? >= 200,
        "the claims are not logged"
    );
    assert_eq!(sql::number(url, twice).await?, 0, "errands were done twice");
    assert_eq!(children(&cluster).await?, 200);
    assert_eq!(sql::number(url, "SELECT count(*) FROM errand").await?, 0);
    cluster.finish().await
}

/// From now on every new errand is held until this time, as if by a process that is gone.
fn hold(stack: Stack, until: i64) -> String {
    match stack {
        Stack::SqliteEmbedded => format!(
            "CREATE TRIGGER hold AFTER INSERT ON errand BEGIN \
             UPDATE errand SET leased_until = {until} WHERE run_id = NEW.run_id; END"
        ),
        Stack::PostgresEmbedded | Stack::PostgresSqs => format!(
            "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             NEW.leased_until := {until}; RETURN NEW; END $$; \
             CREATE TRIGGER hold BEFORE INSERT ON errand FOR EACH ROW EXECUTE FUNCTION hold()"
        ),
    }
}

/// New errands are free again; those that are held stay so.
fn let_go(stack: Stack) -> &'static str {
    match stack {
        Stack::SqliteEmbedded => "DROP TRIGGER hold",
        Stack::PostgresEmbedded | Stack::PostgresSqs => "DROP TRIGGER hold ON errand; DROP FUNCTION hold()",
    }
}

/// A run whose child is started and has ended: every replica that wanted errands has looked for them.
async fn another(cluster: &Cluster, id: &str) -> anyhow::Result<RunId> {
    let run = cluster.launch(&above(id, json!({}))).await?;
    succeeds(cluster, run).await?;
    for replica in &cluster.replicas {
        replica.settle().await;
    }
    Ok(run)
}

async fn an_errand_of_a_dead_replica_is_done_after_its_lease(stack: Stack) -> anyhow::Result<()> {
    let cluster = start(stack, 2).await?;
    let url = cluster.database_url().to_owned();
    let until = cluster.clock.now().after(LEASE).0;
    sql::execute(&url, &hold(stack, until)).await?;
    let run = cluster.launch(&above("held", json!({}))).await?;
    for replica in &cluster.replicas {
        replica.settle().await;
    }
    sql::execute(&url, let_go(stack)).await?;
    let errands = "SELECT count(*) FROM errand WHERE leased_until > 0";
    assert_eq!(
        sql::number(&url, errands).await?,
        1,
        "the errand of the child's start"
    );

    another(&cluster, "early").await?;
    assert_eq!(
        children(&cluster).await?,
        1,
        "an errand was done that somebody else held"
    );
    cluster.clock.advance(LEASE - Duration::from_secs(1));
    another(&cluster, "later").await?;
    assert_eq!(
        children(&cluster).await?,
        2,
        "an errand was done that somebody else held"
    );
    assert_eq!(cluster.run(run).await?.status, RunStatus::Running);

    cluster.clock.advance(Duration::from_secs(1));
    succeeds(&cluster, run).await?;
    for replica in &cluster.replicas {
        replica.settle().await;
    }
    assert_eq!(children(&cluster).await?, 3);
    assert_eq!(sql::number(&url, "SELECT count(*) FROM errand").await?, 0);
    cluster.finish().await
}
