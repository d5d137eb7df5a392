//! Operations on many runs: what matches is written down once, then worked off in the background.
//!
//! Guarantees: an accepted operation is worked off to its end whatever happens to this process, by this replica or another
//! one; each run is operated on as if somebody had asked for it alone, with its own refusals; a run that is operated on again
//! after a crash is left as it is. The runs are those that matched when the operation was accepted.

mod create;
mod read;
mod work;

use std::sync::atomic::{AtomicBool, Ordering};

use runnel_engine::run::{CancelMode, RunStanding, RunStatus};
use runnel_engine::{RunId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::error::StoreError;
use crate::query::count::Count;
use crate::query::predicate::RunPredicate;
use crate::view::RunFilter;

pub(crate) use work::run as work_off;

/// Most runs of one operation.
pub const BULK_RUNS_MAX: u32 = 10_000;

/// What is done to each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    /// It is cancelled; at once, or with its grace.
    Cancel {
        /// Whether running attempts get no grace.
        is_immediate: bool,
    },
    /// It is paused.
    Pause,
    /// It is resumed.
    Resume,
    /// Its failed tasks are retried.
    RetryFailed,
    /// It is run again.
    Rerun {
        /// Whether it begins at the beginning, as a new run, instead of with what did not succeed.
        is_from_start: bool,
    },
}

impl BulkAction {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel { .. } => "CANCEL",
            Self::Pause => "PAUSE",
            Self::Resume => "RESUME",
            Self::RetryFailed => "RETRY_FAILED",
            Self::Rerun { .. } => "RERUN",
        }
    }

    /// The runs that it is legal for; others are not counted and not touched.
    fn applies_to(self) -> RunPredicate {
        match self {
            Self::Cancel { is_immediate } => {
                let mode = Self::cancel_mode(is_immediate);
                where_it(|run| run.cancel(mode).is_ok())
            }
            Self::Pause => where_it(|run| run.pause().is_ok()),
            Self::Resume => where_it(|run| run.resume().is_ok()),
            Self::RetryFailed => RunPredicate::Status(vec![RunStatus::Failed, RunStatus::TimedOut]),
            Self::Rerun { is_from_start } => RunPredicate::All(vec![
                where_it(|run| run.rerun().is_ok()),
                if is_from_start {
                    RunPredicate::All(Vec::new())
                } else {
                    has_failures()
                },
            ]),
        }
    }

    fn cancel_mode(is_immediate: bool) -> CancelMode {
        if is_immediate {
            CancelMode::Now
        } else {
            CancelMode::Graceful
        }
    }
}

/// The runs that the engine allows it for, of each status and paused or not.
fn where_it(is_legal: impl Fn(RunStanding) -> bool) -> RunPredicate {
    let of = |is_paused: bool| {
        let legal = RunStatus::ALL
            .into_iter()
            .filter(|status| is_legal(RunStanding::of_status(*status, is_paused)));
        RunPredicate::All(vec![
            RunPredicate::IsPaused(is_paused),
            RunPredicate::Status(legal.collect()),
        ])
    };
    RunPredicate::Any(vec![of(false), of(true)])
}

/// The runs of which something did not succeed, tolerated or not.
fn has_failures() -> RunPredicate {
    RunPredicate::Any(vec![
        RunPredicate::Not(Box::new(RunPredicate::Status(vec![RunStatus::Succeeded]))),
        RunPredicate::HasToleratedFailures(true),
    ])
}

/// What to do to which runs.
#[derive(Debug, Clone)]
pub struct BulkRequest {
    /// What.
    pub action: BulkAction,
    /// To which runs: the newest that match.
    pub filter: RunFilter,
    /// To how many at most.
    pub limit: u32,
    /// Why, for the history of each run.
    pub reason: Option<String>,
    /// At most one operation per key and namespace.
    pub idempotency_key: Option<String>,
}

/// What became of a request.
#[derive(Debug, Clone)]
pub enum BulkAccepted {
    /// It is accepted and will be worked off.
    Accepted(BulkView),
    /// The same request was accepted before.
    Replay(BulkView),
    /// The key belongs to another request.
    KeyTaken(BulkView),
}

/// An operation and how far it is.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct BulkView {
    pub id: Uuid,
    pub action: String,
    pub reason: Option<String>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub total: u32,
    pub done: u32,
    pub failed: u32,
}

/// A run that could not be operated on.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct BulkFailure {
    pub seq: i32,
    pub run: RunId,
    pub code: String,
    pub message: String,
}

/// How many runs an operation would be about: those that match, and of them as many as its limit.
pub type Matched = Count;

/// Tells the loop of this process that there is work.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Notify,
    /// Set from a ring until the loop has found nothing left to do.
    is_busy: AtomicBool,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.is_busy.store(true, Ordering::SeqCst);
        self.rung.notify_one();
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::SeqCst)
    }
}

/// Outcome of an item.
const OPEN: i16 = 0;
const DONE: i16 = 1;
const FAILED: i16 = 2;

fn unknown_action(id: Uuid) -> StoreError {
    StoreError::Corrupt {
        table: "bulk_operation",
        problem: format!("action of {id}"),
    }
}
