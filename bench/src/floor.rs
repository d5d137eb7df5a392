//! The limit: what the same database does on the same disk, in the same run and with the same durability, when nothing but rows is
//! asked of it. Two limits, because there are two ways to use a database: a commit for each row, or many rows in each.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::figures::{Figures, count};
use crate::sql::Sql;
use crate::system::Server;

/// Rows of the table that is updated; the clients share them out.
const ROWS: i64 = 16_000;
/// Rows of one statement.
const BATCH: i64 = 1_000;
/// Clients that commit at once, and connections that they have.
const COMMITTERS: u32 = 64;
/// Clients that update at once: enough to keep PostgreSQL at work while one of them waits for the disk.
const UPDATERS: u32 = 4;

/// What the database can do.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// Rows updated a second, a thousand a statement.
    pub rows_per_s: f64,
}

/// Measures and prints the limits, each for this time.
pub async fn measure(server: &Server, figures: &Figures, time: Duration) -> anyhow::Result<Floor> {
    let (url, _directory) = server.make_database().await?;
    let sql = Sql::open(&url, COMMITTERS).await?;
    create(&sql).await?;
    for clients in [1, COMMITTERS] {
        let commits = rate(clients, time, |_, _| insert(sql.clone())).await?;
        figures.print("floor", &format!("commits_{clients}_clients"), commits, "1/s")?;
    }
    let mut most = 0.0_f64;
    for clients in [1, UPDATERS] {
        let statements = rate(clients, time, |client, turn| {
            // clients never want the same row
            let batches = ROWS / BATCH / i64::from(clients);
            let batch = i64::from(client) * batches + i64::from(turn) % batches;
            update(sql.clone(), batch * BATCH)
        })
        .await?;
        let rows = statements * count(BATCH.unsigned_abs());
        figures.print("floor", &format!("rows_{clients}_clients"), rows, "1/s")?;
        most = most.max(rows);
    }
    sql.close().await;
    Ok(Floor { rows_per_s: most })
}

async fn create(sql: &Sql) -> anyhow::Result<()> {
    let (key, room, numbers) = match sql {
        Sql::Postgres(_) => (
            "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            // as in the tables of the product that are updated
            "WITH (fillfactor = 70)",
            format!("SELECT n, 0 FROM generate_series(0, {}) AS g(n)", ROWS - 1),
        ),
        Sql::Sqlite(_) => (
            "INTEGER PRIMARY KEY",
            "",
            format!(
                "WITH RECURSIVE g(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < {}) SELECT n, 0 FROM g",
                ROWS - 1
            ),
        ),
    };
    for statement in [
        format!("CREATE TABLE committed (id {key}, n bigint NOT NULL)"),
        format!("CREATE TABLE updated (id bigint PRIMARY KEY, n bigint NOT NULL) {room}"),
        format!("INSERT INTO updated (id, n) {numbers}"),
    ] {
        sql.run(statement).await?;
    }
    Ok(())
}

async fn insert(sql: Sql) -> anyhow::Result<()> {
    let done = match sql {
        Sql::Postgres(pool) => sqlx::query("INSERT INTO committed (n) VALUES ($1)")
            .bind(1_i64)
            .execute(&pool)
            .await?
            .rows_affected(),
        Sql::Sqlite(pool) => sqlx::query("INSERT INTO committed (n) VALUES (?1)")
            .bind(1_i64)
            .execute(&pool)
            .await?
            .rows_affected(),
    };
    anyhow::ensure!(done == 1, "{done} rows were inserted instead of one");
    Ok(())
}

async fn update(sql: Sql, first: i64) -> anyhow::Result<()> {
    let ids: Vec<i64> = (first..first + BATCH).collect();
    let done = match sql {
        Sql::Postgres(pool) => sqlx::query(
            "UPDATE updated SET n = n + 1 FROM unnest($1::bigint[]) AS given(id) WHERE updated.id = given.id",
        )
        .bind(ids)
        .execute(&pool)
        .await?
        .rows_affected(),
        Sql::Sqlite(pool) => {
            sqlx::query("UPDATE updated SET n = n + 1 WHERE id IN (SELECT value FROM json_each(?1))")
                .bind(Value::from(ids).to_string())
                .execute(&pool)
                .await?
                .rows_affected()
        }
    };
    anyhow::ensure!(
        i64::try_from(done)? == BATCH,
        "{done} rows were updated instead of {BATCH}"
    );
    Ok(())
}

/// How often a second the work is done by so many clients, each of which does it again and again for this time.
async fn rate<W>(clients: u32, time: Duration, work: impl Fn(u32, u32) -> W) -> anyhow::Result<f64>
where
    W: Future<Output = anyhow::Result<()>>,
{
    let begun = Instant::now();
    let work = &work;
    let client = |client| async move {
        let mut turns = 0;
        while begun.elapsed() < time {
            work(client, turns).await?;
            turns += 1;
        }
        anyhow::Ok(turns)
    };
    // all in one task: what they do takes the database, not them
    let turns = futures_util::future::try_join_all((0..clients).map(client)).await?;
    Ok(f64::from(turns.into_iter().sum::<u32>()) / begun.elapsed().as_secs_f64())
}
