//! Rerun and override: what an operator does to results that stand.

use std::sync::Arc;

use super::machine::Machine;
use super::{Outcome, Stale, TaskFailure};
use crate::TaskIx;

/// A rerun within the same run, or a result set by hand.
#[derive(Debug, Clone, PartialEq)]
pub enum RerunInput {
    /// Everything that did not succeed runs again; good results stand.
    Failed {
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// These tasks and everything downstream of them run again; other results stand.
    Tasks {
        /// The tasks.
        tasks: Vec<TaskIx>,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
    /// The task ends now with this result, whatever it does.
    Override {
        /// The task.
        task: TaskIx,
        /// JSON text of the output, or the failure.
        result: Result<Arc<str>, TaskFailure>,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
}

impl Machine<'_> {
    pub fn on_rerun_input(&mut self, input: &RerunInput) -> Outcome {
        let _ = input;
        Outcome::Ignored(Stale::NothingDue)
    }
}
