//! What starts runs by itself: the `triggers:` of a workflow file, and what an event does to one of them.
//!
//! Pure: a rule and an event give the inputs of a run, or the reason why there is none.

mod evaluate;
pub(crate) mod file;
mod rate;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::time::Timestamp;

pub use evaluate::{Evaluated, TriggerFacts, escape, evaluate, render_inputs};
pub use file::{FileTrigger, FileTriggerKind, of_workflow};
pub use rate::Rate;

/// Most triggers of one workflow.
pub const TRIGGERS_MAX: usize = 50;
/// Longest key that tells repeated deliveries apart, in bytes; it is part of the key of a run.
pub const DEDUPE_BYTES_MAX: usize = 160;
/// Largest event, in bytes of JSON.
pub const EVENT_BYTES_MAX: usize = 256 << 10;

/// What a trigger by event or webhook looks at. Conditions and templates are CEL over `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct EventRule {
    /// CloudEvents `type`; `None` for a webhook, which takes what it is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// CloudEvents `source`, where only one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// CEL condition without its `${{ }}`.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Template of the key that tells repeated deliveries apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedupe: Option<String>,
    /// Most runs in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<Rate>,
    /// Templates of the inputs.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
}

/// What started a run, when it was not a person or a program through the API. Kept with the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTrigger {
    /// The kind.
    pub kind: TriggerKind,
    /// The schedule or the trigger.
    pub id: Uuid,
    /// Its key.
    pub key: String,
    /// The outcome that names the run.
    pub outcome: Uuid,
    /// Nominal time on the clock of the schedule's zone, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<String>,
    /// CloudEvents `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_source: Option<String>,
    /// CloudEvents `id`, or the delivery id of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
}

/// `run.scheduled_at`: the nominal time of a scheduled run; any other run is scheduled for the moment at which it was accepted.
#[must_use]
pub fn scheduled_at(trigger: Option<&RunTrigger>, created_at: Timestamp) -> String {
    trigger
        .and_then(|trigger| trigger.scheduled_at.clone())
        .unwrap_or_else(|| created_at.to_rfc3339())
}

/// Kinds of what starts runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TriggerKind {
    /// A schedule, at its time.
    Schedule,
    /// A schedule, because somebody said "now".
    Manual,
    /// The backfill of a schedule.
    Backfill,
    /// An event.
    Event,
    /// A webhook.
    Webhook,
}

impl TriggerKind {
    /// Whether a schedule is behind it, which may wait for the end of the run.
    #[must_use]
    pub fn is_scheduled(self) -> bool {
        match self {
            Self::Schedule | Self::Manual | Self::Backfill => true,
            Self::Event | Self::Webhook => false,
        }
    }
}
