//! What every command that asks a server has in common: which server, and the form of the answer.

use clap::Args;
use serde_json::{Value, json};

use crate::client::model::{Run, Task};
use crate::client::{Client, decode};
use crate::command::options::{Output, OutputArgs, ServerArgs, print, print_json};
use crate::exit::{Ended, Exit, Failure};

/// Which server is asked, as whom, and the form of its answer on stdout.
#[derive(Debug, Clone, Args)]
pub struct CallArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    form: OutputArgs,
}

impl CallArgs {
    /// A client of the named server, or of the default one.
    pub fn client(&self) -> Result<Client, Failure> {
        self.server.client()
    }

    /// The form of the answer.
    pub fn output(&self) -> Output {
        self.form.output
    }

    /// Shows an answer: as it is for programs, as the text for people.
    pub fn show(&self, answer: &Value, text: impl FnOnce() -> Result<String, Failure>) -> Ended {
        match self.output() {
            Output::Json => print_json(answer)?,
            Output::Table => print(&text()?)?,
        }
        Ok(Exit::Ok)
    }

    /// Shows the run that an operation answered.
    pub fn show_run(&self, run: &Value) -> Ended {
        self.show(run, || {
            let run: Run = decode(run)?;
            Ok(format!("{}  {}\n", run.id, run.shown_status()))
        })
    }

    /// Shows the task that an operation answered.
    pub fn show_task(&self, task: &Value) -> Ended {
        self.show(task, || {
            let task: Task = decode(task)?;
            Ok(format!("{}  {}\n", task.key, task.status))
        })
    }
}

/// What one of a kind is by its key, or by its id. The document asks for both, and answers the first under `field`.
pub async fn find(
    client: &Client,
    (kind, document, field): (&str, &str, &str),
    name: &str,
    is_one: impl Fn(&Value) -> bool,
) -> Result<Value, Failure> {
    let mut data = client.send(document, json!({ "key": name, "id": name })).await?;
    for field in [field, "node"] {
        let found = data[field].take();
        if is_one(&found) {
            return Ok(found);
        }
    }
    Err(Failure::new(Exit::NotFound, format!("there is no {kind} {name}"))
        .hint(format!("list them with `runnel {kind} list`")))
}
