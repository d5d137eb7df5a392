//! The run state machine: `advance(plan, state, input, moment) -> (state', records, commands)`.

mod command;
mod input;
mod record;
mod state;

pub use command::Command;
pub use input::{CancelMode, Input, Timings};
pub use record::{Record, RecordKind};
pub use state::{
    Category, Counts, Item, NewRun, RunContext, RunState, RunStatus, TaskFailure, TaskState, TaskStatus,
};

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
    let _ = (plan, state, input, moment, effects);
    unimplemented!()
}
