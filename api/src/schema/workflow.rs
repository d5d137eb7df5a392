//! Workflows and their versions.

use async_graphql::{Context, ID, Object};
use runnel_runtime::view::{
    PageRequest, RunFilter as RunViewFilter, RunOrder as RunViewOrder, VersionView, WorkflowView,
};

use super::connection::Connection;
use super::cursor::{Cursor, VersionNumber, first};
use super::enums::Dialect;
use super::filters::{RunFilter, RunOrder};
use super::id;
use super::run::{Run, list_runs};
use super::scalars::DateTime;
use super::session::{load_referred, open};
use crate::auth::Permission;
use crate::error::ApiError;

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
        let session = open(ctx, Permission::WorkflowsRead)?;
        let number = number.unwrap_or(self.0.latest_version);
        // newest first: the page after the next number begins with the one asked for
        let page = PageRequest {
            first: 1,
            after: Some(number.saturating_add(1)),
        };
        let versions = session
            .orchestrator
            .list_versions(session.actor, self.0.id, page)
            .await;
        let versions = versions.map_err(|e| ApiError::store(&e))?;
        Ok(versions
            .items
            .into_iter()
            .find(|v| v.number == number)
            .map(WorkflowVersion))
    }

    /// Versions, newest first.
    async fn versions(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Result<Connection<WorkflowVersion>, ApiError> {
        let session = open(ctx, Permission::WorkflowsRead)?;
        let after = VersionNumber::after(after.as_deref())?.map(|v| v.0);
        let page = PageRequest {
            first: first(size)?,
            after,
        };
        let page = session
            .orchestrator
            .list_versions(session.actor, self.0.id, page)
            .await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(
            page,
            |v| VersionNumber(v.number).encode(),
            WorkflowVersion,
        ))
    }

    /// Runs of all versions.
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only these runs; `workflow` is ignored here.")] filter: Option<RunFilter>,
        #[graphql(desc = "Newest first when null.")] order_by: Option<RunOrder>,
    ) -> Result<Connection<Run>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let filter = filter.unwrap_or_default().into_view()?;
        let filter = RunViewFilter {
            workflow_key: Some(self.0.key.clone()),
            ..filter
        };
        let order = order_by.map_or_else(RunViewOrder::default, RunOrder::into_view);
        list_runs(session, filter, order, size, after.as_deref()).await
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
