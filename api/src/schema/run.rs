//! Runs.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use runnel_engine::RunId;
use runnel_engine::run as engine;
use runnel_runtime::Orchestrator;
use runnel_runtime::query::window::Window;
use runnel_runtime::view::{PageRequest, RunFilter, RunOrder, RunOrderField, RunView};

use super::blocker::{Blocker, TimeSpent};
use super::connection::Connection;
use super::cursor::{Cursor, RunSeq, first};
use super::enums::{FailureCategory, RunStatus};
use super::event::{Event, run_events_after};
use super::fanout;
use super::filters::TaskFilter;
use super::id;
use super::layout::{self, GraphLayout, TaskTable};
use super::paging::{Count, count_if_asked, window};
use super::payload::{self, Part, PayloadView};
use super::scalars::{DateTime, Duration, Json};
use super::schedule::RunTrigger;
use super::session::{RunBlockersOf, RunPayloads, TimesOf, load, load_referred, may_operate, open};
use super::task::{Task, list_tasks};
use super::warnings;
use super::workflow::{Workflow, WorkflowVersion};
use crate::auth::Permission;
use crate::error::ApiError;

/// One execution of a workflow version.
#[derive(Debug, Clone)]
pub(crate) struct Run(pub(crate) RunView);

impl Run {
    /// Inputs and outputs: those at hand, or those of the store, read for all runs of the answer at once.
    async fn texts(&self, ctx: &Context<'_>) -> Result<(Arc<str>, Option<Arc<str>>), ApiError> {
        if self.0.has_payloads {
            return Ok((self.0.inputs.clone(), self.0.outputs.clone()));
        }
        let full = load_referred(ctx, RunPayloads(self.0.id)).await?;
        Ok((full.inputs, full.outputs))
    }
}

/// One execution of a workflow version.
#[Object]
impl Run {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::run(self.0.id)
    }

    /// Status.
    async fn status(&self) -> RunStatus {
        self.0.status.into()
    }

    /// Whether nothing new starts until the run is resumed.
    async fn is_paused(&self) -> bool {
        self.0.is_paused
    }

    /// Whether a failure was tolerated (`continue_on_error`, `tolerate`).
    async fn has_tolerated_failures(&self) -> bool {
        self.0.has_tolerated_failures
    }

    /// The workflow.
    async fn workflow(&self, ctx: &Context<'_>) -> Result<Workflow, ApiError> {
        load_referred(ctx, self.0.workflow_id).await.map(Workflow)
    }

    /// The version it is pinned to for life.
    async fn version(&self, ctx: &Context<'_>) -> Result<WorkflowVersion, ApiError> {
        load_referred(ctx, self.0.workflow_version_id)
            .await
            .map(WorkflowVersion)
    }

    /// Inputs with defaults filled. Above 1 MiB `{"$payload": {sha256, bytes, downloadUrl}}` stands in their place.
    async fn inputs(&self, ctx: &Context<'_>) -> Result<Option<Json>, ApiError> {
        let (inputs, _) = self.texts(ctx).await?;
        payload::value(ctx, &inputs, Part::RunInputs(self.0.id))
            .await
            .map(Some)
    }

    /// The beginning of the inputs, and where to download the whole from.
    async fn inputs_payload(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 4096, desc = "Most bytes of `inline`, 0 to 65,536.")] max_bytes: i32,
    ) -> Result<Option<PayloadView>, ApiError> {
        let (inputs, _) = self.texts(ctx).await?;
        payload::view(ctx, Some(&inputs), Part::RunInputs(self.0.id), max_bytes).await
    }

    /// Outputs; null until the run has succeeded. Above 1 MiB `{"$payload": {sha256, bytes, downloadUrl}}` stands in their place.
    async fn outputs(&self, ctx: &Context<'_>) -> Result<Option<Json>, ApiError> {
        match self.texts(ctx).await? {
            (_, Some(outputs)) => {
                let part = Part::RunOutputs(self.0.id);
                payload::value(ctx, &outputs, part).await.map(Some)
            }
            (_, None) => Ok(None),
        }
    }

    /// The beginning of the outputs, and where to download the whole from; null until the run has succeeded.
    async fn outputs_payload(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 4096, desc = "Most bytes of `inline`, 0 to 65,536.")] max_bytes: i32,
    ) -> Result<Option<PayloadView>, ApiError> {
        let (_, outputs) = self.texts(ctx).await?;
        payload::view(ctx, outputs.as_ref(), Part::RunOutputs(self.0.id), max_bytes).await
    }

    /// The first root cause; null unless the run failed.
    async fn error(&self) -> Option<TaskFailure> {
        self.0.error.clone().map(TaskFailure::from)
    }

    /// Number of tasks per status.
    async fn counts(&self) -> TaskCounts {
        self.0.counts.into()
    }

    /// 0 to 100; higher goes first.
    async fn priority(&self) -> i32 {
        self.0.priority.into()
    }

    /// Tags for filters.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// The key that makes a repeated start answer this run.
    async fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }

    /// When the run was accepted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who started it.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When the first task became ready.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime)
    }

    /// When the run ended.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }

    /// From start to end; null until the run has ended.
    async fn duration(&self) -> Option<Duration> {
        let (started_at, finished_at) = self.0.started_at.zip(self.0.finished_at)?;
        Some(Duration(finished_at.since(started_at)))
    }

    /// The run that this one repeats; null when it was not made by a rerun, or when that run is gone.
    async fn rerun_of(&self, ctx: &Context<'_>) -> Result<Option<Run>, ApiError> {
        match self.0.rerun_of {
            Some(run) => Ok(super::session::load(ctx, run).await?.map(Run)),
            None => Ok(None),
        }
    }

    /// Runs that repeat this one, newest first, 50 at most.
    async fn reruns(&self, ctx: &Context<'_>) -> Result<Vec<Run>, ApiError> {
        super::rerun::reruns_of(ctx, self.0.id).await
    }

    /// When something is due next by itself (retry, timer, timeout), at the earliest: up to a minute before it is; null when
    /// nothing is.
    async fn wake_at(&self) -> Option<DateTime> {
        self.0.wake_at.map(DateTime)
    }

    /// What started it; null when it was a person or a program through the API.
    async fn trigger(&self) -> Option<RunTrigger> {
        self.0.trigger.clone().map(RunTrigger::from)
    }

    /// Place of this snapshot in the run's history, for `runUpdates(after:)`.
    async fn cursor(&self) -> String {
        RunSeq(self.0.last_seq).encode()
    }

    /// The run whose task started this one; null for a run that was started otherwise.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Run>, ApiError> {
        fanout::parent(ctx, &self.0).await
    }

    /// How many runs are above this one; a child run has 1 or more, at most 16.
    async fn depth(&self) -> u32 {
        self.0.depth
    }

    /// Runs that tasks of this one started, oldest first.
    async fn child_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Run>, ApiError> {
        fanout::children(ctx, self.0.id, fanout::Place { size, after }).await
    }

    /// Why it does not run now; empty when an attempt of it runs or it has ended.
    async fn blockers(&self, ctx: &Context<'_>) -> Result<Vec<Blocker>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let found = load(ctx, RunBlockersOf(self.0.id)).await?;
        Ok(found.unwrap_or_default().into_iter().map(Blocker::from).collect())
    }

    /// Where the time of its tasks went so far, added up; null when its history is longer than 50,000 records.
    async fn time_spent(&self, ctx: &Context<'_>) -> Result<Option<TimeSpent>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let Some(times) = load(ctx, TimesOf(self.0.id)).await? else {
            return Ok(None);
        };
        let mut sum = runnel_engine::explain::TimeSpent::default();
        times.values().for_each(|spent| sum.add(spent));
        Ok(Some(sum.into()))
    }

    /// Whether the caller may cancel it now, in one of the modes.
    async fn can_cancel(&self, ctx: &Context<'_>) -> bool {
        let modes = [engine::CancelMode::Graceful, engine::CancelMode::Now];
        may_operate(ctx) && modes.iter().any(|mode| self.standing().cancel(*mode).is_ok())
    }

    /// Whether the caller may pause it now, and that changes something.
    async fn can_pause(&self, ctx: &Context<'_>) -> bool {
        may_operate(ctx) && self.standing().pause().is_ok()
    }

    /// Whether the caller may resume it now, and that changes something.
    async fn can_resume(&self, ctx: &Context<'_>) -> bool {
        may_operate(ctx) && self.standing().resume().is_ok()
    }

    /// Whether the caller may run it again now. With `from: FAILED` there must also be something that did not succeed.
    async fn can_rerun(&self, ctx: &Context<'_>) -> bool {
        may_operate(ctx) && self.standing().rerun().is_ok()
    }

    /// One task by key; an item of a fan-out as `clean[42]`. Null when there is none.
    async fn task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Key of the task.")] key: String,
    ) -> Result<Option<Task>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let task = session
            .orchestrator
            .find_task(session.actor, self.0.id, &key)
            .await;
        let task = task.map_err(|e| ApiError::store(&e))?;
        Ok(task.map(|view| Task {
            view,
            version: Some(self.0.workflow_version_id),
        }))
    }

    /// Where the tasks of its file stand on a screen.
    async fn layout(&self, ctx: &Context<'_>) -> Result<Option<GraphLayout>, ApiError> {
        layout::of_version(ctx, self.0.workflow_version_id).await
    }

    /// The tasks of its file as they are, packed: what a picture of a large run needs beside `layout`.
    async fn task_table(&self, ctx: &Context<'_>) -> Result<TaskTable, ApiError> {
        layout::table(ctx, self.0.id, self.0.workflow_version_id).await
    }

    /// Tasks in index order: those of the file, then the items of fan-outs.
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these tasks.")] filter: Option<TaskFilter>,
    ) -> Result<Connection<Task>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let filter = filter.unwrap_or_default().into_view()?;
        let window = window(size, after.as_deref(), last, before.as_deref())?;
        let version = Some(self.0.workflow_version_id);
        list_tasks(ctx, (self.0.id, version), filter, window).await
    }

    /// History of the run, oldest first, without a gap.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 100, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(
            desc = "Only items after this cursor: of this list, or the `cursor` of an event of this run."
        )]
        after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let after = run_events_after(after.as_deref())?;
        let page = match (last, run_events_after(before.as_deref())?) {
            (None, None) => PageRequest {
                first: first(size)?,
                after,
            },
            _ if after.is_some() => {
                return Err(ApiError::input(
                    "give `first` and `after`, or `last` and `before`",
                ));
            }
            // places have no gap: the part before one is known by its number
            (last, before) => {
                let end = before
                    .unwrap_or(self.0.last_seq + 1)
                    .clamp(1, self.0.last_seq + 1);
                let size = i64::from(first(last.unwrap_or(size))?).min(end - 1);
                PageRequest {
                    first: u32::try_from(size).unwrap_or(1).max(1),
                    after: Some(end - 1 - size),
                }
            }
        };
        let page = session
            .orchestrator
            .run_events(session.actor, self.0.id, page)
            .await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(
            Connection::new(page, |event| RunSeq(event.record.seq).encode(), Event)
                .counted(Some(Count::exactly(self.0.last_seq))),
        )
    }
}

impl Run {
    /// As the engine's refusals want it.
    fn standing(&self) -> engine::RunStanding {
        engine::RunStanding::of_status(self.0.status, self.0.is_paused)
    }
}

/// The arguments of a list of runs.
pub(crate) struct RunList {
    /// Which runs.
    pub(crate) filter: RunFilter,
    /// In which order.
    pub(crate) order: RunOrder,
    /// Which part of them.
    pub(crate) window: Window<(i64, RunId)>,
}

/// One page of runs.
pub(crate) async fn list_runs(ctx: &Context<'_>, list: RunList) -> Result<Connection<Run>, ApiError> {
    let session = open(ctx, Permission::RunsRead)?;
    let RunList {
        filter,
        order,
        window,
    } = list;
    let is_narrow = filter.workflow.is_some();
    if let (Some(predicate), false) = (&filter.predicate, is_narrow) {
        warnings::unindexed(ctx, &predicate.unindexed());
    }
    match order.field {
        RunOrderField::CreatedAt => {}
        RunOrderField::StartedAt => warnings::unindexed(ctx, &["orderBy.STARTED_AT"]),
        RunOrderField::FinishedAt => warnings::unindexed(ctx, &["orderBy.FINISHED_AT"]),
    }
    let orchestrator = session.orchestrator;
    let count = orchestrator.count_runs(session.actor, filter.clone());
    let count = count_if_asked(ctx, count).await?;
    let page = orchestrator
        .list_runs_without_payloads(session.actor, filter, order, window)
        .await;
    let page = page.map_err(|e| ApiError::store(&e))?;
    let place = |run: &RunView| Orchestrator::place_of_run(order, run).encode();
    Ok(Connection::new(page, place, Run).counted(count))
}

/// Why an attempt, a task or a run did not succeed.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct TaskFailure {
    /// The kind.
    category: FailureCategory,
    /// Stable code within the category, as `EXIT_CODE` or `HTTP_503`.
    code: String,
    /// One sentence.
    message: String,
    /// Structured details.
    details: Option<Json>,
    /// Whether another attempt may succeed.
    is_retryable: bool,
    /// Traceback where there is one.
    traceback: Option<String>,
}

impl From<engine::TaskFailure> for TaskFailure {
    fn from(failure: engine::TaskFailure) -> Self {
        Self {
            category: failure.category.into(),
            code: failure.code,
            message: failure.message,
            details: failure.details.map(Json::from_json),
            is_retryable: failure.retryable,
            traceback: failure.traceback,
        }
    }
}

/// Number of tasks per status; items of fan-outs and handlers included.
#[derive(Debug, Clone, Copy, SimpleObject)]
pub(crate) struct TaskCounts {
    /// All tasks.
    total: u32,
    /// Wait for upstreams.
    blocked: u32,
    /// Eligible.
    ready: u32,
    /// On the way to a worker.
    queued: u32,
    /// Run.
    running: u32,
    /// Wait for a time, an event or a person.
    waiting: u32,
    /// Wait for their next attempt.
    retry_wait: u32,
    /// Ended well.
    succeeded: u32,
    /// Failed.
    failed: u32,
    /// Ended by a timeout.
    timed_out: u32,
    /// Cancelled.
    cancelled: u32,
    /// Will not run.
    skipped: u32,
    /// Took an earlier result.
    cached: u32,
}

impl From<engine::Counts> for TaskCounts {
    fn from(counts: engine::Counts) -> Self {
        let engine::Counts {
            blocked,
            ready,
            queued,
            running,
            waiting,
            retry_wait,
            succeeded,
            failed,
            timed_out,
            cancelled,
            skipped,
            cached,
        } = counts;
        let live = blocked + ready + queued + running + waiting + retry_wait;
        let total = live + succeeded + failed + timed_out + cancelled + skipped + cached;
        Self {
            total,
            blocked,
            ready,
            queued,
            running,
            waiting,
            retry_wait,
            succeeded,
            failed,
            timed_out,
            cancelled,
            skipped,
            cached,
        }
    }
}
