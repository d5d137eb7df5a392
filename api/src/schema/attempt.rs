//! Attempts of tasks, and what a caller may do about a task.

use async_graphql::{ComplexObject, Context, Enum, SimpleObject};
use runnel_engine::run::{TaskStanding, Usage};
use runnel_runtime::query::attempts::{AttemptStatus as ViewStatus, AttemptView};

use super::scalars::{DateTime, Duration};
use super::session::{StandingAt, load, may_operate};
use super::task::Task;
use crate::error::ApiError;

/// How an attempt stands. New values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ViewStatus")]
pub(crate) enum AttemptStatus {
    /// Its message is on the way to a worker.
    Queued,
    /// A worker has said that it runs.
    Running,
    /// It ended well.
    Succeeded,
    /// It ended with a failure.
    Failed,
    /// It took too long.
    TimedOut,
    /// Its worker is gone.
    Lost,
    /// It is no longer wanted.
    Cancelled,
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct AttemptError {
    /// Stable code within its kind, as `EXIT_CODE` or `HTTP_503`.
    code: String,
    /// One sentence.
    message: String,
}

/// One try of a task, told from the history of its run.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct TaskAttempt {
    /// From 1.
    number: u32,
    /// How it stands.
    status: AttemptStatus,
    /// The worker that ran it.
    worker: Option<String>,
    /// When its message was put into the outbox.
    queued_at: Option<DateTime>,
    /// When the worker began.
    started_at: Option<DateTime>,
    /// When it ended.
    finished_at: Option<DateTime>,
    /// Why it did not succeed.
    error: Option<AttemptError>,
    /// What it took; null where its worker did not say.
    usage: Option<AttemptUsage>,
}

/// What an attempt took, as its worker measured it. What was not measured is null.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct AttemptUsage {
    /// Time of the handler, by the worker's clock.
    wall_time: Option<Duration>,
    /// CPU time of its processes; commands only, looked at several times a second.
    cpu_time: Option<Duration>,
    /// Most memory that one of its processes had, in bytes; commands only.
    memory_bytes: Option<f64>,
    /// Bytes of its input in the message.
    input_bytes: Option<f64>,
    /// Bytes of its output.
    output_bytes: Option<f64>,
}

impl From<Usage> for AttemptUsage {
    fn from(usage: Usage) -> Self {
        let time = |micros| Duration(std::time::Duration::from_micros(micros));
        #[expect(
            clippy::cast_precision_loss,
            reason = "GraphQL has no larger whole numbers; sizes are far below 2^53"
        )]
        let bytes = |bytes: u64| bytes as f64;
        Self {
            wall_time: usage.wall_us.map(time),
            cpu_time: usage.cpu_us.map(time),
            memory_bytes: usage.memory_bytes.map(bytes),
            input_bytes: usage.input_bytes.map(bytes),
            output_bytes: usage.output_bytes.map(bytes),
        }
    }
}

/// Lengths of time of an attempt.
#[ComplexObject]
impl TaskAttempt {
    /// From its message to its begin; null until it began.
    async fn time_in_queue(&self) -> Option<Duration> {
        let (queued_at, started_at) = self.queued_at.zip(self.started_at)?;
        Some(Duration(started_at.0.since(queued_at.0)))
    }

    /// From its begin to its end; null until it ended.
    async fn duration(&self) -> Option<Duration> {
        let (started_at, finished_at) = self.started_at.zip(self.finished_at)?;
        Some(Duration(finished_at.0.since(started_at.0)))
    }
}

impl From<AttemptView> for TaskAttempt {
    fn from(view: AttemptView) -> Self {
        Self {
            number: view.number,
            status: view.status.into(),
            worker: view.worker,
            queued_at: view.queued_at.map(DateTime),
            started_at: view.started_at.map(DateTime),
            finished_at: view.finished_at.map(DateTime),
            error: view.failure.map(|(code, message)| AttemptError { code, message }),
            usage: view.usage.map(AttemptUsage::from),
        }
    }
}

/// How the task stands, as the engine's refusals want it; `None` for a caller who may not operate on it anyway.
pub(super) async fn standing(task: &Task, ctx: &Context<'_>) -> Result<Option<TaskStanding>, ApiError> {
    if !may_operate(ctx) {
        return Ok(None);
    }
    load(ctx, StandingAt(task.view.run_id, task.view.ix)).await
}
