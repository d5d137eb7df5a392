//! Why something was not done with a schedule or a trigger.

use crate::error::{InputProblem, StoreError};

/// An operation on a schedule or a trigger was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// No such schedule in the caller's namespace.
    #[error("schedule does not exist")]
    UnknownSchedule,
    /// No such trigger in the caller's namespace.
    #[error("trigger does not exist")]
    UnknownTrigger,
    /// No such backfill in the caller's namespace.
    #[error("backfill does not exist")]
    UnknownBackfill,
    /// No such workflow.
    #[error("workflow `{key}` does not exist")]
    UnknownWorkflow {
        /// The key asked for.
        key: String,
    },
    /// No such version.
    #[error("workflow `{key}` has no version {version}")]
    UnknownVersion {
        /// The workflow.
        key: String,
        /// The number asked for.
        version: i32,
    },
    /// The key is taken by another one.
    #[error("`{key}` exists already and is another one")]
    KeyTaken {
        /// The key.
        key: String,
    },
    /// An argument does not fit.
    #[error("{message}")]
    Invalid {
        /// The argument.
        field: &'static str,
        /// One sentence.
        message: String,
    },
    /// Inputs do not fit the workflow.
    #[error("inputs do not fit the workflow: {}", .0.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "))]
    Inputs(Vec<InputProblem>),
    /// It was changed since the caller read it.
    #[error("it was changed meanwhile; its revision is {current}")]
    RevisionConflict {
        /// The revision now.
        current: i64,
    },
    /// The workflow file says what it is.
    #[error("`{key}` is part of the workflow file; change it there and publish")]
    OwnedByFile {
        /// The key.
        key: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ScheduleError {
    /// An argument does not fit.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }
}
