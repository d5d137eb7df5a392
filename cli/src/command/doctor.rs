//! `runnel doctor`: looks at everything that an installation rests on, and says what to do about what is wrong.
//!
//! Changes nothing: it makes no key, no queue, no file and no table. Of the payload store it writes, reads and deletes one probe.

mod checks;
mod finding;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::command::options::{Output, OutputArgs, ServerArgs, print, print_json};
use crate::exit::{Ended, Exit};
use crate::host::options::{KeyArgs, PayloadArgs, QueueKind, SecretKeyArgs, SqsArgs, duration};
use crate::table;
use finding::{Finding, Level};

/// Options of `runnel doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// postgres://… or sqlite://…
    #[arg(long, env = "RUNNEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Which queue carries tasks and completions
    #[arg(long, env = "RUNNEL_QUEUE", value_enum, default_value = "sqs")]
    queue: QueueKind,
    /// Task queues to look at
    #[arg(
        long,
        env = "RUNNEL_QUEUE_NAMES",
        default_value = "default",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    queue_names: Vec<String>,
    /// How long container workers keep a received task to themselves
    #[arg(long, env = "RUNNEL_VISIBILITY", default_value = "60s", value_parser = duration, value_name = "DURATION")]
    visibility: Duration,
    /// Timeout of the Lambda function that executes tasks, where there is one
    #[arg(long, env = "RUNNEL_FUNCTION_TIMEOUT", value_parser = duration, value_name = "DURATION")]
    function_timeout: Option<Duration>,
    /// Directory of generated keys
    #[arg(long, env = "RUNNEL_DATA_DIR", default_value = ".runnel", value_name = "DIR")]
    data_dir: PathBuf,
    #[command(flatten)]
    sqs: SqsArgs,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    secrets: SecretKeyArgs,
    #[command(flatten)]
    payloads: PayloadArgs,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    form: OutputArgs,
}

impl Doctor {
    /// Prints what was found; exit code 1 when something is broken.
    pub async fn execute(self) -> Ended {
        let mut findings = checks::configuration(&self);
        findings.extend(checks::database(&self).await);
        findings.extend(checks::queues(&self).await);
        findings.extend(checks::payloads(&self).await);
        findings.extend(checks::server(&self).await);
        let is_healthy = findings.iter().all(|finding| finding.level != Level::Broken);
        match self.form.output {
            Output::Json => print_json(&json!({
                "isHealthy": is_healthy,
                "findings": findings.iter().map(Finding::json).collect::<Vec<_>>(),
            }))?,
            Output::Table => print(&as_text(&findings))?,
        }
        Ok(if is_healthy { Exit::Ok } else { Exit::Failed })
    }
}

/// A table, and under it what to do.
fn as_text(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| {
        vec![
            finding.level.word().to_owned(),
            finding.check.to_owned(),
            finding.message.clone(),
        ]
    });
    let mut text = table::render(&["", "check", "finding"], rows);
    let advised: Vec<_> = findings
        .iter()
        .filter(|finding| finding.advice.is_some())
        .collect();
    if !advised.is_empty() {
        text.push_str("\nWhat to do\n");
    }
    for finding in advised {
        let advice = finding.advice.as_deref().unwrap_or_default();
        text.push_str(&format!("- {}: {advice}\n", finding.check));
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    text.push_str(&format!(
        "\n{} checks, {} broken, {} to look at\n",
        findings.len(),
        count(Level::Broken),
        count(Level::Doubtful)
    ));
    text
}
