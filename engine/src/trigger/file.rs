//! The `triggers:` of a workflow file as values.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{EventRule, Rate};
use crate::definition::Workflow;
use crate::schedule::{CatchUp, Overlap, Policy, Spec, When, parse_time};
use crate::source::duration;
use crate::time::Timestamp;

/// One trigger of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileTrigger {
    /// What stays the same from version to version: the `name`, else what the trigger is about. Unique in the workflow.
    pub slot: String,
    /// Whether the file turns it on.
    pub is_enabled: bool,
    /// What it is.
    pub kind: FileTriggerKind,
}

/// What a trigger of a file is.
#[derive(Debug, Clone, PartialEq)]
pub enum FileTriggerKind {
    /// At times.
    Schedule {
        /// The times.
        spec: Spec,
        /// How they are treated.
        policy: Policy,
        /// Templates of the inputs.
        inputs: Map<String, Value>,
    },
    /// By an event.
    Event(EventRule),
    /// By a request to its address.
    Webhook(EventRule),
}

/// The triggers of a workflow, in the order of the file.
///
/// # Errors
/// One sentence, for a definition that was not checked.
pub fn of_workflow(workflow: &Workflow) -> Result<Vec<FileTrigger>, String> {
    let listed = workflow.extra.get("triggers").and_then(Value::as_array);
    listed.into_iter().flatten().map(read).collect()
}

/// Reads one trigger.
///
/// # Errors
/// One sentence.
pub(crate) fn read(trigger: &Value) -> Result<FileTrigger, String> {
    let inputs = match trigger.get("inputs") {
        Some(Value::Object(inputs)) => inputs.clone(),
        _ => Map::new(),
    };
    let text = |key: &str| trigger.get(key).and_then(Value::as_str);
    let (word, about, kind) = if ["schedule", "every", "at"]
        .iter()
        .any(|key| trigger.get(key).is_some())
    {
        let spec = spec(trigger)?;
        let about = serde_json::to_string(&spec.when).unwrap_or_default();
        let policy = policy(trigger)?;
        (
            "schedule",
            about,
            FileTriggerKind::Schedule { spec, policy, inputs },
        )
    } else {
        let rule = EventRule {
            event: text("event").map(str::to_owned),
            source: text("source").map(str::to_owned),
            condition: text("match").map(|text| bare(text).to_owned()),
            dedupe: text("dedupe").map(str::to_owned),
            rate_limit: text("rate_limit").map(Rate::parse).transpose()?,
            inputs,
        };
        let about = format!("{:?} {:?} {:?}", rule.event, rule.source, rule.condition);
        if rule.event.is_some() {
            ("event", about, FileTriggerKind::Event(rule))
        } else {
            ("webhook", about, FileTriggerKind::Webhook(rule))
        }
    };
    let slot = match text("name") {
        Some(name) => name.to_owned(),
        None => format!("{word}-{}", &hex::encode(Sha256::digest(about))[..8]),
    };
    Ok(FileTrigger {
        slot,
        is_enabled: trigger.get("enabled") != Some(&Value::Bool(false)),
        kind,
    })
}

/// A condition without its `${{ }}`.
fn bare(text: &str) -> &str {
    let trimmed = text.trim();
    trimmed
        .strip_prefix("${{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .map_or(trimmed, str::trim)
}

fn spec(trigger: &Value) -> Result<Spec, String> {
    let text = |key: &str| trigger.get(key).and_then(Value::as_str);
    let moment = |key: &str| text(key).map(parse_time).transpose();
    let when = if let Some(expression) = text("schedule") {
        When::Cron {
            expression: expression.to_owned(),
            timezone: text("timezone").unwrap_or("UTC").to_owned(),
        }
    } else if let Some(every) = text("every") {
        When::Every {
            every_ms: millis(every)?,
            // counted from the epoch, so that `every: 15m` means the quarters of the hour on every machine
            anchor: moment("anchor")?.unwrap_or(Timestamp(0)),
        }
    } else {
        When::At {
            at: moment("at")?.ok_or("a trigger has `schedule`, `every`, `at`, `event` or `webhook`")?,
        }
    };
    Ok(Spec {
        when,
        start_at: moment("start")?,
        end_at: moment("end")?,
        jitter_ms: text("jitter").map(millis).transpose()?.unwrap_or(0),
    })
}

fn policy(trigger: &Value) -> Result<Policy, String> {
    let text = |key: &str| trigger.get(key).and_then(Value::as_str);
    let number = |key: &str| {
        trigger
            .get(key)
            .and_then(Value::as_u64)
            .and_then(|n| u32::try_from(n).ok())
    };
    let unset = Policy::default();
    Ok(Policy {
        overlap: match text("overlap") {
            Some(word) => read_overlap(word).ok_or_else(|| format!("`{word}` is no overlap policy"))?,
            None => unset.overlap,
        },
        catch_up: match text("catchup") {
            Some(word) => read_catch_up(word).ok_or_else(|| format!("`{word}` is no catch-up policy"))?,
            None => unset.catch_up,
        },
        window_ms: text("catchup_window")
            .map(millis)
            .transpose()?
            .unwrap_or(unset.window_ms),
        limit: number("catchup_limit").unwrap_or(unset.limit),
        pause_after: number("pause_after_failures"),
    })
}

fn millis(text: &str) -> Result<u64, String> {
    Ok(u64::try_from(duration::parse(text)?.as_millis()).unwrap_or(u64::MAX))
}

pub(crate) const OVERLAPS: &[(&str, Overlap)] = &[
    ("skip", Overlap::Skip),
    ("buffer_one", Overlap::BufferOne),
    ("buffer_all", Overlap::BufferAll),
    ("cancel_other", Overlap::CancelOther),
    ("allow", Overlap::Allow),
];

pub(crate) const CATCH_UPS: &[(&str, CatchUp)] = &[
    ("none", CatchUp::None),
    ("latest", CatchUp::Latest),
    ("all", CatchUp::All),
];

fn read_overlap(word: &str) -> Option<Overlap> {
    OVERLAPS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, value)| *value)
}

fn read_catch_up(word: &str) -> Option<CatchUp> {
    CATCH_UPS
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, value)| *value)
}
