//! Gates: what a run or an attempt must be let through before it may begin (concurrency, rate, breaker, result cache).
//!
//! The run asks; whoever holds the gates for all runs answers with an input. Until then the task is `READY`, the run `PENDING`.

use std::sync::Arc;

use super::machine::Machine;
use super::{Outcome, Stale};
use crate::TaskIx;

/// What the gates answered.
#[derive(Debug, Clone, PartialEq)]
pub enum GateInput {
    /// The attempt may begin; it holds its slots until it ends.
    Admitted {
        /// The task.
        task: TaskIx,
        /// The attempt that is to begin.
        attempt: u32,
    },
    /// A kept result of an earlier run is good.
    Cached {
        /// The task.
        task: TaskIx,
        /// The attempt that was to begin.
        attempt: u32,
        /// JSON text of the output.
        output: Arc<str>,
    },
    /// The task's group is full, and its policy is to skip then.
    Turned {
        /// The task.
        task: TaskIx,
        /// The attempt that was to begin.
        attempt: u32,
    },
    /// The run may begin.
    RunAdmitted,
    /// The run's group is full, and its policy is to give up then.
    RunTurned,
}

/// What the shell must tell the gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateCommand {
    /// The attempt asks to begin.
    Request {
        /// The task.
        task: TaskIx,
        /// The attempt that is to begin.
        attempt: u32,
    },
    /// The attempt ended, or no longer asks: whatever it holds is free.
    Release {
        /// The task.
        task: TaskIx,
        /// The attempt.
        attempt: u32,
        /// Whether it ended well, where that says something about a breaker.
        verdict: Option<bool>,
    },
    /// The run asks to begin.
    RequestRun,
    /// The run ended, or no longer asks.
    ReleaseRun,
    /// The task's output is good for later runs.
    Keep {
        /// The task.
        task: TaskIx,
    },
}

impl Machine<'_> {
    pub fn on_gate_input(&mut self, input: &GateInput) -> Outcome {
        let _ = input;
        Outcome::Ignored(Stale::NothingDue)
    }
}
