//! What may happen to a run.

use std::sync::Arc;

use crate::ids::TaskIx;
use crate::run::TaskFailure;
use crate::time::Timestamp;

/// One thing that happened; the mailbox of a run holds these.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The run begins.
    Started {
        /// Who started it.
        actor: Arc<str>,
    },
    /// A worker began an attempt. Optional: a short attempt is only reported at its end.
    AttemptStarted {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
        /// The worker.
        worker: Arc<str>,
        /// When, by the worker's clock.
        at: Timestamp,
    },
    /// A worker says that an attempt is alive.
    Heartbeat {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
        /// The worker.
        worker: Arc<str>,
    },
    /// An attempt ended well.
    AttemptSucceeded {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
        /// JSON text of the output.
        output: Arc<str>,
        /// When and where it ran.
        timings: Timings,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
        /// Why.
        failure: TaskFailure,
        /// When and where it ran.
        timings: Timings,
    },
    /// A worker handed an attempt back unfinished (drain), or is known to be gone.
    AttemptLost {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
        /// What is known, for the history.
        reason: Arc<str>,
    },
    /// An operator cancels the run.
    CancelRequested {
        /// How.
        mode: CancelMode,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// An operator pauses the run.
    PauseRequested {
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// An operator resumes the run.
    ResumeRequested {
        /// Who.
        actor: Arc<str>,
    },
    /// An operator retries a failed task (and what was skipped because of it), also in a finished run.
    TaskRetryRequested {
        /// The task.
        task: TaskIx,
        /// Who.
        actor: Arc<str>,
    },
    /// An operator skips a task that has not ended.
    TaskSkipRequested {
        /// The task.
        task: TaskIx,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// The alarm clock rang.
    Tick,
}

/// How a run is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelMode {
    /// Running attempts get the workflow's `cancel_grace`.
    Graceful,
    /// The run ends at once; running attempts are told and fenced.
    Now,
}

/// When and where an attempt ran, by the worker's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// The worker.
    pub worker: Arc<str>,
    /// Begin of execution.
    pub started_at: Timestamp,
    /// End of execution.
    pub finished_at: Timestamp,
}
