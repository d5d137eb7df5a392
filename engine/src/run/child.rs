//! Child runs: a task of type `workflow` starts another run and, unless told otherwise, waits for its end.

use std::sync::Arc;

use super::machine::Machine;
use super::{CancelMode, Outcome, RunStatus, Stale, TaskFailure};
use crate::{RunId, TaskIx};

/// What became of a child run.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildInput {
    /// It was accepted.
    Started {
        /// The task that asked for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// The child.
        child: RunId,
    },
    /// It was refused.
    Refused {
        /// The task that asked for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// Why.
        failure: TaskFailure,
    },
    /// It ended.
    Ended {
        /// The task that waits for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// The child.
        child: RunId,
        /// How it ended.
        status: RunStatus,
        /// JSON text of its outputs, when it succeeded.
        outputs: Option<Arc<str>>,
        /// Why it did not succeed.
        error: Option<TaskFailure>,
    },
}

/// What the shell must do about a child run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildCommand {
    /// Start it; everything else is in the task's input.
    Start {
        /// The task that asks for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
    },
    /// Cancel it.
    Cancel {
        /// The task that asked for it.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// How.
        mode: CancelMode,
    },
}

impl Machine<'_> {
    pub fn on_child_input(&mut self, input: &ChildInput) -> Outcome {
        let _ = input;
        Outcome::Ignored(Stale::NothingDue)
    }
}
