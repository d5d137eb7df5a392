//! What the engine keeps per task beside the columns, as one JSON text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TaskState;
use super::gate::Hold;
use super::sla::SlaMissed;
use super::wait::WaitState;
use crate::definition::Tolerate;
use crate::{RunId, Timestamp};

/// Facts of the current attempt that are needed again when it is sent a second time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct TaskExtra {
    /// Resolved environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Names of the secrets that input and environment use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Unguessable part of the marks that stand for them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mark: String,
    /// The key for side effects, where the file gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whether the result was taken over from the run that this one repeats.
    #[serde(skip_serializing_if = "is_false")]
    pub is_kept: bool,
    /// When the first attempt began; kept only where the retry policy has a budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// How often the current attempt was sent again because nothing was heard of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub redispatches: u32,
    /// Limits of a fan-out that an operator changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerate: Option<Tolerate>,
    /// When a fan-out goes on making items, while it leaves a place to others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expand_at: Option<Timestamp>,
    /// Rounds of a loop that are over.
    #[serde(skip_serializing_if = "is_zero")]
    pub rounds: u32,
    /// When the next round of a loop begins, while the task waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_at: Option<Timestamp>,
    /// When the next attempt begins, where an alert is due earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Alerts that the history has.
    #[serde(skip_serializing_if = "SlaMissed::is_none")]
    pub sla_missed: SlaMissed,
    /// The child run of the current attempt, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<RunId>,
    /// How many late reports the history has of this task.
    #[serde(skip_serializing_if = "is_zero")]
    pub late_reports: u32,
    /// What the next attempt has asked of the gates, or the current one holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Hold>,
    /// Unguessable part of the marks that stand for the callback token and its address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub callback_mark: String,
    /// What it waits (or last waited) for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitState>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Names of the secrets that the current attempt of a task was given, from what is stored of it.
#[must_use]
pub fn secret_names(extra: Option<&str>) -> Vec<String> {
    extra
        .and_then(|text| serde_json::from_str::<TaskExtra>(text).ok())
        .map(|extra| extra.secrets)
        .unwrap_or_default()
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl TaskExtra {
    /// What the task keeps; defaults where it keeps nothing (or nothing readable).
    pub fn of(task: &TaskState) -> Self {
        task.extra.as_deref().map(Self::read).unwrap_or_default()
    }

    /// From the stored form.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// What outlives an attempt: limits and alerts, and how far a loop is.
    pub fn of_next_attempt(task: &TaskState) -> Self {
        let old = Self::of(task);
        Self {
            env: BTreeMap::new(),
            secrets: Vec::new(),
            mark: String::new(),
            idempotency_key: None,
            redispatches: 0,
            expand_at: None,
            repeat_at: None,
            retry_at: None,
            child: None,
            is_kept: false,
            wait: None,
            ..old
        }
    }

    /// What outlives an operator's retry.
    pub fn of_retried(task: &TaskState) -> Self {
        let old = Self::of(task);
        Self {
            max_parallel: old.max_parallel,
            tolerate: old.tolerate,
            sla_missed: old.sla_missed,
            late_reports: old.late_reports,
            // given back by the change of the status
            gate: old.gate,
            ..Self::default()
        }
    }

    /// The stored form; `None` when there is nothing to keep.
    pub fn store(&self) -> Option<Arc<str>> {
        if *self == Self::default() {
            return None;
        }
        serde_json::to_string(self).ok().map(Arc::from)
    }
}
