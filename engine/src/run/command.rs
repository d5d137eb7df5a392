//! What the shell must do after a commit.

use crate::ids::TaskIx;
use crate::run::{ChildCommand, GateCommand, WaitCommand};

/// An effect; only data until the transaction has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Send the current attempt of the task to its queue. Everything else is in the state and the plan.
    Dispatch {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
    },
    /// Tell the worker, where a channel to it exists, that the attempt's result is no longer wanted.
    Stop {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
    },
    /// Keep a record of a task that failed for good, from which the run can be finished.
    DeadLetter {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
    },
    /// About something from outside that a task waits for.
    Wait(WaitCommand),
    /// About a child run.
    Child(ChildCommand),
    /// To the gates.
    Gate(GateCommand),
}
