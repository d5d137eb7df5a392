//! What the engine keeps per task beside the columns, as one JSON text.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TaskState;
use super::gate::Hold;
use super::wait::WaitState;
use crate::Timestamp;

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

    /// The stored form; `None` when there is nothing to keep.
    pub fn store(&self) -> Option<Arc<str>> {
        if *self == Self::default() {
            return None;
        }
        serde_json::to_string(self).ok().map(Arc::from)
    }
}
