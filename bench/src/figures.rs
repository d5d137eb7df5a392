//! The output: one JSON object a line.

use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::options::Database;

/// Prints figures of one database.
#[derive(Debug)]
pub struct Figures {
    database: &'static str,
}

impl Figures {
    /// Figures of a database.
    pub fn new(database: Database, is_unsynced: bool) -> Self {
        let database = match (database, is_unsynced) {
            (Database::Sqlite, _) => "sqlite",
            (Database::Postgres, false) => "postgres",
            (Database::Postgres, true) => "postgres-unsynced",
        };
        Self { database }
    }

    /// Prints one figure.
    pub fn print(&self, workload: &str, figure: &str, value: f64, unit: &str) -> anyhow::Result<()> {
        // half a microsecond of CPU is a figure too
        let digits = if value.abs() < 1.0 { 1e6 } else { 1e3 };
        let value = (value * digits).round() / digits;
        write(
            &json!({ "database": self.database, "workload": workload, "figure": figure, "value": value, "unit": unit }),
        )
    }

    /// Prints times: the median and the 99th percentile.
    pub fn print_times(&self, workload: &str, name: &str, times: &mut [Duration]) -> anyhow::Result<()> {
        self.print(workload, &format!("{name}_p50"), quantile(times, 0.5), "us")?;
        self.print(workload, &format!("{name}_p99"), quantile(times, 0.99), "us")
    }

    /// Says why a workload has no figures.
    pub fn skip(&self, workload: &str, reason: &str) -> anyhow::Result<()> {
        write(&json!({ "database": self.database, "workload": workload, "skipped": reason }))
    }
}

fn write(line: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// The value in microseconds below which the given part of the samples lies; zero when there is none.
pub fn quantile(samples: &mut [Duration], part: f64) -> f64 {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank"
    )]
    let rank = (last as f64 * part).round() as usize;
    samples.get(rank).map_or(0.0, |sample| sample.as_secs_f64() * 1e6)
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub fn count(number: u64) -> f64 {
    number as f64
}
