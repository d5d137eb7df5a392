//! The output: one JSON object a line.

use std::io::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::Database;

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
    pub fn print(&mut self, workload: &str, figure: &str, value: f64, unit: &str) -> anyhow::Result<()> {
        let value = (value * 1_000.0).round() / 1_000.0;
        let line = json!({ "database": self.database, "workload": workload, "figure": figure, "value": value, "unit": unit });
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }
}

/// The value below which the given part of the samples lies; zero when there is none.
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
