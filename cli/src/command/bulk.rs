//! `--all` and `--filter` of the commands that operate on runs: one operation of the server on all that match.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::client::{Client, documents};
use crate::command::options::{Output, print_json, print_line, switch};
use crate::exit::{Ended, Exit, Failure};

/// How often the server is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Many runs instead of one.
#[derive(Debug, Clone, Args)]
pub struct ManyArgs {
    /// All runs that the command is legal for, instead of one
    #[arg(long, env = "RUNNEL_BULK_ALL", value_parser = switch(), conflicts_with_all = ["run", "filter"])]
    all: bool,
    /// All runs for which this holds, as 'workflow == "orders" && priority < 50'
    #[arg(long, env = "RUNNEL_BULK_FILTER", value_name = "CEL", conflicts_with = "run")]
    filter: Option<String>,
    /// Most runs of --all and --filter, the newest first
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000), env = "RUNNEL_BULK_LIMIT")]
    limit: u32,
    /// Say how many runs match and do nothing
    #[arg(long, env = "RUNNEL_BULK_DRY_RUN", value_parser = switch())]
    dry_run: bool,
    /// Do it without asking back
    #[arg(long, env = "RUNNEL_BULK_YES", value_parser = switch())]
    yes: bool,
}

impl ManyArgs {
    /// Whether many runs are meant.
    pub fn is_meant(&self) -> bool {
        self.all || self.filter.is_some()
    }

    /// Does it and waits for its end. `input` is what the action needs beside the runs.
    pub async fn execute(&self, client: &Client, form: Output, mut input: Value) -> Ended {
        input["filter"] = json!({});
        input["query"] = json!(self.filter);
        input["limit"] = json!(self.limit);
        input["dryRun"] = json!(true);
        let counted = client
            .mutate(documents::RUNS_BULK, "runsBulk", input.clone())
            .await?;
        let matched = &counted["matched"];
        if self.dry_run {
            match form {
                Output::Json => print_json(matched)?,
                Output::Table => print_line(&format!("{} runs match", count(matched)))?,
            }
            return Ok(Exit::Ok);
        }
        if !self.yes {
            let failure = Failure::usage(format!("{} runs match", count(matched)));
            return Err(failure.hint("add --yes to go on, or --dry-run only to count"));
        }
        input["dryRun"] = json!(false);
        let accepted = client.mutate(documents::RUNS_BULK, "runsBulk", input).await?;
        let ended = until_finished(client, accepted["operation"].clone()).await?;
        match form {
            Output::Json => print_json(&ended)?,
            Output::Table => {
                print_line(&format!(
                    "{}  {} of {} done, {} refused",
                    ended["id"].as_str().unwrap_or_default(),
                    ended["done"],
                    ended["total"],
                    ended["failed"]
                ))?;
                for failure in ended["failures"]["nodes"].as_array().into_iter().flatten() {
                    let text = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
                    print_line(&format!("{}  {}", text("runId"), text("message")))?;
                }
            }
        }
        Ok(if ended["failed"] == 0 {
            Exit::Ok
        } else {
            Exit::Conflict
        })
    }
}

/// Asks until every run is decided.
async fn until_finished(client: &Client, mut operation: Value) -> Result<Value, Failure> {
    loop {
        let id = json!({ "id": operation["id"] });
        let mut data = client.send(documents::BULK_OPERATION, id).await?;
        operation = data["bulkOperation"].take();
        if operation["status"] == "FINISHED" {
            return Ok(operation);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn count(matched: &Value) -> String {
    let number = matched["value"].as_u64().unwrap_or_default();
    if matched["isExact"] == false {
        format!("more than {number}")
    } else {
        number.to_string()
    }
}
