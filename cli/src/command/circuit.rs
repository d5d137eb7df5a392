//! `runnel circuit`: breakers that hold tasks back, and how to close them by hand.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::documents;
use crate::command::call::CallArgs;
use crate::exit::Ended;
use crate::table;

/// Options of `runnel circuit`.
#[derive(Debug, Args)]
pub struct Circuit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List breakers that a task has passed
    List(List),
    /// Close a breaker and forget its failures: what waits for it may begin
    Reset(Reset),
}

#[derive(Debug, Args)]
struct List {
    /// Most breakers to list
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200), env = "RUNNEL_LIMIT")]
    limit: u32,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
struct Reset {
    /// Key of the breaker, as `circuit.key` of the workflow file says
    key: String,
    #[command(flatten)]
    call: CallArgs,
}

impl Circuit {
    /// Does it.
    pub async fn execute(self) -> Ended {
        match self.action {
            Action::List(list) => list.execute().await,
            Action::Reset(reset) => reset.execute().await,
        }
    }
}

impl List {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let data = client
            .send(documents::CIRCUITS, json!({ "first": self.limit }))
            .await?;
        let nodes = &data["circuits"]["nodes"];
        self.call.show(nodes, || {
            Ok(table_of(nodes.as_array().map_or(&[][..], Vec::as_slice)))
        })
    }
}

impl Reset {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let input = json!({ "key": self.key });
        let payload = client
            .mutate(documents::CIRCUIT_RESET, "circuitReset", input)
            .await?;
        let circuit = &payload["circuit"];
        self.call
            .show(circuit, || Ok(table_of(std::slice::from_ref(circuit))))
    }
}

fn table_of(circuits: &[Value]) -> String {
    let rows = circuits.iter().map(|circuit| {
        vec![
            table::cell(&circuit["key"]),
            table::cell(&circuit["state"]),
            circuit["failures"].to_string(),
            table::cell(&circuit["openedAt"]),
            table::cell(&circuit["probeAt"]),
        ]
    });
    table::render(&["circuit", "state", "failures", "opened", "tried at"], rows)
}
