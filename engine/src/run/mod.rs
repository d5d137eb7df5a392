//! The run state machine: `advance(plan, state, input, moment) -> (state', records, commands)`.
//!
//! Guarantees: pure; never panics, whatever the input; terminal states absorb everything but an operator's task retry; each input costs
//! the tasks it touches (times a logarithm), never the size of the run, except for cancel, timeout of the run and reopening.
//!
//! One file per kind of input (`attempt`, `cancel`, `pause`, `operate`, `timers`) and per rule they share (`readiness`,
//! `dispatch`, `inline`, `retry`, `fanout`, `finish`); `machine` keeps statuses, counters, history and alarms equal.
//! Chains of any length run in a worklist, never by recursion.
//!
//! Decisions that `docs/semantics.md` leaves open:
//! - a failure under `continue_on_error` satisfies edges that accept `succeeded` as well as edges that accept `failed`, so that what
//!   follows runs as if nothing had happened; the task keeps the status `FAILED` and the run is flagged;
//! - `join: any | N` starts a task as soon as enough edges are satisfied, and skips it as soon as they cannot be any more;
//! - any other failure makes the run `FAILED`, also when a task that accepts `failed` has dealt with it;
//! - an `if` that reads `each` or `matrix` is evaluated per item, any other once per task.

mod attempt;
mod cancel;
mod check;
mod child;
mod command;
mod compensation;
mod derived;
mod dispatch;
mod extra;
mod fanout;
mod finish;
mod gate;
mod inline;
mod input;
mod items;
mod machine;
mod operate;
mod output;
mod pause;
mod readiness;
mod record;
mod repeat;
mod replay;
mod rerun;
mod retry;
mod scope;
mod sla;
mod standing;
mod state;
mod timers;
mod usage;
mod wait;

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;

pub use check::{check, replay_statuses, status_after};
pub use child::{ChildCommand, ChildInput, ChildRequest};
pub use command::Command;
pub use dispatch::{DispatchPayload, dispatch_payload};
pub use extra::secret_names;
pub use gate::{GateCommand, GateInput};
pub use input::{CancelMode, Input, Timings};
pub use record::{Record, RecordKind};
pub use replay::Replay;
pub use rerun::{Keep, RerunInput, kept_results};
pub use retry::UNDELIVERABLE;
pub use sla::SlaMissed;
pub use standing::{RunStanding, TaskStanding};
pub use state::{
    Category, Counts, Item, NewRun, Pause, RunContext, RunExtra, RunState, RunStatus, TaskFailure, TaskState,
    TaskStatus,
};
pub use usage::{RunTrace, Usage};
pub use wait::{
    Approval, DecisionProblem, KEPT_MAX, KeptSignals, OnExpire, OnReject, SIGNAL_BYTES_MAX, Vote, Voter,
    WaitCommand, WaitInput, WaitKind, WaitSubject, callback_token_mark, callback_url_mark, wait_kind,
};

pub(crate) use wait::{APPROVERS_MAX, ON_EXPIRE, ON_REJECT, ON_TIMEOUT, QUORUM_MAX, REMIND_EVERY_MIN};

use crate::{Moment, Plan, TaskIx};

/// What one input did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The state changed (see the effects).
    Applied,
    /// Normal: delivery is at least once. Nothing changed.
    Ignored(Stale),
    /// An operator asked for what this state does not allow. Nothing changed.
    Refused(Refusal),
}

/// Why an input changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    /// The run is already terminal.
    RunIsTerminal,
    /// The task is already terminal.
    TaskIsTerminal,
    /// The report is of an older (or unknown) attempt.
    OldAttempt,
    /// The request is already in force (pause of a paused run, a second cancel of the same mode).
    AlreadyInForce,
    /// Nothing was due.
    NothingDue,
}

/// Why an operator's request was refused; `allowed` lists what the state does allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One sentence for the operator.
    pub message: String,
    /// Names of the operations that are legal now, as `runResume`.
    pub allowed: Vec<&'static str>,
}

impl Refusal {
    /// The request names a task that the run does not have.
    pub(super) fn no_task() -> Self {
        Self {
            message: "there is no such task".to_owned(),
            allowed: Vec::new(),
        }
    }
}

/// What the shell must do after the input(s): save the changed tasks, append the records, insert the commands into the outbox.
#[derive(Debug, Default)]
pub struct Effects {
    /// History, in order; sequence numbers are already given.
    pub records: Vec<Record>,
    /// Messages to send, in order.
    pub commands: Vec<Command>,
    /// Indices of tasks that changed or were added; may repeat, the shell sorts and dedupes.
    pub touched: Vec<TaskIx>,
}

/// Applies one input to a run. Deterministic: same plan, state, input and moment, same result.
///
/// The caller sets nothing itself: statuses, counters, `next_seq` and `wake_at` are kept here.
pub fn advance(
    plan: &Plan,
    state: &mut RunState,
    input: &Input,
    moment: &Moment,
    effects: &mut Effects,
) -> Outcome {
    if state.status.is_terminal() && !matches!(input, Input::TaskRetryRequested { .. } | Input::Rerun(_)) {
        return Outcome::Ignored(wait::stale_after_the_end(state, input));
    }
    let mut machine = machine::Machine::new(plan, state, moment, effects);
    let outcome = match input {
        Input::Started { actor } => machine.on_started(actor),
        Input::AttemptStarted {
            task,
            attempt,
            worker,
            at,
        } => machine.on_attempt_started(*task, *attempt, worker, *at),
        Input::Heartbeat {
            task,
            attempt,
            worker,
            progress,
            checkpoint,
        } => {
            let said = attempt::Said {
                progress: progress.as_ref(),
                checkpoint: checkpoint.as_ref(),
            };
            machine.on_heartbeat(*task, *attempt, worker, said)
        }
        Input::AttemptSucceeded {
            task,
            attempt,
            output,
            timings,
        } => machine.on_attempt_succeeded(*task, *attempt, output, timings),
        Input::AttemptFailed {
            task,
            attempt,
            failure,
            timings,
        } => machine.on_attempt_failed(*task, *attempt, failure, timings),
        Input::AttemptLost {
            task,
            attempt,
            reason,
        } => machine.on_attempt_lost(*task, *attempt, reason),
        Input::CancelRequested { mode, actor, reason } => {
            machine.on_cancel_requested(*mode, actor, reason.as_deref())
        }
        Input::PauseRequested { actor, reason } => machine.on_pause_requested(actor, reason.as_deref()),
        Input::ResumeRequested { actor } => machine.on_resume_requested(actor),
        Input::TaskRetryRequested { task, actor } => machine.on_task_retry_requested(*task, actor),
        Input::TaskSkipRequested { task, actor, reason } => {
            machine.on_task_skip_requested(*task, actor, reason.as_deref())
        }
        Input::FanoutLimitsChanged {
            task,
            max_parallel,
            tolerate,
            actor,
        } => machine.on_fanout_limits_changed(*task, *max_parallel, *tolerate, actor),
        Input::Rerun(input) => machine.on_rerun_input(input),
        Input::Wait(input) => machine.on_wait_input(input),
        Input::Child(input) => machine.on_child_input(input),
        Input::Gate(input) => machine.on_gate_input(input),
        Input::Tick => machine.on_tick(),
    };
    if outcome == Outcome::Applied {
        machine.settle_all();
    }
    outcome
}
