//! `runnel dlq`: what failed for good and waits for a person.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::client::documents;
use crate::command::call::CallArgs;
use crate::command::options::{Output, print, print_json, print_line, switch};
use crate::exit::{Ended, Exit, Failure};
use crate::table;

/// Longest message in a table, in characters.
const MESSAGE_CHARS_MAX: usize = 60;

/// Options of `runnel dlq`.
#[derive(Debug, Args)]
pub struct Dlq {
    #[command(subcommand)]
    command: DlqCommand,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
enum DlqCommand {
    /// List dead letters, newest first
    List(List),
    /// Show one dead letter with its payload and traceback
    Show(Show),
    /// Count dead letters by what they have in common
    Groups(Groups),
    /// Try again what dead letters are about, so that their runs go on
    Replay(Replay),
    /// Decide that dead letters are not worth another try
    Discard(Discard),
}

/// Which letters.
#[derive(Debug, Args)]
struct FilterArgs {
    /// Only letters in these statuses: open, replayed, discarded
    #[arg(long, value_delimiter = ',', env = "RUNNEL_STATUS")]
    status: Vec<String>,
    /// Only letters of this workflow
    #[arg(long, env = "RUNNEL_WORKFLOW")]
    workflow: Option<String>,
    /// Only letters of this run
    #[arg(long, env = "RUNNEL_RUN")]
    run: Option<String>,
    /// Only letters about this code
    #[arg(long, env = "RUNNEL_CODE")]
    code: Option<String>,
    /// Only letters of this group
    #[arg(long, env = "RUNNEL_FINGERPRINT")]
    fingerprint: Option<String>,
}

/// Options of `runnel dlq list`.
#[derive(Debug, Args)]
struct List {
    /// Most letters to list
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200), env = "RUNNEL_LIMIT")]
    limit: u32,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel dlq show`.
#[derive(Debug, Args)]
struct Show {
    /// Id of the letter
    id: String,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel dlq groups`.
#[derive(Debug, Args)]
struct Groups {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel dlq replay`.
#[derive(Debug, Args)]
struct Replay {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// Options of `runnel dlq discard`.
#[derive(Debug, Args)]
struct Discard {
    #[command(flatten)]
    which: WhichArgs,
    /// Why they are not worth another try
    #[arg(long, env = "RUNNEL_REASON")]
    reason: String,
    #[command(flatten)]
    call: CallArgs,
}

/// Letters by id, or all open ones that the options name.
#[derive(Debug, Args)]
struct WhichArgs {
    /// Ids of letters; without any, the options say which open letters are meant
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only count
    #[arg(long, env = "RUNNEL_DRY_RUN", value_parser = switch())]
    dry_run: bool,
}

impl Dlq {
    /// Does it.
    pub async fn execute(self) -> Ended {
        match self.command {
            DlqCommand::List(list) => list.execute().await,
            DlqCommand::Show(show) => show.execute().await,
            DlqCommand::Groups(groups) => groups.execute().await,
            DlqCommand::Replay(replay) => {
                let input = replay.which.input()?;
                let client = replay.call.client()?;
                let payload = client
                    .mutate(documents::DLQ_REPLAY, "deadLetterReplay", input)
                    .await?;
                tell(&payload, replay.call.output(), replay.which.dry_run)
            }
            DlqCommand::Discard(discard) => {
                let mut input = discard.which.input()?;
                input["reason"] = json!(discard.reason);
                let client = discard.call.client()?;
                let payload = client
                    .mutate(documents::DLQ_DISCARD, "deadLetterDiscard", input)
                    .await?;
                tell(&payload, discard.call.output(), discard.which.dry_run)
            }
        }
    }
}

impl List {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let variables = json!({ "first": self.limit, "filter": self.filter.value() });
        let data = client.send(documents::DLQ_LIST, variables).await?;
        let nodes = &data["deadLetters"]["nodes"];
        self.call.show(nodes, || Ok(letters(nodes)))
    }
}

impl Show {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let data = client.send(documents::DLQ_SHOW, json!({ "id": self.id })).await?;
        let letter = &data["deadLetter"];
        if letter.is_null() {
            return Err(Failure::new(
                Exit::NotFound,
                format!("there is no dead letter {}", self.id),
            ));
        }
        match self.call.output() {
            Output::Json => print_json(letter)?,
            Output::Table => {
                for (name, value) in letter.as_object().into_iter().flatten() {
                    match value {
                        Value::Null => {}
                        Value::String(text) => print_line(&format!("{name}: {text}"))?,
                        other => print_line(&format!("{name}: {other:#}"))?,
                    }
                }
            }
        }
        Ok(Exit::Ok)
    }
}

impl Groups {
    async fn execute(self) -> Ended {
        let client = self.call.client()?;
        let variables = json!({ "filter": self.filter.value() });
        let data = client.send(documents::DLQ_GROUPS, variables).await?;
        let groups = &data["deadLetterGroups"];
        match self.call.output() {
            Output::Json => print_json(groups)?,
            Output::Table => {
                let rows = groups.as_array().into_iter().flatten().map(|group| {
                    vec![
                        text(group, "fingerprint"),
                        group["count"].to_string(),
                        text(group, "workflow"),
                        text(group, "code"),
                        clip(&text(group, "summary")),
                    ]
                });
                print(&table::render(
                    &["fingerprint", "count", "workflow", "code", "message"],
                    rows,
                ))?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl FilterArgs {
    fn value(&self) -> Value {
        let mut filter = Map::new();
        if !self.status.is_empty() {
            let statuses: Vec<String> = self.status.iter().map(|s| s.to_uppercase()).collect();
            filter.insert("status".to_owned(), json!({ "in": statuses }));
        }
        for (name, value) in [
            ("workflow", &self.workflow),
            ("run", &self.run),
            ("code", &self.code),
            ("fingerprint", &self.fingerprint),
        ] {
            if let Some(value) = value {
                filter.insert(name.to_owned(), json!(value));
            }
        }
        if filter.is_empty() {
            Value::Null
        } else {
            Value::Object(filter)
        }
    }
}

impl WhichArgs {
    fn input(&self) -> Result<Value, Failure> {
        let filter = self.filter.value();
        match (self.ids.is_empty(), filter.is_null()) {
            (true, true) => Err(Failure::usage(
                "name letters by id, or say which with --fingerprint, --workflow, --run or --code".to_owned(),
            )),
            (false, false) => Err(Failure::usage(
                "name letters either by id or by options".to_owned(),
            )),
            (true, false) => Ok(json!({ "filter": filter, "dryRun": self.dry_run })),
            (false, true) => Ok(json!({ "ids": self.ids, "dryRun": self.dry_run })),
        }
    }
}

fn tell(payload: &Value, output: Output, is_dry_run: bool) -> Ended {
    if output == Output::Json {
        print_json(payload)?;
    } else if is_dry_run {
        print_line(&format!("{} letters match", payload["matched"]))?;
    } else {
        print(&letters(&payload["deadLetters"]))?;
    }
    let unresolved = payload["unresolved"].as_array().map_or(&[][..], Vec::as_slice);
    for letter in unresolved {
        eprintln!("{}: {}", text(letter, "deadLetterId"), text(letter, "message"));
    }
    Ok(if unresolved.is_empty() {
        Exit::Ok
    } else {
        Exit::Conflict
    })
}

fn letters(nodes: &Value) -> String {
    let rows = nodes.as_array().into_iter().flatten().map(|letter| {
        vec![
            text(letter, "id"),
            text(letter, "status"),
            text(letter, "kind"),
            text(letter, "workflow"),
            text(letter, "task"),
            text(&letter["error"], "code"),
            clip(&text(&letter["error"], "message")),
        ]
    });
    table::render(
        &["letter", "status", "kind", "workflow", "task", "code", "message"],
        rows,
    )
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or("-").to_owned()
}

fn clip(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}
