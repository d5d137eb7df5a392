//! The history of a run: one record per transition.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Usage;
use crate::ids::TaskIx;
use crate::time::Timestamp;

/// One entry of a run's history. `seq` counts from 1 without a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the run's history.
    #[serde(rename = "s")]
    pub seq: i64,
    /// What happened.
    #[serde(rename = "k")]
    pub kind: RecordKind,
    /// To which task.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskIx>,
    /// Key of that task.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// In which attempt.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When.
    #[serde(rename = "at")]
    pub at: Timestamp,
    /// Who, for what a person or a worker did.
    #[serde(rename = "by", default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why, as an UPPER_SNAKE word.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Details of the kind.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// What the attempt took that ended.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// Kind of a [`Record`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(
    missing_docs,
    reason = "each says what happened; docs/semantics.md has the table"
)]
pub enum RecordKind {
    RunCreated,
    RunStarted,
    RunPaused,
    RunResumed,
    RunCancelRequested,
    RunSucceeded,
    RunFailed,
    RunCancelled,
    RunTimedOut,
    RunReopened,
    TaskReady,
    TaskQueued,
    TaskStarted,
    TaskWaiting,
    TaskSucceeded,
    TaskFailed,
    TaskTimedOut,
    TaskCancelled,
    TaskSkipped,
    TaskExpanded,
    TaskRetryRequested,
    TaskSkipRequested,
    AttemptFailed,
    AttemptTimedOut,
    AttemptLost,
    RetryScheduled,
    LateReport,
    RunTurned,
    RunSlaMissed,
    RunRerunRequested,
    RunCompensating,
    RunCompensated,
    RunCompensationFailed,
    TaskCached,
    TaskSlaMissed,
    TaskOverridden,
    TaskRepeated,
    FanoutLimitsChanged,
    TaskExhausted,
    DeadLettered,
    EventReceived,
    SignalReceived,
    ApprovalDecided,
    ApprovalReminded,
    ApprovalEscalated,
    CallbackReceived,
    ChildStarted,
    ChildEnded,
}
