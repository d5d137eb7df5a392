//! The state of a run: what is stored between two inputs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{RunId, TaskIx};
use crate::run::derived::Derived;
use crate::run::sla::SlaMissed;
use crate::run::usage::RunTrace;
use crate::run::wait::KeptSignals;
use crate::time::Timestamp;
use crate::trigger::RunTrigger;
use crate::{Moment, Plan};

/// Status of a run. `isPaused` is a flag beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "the names are the field's standard terms, see docs/GLOSSARY.md"
)]
pub enum RunStatus {
    Pending = 0,
    Running = 1,
    Cancelling = 2,
    Compensating = 3,
    Succeeded = 10,
    Failed = 11,
    Cancelled = 12,
    TimedOut = 13,
    Compensated = 14,
    CompensationFailed = 15,
}

/// Status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "the names are the field's standard terms, see docs/GLOSSARY.md"
)]
pub enum TaskStatus {
    Blocked = 0,
    Ready = 1,
    Queued = 2,
    Running = 3,
    Waiting = 4,
    RetryWait = 5,
    Succeeded = 10,
    Failed = 11,
    TimedOut = 12,
    Cancelled = 13,
    Skipped = 14,
    Cached = 15,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Running,
        Self::Cancelling,
        Self::Compensating,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::Compensated,
        Self::CompensationFailed,
    ];

    /// Whether nothing can change any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self as u8 >= 10
    }

    /// From the stored number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|s| *s as i16 == code)
    }
}

impl TaskStatus {
    /// Every status.
    pub const ALL: [Self; 12] = [
        Self::Blocked,
        Self::Ready,
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::RetryWait,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Skipped,
        Self::Cached,
    ];

    /// Whether nothing can change any more but by an operator.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self as u8 >= 10
    }

    /// From the stored number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|s| *s as i16 == code)
    }
}

/// Kind of a failure; the handler chooses it, nobody parses text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "explained in docs/semantics.md")]
pub enum Category {
    User,
    Timeout,
    Lost,
    RateLimited,
    Unavailable,
    Expression,
    Input,
    Unauthorised,
    Internal,
}

/// Why an attempt or a task did not succeed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskFailure {
    /// The kind.
    pub category: Category,
    /// Stable code within the category, as `EXIT_CODE` or `HTTP_503`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Structured details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Whether the handler thinks that another attempt may succeed.
    pub retryable: bool,
    /// Traceback where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Earliest moment of the next attempt asked for by the other side (`Retry-After`), in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Number of tasks per status; items of fan-outs and handlers included. Always equals the recount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "one field per status")]
pub struct Counts {
    pub blocked: u32,
    pub ready: u32,
    pub queued: u32,
    pub running: u32,
    pub waiting: u32,
    pub retry_wait: u32,
    pub succeeded: u32,
    pub failed: u32,
    pub timed_out: u32,
    pub cancelled: u32,
    pub skipped: u32,
    pub cached: u32,
}

/// What expressions may read besides tasks; fixed at the start of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunContext {
    /// The run.
    pub id: RunId,
    /// Checked inputs with defaults filled.
    pub inputs: Arc<Map<String, Value>>,
    /// Configured variables (`vars.X`).
    pub vars: Arc<Map<String, Value>>,
    /// Version number of the workflow.
    pub workflow_version: i32,
    /// Priority of the run, 0–100.
    pub priority: u8,
    /// When the run was accepted.
    pub created_at: Timestamp,
    /// Who started it.
    pub created_by: Arc<str>,
}

/// Everything known about a run between two inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    /// Fixed at the start.
    pub context: RunContext,
    /// Status.
    pub status: RunStatus,
    /// Nothing new starts while set.
    pub is_paused: bool,
    /// Sequence number of the next record; the first record of a run has 1.
    pub next_seq: i64,
    /// Earliest moment at which something is due; `None`: nothing is.
    pub wake_at: Option<Timestamp>,
    /// When the first task became ready.
    pub started_at: Option<Timestamp>,
    /// When the run became terminal.
    pub finished_at: Option<Timestamp>,
    /// JSON text of the run's outputs, once it succeeded.
    pub outputs: Option<Arc<str>>,
    /// The first root cause, once it failed.
    pub error: Option<TaskFailure>,
    /// Whether a failure was tolerated (`continue_on_error`, `tolerate`).
    pub has_tolerated_failures: bool,
    /// Static tasks in plan order, then items.
    pub tasks: Vec<TaskState>,
    /// Kept equal to the recount of `tasks`.
    pub counts: Counts,
    /// Engine-private run-level state (cancel mode and deadline, phase), stored as one JSON text beside the columns.
    pub extra: RunExtra,
}

/// Run-level state that only the engine reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunExtra {
    /// Moment at which a graceful cancel becomes immediate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_deadline: Option<Timestamp>,
    /// Outcome of the main graph, once it is decided and while handler tasks still run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunStatus>,
    /// Result of the compensation, once it is over and while handler tasks still run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compensation: Option<RunStatus>,
    /// Key of the last rerun, so that the same request is not carried out twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerun_key: Option<Arc<str>>,
    /// When an operator reopened the run; the workflow's timeout counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Timestamp>,
    /// What started the run, when it was not a person or a program through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Arc<RunTrigger>>,
    /// Whether an operator ever retried a task: what followed from its failure may have run already.
    #[serde(skip_serializing_if = "is_false")]
    pub is_retried: bool,
    /// Alerts of the run that the history has.
    #[serde(skip_serializing_if = "SlaMissed::is_none")]
    pub sla_missed: SlaMissed,
    /// Who paused the run, while it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Whether kept results are ignored (results of this run are kept all the same).
    #[serde(skip_serializing_if = "is_false")]
    pub is_cache_ignored: bool,
    /// Signals that no task has taken yet.
    #[serde(skip_serializing_if = "KeptSignals::is_empty")]
    pub signals: KeptSignals,
    /// Where the run stands in the traces of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Arc<RunTrace>>,
    /// Rebuilt by [`RunState::restore`], never stored, never compared.
    #[serde(skip)]
    pub(crate) derived: Derived,
}

/// Who paused a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One task of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskState {
    /// The static task this is, or is an item of.
    pub template: TaskIx,
    /// Set for the items of a fan-out.
    pub item: Option<Item>,
    /// Status.
    pub status: TaskStatus,
    /// Current attempt, from 1; 0 before the first dispatch.
    pub attempt: u32,
    /// Retries used of the policy's limit.
    pub retries: u32,
    /// Losses of a worker so far.
    pub losses: u32,
    /// When this task itself is next due (retry, timer, timeout, lease); `None`: never by itself.
    pub wake_at: Option<Timestamp>,
    /// When it became eligible first (start of `complete_within`).
    pub ready_at: Option<Timestamp>,
    /// When the current attempt was put into the outbox.
    pub queued_at: Option<Timestamp>,
    /// When a worker said that it runs the current attempt.
    pub started_at: Option<Timestamp>,
    /// Last sign of life of the current attempt.
    pub heartbeat_at: Option<Timestamp>,
    /// When it became terminal.
    pub finished_at: Option<Timestamp>,
    /// The worker of the current attempt.
    pub worker: Option<Arc<str>>,
    /// JSON text of the resolved input of the current attempt. May be `None` in memory for a task that is not waiting to be dispatched.
    pub input: Option<Arc<str>>,
    /// JSON text of the output. May be `None` in memory when `Plan::is_output_read` says that nobody reads it.
    pub output: Option<Arc<str>>,
    /// JSON text of how far the current attempt is, as it said last; `None` before it says anything.
    pub progress: Option<Arc<str>>,
    /// JSON text of the last checkpoint of any attempt; the next attempt is given it.
    pub checkpoint: Option<Arc<str>>,
    /// Last failure.
    pub error: Option<TaskFailure>,
    /// Engine-private state of rare kinds (fan-out progress), as JSON text.
    pub extra: Option<Arc<str>>,
}

/// Which item of which fan-out a task is.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The fan-out task.
    pub parent: TaskIx,
    /// Position in the list, from 0.
    pub index: u32,
    /// Key of the item; the position as text when the file gives none.
    pub key: Arc<str>,
    /// JSON text of the item.
    pub value: Arc<str>,
}

/// What is needed to make a run.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Fixed facts.
    pub context: RunContext,
    /// What started it, when it was not a person or a program through the API.
    pub trigger: Option<Arc<RunTrigger>>,
}

impl RunState {
    /// A run in `PENDING` with every static task `BLOCKED`. Feed [`crate::run::Input::Started`] next.
    #[must_use]
    pub fn new(plan: &Plan, run: NewRun, _moment: &Moment) -> Self {
        let tasks: Vec<TaskState> = (0..plan.len())
            .filter_map(|at| u32::try_from(at).ok())
            .map(TaskIx)
            .map(TaskState::blocked)
            .collect();
        let stored = Self {
            context: run.context,
            status: RunStatus::Pending,
            is_paused: false,
            next_seq: 1,
            wake_at: None,
            started_at: None,
            finished_at: None,
            outputs: None,
            error: None,
            has_tolerated_failures: false,
            tasks,
            counts: Counts::default(),
            extra: RunExtra {
                trigger: run.trigger,
                ..RunExtra::default()
            },
        };
        Self::restore(plan, stored)
    }

    /// Rebuilds what is derived (counters of unmet upstreams, counts) after the stored columns were loaded.
    /// `tasks` must be complete and in index order. O(V + E).
    #[must_use]
    pub fn restore(plan: &Plan, mut stored: Self) -> Self {
        stored.counts = Counts::of(&stored.tasks);
        stored.extra.derived = Derived::rebuild(plan, &stored);
        stored
    }

    /// The key of a task: that of its template, with `[key]` for an item.
    #[must_use]
    pub fn key(&self, plan: &Plan, ix: TaskIx) -> String {
        let task = &self.tasks[ix.at()];
        let key = &plan.task(task.template).key;
        task.item
            .as_ref()
            .map_or_else(|| key.clone(), |item| format!("{key}[{}]", item.key))
    }
}

impl TaskState {
    /// A static task that waits for its upstreams.
    pub(crate) fn blocked(template: TaskIx) -> Self {
        Self {
            template,
            item: None,
            status: TaskStatus::Blocked,
            attempt: 0,
            retries: 0,
            losses: 0,
            wake_at: None,
            ready_at: None,
            queued_at: None,
            started_at: None,
            heartbeat_at: None,
            finished_at: None,
            worker: None,
            input: None,
            output: None,
            progress: None,
            checkpoint: None,
            error: None,
            extra: None,
        }
    }
}

impl Counts {
    /// The recount.
    #[must_use]
    pub fn of(tasks: &[TaskState]) -> Self {
        let mut counts = Self::default();
        for task in tasks {
            *counts.slot(task.status) += 1;
        }
        counts
    }

    /// Counts so many more of a status.
    pub fn add(&mut self, status: TaskStatus, number: u32) {
        let slot = self.slot(status);
        *slot = slot.saturating_add(number);
    }

    pub(crate) fn slot(&mut self, status: TaskStatus) -> &mut u32 {
        match status {
            TaskStatus::Blocked => &mut self.blocked,
            TaskStatus::Ready => &mut self.ready,
            TaskStatus::Queued => &mut self.queued,
            TaskStatus::Running => &mut self.running,
            TaskStatus::Waiting => &mut self.waiting,
            TaskStatus::RetryWait => &mut self.retry_wait,
            TaskStatus::Succeeded => &mut self.succeeded,
            TaskStatus::Failed => &mut self.failed,
            TaskStatus::TimedOut => &mut self.timed_out,
            TaskStatus::Cancelled => &mut self.cancelled,
            TaskStatus::Skipped => &mut self.skipped,
            TaskStatus::Cached => &mut self.cached,
        }
    }
}

impl TaskFailure {
    /// A failure without details.
    #[must_use]
    pub fn new(category: Category, code: &str, message: impl Into<String>, retryable: bool) -> Self {
        Self {
            category,
            code: code.to_owned(),
            message: message.into(),
            details: None,
            retryable,
            traceback: None,
            retry_after_ms: None,
        }
    }
}
