//! `runnel runs`: the newest runs.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::client::model::Run;
use crate::client::{decode, documents};
use crate::command::call::CallArgs;
use crate::exit::{Ended, Failure};
use crate::host::clock::now;
use crate::table;

/// Options of `runnel runs`.
#[derive(Debug, Args)]
pub struct Runs {
    /// Most runs to list
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200), env = "RUNNEL_LIMIT")]
    limit: u32,
    /// Only runs in these statuses, as failed,running
    #[arg(long, value_delimiter = ',', env = "RUNNEL_STATUS")]
    status: Vec<String>,
    /// Only runs of this workflow
    #[arg(long, env = "RUNNEL_WORKFLOW")]
    workflow: Option<String>,
    /// Only runs that tasks of this run started: its id, its UUID, or @last
    #[arg(long, env = "RUNNEL_PARENT", value_name = "RUN")]
    parent: Option<String>,
    /// Only runs for which this holds, as 'status == "FAILED" && "nightly" in tags'
    #[arg(long, env = "RUNNEL_RUNS_FILTER", value_name = "CEL")]
    filter: Option<String>,
    #[command(flatten)]
    call: CallArgs,
}

impl Runs {
    /// Lists them.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let mut filter = self.fields();
        if let Some(parent) = &self.parent {
            filter.insert("parent".to_owned(), json!(client.run_id(parent).await?));
        }
        let variables = json!({ "first": self.limit, "filter": filter, "query": self.filter });
        let data = client.send(documents::RUNS, variables).await?;
        let nodes = &data["runs"]["nodes"];
        self.call.show(nodes, || table_of(nodes))
    }

    fn fields(&self) -> Map<String, Value> {
        let mut filter = Map::new();
        if !self.status.is_empty() {
            let statuses: Vec<String> = self
                .status
                .iter()
                .map(|s| s.to_uppercase().replace('-', "_"))
                .collect();
            filter.insert("status".to_owned(), json!({ "in": statuses }));
        }
        if let Some(key) = &self.workflow {
            filter.insert("workflow".to_owned(), json!(key));
        }
        filter
    }
}

fn table_of(nodes: &Value) -> Result<String, Failure> {
    let runs: Vec<Run> = decode(nodes)?;
    let now = now();
    let rows = runs.iter().map(|run| {
        vec![
            run.id.clone(),
            run.workflow.key.clone(),
            run.version.number.to_string(),
            run.shown_status(),
            format!("{}/{}", run.counts.ended(), run.counts.total()),
            table::age(run.created_at, now),
            table::elapsed(run.started_at, run.finished_at, now),
        ]
    });
    Ok(table::render(
        &["run", "workflow", "version", "status", "tasks", "created", "took"],
        rows,
    ))
}
