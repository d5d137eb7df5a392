//! `runnel event`: events for triggers and for tasks that wait.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::documents;
use crate::command::call::CallArgs;
use crate::command::options::{Output, print_json, print_line, read_text};
use crate::exit::{Ended, Exit, Failure};
use crate::table;

/// Options of `runnel event`.
#[derive(Debug, Args)]
pub struct Event {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Send an event (CloudEvents 1.0)
    Send(Send),
}

#[derive(Debug, Args)]
struct Send {
    /// Type of the event, as com.acme.order.created
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Who sends it
    #[arg(long, default_value = "/runnel/cli", env = "RUNNEL_EVENT_SOURCE")]
    source: String,
    /// Its id: an event with the same source and id is taken once; made when absent
    #[arg(long, env = "RUNNEL_EVENT_ID")]
    id: Option<String>,
    /// What it is about
    #[arg(long, env = "RUNNEL_EVENT_SUBJECT")]
    subject: Option<String>,
    /// Its data: JSON, or else a text
    #[arg(short = 'd', long, conflicts_with = "data_file", env = "RUNNEL_EVENT_DATA")]
    data: Option<String>,
    /// A file with its data; `-` reads stdin
    #[arg(long, value_name = "FILE", env = "RUNNEL_EVENT_DATA_FILE")]
    data_file: Option<PathBuf>,
    #[command(flatten)]
    call: CallArgs,
}

impl Event {
    /// Does it.
    pub async fn execute(self) -> Ended {
        match self.action {
            Action::Send(send) => send.execute().await,
        }
    }
}

impl Send {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let payload = client
            .mutate(
                documents::EVENT_PUBLISH,
                "eventPublish",
                json!({ "events": [self.event()?] }),
            )
            .await?;
        let receipt = &payload["receipts"][0];
        if self.call.output() == Output::Json {
            print_json(receipt)?;
            return Ok(Exit::Ok);
        }
        let again = if receipt["isDuplicate"] == true {
            "  (came before)"
        } else {
            ""
        };
        print_line(&format!("{}{again}", table::cell(&receipt["eventId"])))?;
        for outcome in receipt["outcomes"].as_array().into_iter().flatten() {
            let detail = outcome["detail"]
                .as_str()
                .map(|why| format!("  {why}"))
                .unwrap_or_default();
            let (trigger, status) = (
                table::cell(&outcome["triggerKey"]),
                table::cell(&outcome["status"]),
            );
            print_line(&format!(
                "{trigger}  {status}  {}{detail}",
                table::cell(&outcome["run"]["id"])
            ))?;
        }
        Ok(Exit::Ok)
    }

    fn event(&self) -> Result<Value, Failure> {
        let data = match (&self.data, &self.data_file) {
            (Some(data), _) => Some(data.clone()),
            (None, Some(file)) => Some(read_text(file)?),
            (None, None) => None,
        };
        let mut event = json!({ "specversion": "1.0", "source": self.source, "type": self.kind });
        let optional = [
            ("id", self.id.clone().map(Value::from)),
            ("subject", self.subject.clone().map(Value::from)),
            (
                "data",
                data.map(|text| serde_json::from_str(&text).unwrap_or(Value::from(text))),
            ),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                event[name] = value;
            }
        }
        Ok(event)
    }
}
