//! Read models: what `api` and `cli` see. Converted from rows in `view/convert.rs`, so that no row type leaves this crate.

pub(crate) mod convert;

use std::sync::Arc;

use runnel_engine::run::{Approval, WaitKind};
use runnel_engine::run::{Counts, Record, RunStatus, TaskFailure, TaskStatus};
use runnel_engine::source::Dialect;
use runnel_engine::trigger::RunTrigger;
use runnel_engine::{RunId, TaskIx, Timestamp, WorkflowId, WorkflowVersionId};
use uuid::Uuid;

use crate::query::predicate::RunPredicate;

/// A workflow.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct WorkflowView {
    pub id: WorkflowId,
    pub key: String,
    pub name: String,
    pub latest_version: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A version of a workflow.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct VersionView {
    pub id: WorkflowVersionId,
    pub workflow_id: WorkflowId,
    pub number: i32,
    pub hash: String,
    pub source: String,
    pub dialect: Dialect,
    pub task_count: i32,
    pub created_at: Timestamp,
    pub created_by: String,
}

/// A run without its large values.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct RunView {
    pub id: RunId,
    pub workflow_id: WorkflowId,
    pub workflow_version_id: WorkflowVersionId,
    pub workflow_version: i32,
    pub status: RunStatus,
    pub is_paused: bool,
    pub priority: u8,
    pub tags: Vec<String>,
    pub idempotency_key: Option<String>,
    pub counts: Counts,
    pub has_tolerated_failures: bool,
    pub error: Option<TaskFailure>,
    /// Whether inputs and outputs were read; they are empty otherwise.
    pub has_payloads: bool,
    /// JSON text.
    pub inputs: Arc<str>,
    /// JSON text.
    pub outputs: Option<Arc<str>>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub wake_at: Option<Timestamp>,
    /// What started it, when it was not a person or a program through the API.
    pub trigger: Option<RunTrigger>,
    /// Sequence number of the last event: the cursor a snapshot stands at.
    pub last_seq: i64,
    /// The run that this one repeats.
    pub rerun_of: Option<RunId>,
    /// The task that started it.
    pub parent: Option<ParentView>,
    /// How many runs are above it.
    pub depth: u32,
}

/// The attempt that started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct ParentView {
    pub run: RunId,
    pub task: TaskIx,
    pub attempt: u32,
}

/// A task of a run.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct TaskView {
    pub run_id: RunId,
    pub ix: TaskIx,
    pub template: TaskIx,
    pub key: String,
    pub kind: String,
    pub queue: String,
    pub status: TaskStatus,
    pub attempt: u32,
    pub retries: u32,
    pub losses: u32,
    pub worker: Option<String>,
    /// Whether input and output were read; they are `None` otherwise.
    pub has_payloads: bool,
    /// JSON text.
    pub input: Option<Arc<str>>,
    /// JSON text.
    pub output: Option<Arc<str>>,
    pub error: Option<TaskFailure>,
    /// How far the current attempt is.
    pub progress: Option<runnel_queue::Progress>,
    /// JSON text of what the next attempt would go on from; not read where payloads are not.
    pub checkpoint: Option<Arc<str>>,
    pub wake_at: Option<Timestamp>,
    pub ready_at: Option<Timestamp>,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// What an approval asks, and the votes so far; also when it has been decided.
    pub approval: Option<Arc<Approval>>,
    /// What from outside it waits for, in `WAITING`.
    pub wait_kind: Option<WaitKind>,
    /// Why it does not run now, as an UPPER_SNAKE word: `UPSTREAM`, `NO_WORKER`, `PAUSED`, `QUEUED`, `TIMER`, `EVENT`, `SIGNAL`,
    /// `APPROVAL`, `CALLBACK`, `RETRY`.
    pub waiting_for: Option<&'static str>,
}

/// Input and output of a task.
#[derive(Debug, Clone)]
pub struct TaskPayloads {
    /// JSON text.
    pub input: Option<Arc<str>>,
    /// JSON text.
    pub output: Option<Arc<str>>,
    /// JSON text.
    pub checkpoint: Option<Arc<str>>,
}

/// One event of the history, with its places.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct EventView {
    pub run_id: RunId,
    pub record: Arc<Record>,
    /// Place in the global feed.
    pub cursor: FeedCursor,
}

/// A place in the global feed: after everything up to and including this record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FeedCursor {
    /// Transaction id of the row (0 with SQLite).
    pub xid: i64,
    /// Position of the row.
    pub position: i64,
    /// Sequence number of the record within its run.
    pub seq: i64,
}

/// One chunk row of a task's log.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct LogView {
    pub cursor: i64,
    pub task: TaskIx,
    pub attempt: u32,
    pub lines: Vec<runnel_queue::LogLine>,
}

/// A worker that has reported.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct WorkerView {
    pub name: String,
    pub queue: String,
    pub types: Vec<String>,
    pub slots: u32,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub left_at: Option<Timestamp>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// Whether there are more after the last one.
    pub has_next: bool,
    /// Whether there are some before the first one.
    pub has_previous: bool,
}

/// One page of the feed. Filters are applied to a bounded stretch of it, so that a page may be empty and not the last.
#[derive(Debug, Clone)]
pub struct FeedPage {
    /// The events that pass the filter, in order.
    pub items: Vec<EventView>,
    /// Whether there is more to scan now.
    pub has_next: bool,
    /// Everything up to here has been looked at: where the next page begins, also after an empty one. `None`: nothing was there.
    pub scanned_to: Option<FeedCursor>,
}

/// Which part of a list: keyset, so that it is stable under inserts.
#[derive(Debug, Clone)]
pub struct PageRequest<C> {
    /// Most items, 1 to 200.
    pub first: u32,
    /// After this place.
    pub after: Option<C>,
}

/// Which runs.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct RunFilter {
    pub status_in: Option<Vec<RunStatus>>,
    pub workflow_key: Option<String>,
    /// By id, for those who have it.
    pub workflow: Option<WorkflowId>,
    pub tag: Option<String>,
    pub is_paused: Option<bool>,
    pub created_at_gte: Option<Timestamp>,
    pub created_at_lt: Option<Timestamp>,
    pub idempotency_key: Option<String>,
    /// Started by a task of this run.
    pub child_of: Option<RunId>,
    /// Any further condition.
    pub predicate: Option<RunPredicate>,
}

/// Order of runs; newest first unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOrder {
    /// What they are sorted by.
    pub field: RunOrderField,
    /// The latest first.
    pub is_descending: bool,
}

/// What runs are sorted by. A moment that has not come is later than any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as in the schema")]
pub enum RunOrderField {
    CreatedAt,
    StartedAt,
    FinishedAt,
}

impl Default for RunOrder {
    fn default() -> Self {
        Self {
            field: RunOrderField::CreatedAt,
            is_descending: true,
        }
    }
}

/// Which tasks.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct TaskFilter {
    pub status_in: Option<Vec<TaskStatus>>,
    pub status_not_in: Option<Vec<TaskStatus>>,
    pub kind: Option<String>,
    pub key_prefix: Option<String>,
    pub key_contains: Option<String>,
    pub queue: Option<String>,
    pub worker: Option<String>,
    pub attempt_gte: Option<u32>,
    pub has_error: Option<bool>,
    pub started_at_gte: Option<Timestamp>,
    pub started_at_lt: Option<Timestamp>,
    pub finished_at_gte: Option<Timestamp>,
    pub finished_at_lt: Option<Timestamp>,
    /// An item of this fan-out.
    pub items_of: Option<TaskIx>,
    /// One of these holds.
    pub any: Option<Vec<TaskFilter>>,
    /// All of these hold.
    pub all: Option<Vec<TaskFilter>>,
    /// It does not hold.
    pub not: Option<Box<TaskFilter>>,
}

/// Which events.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct EventFilter {
    pub run: Option<RunId>,
    pub task_key: Option<String>,
    pub kind_in: Option<Vec<runnel_engine::run::RecordKind>>,
    pub attempt: Option<u32>,
    pub actor: Option<String>,
    pub reason: Option<String>,
    pub at_gte: Option<Timestamp>,
    pub at_lt: Option<Timestamp>,
    /// One of these holds.
    pub any: Option<Vec<EventFilter>>,
    /// All of these hold.
    pub all: Option<Vec<EventFilter>>,
    /// It does not hold.
    pub not: Option<Box<EventFilter>>,
}

/// Which workflows; all conditions must hold.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct WorkflowFilter {
    pub key_in: Option<Vec<String>>,
    pub key_prefix: Option<String>,
    /// Key or name have it somewhere, whatever the case of its letters.
    pub text: Option<String>,
    pub updated_at_gte: Option<Timestamp>,
    pub updated_at_lt: Option<Timestamp>,
}

/// Id of any node, for `node(id)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "one variant a node type")]
pub enum NodeRef {
    Workflow(Uuid),
    WorkflowVersion(Uuid),
    Run(Uuid),
    Task(Uuid, u32),
    Approval(Uuid, u32),
    Schedule(Uuid),
    Trigger(Uuid),
    Bulk(Uuid),
}
