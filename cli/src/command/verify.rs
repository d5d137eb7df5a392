//! `runnel verify`: checks the invariants on a database, also a live one.

use clap::Args;
use runnel_queue::PayloadStore;
use runnel_runtime::{RepairReport, VerifyReport};
use serde_json::{Value, json};

use crate::command::options::{Output, OutputArgs, print, print_json, switch};
use crate::exit::{Ended, Exit};
use crate::host::options::{PayloadArgs, database};
use crate::host::store_failed;

/// Options of `runnel verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// postgres://… or sqlite://…
    #[arg(long, env = "RUNNEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: String,
    /// Where large values are kept; without it the database alone is checked
    #[command(flatten)]
    payloads: PayloadArgs,
    /// Mend counters, alarms and messages, which follow from other rows; everything else is left to you
    #[arg(long, env = "RUNNEL_VERIFY_REPAIR", value_parser = switch())]
    repair: bool,
    #[command(flatten)]
    form: OutputArgs,
}

impl Verify {
    /// Prints the report; exit code 1 when an invariant is broken.
    pub async fn execute(self) -> Ended {
        let payloads = self.payloads.store()?;
        if self.repair {
            return self.mend(payloads.as_ref()).await;
        }
        let report = runnel_runtime::verify(&database(&self.database_url)?, payloads.as_ref())
            .await
            .map_err(store_failed)?;
        match self.form.output {
            Output::Json => print_json(&as_json(&report))?,
            Output::Table => print(&as_text(&report))?,
        }
        Ok(if report.is_sound() { Exit::Ok } else { Exit::Failed })
    }

    /// Prints what was mended and what is left; exit code 1 when something is.
    async fn mend(&self, payloads: Option<&PayloadStore>) -> Ended {
        let RepairReport { repairs, left } = runnel_runtime::repair(&database(&self.database_url)?, payloads)
            .await
            .map_err(store_failed)?;
        match self.form.output {
            Output::Json => {
                let mut value = as_json(&left);
                let shown = repairs.iter().map(|repair| {
                    let run = repair.run.map(|run| run.to_string());
                    json!({ "run": run, "rule": repair.rule, "done": repair.done })
                });
                value["repairs"] = shown.collect();
                print_json(&value)?;
            }
            Output::Table => {
                let mut text = String::new();
                for repair in &repairs {
                    let run = repair.run.map(|run| format!(" run {run}")).unwrap_or_default();
                    text.push_str(&format!("REPAIRED {}{run}: {}\n", repair.rule, repair.done));
                }
                text.push_str(&as_text(&left));
                print(&text)?;
            }
        }
        Ok(if left.is_sound() { Exit::Ok } else { Exit::Failed })
    }
}

fn as_json(report: &VerifyReport) -> Value {
    let problems: Vec<Value> = report
        .problems
        .iter()
        .map(|problem| {
            json!({
                "rule": problem.rule,
                "run": problem.run.map(|run| run.to_string()),
                "task": problem.task.map(|task| task.0),
                "message": problem.message,
            })
        })
        .collect();
    json!({
        "isSound": report.is_sound(),
        "checkedRuns": report.checked_runs,
        "problems": problems,
        "problemsLeftOut": report.problems_left_out,
    })
}

fn as_text(report: &VerifyReport) -> String {
    let mut text = String::new();
    for problem in &report.problems {
        let run = problem.run.map(|run| format!(" run {run}")).unwrap_or_default();
        let task = problem
            .task
            .map(|task| format!(" task {}", task.0))
            .unwrap_or_default();
        text.push_str(&format!(
            "BROKEN {}{run}{task}: {}\n",
            problem.rule, problem.message
        ));
    }
    let broken = report.problems.len() as u64 + report.problems_left_out;
    text.push_str(&format!(
        "{} runs checked, {broken} invariants broken\n",
        report.checked_runs
    ));
    text
}
