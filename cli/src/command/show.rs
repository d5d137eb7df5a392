//! `runnel show`: one run with its tasks.

use clap::Args;
use serde_json::{Value, json};

use crate::client::model::{Run, Task};
use crate::client::{Client, decode, documents};
use crate::command::call::CallArgs;
use crate::command::options::{Output, print, print_json};
use crate::exit::{Ended, Exit, Failure};
use crate::host::clock::now;
use crate::table;

/// Tasks per request: the page limit of the API.
const PAGE: u32 = 200;

/// Options of `runnel show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Id of the run, its UUID, or @last
    run: String,
    #[command(flatten)]
    call: CallArgs,
}

impl Show {
    /// Shows it.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let id = client.run_id(&self.run).await?;
        let found = client.finished(&id).await?;
        let tasks = tasks(&client, &id).await?;
        match self.call.output() {
            Output::Json => {
                let mut raw = found.raw;
                raw["tasks"] = json!({ "nodes": tasks });
                print_json(&raw)?;
            }
            Output::Table => print(&text(&found.run, &tasks)?)?,
        }
        Ok(Exit::Ok)
    }
}

/// All tasks of a run as the server says them, in index order.
pub async fn tasks(client: &Client, id: &str) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    let mut after = Value::Null;
    loop {
        let mut data = client
            .send(
                documents::TASKS,
                json!({ "id": id, "first": PAGE, "after": after }),
            )
            .await?;
        let page = &mut data["run"]["tasks"];
        if let Value::Array(nodes) = page["nodes"].take() {
            all.extend(nodes);
        }
        if page["pageInfo"]["hasNextPage"] != true {
            return Ok(all);
        }
        after = page["pageInfo"]["endCursor"].take();
    }
}

fn text(run: &Run, tasks: &[Value]) -> Result<String, Failure> {
    let now = now();
    let mut out = format!(
        "{}  {}\nworkflow {} version {} · created {} · took {}\n{}\n",
        run.id,
        run.shown_status(),
        run.workflow.key,
        run.version.number,
        table::age(run.created_at, now),
        table::elapsed(run.started_at, run.finished_at, now),
        run.counts.line(),
    );
    if let Some(error) = &run.error {
        out.push_str(&format!("error {}\n", error.line()));
    }
    if !run.outputs.is_null() {
        out.push_str(&format!("outputs {}\n", run.outputs));
    }
    out.push('\n');
    let tasks: Vec<Task> = tasks.iter().map(decode).collect::<Result<_, _>>()?;
    let rows = tasks.iter().map(|task| {
        let why = task
            .error
            .as_ref()
            .map(|e| e.line())
            .or_else(|| task.waiting_for.clone())
            .unwrap_or_default();
        vec![
            task.key.clone(),
            task.kind.clone(),
            task.status.clone(),
            task.attempt.to_string(),
            table::elapsed(task.started_at, task.finished_at, now),
            why,
        ]
    });
    out.push_str(&table::render(
        &["task", "type", "status", "attempt", "took", "why"],
        rows,
    ));
    Ok(out)
}
