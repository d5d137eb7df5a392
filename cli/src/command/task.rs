//! `runnel task limits`: the limits of a fan-out that runs.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::client::model::Task;
use crate::client::{decode, documents};
use crate::command::options::{Output, OutputArgs, ServerArgs, print_json, print_line};
use crate::exit::{Ended, Exit};

/// Options of `runnel task`.
#[derive(Debug, Args)]
pub struct TaskCommand {
    #[command(subcommand)]
    command: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    /// Change how many items of a fan-out run at once, and how many may fail
    Limits(Limits),
}

#[derive(Debug, Args)]
struct Limits {
    /// Id of the run, its UUID, or @last
    run: String,
    /// Key of the task with `for_each` or `matrix`
    task: String,
    /// Most items in flight, 1 to 100000
    #[arg(
        long,
        value_name = "N",
        env = "RUNNEL_MAX_PARALLEL",
        required_unless_present = "tolerate"
    )]
    max_parallel: Option<u32>,
    /// Failures that are forgiven: a number, or a percentage such as 2%
    #[arg(long, value_name = "N|P%", env = "RUNNEL_TOLERATE")]
    tolerate: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    form: OutputArgs,
}

impl TaskCommand {
    /// Does it.
    pub async fn execute(self) -> Ended {
        match self.command {
            Which::Limits(limits) => limits.execute().await,
        }
    }
}

impl Limits {
    async fn execute(self) -> Ended {
        let client = self.server.client()?;
        let run = client.run_id(&self.run).await?;
        let input = json!({
            "run": run,
            "task": self.task,
            "maxParallel": self.max_parallel,
            "tolerate": self.tolerate,
        });
        let payload = client
            .mutate(documents::FANOUT_UPDATE, "taskFanoutUpdate", input)
            .await?;
        match self.form.output {
            Output::Json => print_json(&payload["task"])?,
            Output::Table => {
                let task: Task = decode(&payload["task"])?;
                print_line(&format!("{}  {}", task.key, task.status))?;
            }
        }
        Ok(Exit::Ok)
    }
}
