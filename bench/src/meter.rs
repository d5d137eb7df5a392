//! What a load takes, measured around it: time, CPU by process, statements, bytes made durable.
//!
//! The disk's own sync time is printed beside each figure: a machine whose disk is slower today makes every commit slower,
//! and only figures with the same sync time can be compared.

use std::time::{Duration, Instant};

use crate::Bench;
use crate::figures::count;
use crate::machine;
use crate::sql::Sql;

/// Where everything stood when the load began.
#[derive(Debug)]
pub struct Meter {
    before: Reading,
    begun: Instant,
}

/// What the load took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Time.
    pub elapsed: Duration,
    /// CPU time of this process.
    pub own: Duration,
    /// CPU time of the database server.
    pub server: Duration,
    /// Statements sent.
    pub statements: u64,
}

impl Measured {
    /// CPU time of all processes.
    pub fn cpu(&self) -> Duration {
        self.own + self.server
    }
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    own: Duration,
    server: Duration,
    statements: u64,
    read_statements: u64,
    bytes: u64,
}

impl Reading {
    async fn take(bench: &Bench) -> anyhow::Result<Self> {
        Ok(Self {
            bytes: durable_bytes(&bench.system.sql).await?,
            own: machine::own_cpu()?,
            server: bench.server.cpu()?,
            statements: bench.system.orchestrator.statements(),
            read_statements: bench.system.orchestrator.read_statements(),
        })
    }
}

/// Bytes of WAL that PostgreSQL has written, or bytes that this process has written with SQLite.
async fn durable_bytes(sql: &Sql) -> anyhow::Result<u64> {
    match sql {
        Sql::Postgres(_) => {
            let [bytes] = sql
                .numbers("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint")
                .await?;
            Ok(bytes.try_into()?)
        }
        Sql::Sqlite(_) => machine::own_written_bytes(),
    }
}

impl Meter {
    /// Begins to measure.
    pub async fn begin(bench: &Bench) -> anyhow::Result<Self> {
        Ok(Self {
            before: Reading::take(bench).await?,
            begun: Instant::now(),
        })
    }

    /// What was taken since the begin; prints nothing.
    pub async fn read(&self, bench: &Bench) -> anyhow::Result<Measured> {
        let elapsed = self.begun.elapsed();
        let now = Reading::take(bench).await?;
        Ok(self.since(elapsed, &now))
    }

    /// Prints what each of so many tasks took.
    pub async fn end(self, bench: &Bench, workload: &str, tasks: u32) -> anyhow::Result<Measured> {
        let elapsed = self.begun.elapsed();
        let now = Reading::take(bench).await?;
        let measured = self.since(elapsed, &now);
        let each = |total: f64| total / f64::from(tasks);
        let each_ms = |cpu: Duration| each(cpu.as_secs_f64() * 1e3);
        let figure =
            |figure: &str, value: f64, unit: &str| bench.figures.print(workload, figure, value, unit);

        figure("tasks", f64::from(tasks) / elapsed.as_secs_f64(), "1/s")?;
        figure("cpu_per_task", each_ms(measured.cpu()), "ms")?;
        if matches!(bench.system.sql, Sql::Postgres(_)) {
            figure("cpu_own_per_task", each_ms(measured.own), "ms")?;
            figure("cpu_database_per_task", each_ms(measured.server), "ms")?;
        }
        figure("statements_per_task", each(count(measured.statements)), "1")?;
        figure(
            "read_statements_per_task",
            each(count(now.read_statements - self.before.read_statements)),
            "1",
        )?;
        let bytes = match bench.system.sql {
            Sql::Postgres(_) => "wal_per_task",
            Sql::Sqlite(_) => "written_per_task",
        };
        figure(bytes, each(count(now.bytes - self.before.bytes)), "B")?;
        figure("sync_p50", bench.system.sync_p50_us()?, "us")?;
        Ok(measured)
    }

    fn since(&self, elapsed: Duration, now: &Reading) -> Measured {
        Measured {
            elapsed,
            own: now.own.saturating_sub(self.before.own),
            server: now.server.saturating_sub(self.before.server),
            statements: now.statements - self.before.statements,
        }
    }
}
