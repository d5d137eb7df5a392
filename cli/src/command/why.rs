//! `runnel why`: why a run or a task does not run now, and where its time went.

use clap::Args;
use serde_json::{Value, json};

use crate::client::documents;
use crate::command::call::CallArgs;
use crate::command::options::{Output, print, print_json};
use crate::exit::{Ended, Exit, Failure};
use crate::table;

/// Options of `runnel why`.
#[derive(Debug, Args)]
pub struct Why {
    /// Id of the run, its UUID, or @last
    run: String,
    /// Key of the task; an item of a fan-out is `clean[3]`. Without it, of the run and of its unfinished tasks
    task: Option<String>,
    #[command(flatten)]
    call: CallArgs,
}

impl Why {
    /// Asks.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let id = client.run_id(&self.run).await?;
        let mut data = match &self.task {
            Some(task) => {
                client
                    .send(documents::WHY_TASK, json!({ "id": id, "task": task }))
                    .await?
            }
            None => client.send(documents::WHY_RUN, json!({ "id": id })).await?,
        };
        let mut run = data["run"].take();
        if run.is_null() {
            return Err(Failure::new(Exit::NotFound, format!("there is no run {id}")));
        }
        match &self.task {
            Some(key) => {
                let task = run["task"].take();
                if task.is_null() {
                    return Err(Failure::new(Exit::NotFound, format!("the run has no task {key}")));
                }
                match self.call.output() {
                    Output::Json => print_json(&task)?,
                    Output::Table => print(&text(&task, Vec::new()))?,
                }
            }
            None => match self.call.output() {
                Output::Json => print_json(&run)?,
                Output::Table => {
                    let tasks = match run["tasks"]["nodes"].take() {
                        Value::Array(tasks) => tasks,
                        _ => Vec::new(),
                    };
                    print(&text(&run, tasks))?;
                }
            },
        }
        Ok(Exit::Ok)
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn text(of: &Value, tasks: Vec<Value>) -> String {
    let name = of["key"].as_str().unwrap_or_else(|| word(&of["id"]));
    let mut out = format!("{name}  {}\n", word(&of["status"]));
    let rows = |key: &str, of: &Value| -> Vec<Vec<String>> {
        let blockers = of["blockers"].as_array().into_iter().flatten();
        blockers
            .map(|blocker| {
                vec![
                    key.to_owned(),
                    word(&blocker["code"]).to_owned(),
                    word(&blocker["message"]).to_owned(),
                ]
            })
            .collect()
    };
    let mut all = rows(name, of);
    for task in &tasks {
        all.extend(rows(word(&task["key"]), task));
    }
    if all.is_empty() {
        out.push_str("nothing holds it\n");
    } else {
        out.push_str(&table::render(&["what", "why", "since or until"], all));
    }
    if let Some(spent) = of["timeSpent"].as_object() {
        let parts: Vec<String> = [
            ("blocked", "blocked"),
            ("waitingForSlot", "waiting for a slot"),
            ("queued", "queued"),
            ("running", "running"),
            ("retryWait", "waiting for a retry"),
            ("waiting", "waiting"),
        ]
        .iter()
        .filter_map(|(field, name)| {
            let length = table::length(spent.get(*field)?.as_str()?)?;
            Some(format!("{name} {length}"))
        })
        .collect();
        if !parts.is_empty() {
            out.push_str(&format!("time: {}\n", parts.join(", ")));
        }
    }
    out
}
