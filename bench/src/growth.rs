//! What a task costs in a database that is nearly empty and in one that is full of finished runs.
//!
//! The finished runs are copies of one, made by the database itself: what is measured is how the product works beside them,
//! not how long it takes to make them.

use std::time::Instant;

use runnel_engine::RunId;
use runnel_runtime::retention::Pace;

use crate::Bench;
use crate::figures::count;
use crate::meter::{Measured, Meter};
use crate::sql::Sql;
use crate::workloads::{DIAMOND_CLIENTS, DIAMOND_TASKS, ended, publish_diamond, run_diamonds, start};

/// Finished runs of the short form: the second is compared with the first.
const QUICK: [u32; 2] = [1_000, 10_000];
/// And of the long form.
const LONG: [u32; 3] = [10_000, 100_000, 1_000_000];
/// Diamonds of each of the sixteen clients, times the scale.
const EACH: u32 = 40;
/// How old the copies are, and for how long they are kept once they are to go.
const COPY_AGE_US: i64 = 100 * 24 * 3_600 * 1_000_000;
const KEPT_DAYS: u32 = 90;
/// Copies of one statement.
const COPIES: u32 = 5_000;
/// Tables that hold a run, the column with its id, and columns that the database fills.
const TABLES: [(&str, &str, &[&str]); 3] = [
    ("run", "id", &[]),
    ("task", "run_id", &[]),
    ("event", "run_id", &["position", "xid"]),
];

/// Diamonds at each size, and how they compare with those at the smallest.
pub async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let system = &bench.system;
    publish_diamond(system).await?;
    let model = start(system, "diamond").await?;
    ended(system, model).await?;
    run_diamonds(system, 2).await?;
    let sizes: &[u32] = bench.pick(&QUICK, &LONG);
    let (mut copies, mut smallest) = (0, None::<Measured>);
    for &size in sizes {
        while copies < size {
            let until = size.min(copies + COPIES);
            copy(&system.sql, model, copies + 1, until).await?;
            copies = until;
        }
        settle(&system.sql).await?;
        run_diamonds(system, 2).await?;
        let each = EACH * bench.scale();
        let workload = format!("growth-{size}");
        let meter = Meter::begin(bench).await?;
        let mut times = run_diamonds(system, each).await?;
        let measured = meter
            .end(bench, &workload, DIAMOND_CLIENTS * each * DIAMOND_TASKS)
            .await?;
        bench.figures.print_times(&workload, "run", &mut times)?;
        let first = *smallest.get_or_insert(measured);
        let time = measured.elapsed.as_secs_f64() / first.elapsed.as_secs_f64();
        let cpu = measured.cpu().as_secs_f64() / first.cpu().as_secs_f64();
        bench.figures.print(&workload, "time_ratio", time, "1")?;
        bench.figures.print(&workload, "cpu_ratio", cpu, "1")?;
    }
    match smallest {
        Some(smallest) => remove(bench, smallest).await,
        None => Ok(()),
    }
}

/// Diamonds while the copies are removed as the product does it by itself, and how fast they go when nothing else runs.
async fn remove(bench: &Bench, smallest: Measured) -> anyhow::Result<()> {
    let system = &bench.system;
    let orchestrator = &system.orchestrator;
    orchestrator.set_runs_kept("default", Some(KEPT_DAYS)).await?;
    let workload = "growth-removal";
    let each = EACH * bench.scale();
    let meter = Meter::begin(bench).await?;
    let measured = {
        let mut removal = std::pin::pin!(orchestrator.remove_old_runs(Pace::Considerate));
        let mut diamonds = std::pin::pin!(run_diamonds(system, each));
        let mut is_over = false;
        loop {
            tokio::select! {
                done = &mut diamonds => { done?; break }
                removed = &mut removal, if !is_over => { removed?; is_over = true; }
            }
        }
        let measured = meter
            .end(bench, workload, DIAMOND_CLIENTS * each * DIAMOND_TASKS)
            .await?;
        let share = if is_over { 0.0 } else { 1.0 };
        bench.figures.print(workload, "is_still_removing", share, "1")?;
        measured
    };
    let time = measured.elapsed.as_secs_f64() / smallest.elapsed.as_secs_f64();
    bench.figures.print(workload, "time_ratio", time, "1")?;
    let begun = Instant::now();
    let removed = orchestrator.remove_old_runs(Pace::Full).await?;
    let runs_per_s = count(removed.runs) / begun.elapsed().as_secs_f64();
    bench.figures.print(workload, "runs_per_s", runs_per_s, "1/s")?;
    let rows_per_s = count(removed.runs + removed.rows) / begun.elapsed().as_secs_f64();
    bench.figures.print(workload, "rows_per_s", rows_per_s, "1/s")
}

/// Copies a finished run with all its rows, under the numbers from `first` to `last`. The ids lie together and ascend, as those of
/// runs that were started one after the other do.
async fn copy(sql: &Sql, model: RunId, first: u32, last: u32) -> anyhow::Result<()> {
    let hex = model.0.simple().to_string();
    // time and version of the model's id, then the number of the copy
    let begin = format!("{}8000", hex.get(..16).unwrap_or_default());
    for (table, key, filled) in TABLES {
        let columns = columns(sql, table).await?;
        let columns: Vec<&str> = columns
            .iter()
            .map(String::as_str)
            .filter(|column| !filled.contains(column))
            .collect();
        let new = |column: &&str| match sql {
            Sql::Postgres(_) if *column == key => format!("('{begin}' || lpad(to_hex(g.n), 12, '0'))::uuid"),
            Sql::Sqlite(_) if *column == key => format!("unhex('{begin}' || printf('%012x', g.n))"),
            _ if table == "run" && matches!(*column, "created_at" | "started_at" | "finished_at") => {
                format!("t.{column} - {COPY_AGE_US}")
            }
            Sql::Postgres(_) | Sql::Sqlite(_) => format!("t.\"{column}\""),
        };
        let names = columns
            .iter()
            .map(|column| format!("\"{column}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let values = columns.iter().map(new).collect::<Vec<_>>().join(", ");
        let copied = sql.run(match sql {
            Sql::Postgres(_) => format!(
                "INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS t, generate_series({first}, {last}) AS g(n) \
                 WHERE t.{key} = '{hex}'::uuid"
            ),
            Sql::Sqlite(_) => format!(
                "WITH RECURSIVE g(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM g WHERE n < {last}) \
                 INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS t, g WHERE t.{key} = unhex('{hex}')"
            ),
        })
        .await?;
        let wanted = u64::from(last - first + 1);
        anyhow::ensure!(
            copied >= wanted && copied.is_multiple_of(wanted),
            "{copied} rows of {table} were copied for {wanted} runs"
        );
    }
    Ok(())
}

async fn columns(sql: &Sql, table: &str) -> anyhow::Result<Vec<String>> {
    let query = match sql {
        Sql::Postgres(_) => format!(
            "SELECT column_name::text FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
        ),
        Sql::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
    };
    sql.texts(query).await
}

/// Lets the database do now what such a copy has left for it to do, as it would have long since done with runs of last month.
async fn settle(sql: &Sql) -> anyhow::Result<()> {
    let statement = match sql {
        Sql::Postgres(_) => "VACUUM ANALYZE",
        Sql::Sqlite(_) => "PRAGMA wal_checkpoint(TRUNCATE)",
    };
    sql.run(statement.to_owned()).await?;
    Ok(())
}
