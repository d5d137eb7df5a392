//! `runnel approve`, `reject`, `approvals`, `signal` and `callback`: what people and programs send to waiting tasks.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::{decode, documents};
use crate::command::call::CallArgs;
use crate::command::options::{Output, print_json, print_line, read_text, switch};
use crate::command::run::key_value;
use crate::exit::{Ended, Exit, Failure};
use crate::host::clock::now;
use crate::table;

/// A vote on an approval.
#[derive(Debug, Args)]
struct VoteArgs {
    /// Id of the run, its UUID, or @last
    run: String,
    /// Key of the task that asks; an item of a fan-out is `ask[3]`
    task: String,
    /// A note, kept with the decision
    #[arg(long, env = "RUNNEL_NOTE")]
    note: Option<String>,
    /// A field of the form as key=value; the value is read as JSON where it is JSON, else as text
    #[arg(long = "form", value_name = "KEY=VALUE", value_parser = key_value, env = "RUNNEL_FORM", value_delimiter = None)]
    fields: Vec<(String, Value)>,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel approve`.
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    vote: VoteArgs,
}

/// Options of `runnel reject`.
#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    vote: VoteArgs,
}

/// Options of `runnel approvals`.
#[derive(Debug, Args)]
pub struct Approvals {
    /// Most approvals to list
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200), env = "RUNNEL_LIMIT")]
    limit: u32,
    /// Only those that I may decide and have not voted on
    #[arg(long, env = "RUNNEL_MINE", value_parser = switch())]
    mine: bool,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel signal`.
#[derive(Debug, Args)]
pub struct Signal {
    /// Id of the run, its UUID, or @last
    run: String,
    /// Name of the signal
    name: String,
    /// Data of the signal as JSON
    #[arg(long, value_name = "JSON", env = "RUNNEL_SIGNAL_DATA")]
    data: Option<String>,
    /// A repeated signal with the same key is one signal
    #[arg(long, env = "RUNNEL_IDEMPOTENCY_KEY", value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel callback`.
#[derive(Debug, Args)]
pub struct Callback {
    #[command(subcommand)]
    action: CallbackAction,
}

#[derive(Debug, Subcommand)]
enum CallbackAction {
    /// End the task well
    Complete(Complete),
    /// Fail the attempt
    Fail(Fail),
    /// Say that the work goes on
    Heartbeat(Heartbeat),
}

#[derive(Debug, Args)]
struct TokenArgs {
    /// The callback token of the attempt; `-` reads stdin
    token: String,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
struct Complete {
    #[command(flatten)]
    token: TokenArgs,
    /// Output of the task as JSON
    #[arg(long = "data", value_name = "JSON", env = "RUNNEL_CALLBACK_OUTPUT")]
    data: Option<String>,
}

#[derive(Debug, Args)]
struct Fail {
    #[command(flatten)]
    token: TokenArgs,
    /// What went wrong
    #[arg(long, env = "RUNNEL_CALLBACK_MESSAGE", default_value = "the work failed")]
    message: String,
    /// Stable code of the failure
    #[arg(long, env = "RUNNEL_CALLBACK_CODE")]
    code: Option<String>,
    /// Another attempt may help: the task's retries decide
    #[arg(long, env = "RUNNEL_CALLBACK_RETRYABLE", value_parser = switch())]
    retryable: bool,
}

#[derive(Debug, Args)]
struct Heartbeat {
    #[command(flatten)]
    token: TokenArgs,
}

/// An approval, as the table shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    key: String,
    message: String,
    approvers: Vec<String>,
    quorum: u32,
    votes: Vec<Value>,
    can_resolve: bool,
    asked_at: DateTime<Utc>,
    run: RunId,
}

#[derive(Debug, Deserialize)]
struct RunId {
    id: String,
}

impl Approve {
    /// Votes for it.
    pub async fn execute(self) -> Ended {
        self.vote.send("APPROVE").await
    }
}

impl Reject {
    /// Votes against it.
    pub async fn execute(self) -> Ended {
        self.vote.send("REJECT").await
    }
}

impl VoteArgs {
    async fn send(self, decision: &str) -> Ended {
        let client = self.call.client()?;
        let form: Map<String, Value> = self.fields.into_iter().collect();
        let input = json!({
            "run": client.run_id(&self.run).await?,
            "task": self.task,
            "decision": decision,
            "form": if form.is_empty() { Value::Null } else { Value::Object(form) },
            "note": self.note,
        });
        let payload = client
            .mutate(documents::APPROVAL_RESOLVE, "approvalResolve", input)
            .await?;
        match self.call.output() {
            Output::Json => print_json(&payload["approval"])?,
            Output::Table => {
                let approval: Approval = decode(&payload["approval"])?;
                let state = if payload["approval"]["isOpen"] == true {
                    "open"
                } else {
                    "decided"
                };
                print_line(&format!("{}  {}  {state}", approval.key, votes(&approval)))?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn votes(approval: &Approval) -> String {
    format!("{}/{} votes", approval.votes.len(), approval.quorum)
}

impl Approvals {
    /// Lists them.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let variables = json!({ "first": self.limit, "filter": { "mine": self.mine } });
        let data = client.send(documents::APPROVALS, variables).await?;
        let nodes = &data["approvals"]["nodes"];
        self.call.show(nodes, || table_of(nodes))
    }
}

fn table_of(nodes: &Value) -> Result<String, Failure> {
    let approvals: Vec<Approval> = decode(nodes)?;
    let now = now();
    let rows = approvals.iter().map(|approval| {
        let approvers = match approval.approvers.as_slice() {
            [] => "anybody".to_owned(),
            names => names.join(","),
        };
        vec![
            approval.run.id.clone(),
            approval.key.clone(),
            table::age(approval.asked_at, now),
            votes(approval),
            approvers,
            if approval.can_resolve { "yes" } else { "no" }.to_owned(),
            approval.message.lines().next().unwrap_or_default().to_owned(),
        ]
    });
    Ok(table::render(
        &["run", "task", "asked", "votes", "approvers", "mine", "message"],
        rows,
    ))
}

fn json_argument(text: Option<&str>, name: &str) -> Result<Value, Failure> {
    match text {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Failure::usage(format!("--{name} is not JSON: {error}"))
                .hint("a text is JSON in quotes: --data '\"text\"'")
        }),
    }
}

impl Signal {
    /// Sends it.
    pub async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let input = json!({
            "run": client.run_id(&self.run).await?,
            "name": self.name,
            "data": json_argument(self.data.as_deref(), "data")?,
            "idempotencyKey": self.idempotency_key,
        });
        let payload = client.mutate(documents::SIGNAL_SEND, "signalSend", input).await?;
        self.call.show_run(&payload["run"])
    }
}

impl Callback {
    /// Uses the token.
    pub async fn execute(self) -> Ended {
        match self.action {
            CallbackAction::Complete(complete) => {
                let output = json_argument(complete.data.as_deref(), "data")?;
                complete
                    .token
                    .send(
                        documents::CALLBACK_COMPLETE,
                        "callbackComplete",
                        json!({ "output": output }),
                    )
                    .await
            }
            CallbackAction::Fail(fail) => {
                let error =
                    json!({ "code": fail.code, "message": fail.message, "isRetryable": fail.retryable });
                fail.token
                    .send(
                        documents::CALLBACK_COMPLETE,
                        "callbackComplete",
                        json!({ "error": error }),
                    )
                    .await
            }
            CallbackAction::Heartbeat(heartbeat) => {
                heartbeat
                    .token
                    .send(documents::CALLBACK_HEARTBEAT, "callbackHeartbeat", json!({}))
                    .await
            }
        }
    }
}

impl TokenArgs {
    async fn send(self, document: &str, field: &str, mut input: Value) -> Ended {
        let client = self.call.client()?;
        let token = if self.token == "-" {
            read_text(&PathBuf::from("-"))?
        } else {
            self.token
        };
        input["token"] = Value::from(token.trim());
        let payload = client.mutate(document, field, input).await?;
        self.call.show_task(&payload["task"])
    }
}
