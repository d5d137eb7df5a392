//! `runnel task limits`: the limits of a fan-out that runs.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::client::documents;
use crate::command::call::CallArgs;
use crate::exit::Ended;

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
    call: CallArgs,
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
        let client = self.call.client()?;
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
        self.call.show_task(&payload["task"])
    }
}
