//! `runnel webhook`: addresses that start workflows by signed requests, and their secrets.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::client::{Client, documents};
use crate::command::call::{CallArgs, find};
use crate::command::options::{Output, print, print_json, print_line};
use crate::command::run::key_value;
use crate::exit::{Ended, Exit, Failure};
use crate::table;

/// Triggers that are asked for at once.
const PAGE: u32 = 200;

/// Options of `runnel webhook`.
#[derive(Debug, Args)]
pub struct Webhook {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List webhooks
    List(List),
    /// Make a webhook and print its secret, which is shown only now
    Create(Create),
    /// Give a webhook a new secret, which is shown only now; the one before is accepted for a while
    Rotate(Rotate),
    /// Pause a webhook: what comes meanwhile starts nothing
    Pause(Pause),
    /// Resume a webhook
    Resume(One),
    /// Delete a webhook; one that is part of a workflow file is removed there
    Delete(One),
}

/// A webhook to operate on.
#[derive(Debug, Args)]
struct One {
    /// Key or id of the webhook
    webhook: String,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
struct List {
    /// Most webhooks to list
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200), env = "RUNNEL_LIMIT")]
    limit: u32,
    /// Only those of this workflow
    #[arg(long, env = "RUNNEL_WORKFLOW")]
    workflow: Option<String>,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
struct Create {
    /// Key of the webhook, unique in the namespace
    key: String,
    /// Key of the workflow that it starts
    workflow: String,
    /// Only deliveries for which this holds, as 'event.data.action == "opened"'
    #[arg(long = "match", env = "RUNNEL_MATCH", value_name = "CEL")]
    condition: Option<String>,
    /// An input of the runs, as key=value; its texts may hold expressions over `event`
    #[arg(short, long = "input", value_name = "KEY=VALUE", value_parser = key_value, env = "RUNNEL_INPUT", value_delimiter = None)]
    input: Vec<(String, Value)>,
    /// Template of the key that tells repeated deliveries apart [default: the delivery id]
    #[arg(long, env = "RUNNEL_DEDUPE", value_name = "TEMPLATE")]
    dedupe: Option<String>,
    /// Most runs in a time, as 50/m
    #[arg(long, env = "RUNNEL_RATE_LIMIT", value_name = "RATE")]
    rate_limit: Option<String>,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    one: One,
    /// How long the secret before is accepted, as PT1H; at most 30 days [default: 24 hours]
    #[arg(long, env = "RUNNEL_OVERLAP", value_name = "DURATION")]
    overlap: Option<String>,
}

#[derive(Debug, Args)]
struct Pause {
    #[command(flatten)]
    one: One,
    /// Why
    #[arg(long, env = "RUNNEL_REASON")]
    reason: Option<String>,
}

impl Webhook {
    /// Does it.
    pub async fn execute(self) -> Ended {
        match self.action {
            Action::List(list) => list.execute().await,
            Action::Create(create) => create.execute().await,
            Action::Rotate(rotate) => rotate.execute().await,
            Action::Pause(pause) => {
                let reason = json!({ "reason": pause.reason });
                pause
                    .one
                    .send(documents::TRIGGER_PAUSE, "triggerPause", reason)
                    .await
            }
            Action::Resume(one) => {
                one.send(documents::TRIGGER_RESUME, "triggerResume", json!({}))
                    .await
            }
            Action::Delete(one) => one.delete().await,
        }
    }
}

impl One {
    /// A webhook by its key, or by its id.
    async fn find(&self, client: &Client) -> Result<Value, Failure> {
        let is_webhook = |found: &Value| found["kind"] == "WEBHOOK";
        find(
            client,
            ("webhook", documents::TRIGGER, "trigger"),
            &self.webhook,
            is_webhook,
        )
        .await
    }

    async fn send(&self, document: &str, field: &str, mut input: Value) -> Ended {
        let client = self.call.client()?;
        input["id"] = self.find(&client).await?["id"].take();
        let payload = client.mutate(document, field, input).await?;
        shown(&payload["trigger"], &self.call)
    }

    async fn delete(&self) -> Ended {
        let client = self.call.client()?;
        let input = json!({ "id": self.find(&client).await?["id"] });
        let payload = client
            .mutate(documents::TRIGGER_DELETE, "triggerDelete", input)
            .await?;
        self.call
            .show(&payload, || Ok(format!("{}  deleted\n", self.webhook)))
    }
}

impl List {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let found = Value::Array(self.webhooks(&client).await?);
        let webhooks = found.as_array().map_or(&[][..], Vec::as_slice);
        self.call.show(&found, || Ok(table_of(webhooks)))
    }

    /// The first webhooks among the triggers.
    async fn webhooks(&self, client: &Client) -> Result<Vec<Value>, Failure> {
        let (mut found, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "first": PAGE, "after": after, "workflow": self.workflow });
            let mut data = client.send(documents::TRIGGERS, variables).await?;
            let page = &mut data["triggers"];
            if let Value::Array(nodes) = page["nodes"].take() {
                found.extend(nodes.into_iter().filter(|node| node["kind"] == "WEBHOOK"));
            }
            found.truncate(self.limit as usize);
            if page["pageInfo"]["hasNextPage"] != true || found.len() == self.limit as usize {
                return Ok(found);
            }
            after = page["pageInfo"]["endCursor"].take();
        }
    }
}

impl Create {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let inputs: Map<String, Value> = self.input.into_iter().collect();
        let input = json!({
            "key": self.key,
            "workflow": self.workflow,
            "match": self.condition,
            "inputs": inputs,
            "dedupe": self.dedupe,
            "rateLimit": self.rate_limit,
        });
        let payload = client
            .mutate(documents::WEBHOOK_CREATE, "webhookCreate", input)
            .await?;
        secret_shown(&payload, &self.call)
    }
}

impl Rotate {
    async fn execute(self) -> Ended {
        let client = self.one.call.client()?;
        let found = self.one.find(&client).await?;
        // two people who rotate at once get one new secret, and one of them is told
        let input = json!({
            "id": found["id"],
            "overlap": self.overlap,
            "expectedGeneration": found["secretGeneration"],
        });
        let payload = client
            .mutate(documents::WEBHOOK_ROTATE, "webhookRotateSecret", input)
            .await?;
        secret_shown(&payload, &self.one.call)
    }
}

fn secret_shown(payload: &Value, call: &CallArgs) -> Ended {
    let (trigger, secret) = (&payload["trigger"], &payload["secret"]);
    match call.output() {
        Output::Json => print_json(&json!({ "trigger": trigger, "secret": secret }))?,
        Output::Table => {
            print(&table_of(std::slice::from_ref(trigger)))?;
            match secret.as_str() {
                Some(secret) => print_line(&format!("\nsecret: {secret}"))?,
                None => print_line("\nit was there already; `runnel webhook rotate` makes a new secret")?,
            }
        }
    }
    Ok(Exit::Ok)
}

fn shown(trigger: &Value, call: &CallArgs) -> Ended {
    call.show(trigger, || Ok(table_of(std::slice::from_ref(trigger))))
}

fn table_of(triggers: &[Value]) -> String {
    let rows = triggers.iter().map(|trigger| {
        let state = match (&trigger["isEnabled"], &trigger["isPaused"], &trigger["hasSecret"]) {
            (Value::Bool(false), _, _) => "disabled",
            (_, Value::Bool(true), _) => "paused",
            (_, _, Value::Bool(false)) => "no secret",
            _ => "active",
        };
        vec![
            table::cell(&trigger["key"]),
            table::cell(&trigger["workflow"]["key"]),
            state.to_owned(),
            table::cell(&trigger["path"]),
            trigger["secretGeneration"].to_string(),
        ]
    });
    table::render(&["webhook", "workflow", "state", "path", "secret"], rows)
}
