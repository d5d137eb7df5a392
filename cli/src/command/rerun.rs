//! `runnel rerun` and `runnel override`: doing again, and deciding by hand.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::client::documents;
use crate::command::bulk::ManyArgs;
use crate::command::call::CallArgs;
use crate::command::options::switch;
use crate::command::run::key_value;
use crate::exit::{Ended, Failure};

/// Where a rerun begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// With what did not succeed
    Failed,
    /// At the beginning, as a new run
    Start,
}

/// Options of `runnel rerun`.
#[derive(Debug, Args)]
pub struct Rerun {
    /// Id of the run, its UUID, or @last; it must have ended
    #[arg(required_unless_present_any = ["all", "filter"])]
    run: Option<String>,
    #[command(flatten)]
    many: ManyArgs,
    /// Where to begin
    #[arg(long, value_enum, default_value = "failed", env = "RUNNEL_RERUN_FROM")]
    from: From,
    /// Begin with these tasks and everything downstream of them, as load,train
    #[arg(
        long,
        value_delimiter = ',',
        env = "RUNNEL_RERUN_TASKS",
        conflicts_with_all = ["from", "all", "filter"]
    )]
    tasks: Vec<String>,
    /// Version of the workflow, or `latest`; another one makes a new run [default: that of the run]
    #[arg(long, env = "RUNNEL_WORKFLOW_VERSION", value_name = "NUMBER|latest", conflicts_with_all = ["all", "filter"])]
    workflow_version: Option<String>,
    /// An input that replaces the run's, as key=value; makes a new run
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value, env = "RUNNEL_INPUT", value_delimiter = None, conflicts_with_all = ["all", "filter"])]
    input: Vec<(String, Value)>,
    /// Make a new run also where the same one could go on
    #[arg(long, env = "RUNNEL_RERUN_NEW", value_parser = switch(), conflicts_with_all = ["all", "filter"])]
    new: bool,
    /// A repeated request with the same key is carried out once
    #[arg(long, env = "RUNNEL_IDEMPOTENCY_KEY", value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Why, for the history
    #[arg(long, env = "RUNNEL_REASON")]
    reason: Option<String>,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel override`.
#[derive(Debug, Args)]
pub struct Override {
    /// Id of the run, its UUID, or @last
    run: String,
    /// Key of the task; an item of a fan-out is `clean[3]`
    task: String,
    /// Succeed with this output (JSON)
    #[arg(
        long,
        value_name = "JSON",
        env = "RUNNEL_OVERRIDE_OUTPUT",
        conflicts_with = "fail"
    )]
    succeed: Option<String>,
    /// Fail with this message
    #[arg(
        long,
        value_name = "MESSAGE",
        env = "RUNNEL_OVERRIDE_ERROR",
        required_unless_present = "succeed"
    )]
    fail: Option<String>,
    /// Why, for the history
    #[arg(long, env = "RUNNEL_REASON")]
    reason: Option<String>,
    #[command(flatten)]
    call: CallArgs,
}

impl Rerun {
    /// Runs it again.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let from = match self.from {
            _ if !self.tasks.is_empty() => "TASKS",
            From::Failed => "FAILED",
            From::Start => "START",
        };
        let run = match &self.run {
            Some(run) if !self.many.is_meant() => run,
            _ => {
                let input = json!({
                    "action": "RERUN",
                    "rerunFrom": from,
                    "idempotencyKey": self.idempotency_key,
                    "reason": self.reason,
                });
                return self.many.execute(&client, self.call.output(), input).await;
            }
        };
        let id = client.run_id(run).await?;
        let inputs = if self.input.is_empty() {
            Value::Null
        } else {
            let data = client.send(documents::RUN, json!({ "id": id })).await?;
            let mut inputs: Map<String, Value> =
                data["run"]["inputs"].as_object().cloned().unwrap_or_default();
            inputs.extend(self.input.iter().cloned());
            Value::Object(inputs)
        };
        let input = json!({
            "id": id,
            "from": from,
            "tasks": if self.tasks.is_empty() { Value::Null } else { json!(self.tasks) },
            "version": version(self.workflow_version.as_deref())?,
            "inputs": inputs,
            "newRun": self.new,
            "idempotencyKey": self.idempotency_key,
            "reason": self.reason,
        });
        let payload = client.mutate(documents::RERUN, "runRerun", input).await?;
        self.call.show_run(&payload["run"])
    }
}

impl Override {
    /// Sets the result.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let run = client.run_id(&self.run).await?;
        let mut input = json!({ "run": run, "task": self.task, "reason": self.reason });
        match (&self.succeed, &self.fail) {
            (Some(output), _) => {
                let output: Value = serde_json::from_str(output)
                    .map_err(|error| Failure::usage(format!("--succeed is not JSON: {error}")))?;
                input["result"] = json!("SUCCEED");
                input["output"] = output;
            }
            (None, message) => {
                input["result"] = json!("FAIL");
                input["error"] = json!({ "message": message });
            }
        }
        let payload = client.mutate(documents::OVERRIDE, "taskOverride", input).await?;
        self.call.show_task(&payload["task"])
    }
}

fn version(text: Option<&str>) -> Result<Value, Failure> {
    match text {
        None => Ok(Value::Null),
        Some(text) if text.eq_ignore_ascii_case("latest") => Ok(json!("LATEST")),
        Some(text) => text
            .parse::<i32>()
            .map(Value::from)
            .map_err(|_| Failure::usage(format!("`{text}` is neither a version number nor `latest`"))),
    }
}
