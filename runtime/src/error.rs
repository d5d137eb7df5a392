//! What can go wrong, as types. `api` maps each to a user error or to one top-level code; a database text never passes.

pub use runnel_engine::inputs::InputProblem;
use runnel_engine::run::{Refusal, RunStatus};
use runnel_engine::{Diagnostic, RunId};

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Could not connect or open.
    #[error("cannot open the database")]
    Open(#[source] sea_orm::DbErr),
    /// A statement failed.
    #[error("database failed to {action}")]
    Statement {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: sea_orm::DbErr,
    },
    /// Conflicts or lost connections outlasted the retries.
    #[error("database stayed busy after {attempts} attempts to {action}")]
    Busy {
        /// What was being done.
        action: &'static str,
        /// How often it was tried.
        attempts: u32,
    },
    /// A guard found that a row had changed since it was read; the transaction is rolled back and begins again from its load.
    #[error("rows changed meanwhile, could not {action}")]
    Conflict {
        /// What was being done.
        action: &'static str,
    },
    /// The connection was lost during the commit: whether it took place is known only by loading again.
    #[error("connection lost while committing to {action}; the outcome is unknown")]
    CommitUnknown {
        /// What was being done.
        action: &'static str,
        /// The cause.
        #[source]
        source: sea_orm::DbErr,
    },
    /// The transaction's task panicked or was stopped; it was rolled back.
    #[error("the transaction to {action} was aborted")]
    Aborted {
        /// What was being done.
        action: &'static str,
    },
    /// A row cannot be understood.
    #[error("row of {table} is not valid: {problem}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with it, with its id.
        problem: String,
    },
    /// The schema was made by a newer Runnel.
    #[error("database schema is newer than this program: it has migration `{found}`; upgrade this program")]
    NewerSchema {
        /// The unknown migration.
        found: String,
    },
    /// The schema is older than this program and may not be changed now.
    #[error("database schema lacks migration `{missing}`; run `runnel migrate`")]
    OlderSchema {
        /// The first one that is missing.
        missing: String,
    },
    /// The payload store did not do what was asked; it may later.
    #[error("large values cannot be read or written now")]
    Payload(#[source] runnel_queue::PayloadError),
    /// The orchestrator is stopping and takes nothing new.
    #[error("the orchestrator is stopping")]
    Stopping,
}

impl StoreError {
    /// Whether the same may succeed when it is tried again a little later: the database was busy, or away.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Conflict { .. }
            | Self::CommitUnknown { .. }
            | Self::Payload(_)
            | Self::Stopping => true,
            Self::Statement { source, .. } => crate::store::is_passing(source),
            Self::Open(_)
            | Self::Aborted { .. }
            | Self::Corrupt { .. }
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. } => false,
        }
    }
}

/// A publish was refused.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The file has errors.
    #[error("the workflow file has {} problem(s)", .0.len())]
    Invalid(Vec<Diagnostic>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A start was refused.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No such workflow.
    #[error("workflow `{key}` does not exist")]
    UnknownWorkflow {
        /// The key asked for.
        key: String,
    },
    /// No such version.
    #[error("workflow `{key}` has no version {version}; the latest is {latest}")]
    UnknownVersion {
        /// The workflow.
        key: String,
        /// The number asked for.
        version: i32,
        /// The newest number.
        latest: i32,
    },
    /// Inputs do not fit their schemas.
    #[error("inputs do not fit the workflow: {}", .0.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; "))]
    Inputs(Vec<InputProblem>),
    /// The idempotency key was used for another request.
    #[error("idempotency key was used for another request, run {run}")]
    IdempotencyConflict {
        /// The run that holds the key.
        run: RunId,
    },
    /// The idempotency key was used for another delayed start.
    #[error("idempotency key was used for another delayed start, schedule `{key}`")]
    DelayedConflict {
        /// The schedule that holds it.
        key: String,
    },
    /// A value is over its limit.
    #[error("{what} is {actual}, more than the limit of {limit}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An operation on a run or task was refused.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// No such run in the caller's namespace.
    #[error("run does not exist")]
    UnknownRun,
    /// No such task in the run.
    #[error("run has no task `{key}`")]
    UnknownTask {
        /// The key asked for.
        key: String,
    },
    /// The state does not allow it.
    #[error("{message}")]
    Conflict {
        /// Status of the run.
        status: RunStatus,
        /// One sentence.
        message: String,
        /// Operations that are legal now.
        allowed: Vec<&'static str>,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OperateError {
    /// What the engine said.
    pub(crate) fn refused(status: RunStatus, refusal: Refusal) -> Self {
        Self::Conflict {
            status,
            message: refusal.message,
            allowed: refusal.allowed,
        }
    }
}
