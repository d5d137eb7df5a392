//! What the lines of a log say about where they come from, without an argument through every function.

use std::sync::Arc;

use uuid::Uuid;

/// The attempt that the current task works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogContext {
    /// The run.
    pub run: Uuid,
    /// Key of the task.
    pub task: Arc<str>,
    /// The attempt.
    pub attempt: u32,
    /// The trace, where there is one.
    pub trace: Option<crate::TraceId>,
}

tokio::task_local! {
    static CURRENT: Arc<LogContext>;
}

/// Runs the work; lines that it logs name the attempt. Costs a pointer, also when nothing is logged.
pub async fn with_log_context<F: Future>(context: LogContext, work: F) -> F::Output {
    CURRENT.scope(Arc::new(context), work).await
}

/// The attempt that the current task works on.
#[must_use]
pub fn current_log_context() -> Option<Arc<LogContext>> {
    CURRENT.try_with(Arc::clone).ok()
}
