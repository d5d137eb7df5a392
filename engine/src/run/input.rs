//! What may happen to a run.

use std::sync::Arc;

use crate::definition::Tolerate;
use crate::ids::TaskIx;
use crate::run::{ChildInput, GateInput, RerunInput, TaskFailure, Usage, WaitInput};
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
        /// JSON text of how far it is, where it says so.
        progress: Option<Arc<str>>,
        /// JSON text of what the next attempt may go on from.
        checkpoint: Option<Arc<str>>,
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
    /// An operator changes the limits of a fan-out that runs.
    FanoutLimitsChanged {
        /// The fan-out.
        task: TaskIx,
        /// Most items in flight; `None`: as before.
        max_parallel: Option<u32>,
        /// Failures that are forgiven; `None`: as before.
        tolerate: Option<Tolerate>,
        /// Who.
        actor: Arc<str>,
    },
    /// An operator runs tasks again or sets a result.
    Rerun(RerunInput),
    /// Something from outside arrived that a task may wait for.
    Wait(WaitInput),
    /// Something became of a child run.
    Child(ChildInput),
    /// The gates answered.
    Gate(GateInput),
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

/// When and where an attempt ran, by the worker's clock, and what it took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timings {
    /// The worker.
    pub worker: Arc<str>,
    /// Begin of execution.
    pub started_at: Timestamp,
    /// End of execution.
    pub finished_at: Timestamp,
    /// What it took, where that was measured.
    pub usage: Option<Usage>,
    /// Where the execution is in a trace; the shell's, the engine does not look at it.
    pub trace: Option<Arc<str>>,
}
