//! Tasks of a run.

use async_graphql::{Context, ID, Object, SimpleObject};
use runnel_engine::{RunId, TaskIx, WorkflowVersionId};
use runnel_queue::Progress;
use runnel_runtime::query::window::Window;
use runnel_runtime::view::{TaskFilter as TaskFilterView, TaskPayloads, TaskView};
use runnel_runtime::wait::ApprovalView;

use super::approval::Approval;
use super::attempt::{self, TaskAttempt};
use super::blocker::{Blocker, TimeSpent};
use super::connection::Connection;
use super::cursor::Cursor;
use super::enums::TaskStatus;
use super::fanout;
use super::filters::TaskFilter;
use super::id;
use super::paging::count_if_asked;
use super::payload::{self, Part, PayloadView};
use super::run::{Run, TaskCounts, TaskFailure};
use super::scalars::{DateTime, Duration, Json};
use super::session::{AttemptsAt, BlockersOf, PayloadsAt, TimesOf, load, load_referred, open};
use crate::auth::Permission;
use crate::error::ApiError;

/// One task of a run.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// As stored.
    pub(crate) view: TaskView,
    /// Version of the run where it is known already; saves a read of the run.
    pub(crate) version: Option<WorkflowVersionId>,
}

impl Task {
    fn input_part(&self) -> Part {
        Part::TaskInput(self.view.run_id, self.view.ix)
    }

    fn output_part(&self) -> Part {
        Part::TaskOutput(self.view.run_id, self.view.ix)
    }

    /// Input and output: those at hand, or those of the store, read for all tasks of the answer at once.
    async fn payloads(&self, ctx: &Context<'_>) -> Result<TaskPayloads, ApiError> {
        if self.view.has_payloads {
            return Ok(TaskPayloads {
                input: self.view.input.clone(),
                output: self.view.output.clone(),
                checkpoint: self.view.checkpoint.clone(),
            });
        }
        load_referred(ctx, PayloadsAt(self.view.run_id, self.view.ix)).await
    }
}

/// How far an attempt is, as it says itself.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct TaskProgress {
    /// From 0 to 1.
    fraction: Option<f64>,
    /// Units done.
    current: Option<f64>,
    /// Units there are.
    total: Option<f64>,
    /// One sentence.
    message: Option<String>,
}

impl From<Progress> for TaskProgress {
    fn from(progress: Progress) -> Self {
        Self {
            fraction: progress.fraction,
            current: progress.current,
            total: progress.total,
            message: progress.message,
        }
    }
}

/// One task of a run.
#[Object]
impl Task {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::task(self.view.run_id, self.view.ix)
    }

    /// Key in the workflow file; an item of a fan-out as `clean[42]`.
    async fn key(&self) -> &str {
        &self.view.key
    }

    /// Position in the run.
    async fn index(&self) -> u32 {
        self.view.ix.0
    }

    /// Task type, as `http` or `shell`.
    async fn r#type(&self) -> &str {
        &self.view.kind
    }

    /// Task queue.
    async fn queue(&self) -> &str {
        &self.view.queue
    }

    /// Status.
    async fn status(&self) -> TaskStatus {
        self.view.status.into()
    }

    /// Why it does not run now, as `UPSTREAM`, `GATE`, `NO_WORKER`, `PAUSED`, `QUEUED`, `TIMER`, `EVENT`, `SIGNAL`,
    /// `APPROVAL`, `CALLBACK` or `RETRY`; `blockers` has the details.
    async fn waiting_for(&self) -> Option<&str> {
        self.view.waiting_for
    }

    /// Why it does not run now, with details; empty when it runs or has ended.
    async fn blockers(&self, ctx: &Context<'_>) -> Result<Vec<Blocker>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let found = load(ctx, BlockersOf(self.view.run_id, self.view.ix)).await?;
        Ok(found.unwrap_or_default().into_iter().map(Blocker::from).collect())
    }

    /// Where its time went so far; null when the history of the run is longer than 50,000 records.
    async fn time_spent(&self, ctx: &Context<'_>) -> Result<Option<TimeSpent>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let found = load(ctx, TimesOf(self.view.run_id)).await?;
        Ok(found
            .and_then(|times| times.get(&self.view.ix).copied())
            .map(TimeSpent::from))
    }

    /// What the task asks people, and their votes; null unless it is an approval that has asked.
    async fn approval(&self) -> Option<Approval> {
        ApprovalView::of_task(&self.view).map(Approval)
    }

    /// Current attempt, from 1; 0 before the first.
    async fn attempt(&self) -> u32 {
        self.view.attempt
    }

    /// Retries used of the policy's limit.
    async fn retries(&self) -> u32 {
        self.view.retries
    }

    /// How often a worker was lost.
    async fn losses(&self) -> u32 {
        self.view.losses
    }

    /// The run.
    async fn run(&self, ctx: &Context<'_>) -> Result<Run, ApiError> {
        load_referred(ctx, self.view.run_id).await.map(Run)
    }

    /// The run that the current attempt started; null for a task that starts none, or has not yet.
    async fn child_run(&self, ctx: &Context<'_>) -> Result<Option<Run>, ApiError> {
        fanout::child_run(ctx, &self.view).await
    }

    /// Items of a fan-out that have begun or wait for a place, in the order of the list; empty for any other task.
    async fn items(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only these items.")] filter: Option<TaskFilter>,
    ) -> Result<Connection<Task>, ApiError> {
        fanout::items(ctx, self, fanout::Place { size, after }, filter).await
    }

    /// Number of items of a fan-out per status; null for a task without items.
    async fn item_counts(&self, ctx: &Context<'_>) -> Result<Option<TaskCounts>, ApiError> {
        fanout::item_counts(ctx, &self.view).await
    }

    /// Keys of the upstreams.
    async fn needs(&self, ctx: &Context<'_>) -> Result<Vec<String>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let version = match self.version {
            Some(version) => version,
            None => load_referred(ctx, self.view.run_id).await?.workflow_version_id,
        };
        let keys = session.orchestrator.upstream_keys(session.actor, version).await;
        let keys = keys.map_err(|e| ApiError::store(&e))?;
        Ok(keys.get(self.view.template.at()).cloned().unwrap_or_default())
    }

    /// Resolved input of the current attempt. Above 1 MiB `{"$payload": {sha256, bytes, downloadUrl}}` stands in its place.
    async fn input(&self, ctx: &Context<'_>) -> Result<Option<Json>, ApiError> {
        match self.payloads(ctx).await?.input {
            Some(input) => payload::value(ctx, &input, self.input_part()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The beginning of the input, and where to download the whole from; null before the first attempt.
    async fn input_payload(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 4096, desc = "Most bytes of `inline`, 0 to 65,536.")] max_bytes: i32,
    ) -> Result<Option<PayloadView>, ApiError> {
        let payloads = self.payloads(ctx).await?;
        payload::view(ctx, payloads.input.as_ref(), self.input_part(), max_bytes).await
    }

    /// Output; null until the task has succeeded. Above 1 MiB `{"$payload": {sha256, bytes, downloadUrl}}` stands in its place.
    async fn output(&self, ctx: &Context<'_>) -> Result<Option<Json>, ApiError> {
        match self.payloads(ctx).await?.output {
            Some(output) => payload::value(ctx, &output, self.output_part()).await.map(Some),
            None => Ok(None),
        }
    }

    /// The beginning of the output, and where to download the whole from; null until the task has succeeded.
    async fn output_payload(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 4096, desc = "Most bytes of `inline`, 0 to 65,536.")] max_bytes: i32,
    ) -> Result<Option<PayloadView>, ApiError> {
        let payloads = self.payloads(ctx).await?;
        payload::view(ctx, payloads.output.as_ref(), self.output_part(), max_bytes).await
    }

    /// How far the current attempt is, as it says itself; null while it has said nothing.
    async fn progress(&self) -> Option<TaskProgress> {
        self.view.progress.clone().map(TaskProgress::from)
    }

    /// What the next attempt would go on from, as the task said itself; null while it has said nothing.
    async fn checkpoint(&self, ctx: &Context<'_>) -> Result<Option<Json>, ApiError> {
        let payloads = self.payloads(ctx).await?;
        payloads.checkpoint.as_deref().map(Json::from_text).transpose()
    }

    /// Last failure.
    async fn error(&self) -> Option<TaskFailure> {
        self.view.error.clone().map(TaskFailure::from)
    }

    /// Worker of the current attempt.
    async fn worker(&self) -> Option<&str> {
        self.view.worker.as_deref()
    }

    /// When the upstreams allowed it.
    async fn ready_at(&self) -> Option<DateTime> {
        self.view.ready_at.map(DateTime)
    }

    /// When the current attempt was sent.
    async fn queued_at(&self) -> Option<DateTime> {
        self.view.queued_at.map(DateTime)
    }

    /// When a worker began the current attempt.
    async fn started_at(&self) -> Option<DateTime> {
        self.view.started_at.map(DateTime)
    }

    /// When the task ended.
    async fn finished_at(&self) -> Option<DateTime> {
        self.view.finished_at.map(DateTime)
    }

    /// From the start of the current attempt to the end; null until the task has ended.
    async fn duration(&self) -> Option<Duration> {
        let (started_at, finished_at) = self.view.started_at.zip(self.view.finished_at)?;
        Some(Duration(finished_at.since(started_at)))
    }

    /// Its attempts in order, told from the history of the run (the newest 2,000 entries of it).
    async fn attempts(&self, ctx: &Context<'_>) -> Result<Vec<TaskAttempt>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let attempts = load(ctx, AttemptsAt(self.view.run_id, self.view.ix)).await?;
        Ok(attempts
            .unwrap_or_default()
            .into_iter()
            .map(TaskAttempt::from)
            .collect())
    }

    /// Whether the caller may retry it now, as far as its status, that of its fan-out and that of the run say.
    async fn can_retry(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        let standing = attempt::standing(self, ctx).await?;
        Ok(standing.is_some_and(|standing| standing.retry().is_ok()))
    }

    /// Whether the caller may skip it now.
    async fn can_skip(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        let standing = attempt::standing(self, ctx).await?;
        Ok(standing.is_some_and(|standing| standing.skip().is_ok()))
    }

    /// Whether the caller may set its result by hand now, as a success or as a failure.
    async fn can_override(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        let standing = attempt::standing(self, ctx).await?;
        Ok(standing.is_some_and(|standing| {
            [true, false]
                .iter()
                .any(|result| standing.set_result(*result).is_ok())
        }))
    }

    /// When something is due next by itself (retry, timer, timeout); null when nothing is.
    async fn wake_at(&self) -> Option<DateTime> {
        self.view.wake_at.map(DateTime)
    }
}

/// One page of the tasks of a run, whose version is known or not.
pub(crate) async fn list_tasks(
    ctx: &Context<'_>,
    (run, version): (RunId, Option<WorkflowVersionId>),
    filter: TaskFilterView,
    window: Window<TaskIx>,
) -> Result<Connection<Task>, ApiError> {
    let session = open(ctx, Permission::RunsRead)?;
    let (orchestrator, actor) = (session.orchestrator, session.actor);
    let count = orchestrator.count_tasks(actor, run, filter.clone());
    let count = count_if_asked(ctx, count).await?;
    let page = orchestrator.list_tasks_without_payloads(actor, run, filter, window);
    let page = page.await.map_err(|e| ApiError::store(&e))?;
    Ok(Connection::new(page, |task| task.ix.encode(), |view| Task { view, version }).counted(count))
}
