//! The output: one JSON object a line, as of `runnel-bench`, and marks around what is measured.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Prints figures.
#[derive(Debug)]
pub struct Figures {
    system: &'static str,
}

impl Figures {
    /// Figures of a system.
    pub fn new(system: &'static str) -> Self {
        Self { system }
    }

    /// Prints one figure.
    pub fn print(&self, workload: &str, figure: &str, value: f64, unit: &str) -> anyhow::Result<()> {
        let value = (value * 1_000.0).round() / 1_000.0;
        self.line(json!({
            "system": self.system, "database": "postgres", "workload": workload,
            "figure": figure, "value": value, "unit": unit,
        }))
    }

    /// Tells that the measured part of a workload begins; whoever reads this can begin to count CPU time.
    pub fn begin(&self, workload: &str) -> anyhow::Result<Instant> {
        self.line(json!({ "system": self.system, "workload": workload, "mark": "begin" }))?;
        Ok(Instant::now())
    }

    /// Tells that the measured part has ended, and its rate.
    pub fn end(&self, workload: &str, tasks: u32, begun: Instant) -> anyhow::Result<()> {
        let elapsed = begun.elapsed();
        self.line(json!({ "system": self.system, "workload": workload, "mark": "end", "tasks": tasks }))?;
        self.print(workload, "tasks", f64::from(tasks) / elapsed.as_secs_f64(), "1/s")
    }

    fn line(&self, line: Value) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }
}

/// The value in microseconds below which the given part of the samples lies; zero when there is none.
pub fn quantile(samples: &mut [Duration], part: f64) -> f64 {
    samples.sort_unstable();
    let last = samples.len().saturating_sub(1);
    let rank = (last as f64 * part).round() as usize;
    samples.get(rank).map_or(0.0, |sample| sample.as_secs_f64() * 1e6)
}
