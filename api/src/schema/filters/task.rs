//! Filters of the tasks of a run.

use async_graphql::InputObject;
use runnel_runtime::view;

use super::{DateTimeFilter, TaskStatusFilter, check_depth, into_all, none_of, one_of, parts};
use crate::error::ApiError;

/// Which tasks; all conditions must hold. A condition on what a task does not have, as `worker` of one that waits, does not.
#[derive(Debug, Default, InputObject)]
pub(crate) struct TaskFilter {
    /// By status.
    status: Option<TaskStatusFilter>,
    /// Of this type, as `http`.
    r#type: Option<String>,
    /// Of this task queue.
    queue: Option<String>,
    /// Key begins with this; finds the items of a fan-out.
    key_prefix: Option<String>,
    /// Key has this somewhere.
    key_contains: Option<String>,
    /// Current attempt is by this worker.
    worker: Option<String>,
    /// Has come to this attempt or a later one.
    min_attempt: Option<u32>,
    /// Whether its last attempt failed.
    has_error: Option<bool>,
    /// When a worker began the current attempt.
    started_at: Option<DateTimeFilter>,
    /// When the task ended.
    finished_at: Option<DateTimeFilter>,
    /// All of these hold.
    and: Option<Vec<TaskFilter>>,
    /// One of these holds.
    or: Option<Vec<TaskFilter>>,
    /// This does not hold.
    not: Option<Box<TaskFilter>>,
}

impl TaskFilter {
    /// As the store wants it.
    pub(crate) fn into_view(self) -> Result<view::TaskFilter, ApiError> {
        self.read(0)
    }

    fn read(self, depth: usize) -> Result<view::TaskFilter, ApiError> {
        check_depth(depth)?;
        let (status_in, status_not_in) = match self.status {
            None => (None, None),
            Some(status) => (
                one_of(status.eq, status.r#in, "status")?,
                none_of(status.not_in, "status")?,
            ),
        };
        let span = |filter: Option<DateTimeFilter>| filter.map_or((None, None), |filter| filter.span());
        let (started_at_gte, started_at_lt) = span(self.started_at);
        let (finished_at_gte, finished_at_lt) = span(self.finished_at);
        let nested = |filter: TaskFilter| filter.read(depth + 1);
        Ok(view::TaskFilter {
            items_of: None,
            status_in: status_in.map(into_all),
            status_not_in: status_not_in.map(into_all),
            kind: self.r#type,
            key_prefix: self.key_prefix,
            key_contains: self.key_contains,
            queue: self.queue,
            worker: self.worker,
            attempt_gte: self.min_attempt,
            has_error: self.has_error,
            started_at_gte,
            started_at_lt,
            finished_at_gte,
            finished_at_lt,
            all: parts(self.and, "and", nested)?,
            any: parts(self.or, "or", nested)?,
            not: self.not.map(|filter| nested(*filter)).transpose()?.map(Box::new),
        })
    }
}
