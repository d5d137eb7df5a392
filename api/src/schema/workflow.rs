//! Workflows and their versions.

use async_graphql::{Context, ID, Object};
use runnel_runtime::view::{RunFilter as RunViewFilter, RunOrder as RunViewOrder, VersionView, WorkflowView};

use super::connection::Connection;
use super::cursor::{Cursor, VersionNumber};
use super::enums::Dialect;
use super::filters::{RunFilter, RunOrder, run_filter};
use super::id;
use super::layout::{self, GraphLayout};
use super::paging::{Count, window};
use super::query_schedule::{ByKey, list_schedules, list_triggers};
use super::run::{Run, RunList, list_runs};
use super::scalars::{DateTime, Json};
use super::schedule::Schedule;
use super::session::{RecentRuns, VersionAt, load, load_referred, open};
use super::trigger::Trigger;
use crate::auth::Permission;
use crate::error::ApiError;

/// Most of the newest runs of each workflow.
const RECENT_MAX: u32 = 20;

/// A workflow: the sequence of its versions under one key.
#[derive(Debug, Clone)]
pub(crate) struct Workflow(pub(crate) WorkflowView);

/// A workflow: the sequence of its versions under one key.
#[Object]
impl Workflow {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::workflow(self.0.id)
    }

    /// The `id` of the workflow file.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// Display name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Number of the newest version.
    async fn latest_version(&self) -> i32 {
        self.0.latest_version
    }

    /// When the first version was published.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the newest version was published.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }

    /// One version; null when there is none with this number.
    async fn version(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Number of the version; the newest when null.")] number: Option<i32>,
    ) -> Result<Option<WorkflowVersion>, ApiError> {
        open(ctx, Permission::WorkflowsRead)?;
        let number = number.unwrap_or(self.0.latest_version);
        Ok(load(ctx, VersionAt(self.0.id, number))
            .await?
            .map(WorkflowVersion))
    }

    /// Versions, newest first.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
    ) -> Result<Connection<WorkflowVersion>, ApiError> {
        let session = open(ctx, Permission::WorkflowsRead)?;
        let window = window(size, after.as_deref(), last, before.as_deref())?;
        let window = window.map(|number: VersionNumber| number.0);
        let page = session
            .orchestrator
            .list_versions(session.actor, self.0.id, window)
            .await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(
            Connection::new(page, |v| VersionNumber(v.number).encode(), WorkflowVersion)
                // numbers have no gap
                .counted(Some(Count::exactly(i64::from(self.0.latest_version)))),
        )
    }

    /// Runs of all versions.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a list")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these runs.")] filter: Option<RunFilter>,
        #[graphql(
            desc = "Only runs for which this holds: a small part of CEL, see the page of FILTER_INVALID."
        )]
        query: Option<String>,
        #[graphql(desc = "Newest first when null.")] order_by: Option<RunOrder>,
    ) -> Result<Connection<Run>, ApiError> {
        let filter = RunViewFilter {
            workflow: Some(self.0.id),
            ..run_filter(filter, query.as_deref())?
        };
        let list = RunList {
            filter,
            order: order_by.map_or_else(RunViewOrder::default, RunOrder::into_view),
            window: window(size, after.as_deref(), last, before.as_deref())?,
        };
        list_runs(ctx, list).await
    }

    /// Its schedules, by key.
    async fn schedules(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Schedule>, ApiError> {
        list_schedules(ctx, Some(&self.0.key), ByKey { size, after }).await
    }

    /// What starts it by event and webhook, by key.
    async fn triggers(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Trigger>, ApiError> {
        list_triggers(ctx, Some(&self.0.key), ByKey { size, after }).await
    }

    /// Its newest runs, newest first; for lists of workflows, where all of them are read at once.
    async fn recent_runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 5, desc = "Most items, 1 to 20.", name = "first")] size: i32,
    ) -> Result<Vec<Run>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        let size = u32::try_from(size)
            .ok()
            .filter(|size| (1..=RECENT_MAX).contains(size))
            .ok_or_else(|| ApiError::input(format!("`first` must be from 1 to {RECENT_MAX} here")))?;
        let runs = load(ctx, RecentRuns(self.0.id, size)).await?;
        Ok(runs.unwrap_or_default().into_iter().map(Run).collect())
    }
}

/// One immutable version of a workflow.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowVersion(pub(crate) VersionView);

/// One immutable version of a workflow.
#[Object]
impl WorkflowVersion {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::version(self.0.id)
    }

    /// The workflow.
    async fn workflow(&self, ctx: &Context<'_>) -> Result<Workflow, ApiError> {
        load_referred(ctx, self.0.workflow_id).await.map(Workflow)
    }

    /// Number of the version within its workflow, from 1.
    async fn number(&self) -> i32 {
        self.0.number
    }

    /// Hash of the content: equal content has equal hashes.
    async fn hash(&self) -> &str {
        &self.0.hash
    }

    /// The file in v1 form, as stored.
    async fn source(&self) -> &str {
        &self.0.source
    }

    /// The form the file was published in.
    async fn dialect(&self) -> Dialect {
        self.0.dialect.into()
    }

    /// Where its tasks stand on a screen.
    async fn layout(&self, ctx: &Context<'_>) -> Result<Option<GraphLayout>, ApiError> {
        layout::of_version(ctx, self.0.id).await
    }

    /// The inputs that the file declares: names and their JSON Schemas, as a form shows them.
    async fn inputs(&self, ctx: &Context<'_>) -> Result<Json, ApiError> {
        let session = open(ctx, Permission::WorkflowsRead)?;
        let plan = session.orchestrator.find_plan(session.actor, self.0.id).await;
        let plan = plan.map_err(|e| ApiError::store(&e))?;
        let inputs = plan.map(|plan| plan.workflow().inputs.clone());
        Ok(Json::from_json(inputs.unwrap_or_default().into()))
    }

    /// Number of tasks in the file.
    async fn task_count(&self) -> i32 {
        self.0.task_count
    }

    /// When it was published.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who published it.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }
}
