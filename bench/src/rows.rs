//! How many rows a load writes, counted by the database while the load runs once more: counting costs, and must not be in
//! the figures of time.

use std::time::Duration;

use anyhow::Context as _;

use crate::Bench;
use crate::figures::count;
use crate::meter::Measured;
use crate::sql::Sql;

/// An idle backend of PostgreSQL hands in its counts after ten seconds.
const HANDED_IN: Duration = Duration::from_millis(11_000);

const POSTGRES_ROWS: &str = "SELECT COALESCE(SUM(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint, \
                             COALESCE(SUM(n_tup_upd), 0)::bigint, COALESCE(SUM(n_tup_hot_upd), 0)::bigint \
                             FROM pg_stat_user_tables";

/// Prints how many rows one of the tasks writes, the share of updates that PostgreSQL could keep inside their page, and how
/// far the measured load was from the most that the database can do for rows at all.
///
/// `load` runs so many tasks, with the shape of the measured ones. Does nothing in the short form: counting takes time.
pub async fn print(
    bench: &Bench,
    workload: &str,
    measured: (Measured, u32),
    counted_tasks: u32,
    load: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    if bench.is_quick {
        return Ok(());
    }
    let rows = match &bench.system.sql {
        Sql::Postgres(_) => in_postgres(bench, workload, load).await?,
        Sql::Sqlite(_) => in_sqlite(&bench.system.sql, load).await?,
    };
    let per_task = count(rows) / f64::from(counted_tasks);
    bench.figures.print(workload, "rows_per_task", per_task, "1")?;
    if let Some(floor) = bench.floor {
        let (measured, tasks) = measured;
        let tasks_per_s = f64::from(tasks) / measured.elapsed.as_secs_f64();
        let ratio = floor.rows_per_s / (tasks_per_s * per_task);
        bench.figures.print(workload, "floor_ratio", ratio, "1")?;
    }
    Ok(())
}

async fn in_postgres(
    bench: &Bench,
    workload: &str,
    load: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<u64> {
    let sql = &bench.system.sql;
    tokio::time::sleep(HANDED_IN).await;
    let before: [i64; 3] = sql.numbers(POSTGRES_ROWS).await?;
    load.await?;
    tokio::time::sleep(HANDED_IN).await;
    let after: [i64; 3] = sql.numbers(POSTGRES_ROWS).await?;
    let [rows, updates, in_page] = [0, 1, 2].map(|at: usize| u64::try_from(after[at] - before[at]));
    let (updates, in_page) = (updates?, in_page?);
    if updates > 0 {
        bench
            .figures
            .print(workload, "hot_updates", count(in_page) / count(updates), "1")?;
    }
    Ok(rows?)
}

/// SQLite counts nothing by itself: triggers do, while they are there.
async fn in_sqlite(sql: &Sql, load: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<u64> {
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let tables = sql.texts(tables.to_owned()).await?;
    sql.run("CREATE TABLE bench_rows (n INTEGER NOT NULL); INSERT INTO bench_rows VALUES (0)".to_owned())
        .await?;
    let triggers: Vec<(String, String)> = tables
        .iter()
        .flat_map(|table| {
            ["INSERT", "UPDATE", "DELETE"].map(|verb| {
                let name = format!("bench_{table}_{verb}");
                let make = format!(
                    "CREATE TRIGGER \"{name}\" AFTER {verb} ON \"{table}\" BEGIN UPDATE bench_rows SET n = n + 1; END"
                );
                (name, make)
            })
        })
        .collect();
    for (_, make) in &triggers {
        sql.run(make.clone()).await?;
    }
    load.await?;
    for (name, _) in &triggers {
        sql.run(format!("DROP TRIGGER \"{name}\"")).await?;
    }
    let [rows] = sql.numbers("SELECT n FROM bench_rows").await?;
    sql.run("DROP TABLE bench_rows".to_owned()).await?;
    u64::try_from(rows).context("a count of rows")
}
