//! `runnel schedule`: what starts workflows at times.

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::{Client, decode, documents};
use crate::command::call::{CallArgs, find};
use crate::command::options::{Output, print, print_json, print_line, switch};
use crate::exit::{Ended, Exit, Failure};
use crate::host::clock::now;
use crate::table;

/// Options of `runnel schedule`.
#[derive(Debug, Args)]
pub struct Schedule {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List schedules
    List(List),
    /// Show a schedule with what became of its last times
    Show(One),
    /// Make a schedule
    Create(Box<Create>),
    /// Pause a schedule: its times pass and are not made up for
    Pause(Pause),
    /// Resume a schedule from now on
    Resume(One),
    /// Delete a schedule; its runs go on
    Delete(One),
    /// Show the next times, with what daylight saving does to them
    Preview(Preview),
    /// Run a range of the past
    Backfill(Backfill),
    /// Start the workflow of a schedule now
    Trigger(Trigger),
}

/// A schedule to operate on.
#[derive(Debug, Args)]
struct One {
    /// Key or id of the schedule
    schedule: String,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
struct List {
    /// Most schedules to list
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
    /// Key of the schedule, unique in the namespace
    key: String,
    /// Key of the workflow
    workflow: String,
    #[command(flatten)]
    times: Times,
    /// While a run goes on: skip, buffer_one, buffer_all, cancel_other or allow
    #[arg(long, default_value = "skip", env = "RUNNEL_OVERLAP")]
    overlap: String,
    /// What was missed: none, latest or all
    #[arg(long, default_value = "latest", env = "RUNNEL_CATCHUP")]
    catchup: String,
    /// Pause after so many runs in a row that did not succeed
    #[arg(long, value_name = "N", env = "RUNNEL_PAUSE_AFTER_FAILURES")]
    pause_after_failures: Option<u32>,
    /// An input, as name=value; the value is JSON or else a text, and may hold expressions
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE", env = "RUNNEL_INPUT")]
    inputs: Vec<String>,
    /// A tag of its runs
    #[arg(long = "tag", value_name = "TAG", env = "RUNNEL_TAG")]
    tags: Vec<String>,
    #[command(flatten)]
    call: CallArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "when")]
struct Moments {
    /// Cron pattern of 5 fields, or 6 with seconds first
    #[arg(long, env = "RUNNEL_CRON")]
    cron: Option<String>,
    /// An interval, as 15m
    #[arg(long, env = "RUNNEL_EVERY")]
    every: Option<String>,
    /// A single time, as 2026-05-01T10:00:00Z
    #[arg(long, env = "RUNNEL_AT")]
    at: Option<String>,
}

#[derive(Debug, Args)]
struct Times {
    #[command(flatten)]
    moments: Moments,
    /// Zone of the cron pattern, as Europe/Madrid [default: UTC]
    #[arg(long, requires = "cron", env = "RUNNEL_TIMEZONE")]
    timezone: Option<String>,
    /// Spread starts over so long after each time
    #[arg(long, env = "RUNNEL_JITTER")]
    jitter: Option<String>,
    /// No time before this
    #[arg(long, value_name = "TIME", env = "RUNNEL_START")]
    start: Option<String>,
    /// No time at or after this
    #[arg(long, value_name = "TIME", env = "RUNNEL_END")]
    end: Option<String>,
}

#[derive(Debug, Args)]
struct Pause {
    #[command(flatten)]
    one: One,
    /// Why
    #[arg(long, env = "RUNNEL_REASON")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct Preview {
    #[command(flatten)]
    one: One,
    /// How many times
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200), env = "RUNNEL_LIMIT")]
    limit: u32,
}

#[derive(Debug, Args)]
struct Backfill {
    #[command(flatten)]
    one: One,
    /// Begin of the range; a time at it is part of it
    #[arg(long, value_name = "TIME", env = "RUNNEL_FROM")]
    from: String,
    /// End of the range; not part of it
    #[arg(long, value_name = "TIME", env = "RUNNEL_UNTIL")]
    until: String,
    /// Most runs at once
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), env = "RUNNEL_MAX_PARALLEL")]
    max_parallel: u32,
    /// Count the times, start nothing
    #[arg(long, env = "RUNNEL_DRY_RUN", value_parser = switch())]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Trigger {
    #[command(flatten)]
    one: One,
    /// A repeated call with the same key answers the same run
    #[arg(long, value_name = "KEY", env = "RUNNEL_IDEMPOTENCY_KEY")]
    idempotency_key: Option<String>,
}

/// What the tables show of a schedule.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    key: String,
    workflow: Key,
    description: String,
    is_enabled: bool,
    is_paused: bool,
    next_run_at: Option<chrono::DateTime<chrono::Utc>>,
}

#[derive(Debug, Deserialize)]
struct Key {
    key: String,
}

impl Row {
    fn state(&self) -> &'static str {
        match (self.is_enabled, self.is_paused, self.next_run_at) {
            (false, _, _) => "off",
            (true, true, _) => "paused",
            (true, false, Some(_)) => "active",
            (true, false, None) => "ended",
        }
    }
}

impl Schedule {
    /// Does it.
    pub async fn execute(self) -> Ended {
        match self.action {
            Action::List(list) => list.execute().await,
            Action::Show(one) => one.show().await,
            Action::Create(create) => create.execute().await,
            Action::Pause(pause) => {
                let reason = json!({ "reason": pause.reason });
                pause
                    .one
                    .send(documents::SCHEDULE_PAUSE, "schedulePause", reason)
                    .await
            }
            Action::Resume(one) => {
                one.send(documents::SCHEDULE_RESUME, "scheduleResume", json!({}))
                    .await
            }
            Action::Delete(one) => one.delete().await,
            Action::Preview(preview) => preview.execute().await,
            Action::Backfill(backfill) => backfill.execute().await,
            Action::Trigger(trigger) => trigger.execute().await,
        }
    }
}

impl One {
    /// A schedule by its key, or by its id.
    async fn find(&self, client: &Client) -> Result<Value, Failure> {
        let is_schedule = |found: &Value| found["key"].is_string();
        find(
            client,
            ("schedule", documents::SCHEDULE, "schedule"),
            &self.schedule,
            is_schedule,
        )
        .await
    }

    async fn id(&self, client: &Client) -> Result<Value, Failure> {
        Ok(self.find(client).await?["id"].take())
    }

    async fn send(&self, document: &str, field: &str, mut input: Value) -> Ended {
        let client = self.call.client()?;
        input["id"] = self.id(&client).await?;
        let payload = client.mutate(document, field, input).await?;
        shown(&payload["schedule"], &self.call)
    }

    async fn show(&self) -> Ended {
        let client = self.call.client()?;
        let found = self.find(&client).await?;
        if self.call.output() == Output::Json {
            print_json(&found)?;
            return Ok(Exit::Ok);
        }
        print(&table_of(std::slice::from_ref(&found))?)?;
        let outcomes = found["outcomes"]["nodes"].as_array().cloned().unwrap_or_default();
        let rows = outcomes.iter().map(|outcome| {
            vec![
                table::cell(&outcome["scheduledAt"]),
                table::cell(&outcome["status"]),
                table::cell(&outcome["run"]["id"]),
                table::cell(&outcome["detail"]),
            ]
        });
        print(&format!(
            "\n{}",
            table::render(&["time", "outcome", "run", "why"], rows)
        ))?;
        Ok(Exit::Ok)
    }

    async fn delete(&self) -> Ended {
        let client = self.call.client()?;
        let input = json!({ "id": self.id(&client).await? });
        let payload = client
            .mutate(documents::SCHEDULE_DELETE, "scheduleDelete", input)
            .await?;
        self.call
            .show(&payload, || Ok(format!("{}  deleted\n", self.schedule)))
    }
}

impl List {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let variables = json!({ "first": self.limit, "workflow": self.workflow });
        let data = client.send(documents::SCHEDULES, variables).await?;
        let nodes = &data["schedules"]["nodes"];
        self.call.show(nodes, || {
            table_of(nodes.as_array().map_or(&[][..], Vec::as_slice))
        })
    }
}

impl Create {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let times = &self.times;
        let mut inputs = Map::new();
        for input in &self.inputs {
            let (name, value) = input
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("`{input}` is not NAME=VALUE")))?;
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            inputs.insert(name.to_owned(), value);
        }
        let input = json!({
            "key": self.key,
            "workflow": self.workflow,
            "when": {
                "cron": times.moments.cron,
                "timezone": times.timezone,
                "every": times.moments.every,
                "at": times.moments.at,
                "jitter": times.jitter,
                "startAt": times.start,
                "endAt": times.end,
            },
            "policy": {
                "overlap": upper(&self.overlap),
                "catchUp": upper(&self.catchup),
                "pauseAfterFailures": self.pause_after_failures,
            },
            "inputs": inputs,
            "tags": self.tags,
        });
        let payload = client
            .mutate(documents::SCHEDULE_CREATE, "scheduleCreate", input)
            .await?;
        shown(&payload["schedule"], &self.call)
    }
}

impl Preview {
    async fn execute(self) -> Ended {
        let client = self.one.call.client()?;
        let id = self.one.id(&client).await?;
        let data = client
            .send(
                documents::SCHEDULE_PREVIEW,
                json!({ "id": id, "first": self.limit }),
            )
            .await?;
        let next = &data["node"]["nextRuns"];
        if self.one.call.output() == Output::Json {
            print_json(next)?;
            return Ok(Exit::Ok);
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rows = next.as_array().into_iter().flatten().map(|next| {
            let dst = match next["dst"].as_str() {
                Some("GAP") => "clocks skip this time; the first moment after",
                Some("OVERLAP") => "this time comes twice; the first",
                Some("AFTER_FORWARD") => "clocks went forward",
                Some("AFTER_BACK") => "clocks went back",
                _ => "",
            };
            vec![text(&next["local"]), text(&next["at"]), dst.to_owned()]
        });
        print(&table::render(&["local", "utc", "daylight saving"], rows))?;
        Ok(Exit::Ok)
    }
}

impl Backfill {
    async fn execute(self) -> Ended {
        let client = self.one.call.client()?;
        let input = json!({
            "id": self.one.id(&client).await?,
            "fromAt": self.from,
            "untilAt": self.until,
            "maxParallel": self.max_parallel,
            "dryRun": self.dry_run,
        });
        let payload = client
            .mutate(documents::SCHEDULE_BACKFILL, "scheduleBackfill", input)
            .await?;
        let backfill = &payload["backfill"];
        match (self.one.call.output(), self.dry_run) {
            (Output::Json, _) => print_json(backfill)?,
            (Output::Table, true) => print_line(&format!("{} run(s) would start", backfill["total"]))?,
            (Output::Table, false) => {
                let id = backfill["id"].as_str().unwrap_or_default();
                print_line(&format!("{id}  {} run(s)", backfill["total"]))?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Trigger {
    async fn execute(self) -> Ended {
        let client = self.one.call.client()?;
        let input = json!({ "id": self.one.id(&client).await?, "idempotencyKey": self.idempotency_key });
        let payload = client
            .mutate(documents::SCHEDULE_TRIGGER, "scheduleTrigger", input)
            .await?;
        let outcome = &payload["outcome"];
        if self.one.call.output() == Output::Json {
            print_json(outcome)?;
        } else {
            let detail = outcome["detail"]
                .as_str()
                .map(|why| format!("  {why}"))
                .unwrap_or_default();
            print_line(&format!(
                "{}  {}{detail}",
                table::cell(&outcome["run"]["id"]),
                table::cell(&outcome["status"])
            ))?;
        }
        let is_refused = outcome["status"] == "REJECTED";
        Ok(if is_refused { Exit::Failed } else { Exit::Ok })
    }
}

fn shown(schedule: &Value, call: &CallArgs) -> Ended {
    call.show(schedule, || table_of(std::slice::from_ref(schedule)))
}

fn table_of(nodes: &[Value]) -> Result<String, Failure> {
    let now = now();
    let mut rows = Vec::with_capacity(nodes.len());
    for node in nodes {
        let row: Row = decode(node)?;
        let next = match row.next_run_at {
            Some(at) => format!("in {}", table::elapsed(Some(now), Some(at), now)),
            None => "-".to_owned(),
        };
        rows.push(vec![
            row.key.clone(),
            row.workflow.key.clone(),
            row.state().to_owned(),
            next,
            row.description.clone(),
        ]);
    }
    Ok(table::render(
        &["schedule", "workflow", "state", "next", "times"],
        rows,
    ))
}

fn upper(word: &str) -> String {
    word.to_uppercase().replace('-', "_")
}
