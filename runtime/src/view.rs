//! Read models: what `api` and `cli` see. Converted from rows in `view/convert.rs`, so that no row type leaves this crate.

pub(crate) mod convert;

use std::sync::Arc;

use runnel_engine::run::{Counts, Record, RunStatus, TaskFailure, TaskStatus};
use runnel_engine::source::Dialect;
use runnel_engine::{RunId, TaskIx, Timestamp, WorkflowId, WorkflowVersionId};
use uuid::Uuid;

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
    /// JSON text.
    pub inputs: Arc<str>,
    /// JSON text.
    pub outputs: Option<Arc<str>>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub wake_at: Option<Timestamp>,
    /// Sequence number of the last event: the cursor a snapshot stands at.
    pub last_seq: i64,
    /// The run that this one repeats.
    pub rerun_of: Option<RunId>,
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
    /// JSON text.
    pub input: Option<Arc<str>>,
    /// JSON text.
    pub output: Option<Arc<str>>,
    pub error: Option<TaskFailure>,
    pub wake_at: Option<Timestamp>,
    pub ready_at: Option<Timestamp>,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Why it does not run now, as an UPPER_SNAKE word: `UPSTREAM`, `NO_WORKER`, `PAUSED`, `QUEUED`, `TIMER`, `RETRY`.
    pub waiting_for: Option<&'static str>,
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
    pub tag: Option<String>,
    pub is_paused: Option<bool>,
    pub created_at_gte: Option<Timestamp>,
    pub created_at_lt: Option<Timestamp>,
    pub idempotency_key: Option<String>,
}

/// Order of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunOrder {
    /// Newest first.
    #[default]
    CreatedAtDesc,
    /// Oldest first.
    CreatedAtAsc,
}

/// Which tasks.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct TaskFilter {
    pub status_in: Option<Vec<TaskStatus>>,
    pub kind: Option<String>,
    pub key_prefix: Option<String>,
}

/// Which events.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct EventFilter {
    pub run: Option<RunId>,
    pub task_key: Option<String>,
    pub kind_in: Option<Vec<runnel_engine::run::RecordKind>>,
}

/// Id of any node, for `node(id)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "one variant a node type")]
pub enum NodeRef {
    Workflow(Uuid),
    WorkflowVersion(Uuid),
    Run(Uuid),
    Task(Uuid, u32),
}
