//! `runnel publish`: stores workflow files as versions.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::client::problem::InvalidWorkflow;
use crate::client::{Client, documents};
use crate::command::call::CallArgs;
use crate::command::options::{Output, print_json, print_line, read_text, shown, switch};
use crate::diagnostics::render;
use crate::exit::{Ended, Exit, Failure};

/// Options of `runnel publish`.
#[derive(Debug, Args)]
pub struct Publish {
    /// Workflow files of any dialect; `-` reads stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check and number, store nothing
    #[arg(long, env = "RUNNEL_DRY_RUN", value_parser = switch())]
    dry_run: bool,
    #[command(flatten)]
    call: CallArgs,
}

impl Publish {
    /// Publishes the files in order; stops at the first that is refused.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let mut published = Vec::new();
        for file in &self.files {
            let source = read_text(file)?;
            let payload = publish(&client, &shown(file), &source, self.dry_run).await?;
            if self.call.output() == Output::Table {
                print_line(&sentence(&payload))?;
            }
            published.push(payload);
        }
        if self.call.output() == Output::Json {
            print_json(&Value::Array(published))?;
        }
        Ok(Exit::Ok)
    }
}

/// Publishes one file; prints the problems of one that is refused.
pub async fn publish(client: &Client, name: &str, source: &str, is_dry_run: bool) -> Result<Value, Failure> {
    let input = json!({ "source": source, "format": "AUTO", "dryRun": is_dry_run });
    let answer = client.mutate(documents::PUBLISH, "workflowPublish", input).await;
    if let Err(failure) = &answer
        && let Some(invalid) = failure.error.downcast_ref::<InvalidWorkflow>()
    {
        eprint!("{}", render(name, source, &invalid.diagnostics));
    }
    answer
}

fn sentence(payload: &Value) -> String {
    let key = payload["workflow"]["key"].as_str().unwrap_or_default();
    let number = &payload["version"]["number"];
    let news = if payload["isNew"] == true {
        "new"
    } else {
        "unchanged"
    };
    format!("{key} version {number} ({news})")
}
