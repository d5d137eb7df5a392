//! The faults of the libraries below that would break a promise, each on a real database: a dropped `BEGIN`, a client that
//! hangs up, an SQLite lock that does not wait, a commit that does not reach the disk.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context as _;
use runnel_engine::run::RunStatus;
use runnel_runtime::StartRequest;
use runnel_runtime::view::{PageRequest, RunFilter, RunOrder};
use runnel_tests::client::Client;
use runnel_tests::cluster::{Cluster, PATIENCE};
use runnel_tests::process;
use runnel_tests::programs;
use runnel_tests::stack::{Stack, play};
use serde_json::json;
use sqlx::Connection as _;
use tokio::io::AsyncWriteExt as _;

runnel_tests::on_each_stack!(
    callers_that_give_up_leave_no_transaction_open,
    a_mutation_survives_the_hang_up_of_its_client,
    concurrent_writers_wait_for_each_other,
);

const PASS: &str = "id: quick\ntasks: { only: { type: pass, input: {} } }\n";

fn start(key: &str) -> StartRequest {
    StartRequest {
        workflow: "quick".to_owned(),
        idempotency_key: Some(key.to_owned()),
        ..StartRequest::default()
    }
}

/// Finding A: a `BEGIN` whose future is dropped returns a connection with an open transaction to the pool, and what the
/// next borrower writes is never committed.
async fn callers_that_give_up_leave_no_transaction_open(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(PASS).await?;
    for n in 0..400_u64 {
        let orchestrator = cluster.orchestrator().clone();
        let start = async {
            orchestrator
                .start_run(&cluster.actor, start(&format!("given-up-{n}")))
                .await
        };
        // giving up is the point: somewhere between the first and the last await of the call
        let _ = tokio::time::timeout(Duration::from_micros(n * 7 % 2_800), start).await;
    }
    // every write that is answered is there, whoever looks
    let mut runs = HashSet::new();
    for n in 0..40 {
        let started = cluster
            .orchestrator()
            .start_run(&cluster.actor, start(&format!("kept-{n}")))
            .await?;
        runs.insert(started.run.id);
    }
    for run in &runs {
        cluster.ends(*run, RunStatus::Succeeded).await?;
    }
    if stack != Stack::SqliteEmbedded {
        cluster.orchestrator().settle().await;
        let mut outside = sqlx::PgConnection::connect(cluster.database_url()).await?;
        let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM run WHERE idempotency_key LIKE 'kept-%'")
            .fetch_one(&mut outside)
            .await?;
        assert_eq!(kept, 40, "an answered start was never committed");
        let poisoned = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                        AND state LIKE 'idle in transaction%' AND now() - state_change > interval '1 second'";
        let poisoned: i64 = sqlx::query_scalar(poisoned).fetch_one(&mut outside).await?;
        assert_eq!(poisoned, 0, "connections with an open transaction");
    }
    cluster.finish().await
}

/// Finding B: axum drops a handler when its client hangs up. The database is locked meanwhile, so that the hang-up comes in
/// the middle of the mutation.
async fn a_mutation_survives_the_hang_up_of_its_client(stack: Stack) -> anyhow::Result<()> {
    let mut cluster = Cluster::start(stack).await?;
    let client = cluster.serve().await?;
    cluster.publish(PASS).await?;
    for n in 0..5 {
        let key = format!("hung-up-{n}");
        let lock = WriteLock::take(&cluster).await?;
        let socket = send_start(&client, &key).await?;
        // answered by the same server, so it has looked at its sockets by then
        for _ in 0..10 {
            client.data("{ __typename }", json!({})).await?;
        }
        drop(socket);
        for _ in 0..10 {
            client.data("{ __typename }", json!({})).await?;
        }
        let mut bell = cluster.orchestrator().doorbell(runnel_runtime::feed::Topic::All);
        lock.release().await?;

        let filter = RunFilter {
            idempotency_key: Some(key.clone()),
            ..RunFilter::default()
        };
        let found = async {
            loop {
                let page = PageRequest {
                    first: 1,
                    after: None,
                };
                let runs = cluster.orchestrator().list_runs(
                    &cluster.actor,
                    filter.clone(),
                    RunOrder::default(),
                    page,
                );
                if let Some(run) = runs.await?.items.pop() {
                    return anyhow::Ok(run.id);
                }
                bell.rung().await;
            }
        };
        let run = tokio::time::timeout(PATIENCE, found)
            .await
            .with_context(|| format!("{key} was dropped"))??;
        cluster.ends(run, RunStatus::Succeeded).await?;
    }
    cluster.finish().await
}

/// Sends a whole start and leaves the connection open.
async fn send_start(client: &Client, key: &str) -> anyhow::Result<tokio::net::TcpStream> {
    let address = client.base.trim_start_matches("http://");
    let query = "mutation($input: RunStartInput!) { runStart(input: $input) { run { id } } }";
    let body =
        json!({ "query": query, "variables": { "input": { "workflow": "quick", "idempotencyKey": key } } });
    let body = body.to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = tokio::net::TcpStream::connect(address).await?;
    socket.write_all(format!("{head}{body}").as_bytes()).await?;
    Ok(socket)
}

/// Holds up every writer of a database.
enum WriteLock {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
}

impl WriteLock {
    async fn take(cluster: &Cluster) -> anyhow::Result<Self> {
        if cluster.stack == Stack::SqliteEmbedded {
            let mut connection = sqlx::SqliteConnection::connect(cluster.database_url()).await?;
            sqlx::query("PRAGMA busy_timeout = 30000")
                .execute(&mut connection)
                .await?;
            sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
            return Ok(Self::Sqlite(connection));
        }
        let mut connection = sqlx::PgConnection::connect(cluster.database_url()).await?;
        sqlx::query("BEGIN").execute(&mut connection).await?;
        sqlx::query("LOCK TABLE run IN EXCLUSIVE MODE")
            .execute(&mut connection)
            .await?;
        Ok(Self::Postgres(connection))
    }

    async fn release(self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(mut connection) => {
                sqlx::query("ROLLBACK").execute(&mut connection).await.map(drop)?
            }
            Self::Postgres(mut connection) => {
                sqlx::query("ROLLBACK").execute(&mut connection).await.map(drop)?
            }
        }
        Ok(())
    }
}

/// Finding C: a deferred SQLite transaction that reads and then writes fails at once, and no timeout helps.
async fn concurrent_writers_wait_for_each_other(stack: Stack) -> anyhow::Result<()> {
    let cluster = Cluster::start(stack).await?;
    cluster.publish(PASS).await?;
    let writers = (0..16).map(|writer| {
        let (orchestrator, actor) = (cluster.orchestrator().clone(), cluster.actor.clone());
        tokio::spawn(async move {
            let mut runs = Vec::new();
            for n in 0..20 {
                runs.push(
                    orchestrator
                        .start_run(&actor, start(&format!("{writer}-{n}")))
                        .await?
                        .run
                        .id,
                );
            }
            anyhow::Ok(runs)
        })
    });
    let mut runs = HashSet::new();
    for writer in writers.collect::<Vec<_>>() {
        runs.extend(writer.await??);
    }
    assert_eq!(runs.len(), 320);
    for run in runs {
        cluster.ends(run, RunStatus::Succeeded).await?;
    }
    cluster.finish().await
}

/// Finding D: a commit of SQLite that is answered has been synced, so that a power cut cannot take it back.
#[test]
fn an_answered_start_has_been_synced_to_the_disk() {
    const STARTS: usize = 20;
    play(async {
        let directory = tempfile::tempdir()?;
        let trace = directory.path().join("trace");
        let runnel = programs::runnel()?;
        // -D: the server is the child and is the one that is killed
        let mut command = process::command(
            std::path::Path::new("strace"),
            &["-D", "-f", "-e", "trace=fsync,fdatasync", "-o"],
        );
        command
            .arg(&trace)
            .arg(runnel)
            .args(["dev", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path().join("data"));
        let mut server = process::Process::start("strace runnel dev", command)
            .context("strace is needed to see what is synced")?;
        let client = server.client().await?;
        client.publish(PASS).await?;
        let synced = |text: &str| {
            text.lines()
                .filter(|line| line.contains("sync(") && line.contains("= 0"))
                .count()
        };
        for n in 0..STARTS {
            let before = synced(&std::fs::read_to_string(&trace)?);
            client
                .start(json!({ "workflow": "quick", "idempotencyKey": format!("synced-{n}") }))
                .await?;
            let after = synced(&std::fs::read_to_string(&trace)?);
            assert!(after > before, "start {n} was answered without a sync");
        }
        server.kill().await
    });
}
