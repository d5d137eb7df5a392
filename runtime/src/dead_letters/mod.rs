//! Dead letters: what failed for good and waits for a person, who tries it again or discards it.
//!
//! Guarantees: a letter is kept in the transaction of the failure it is about, at most once; replaying really goes on with
//! the run (the task is retried in it, a finished run is reopened); replaying and discarding twice is the same as once, also
//! when the process dies between the retry and the mark.

pub(crate) mod letter;
mod list;
mod message;
mod resolve;

use runnel_engine::run::TaskFailure;
use runnel_engine::{RunId, TaskIx, Timestamp};
use uuid::Uuid;

pub use letter::{Kind, Status};
pub(crate) use message::{Poison, keep};
pub use resolve::{Resolved, Selection, Unresolved};

/// Most letters that one replay or discard acts on.
pub const RESOLVE_MAX: u32 = 1_000;

/// Most groups that are listed.
pub const GROUPS_MAX: u32 = 200;

/// One dead letter.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    missing_docs,
    reason = "named after what they are; see `runnel_entity::dead_letter`"
)]
pub struct DeadLetterView {
    pub id: Uuid,
    pub kind: Kind,
    pub status: Status,
    pub at: Timestamp,
    pub workflow: Option<String>,
    pub run: Option<RunId>,
    pub ix: Option<TaskIx>,
    pub task: Option<String>,
    pub attempt: Option<u32>,
    pub queue: Option<String>,
    pub failure: TaskFailure,
    pub payload: Option<String>,
    pub fingerprint: String,
    pub resolved_at: Option<Timestamp>,
    pub resolved_by: Option<String>,
    pub reason: Option<String>,
}

/// Letters about failures of the same kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterGroup {
    /// What they have in common.
    pub fingerprint: String,
    /// Key of the workflow.
    pub workflow: Option<String>,
    /// Category of the failure.
    pub category: String,
    /// Code of the failure.
    pub code: String,
    /// Begin of one of the messages.
    pub summary: String,
    /// How many.
    pub count: i64,
    /// The first.
    pub first_at: Timestamp,
    /// The last.
    pub last_at: Timestamp,
}

/// Which letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// In these statuses.
    pub status_in: Option<Vec<Status>>,
    /// Of these kinds.
    pub kind_in: Option<Vec<Kind>>,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// Of this run.
    pub run: Option<RunId>,
    /// With this key of a task.
    pub task: Option<String>,
    /// Of failures with this code.
    pub code: Option<String>,
    /// Of this group.
    pub fingerprint: Option<String>,
    /// Kept at or after.
    pub since: Option<Timestamp>,
    /// Kept before.
    pub until: Option<Timestamp>,
}
