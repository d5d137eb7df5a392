//! What a resolver works with: the orchestrator, and a caller whose permission has been checked.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use runnel_engine::{RunId, WorkflowId, WorkflowVersionId};
use runnel_runtime::view::{RunView, VersionView, WorkflowView};
use runnel_runtime::{Actor, Orchestrator};

use crate::auth::{Permission, Viewer};
use crate::error::{ApiError, Code};

/// A permitted caller at work.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    /// Where everything is.
    pub(crate) orchestrator: &'a Orchestrator,
    /// Who acts.
    pub(crate) actor: &'a Actor,
}

/// Opens a session, or refuses. Every root resolver begins with this; a test walks the schema to prove it.
pub(crate) fn open<'a>(ctx: &'a Context<'_>, permission: Permission) -> Result<Session<'a>, ApiError> {
    let actor = viewer(ctx)?.require(permission)?;
    let orchestrator = ctx
        .data_opt::<Orchestrator>()
        .ok_or_else(|| ApiError::internal("the schema has no orchestrator"))?;
    Ok(Session { orchestrator, actor })
}

/// The caller.
pub(crate) fn viewer<'a>(ctx: &'a Context<'_>) -> Result<&'a Viewer, ApiError> {
    ctx.data_opt::<Viewer>()
        .ok_or_else(|| ApiError::new(Code::Unauthenticated, "a bearer token is needed"))
}

/// Batches the reads of one request, so that a page of runs asks once for its workflows.
pub(crate) struct ReadLoader {
    orchestrator: Orchestrator,
    actor: Actor,
}

impl ReadLoader {
    /// A loader of one request: nothing is shared between callers.
    pub(crate) fn of_request(orchestrator: Orchestrator, actor: Actor) -> DataLoader<Self> {
        DataLoader::new(Self { orchestrator, actor }, tokio::spawn)
    }
}

impl Loader<WorkflowId> for ReadLoader {
    type Value = WorkflowView;
    type Error = Arc<ApiError>;

    async fn load(&self, ids: &[WorkflowId]) -> Result<HashMap<WorkflowId, WorkflowView>, Arc<ApiError>> {
        self.orchestrator
            .workflows_by_id(&self.actor, ids)
            .await
            .map_err(|e| Arc::new(ApiError::store(&e)))
    }
}

impl Loader<WorkflowVersionId> for ReadLoader {
    type Value = VersionView;
    type Error = Arc<ApiError>;

    async fn load(
        &self,
        ids: &[WorkflowVersionId],
    ) -> Result<HashMap<WorkflowVersionId, VersionView>, Arc<ApiError>> {
        self.orchestrator
            .versions_by_id(&self.actor, ids)
            .await
            .map_err(|e| Arc::new(ApiError::store(&e)))
    }
}

impl Loader<RunId> for ReadLoader {
    type Value = RunView;
    type Error = Arc<ApiError>;

    async fn load(&self, ids: &[RunId]) -> Result<HashMap<RunId, RunView>, Arc<ApiError>> {
        self.orchestrator
            .runs_by_id(&self.actor, ids)
            .await
            .map_err(|e| Arc::new(ApiError::store(&e)))
    }
}

/// Loads one node through the request's loader.
pub(crate) async fn load<K>(
    ctx: &Context<'_>,
    key: K,
) -> Result<Option<<ReadLoader as Loader<K>>::Value>, ApiError>
where
    K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
    ReadLoader: Loader<K, Error = Arc<ApiError>>,
{
    let loader = ctx
        .data_opt::<DataLoader<ReadLoader>>()
        .ok_or_else(|| ApiError::internal("the request has no loader"))?;
    loader.load_one(key).await.map_err(|e| ApiError::clone(&e))
}

/// As [`load`], for what a row refers to and must be there.
pub(crate) async fn load_referred<K>(
    ctx: &Context<'_>,
    key: K,
) -> Result<<ReadLoader as Loader<K>>::Value, ApiError>
where
    K: Send + Sync + std::hash::Hash + Eq + Clone + 'static,
    ReadLoader: Loader<K, Error = Arc<ApiError>>,
{
    load(ctx, key)
        .await?
        .ok_or_else(|| ApiError::internal("a row refers to one that is not there"))
}
