//! `runnel cancel`, `pause`, `resume`, `retry` and `skip`: one mutation each.

use clap::Args;
use serde_json::{Value, json};

use crate::client::documents;
use crate::command::bulk::ManyArgs;
use crate::command::call::CallArgs;
use crate::command::options::switch;
use crate::exit::Ended;

/// A run to operate on, or many.
#[derive(Debug, Args)]
struct RunArgs {
    /// Id of the run, its UUID, or @last
    #[arg(required_unless_present_any = ["all", "filter"])]
    run: Option<String>,
    #[command(flatten)]
    many: ManyArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// A task to operate on.
#[derive(Debug, Args)]
struct TaskArgs {
    /// Id of the run, its UUID, or @last
    run: String,
    /// Key of the task; an item of a fan-out is `clean[3]`
    task: String,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    #[command(flatten)]
    run: RunArgs,
    /// End running attempts at once instead of giving them their grace
    #[arg(long, env = "RUNNEL_CANCEL_NOW", value_parser = switch())]
    now: bool,
    /// Why, for the history
    #[arg(long, env = "RUNNEL_REASON")]
    reason: Option<String>,
}

/// Options of `runnel pause`.
#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    run: RunArgs,
    /// Why, for the history
    #[arg(long, env = "RUNNEL_REASON")]
    reason: Option<String>,
}

/// Options of `runnel resume`.
#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    run: RunArgs,
}

/// Options of `runnel retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// Id of the run, its UUID, or @last
    #[arg(required_unless_present_any = ["all", "filter"])]
    run: Option<String>,
    /// Key of the task; an item of a fan-out is `clean[3]`
    #[arg(required_unless_present_any = ["all", "filter"])]
    task: Option<String>,
    #[command(flatten)]
    many: ManyArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel skip`.
#[derive(Debug, Args)]
pub struct Skip {
    #[command(flatten)]
    task: TaskArgs,
}

impl Cancel {
    /// Cancels.
    pub async fn execute(self) -> Ended {
        let mode = if self.now { "NOW" } else { "GRACEFUL" };
        self.run
            .send(
                documents::CANCEL,
                "runCancel",
                json!({ "mode": mode, "reason": self.reason }),
            )
            .await
    }
}

impl Pause {
    /// Pauses.
    pub async fn execute(self) -> Ended {
        self.run
            .send(documents::PAUSE, "runPause", json!({ "reason": self.reason }))
            .await
    }
}

impl Resume {
    /// Resumes.
    pub async fn execute(self) -> Ended {
        self.run.send(documents::RESUME, "runResume", json!({})).await
    }
}

impl Retry {
    /// Retries.
    pub async fn execute(self) -> Ended {
        if self.many.is_meant() {
            let client = self.call.client()?;
            let input = json!({ "action": "RETRY_FAILED" });
            return self.many.execute(&client, self.call.output(), input).await;
        }
        let task = TaskArgs {
            run: self.run.unwrap_or_default(),
            task: self.task.unwrap_or_default(),
            call: self.call,
        };
        task.send(documents::RETRY, "taskRetry").await
    }
}

impl Skip {
    /// Skips.
    pub async fn execute(self) -> Ended {
        self.task.send(documents::SKIP, "taskSkip").await
    }
}

impl RunArgs {
    async fn send(&self, document: &str, field: &str, mut input: Value) -> Ended {
        let client = self.call.client()?;
        if self.many.is_meant() {
            let action = field.trim_start_matches("run").to_uppercase();
            input["action"] = Value::String(action);
            return self.many.execute(&client, self.call.output(), input).await;
        }
        let named = self.run.as_deref().unwrap_or_default();
        input["id"] = Value::String(client.run_id(named).await?);
        let payload = client.mutate(document, field, input).await?;
        self.call.show_run(&payload["run"])
    }
}

impl TaskArgs {
    async fn send(&self, document: &str, field: &str) -> Ended {
        let client = self.call.client()?;
        let run = client.run_id(&self.run).await?;
        let payload = client
            .mutate(document, field, json!({ "run": run, "task": self.task }))
            .await?;
        self.call.show_task(&payload["task"])
    }
}
