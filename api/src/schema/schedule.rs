//! Schedules, backfills and what became of their moments.

mod outcome;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use runnel_engine::schedule as engine;
use runnel_runtime::schedule::{
    BackfillStatus as RuntimeBackfillStatus, BackfillView, Origin as RuntimeOrigin, ScheduleError,
    ScheduleView,
};
use serde_json::Value;
use uuid::Uuid;

use super::connection::Connection;
use super::cursor::first;
use super::id;
use super::scalars::{DateTime, Duration, Json};
use super::session::{ScheduleAt, load, load_referred, open};
use super::workflow::Workflow;
use crate::auth::Permission;
use crate::error::ApiError;

pub(crate) use outcome::{RunTrigger, TriggerKind, TriggerOutcome, TriggerOutcomeStatus, list_outcomes};

/// What happens to a time of a schedule while a run of it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "engine::Overlap")]
pub(crate) enum OverlapPolicy {
    /// It is skipped.
    Skip,
    /// It waits for the end of the run, if no other waits already.
    BufferOne,
    /// It waits for its turn; 100 at most wait.
    BufferAll,
    /// The run is cancelled; the newest time starts when it has ended.
    CancelOther,
    /// It starts beside the run.
    Allow,
}

/// What happens to times of a schedule that nobody looked at in time, as while the server was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "engine::CatchUp")]
pub(crate) enum CatchUpPolicy {
    /// They are skipped.
    None,
    /// The newest one within the window starts.
    Latest,
    /// Those within the window start, oldest first, up to the limit.
    All,
}

/// Who made a schedule or a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "RuntimeOrigin")]
pub(crate) enum TriggerOrigin {
    /// Somebody through the API.
    Api,
    /// The `triggers` of a workflow file.
    File,
    /// A start with a delay.
    Start,
}

/// What daylight saving does to a time of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "engine::DstMark")]
pub(crate) enum DstMark {
    /// Clocks went forward since the time before.
    AfterForward,
    /// Clocks went back since the time before.
    AfterBack,
    /// The wall-clock time does not exist that day; this is the first moment after the gap.
    Gap,
    /// The wall-clock time exists twice that day; this is the first.
    Overlap,
}

/// State of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "RuntimeBackfillStatus")]
pub(crate) enum BackfillStatus {
    /// Goes on.
    Running,
    /// Every time was begun and every run has ended.
    Done,
    /// An operator ended it.
    Cancelled,
}

/// One time of a schedule to come.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct NextRun {
    /// The moment.
    at: DateTime,
    /// The wall clock of the schedule's zone with its offset, RFC 3339.
    local: String,
    /// What daylight saving does to it; null for most.
    dst: Option<DstMark>,
}

impl From<engine::Preview> for NextRun {
    fn from(preview: engine::Preview) -> Self {
        Self {
            at: DateTime(preview.at),
            local: preview.local,
            dst: preview.mark.map(Into::into),
        }
    }
}

/// Moments at which a workflow is started.
#[derive(Debug, Clone)]
pub(crate) struct Schedule(pub(crate) ScheduleView);

/// Moments at which a workflow is started.
#[Object]
impl Schedule {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::schedule(self.0.id)
    }

    /// Key, unique in the namespace; that of a schedule in a workflow file is `<workflow>/<name>`.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// The workflow that is started.
    async fn workflow(&self, ctx: &Context<'_>) -> Result<Workflow, ApiError> {
        load_referred(ctx, self.0.workflow_id).await.map(Workflow)
    }

    /// Number of the version that is started; the newest when null.
    async fn version(&self) -> Option<i32> {
        self.0.version
    }

    /// Who made it.
    async fn origin(&self) -> TriggerOrigin {
        self.0.origin.into()
    }

    /// Its cron pattern; null for an interval and a single time.
    async fn cron(&self) -> Option<&str> {
        match &self.0.spec.when {
            engine::When::Cron { expression, .. } => Some(expression),
            engine::When::Every { .. } | engine::When::At { .. } => None,
        }
    }

    /// IANA zone of the cron pattern.
    async fn timezone(&self) -> Option<&str> {
        match &self.0.spec.when {
            engine::When::Cron { timezone, .. } => Some(timezone),
            engine::When::Every { .. } | engine::When::At { .. } => None,
        }
    }

    /// Its interval; null for a cron pattern and a single time.
    async fn every(&self) -> Option<Duration> {
        match &self.0.spec.when {
            engine::When::Every { every_ms, .. } => Some(millis(*every_ms)),
            engine::When::Cron { .. } | engine::When::At { .. } => None,
        }
    }

    /// A time that the interval is counted from.
    async fn anchor_at(&self) -> Option<DateTime> {
        match &self.0.spec.when {
            engine::When::Every { anchor, .. } => Some(DateTime(*anchor)),
            engine::When::Cron { .. } | engine::When::At { .. } => None,
        }
    }

    /// Its single time.
    async fn at(&self) -> Option<DateTime> {
        match &self.0.spec.when {
            engine::When::At { at } => Some(DateTime(*at)),
            engine::When::Cron { .. } | engine::When::Every { .. } => None,
        }
    }

    /// What it says, in English.
    async fn description(&self) -> String {
        engine::Calendar::new(&self.0.spec).map_or_else(|problem| problem, |calendar| calendar.describe())
    }

    /// No time before this.
    async fn start_at(&self) -> Option<DateTime> {
        self.0.spec.start_at.map(DateTime)
    }

    /// No time at or after this.
    async fn end_at(&self) -> Option<DateTime> {
        self.0.spec.end_at.map(DateTime)
    }

    /// Starts are spread over so long after each time.
    async fn jitter(&self) -> Duration {
        millis(self.0.spec.jitter_ms)
    }

    /// What happens to a time while a run goes on.
    async fn overlap(&self) -> OverlapPolicy {
        self.0.policy.overlap.into()
    }

    /// What happens to times that were missed.
    async fn catch_up(&self) -> CatchUpPolicy {
        self.0.policy.catch_up.into()
    }

    /// How far back the catch-up looks.
    async fn catch_up_window(&self) -> Duration {
        millis(self.0.policy.window_ms)
    }

    /// Most missed times that are made up for.
    async fn catch_up_limit(&self) -> u32 {
        self.0.policy.limit
    }

    /// Runs in a row that may fail before it is paused; null: never.
    async fn pause_after_failures(&self) -> Option<u32> {
        self.0.policy.pause_after
    }

    /// Templates of the inputs.
    async fn inputs(&self) -> Json {
        Json::from_json(Value::Object(self.0.inputs.clone()))
    }

    /// Priority of its runs; the workflow's when null.
    async fn priority(&self) -> Option<i32> {
        self.0.priority.map(i32::from)
    }

    /// Tags of its runs besides the workflow's.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// Whether the workflow file turns it on; true where no file has it.
    async fn is_enabled(&self) -> bool {
        self.0.is_enabled
    }

    /// Whether an operator, or a row of failures, paused it.
    async fn is_paused(&self) -> bool {
        self.0.is_paused
    }

    /// Why it is paused.
    async fn pause_reason(&self) -> Option<&str> {
        self.0.pause_reason.as_deref()
    }

    /// Who paused it.
    async fn paused_by(&self) -> Option<&str> {
        self.0.paused_by.as_deref()
    }

    /// Runs in a row that did not succeed.
    async fn failures_in_row(&self) -> u32 {
        self.0.failures
    }

    /// Times that wait for a run to end, oldest first.
    async fn buffered_at(&self) -> Vec<DateTime> {
        self.0.buffered.iter().copied().map(DateTime).collect()
    }

    /// The next time; null when it is paused or has ended.
    async fn next_run_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime>, ApiError> {
        if !self.0.is_active() {
            return Ok(None);
        }
        let next = self.preview(ctx, 1)?;
        Ok(next.into_iter().next().map(|next| next.at))
    }

    /// The next times, whether or not it is paused, with what daylight saving does to them.
    async fn next_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 20, desc = "Most items, 1 to 200.", name = "first")] size: i32,
    ) -> Result<Vec<NextRun>, ApiError> {
        self.preview(ctx, first(size)? as usize)
    }

    /// What became of its times and of its backfills, newest first.
    async fn outcomes(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only these statuses.")] status: Option<Vec<TriggerOutcomeStatus>>,
    ) -> Result<Connection<TriggerOutcome>, ApiError> {
        list_outcomes(ctx, Some(self.0.id), status, size, after.as_deref()).await
    }

    /// Its newest backfills.
    async fn backfills(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 10, desc = "Most items, 1 to 200.", name = "first")] size: i32,
    ) -> Result<Vec<Backfill>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let found = session
            .orchestrator
            .list_backfills(session.actor, self.0.id, first(size)?)
            .await;
        Ok(found
            .map_err(|e| ApiError::store(&e))?
            .into_iter()
            .map(Backfill::from)
            .collect())
    }

    /// Raised by each change, for `expectedRevision`.
    async fn revision(&self) -> i64 {
        self.0.revision
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who made it.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was changed last.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

impl Schedule {
    fn preview(&self, ctx: &Context<'_>, count: usize) -> Result<Vec<NextRun>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let next = session.orchestrator.next_runs(&self.0, count);
        let next = next.map_err(|error| match error {
            ScheduleError::Store(error) => ApiError::store(&error),
            _ => ApiError::internal("a stored schedule has no times"),
        })?;
        Ok(next.into_iter().map(NextRun::from).collect())
    }
}

fn millis(millis: u64) -> Duration {
    Duration(std::time::Duration::from_millis(millis))
}

/// A range of the past that is made up for.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Backfill {
    /// Opaque id.
    pub(crate) id: ID,
    /// Begin of the range.
    from_at: DateTime,
    /// End of the range; not part of it.
    until_at: DateTime,
    /// Most runs at once.
    max_parallel: u32,
    /// Times in the range.
    total: u32,
    /// Those begun so far.
    begun: u32,
    /// State.
    status: BackfillStatus,
    /// When it was asked for.
    created_at: DateTime,
    /// Who asked for it.
    created_by: String,
    /// When it ended.
    finished_at: Option<DateTime>,
}

impl From<BackfillView> for Backfill {
    fn from(view: BackfillView) -> Self {
        Self {
            id: id::backfill(view.id),
            from_at: DateTime(view.from),
            until_at: DateTime(view.until),
            max_parallel: view.max_parallel,
            total: view.total,
            begun: view.begun,
            status: view.status.into(),
            created_at: DateTime(view.created_at),
            created_by: view.created_by,
            finished_at: view.finished_at.map(DateTime),
        }
    }
}

/// A schedule by its id, for who has one.
pub(crate) async fn find_schedule(ctx: &Context<'_>, id: Uuid) -> Result<Option<Schedule>, ApiError> {
    open(ctx, Permission::RunsRead)?;
    Ok(load(ctx, ScheduleAt(id)).await?.map(Schedule))
}
