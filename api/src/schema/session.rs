//! What a resolver works with: the orchestrator, and a caller whose permission has been checked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use runnel_engine::explain::{Blocker, TimeSpent};
use runnel_engine::run::{Counts, TaskStanding};
use runnel_engine::{RunId, TaskIx, WorkflowId, WorkflowVersionId};
use runnel_runtime::bulk::BulkView;
use runnel_runtime::query::attempts::AttemptView;
use runnel_runtime::schedule::ScheduleView;
use runnel_runtime::trigger::TriggerView;
use runnel_runtime::view::{RunView, TaskPayloads, TaskView, VersionView, WorkflowView};
use runnel_runtime::{Actor, Orchestrator};
use uuid::Uuid;

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
    pub(crate) fn of_request(orchestrator: Orchestrator, actor: Actor, delay: Duration) -> DataLoader<Self> {
        DataLoader::new(Self { orchestrator, actor }, tokio::spawn).delay(delay)
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

/// A schedule, for the loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ScheduleAt(pub(crate) Uuid);

impl Loader<ScheduleAt> for ReadLoader {
    type Value = ScheduleView;
    type Error = Arc<ApiError>;

    async fn load(&self, ids: &[ScheduleAt]) -> Result<HashMap<ScheduleAt, ScheduleView>, Arc<ApiError>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let found = self.orchestrator.schedules_by_id(&self.actor, &ids).await;
        let found = found.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(found
            .into_iter()
            .map(|(id, view)| (ScheduleAt(id), view))
            .collect())
    }
}

/// A trigger, for the loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TriggerAt(pub(crate) Uuid);

impl Loader<TriggerAt> for ReadLoader {
    type Value = TriggerView;
    type Error = Arc<ApiError>;

    async fn load(&self, ids: &[TriggerAt]) -> Result<HashMap<TriggerAt, TriggerView>, Arc<ApiError>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let found = self.orchestrator.triggers_by_id(&self.actor, &ids).await;
        let found = found.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(found
            .into_iter()
            .map(|(id, view)| (TriggerAt(id), view))
            .collect())
    }
}

impl Loader<RunId> for ReadLoader {
    type Value = RunView;
    type Error = Arc<ApiError>;

    async fn load(&self, ids: &[RunId]) -> Result<HashMap<RunId, RunView>, Arc<ApiError>> {
        self.orchestrator
            .runs_by_id_without_payloads(&self.actor, ids)
            .await
            .map_err(|e| Arc::new(ApiError::store(&e)))
    }
}

/// Inputs and outputs of a run, which lists leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RunPayloads(pub(crate) RunId);

impl Loader<RunPayloads> for ReadLoader {
    type Value = RunView;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[RunPayloads]) -> Result<HashMap<RunPayloads, RunView>, Arc<ApiError>> {
        let ids: Vec<RunId> = keys.iter().map(|key| key.0).collect();
        let runs = self.orchestrator.runs_by_id(&self.actor, &ids).await;
        let runs = runs.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(runs.into_iter().map(|(id, run)| (RunPayloads(id), run)).collect())
    }
}

/// A task by its run and index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TaskAt(pub(crate) RunId, pub(crate) TaskIx);

impl Loader<TaskAt> for ReadLoader {
    type Value = TaskView;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[TaskAt]) -> Result<HashMap<TaskAt, TaskView>, Arc<ApiError>> {
        let refs: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let tasks = self.orchestrator.tasks_by_ref(&self.actor, &refs).await;
        let tasks = tasks.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(tasks
            .into_iter()
            .map(|((run, ix), task)| (TaskAt(run, ix), task))
            .collect())
    }
}

/// Input and output of a task, which lists leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PayloadsAt(pub(crate) RunId, pub(crate) TaskIx);

impl Loader<PayloadsAt> for ReadLoader {
    type Value = TaskPayloads;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[PayloadsAt]) -> Result<HashMap<PayloadsAt, TaskPayloads>, Arc<ApiError>> {
        let refs: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let payloads = self.orchestrator.payloads_by_ref(&self.actor, &refs).await;
        let payloads = payloads.map_err(|e| Arc::new(ApiError::store(&e)))?;
        let entries = payloads.into_iter();
        Ok(entries
            .map(|((run, ix), payloads)| (PayloadsAt(run, ix), payloads))
            .collect())
    }
}

/// The attempts of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttemptsAt(pub(crate) RunId, pub(crate) TaskIx);

impl Loader<AttemptsAt> for ReadLoader {
    type Value = Vec<AttemptView>;
    type Error = Arc<ApiError>;

    async fn load(
        &self,
        keys: &[AttemptsAt],
    ) -> Result<HashMap<AttemptsAt, Vec<AttemptView>>, Arc<ApiError>> {
        let refs: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let attempts = self.orchestrator.attempts_by_ref(&self.actor, &refs).await;
        let attempts = attempts.map_err(|e| Arc::new(ApiError::store(&e)))?;
        let entries = attempts.into_iter();
        Ok(entries
            .map(|((run, ix), attempts)| (AttemptsAt(run, ix), attempts))
            .collect())
    }
}

/// What a task allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StandingAt(pub(crate) RunId, pub(crate) TaskIx);

impl Loader<StandingAt> for ReadLoader {
    type Value = TaskStanding;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[StandingAt]) -> Result<HashMap<StandingAt, TaskStanding>, Arc<ApiError>> {
        let refs: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let standings = self.orchestrator.task_standings(&self.actor, &refs).await;
        let standings = standings.map_err(|e| Arc::new(ApiError::store(&e)))?;
        let entries = standings.into_iter();
        Ok(entries
            .map(|((run, ix), standing)| (StandingAt(run, ix), standing))
            .collect())
    }
}

/// The child run of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ChildOf(pub(crate) RunId, pub(crate) TaskIx, pub(crate) u32);

impl Loader<ChildOf> for ReadLoader {
    type Value = RunView;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[ChildOf]) -> Result<HashMap<ChildOf, RunView>, Arc<ApiError>> {
        let attempts: Vec<_> = keys.iter().map(|key| (key.0, key.1, key.2)).collect();
        let children = self.orchestrator.children_of(&self.actor, &attempts).await;
        let children = children.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(children
            .into_iter()
            .map(|((run, ix, attempt), child)| (ChildOf(run, ix, attempt), child))
            .collect())
    }
}

/// Whether the caller may operate on runs at all.
pub(crate) fn may_operate(ctx: &Context<'_>) -> bool {
    viewer(ctx).is_ok_and(|viewer| viewer.require(Permission::RunsOperate).is_ok())
}

/// The items of a fan-out, by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ItemsOf(pub(crate) RunId, pub(crate) TaskIx);

impl Loader<ItemsOf> for ReadLoader {
    type Value = Counts;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[ItemsOf]) -> Result<HashMap<ItemsOf, Counts>, Arc<ApiError>> {
        let tasks: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let counts = self.orchestrator.item_counts(&self.actor, &tasks).await;
        let counts = counts.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(counts
            .into_iter()
            .map(|((run, ix), counts)| (ItemsOf(run, ix), counts))
            .collect())
    }
}

/// A version by its workflow and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct VersionAt(pub(crate) WorkflowId, pub(crate) i32);

impl Loader<VersionAt> for ReadLoader {
    type Value = VersionView;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[VersionAt]) -> Result<HashMap<VersionAt, VersionView>, Arc<ApiError>> {
        let numbers: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let versions = self.orchestrator.versions_by_number(&self.actor, &numbers).await;
        let versions = versions.map_err(|e| Arc::new(ApiError::store(&e)))?;
        let entries = versions.into_iter();
        Ok(entries
            .map(|((workflow, number), version)| (VersionAt(workflow, number), version))
            .collect())
    }
}

/// An operation on many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BulkAt(pub(crate) Uuid);

impl Loader<BulkAt> for ReadLoader {
    type Value = BulkView;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[BulkAt]) -> Result<HashMap<BulkAt, BulkView>, Arc<ApiError>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let found = self.orchestrator.bulk_by_id(&self.actor, &ids).await;
        let found = found.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(found.into_iter().map(|(id, view)| (BulkAt(id), view)).collect())
    }
}

/// The newest runs of a workflow, this many at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RecentRuns(pub(crate) WorkflowId, pub(crate) u32);

impl Loader<RecentRuns> for ReadLoader {
    type Value = Vec<RunView>;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[RecentRuns]) -> Result<HashMap<RecentRuns, Vec<RunView>>, Arc<ApiError>> {
        // a document may ask for different numbers under different names: the largest holds the others
        let most = keys.iter().map(|key| key.1).max().unwrap_or(1);
        let mut workflows: Vec<WorkflowId> = keys.iter().map(|key| key.0).collect();
        workflows.sort_unstable();
        workflows.dedup();
        let runs = self.orchestrator.recent_runs(&self.actor, &workflows, most).await;
        let runs = runs.map_err(|e| Arc::new(ApiError::store(&e)))?;
        let newest = |key: &RecentRuns| {
            let of = runs.get(&key.0).map(Vec::as_slice).unwrap_or_default();
            of.iter().take(key.1 as usize).cloned().collect()
        };
        Ok(keys.iter().map(|key| (*key, newest(key))).collect())
    }
}

/// Names the reasons why a task does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlockersOf(pub(crate) RunId, pub(crate) TaskIx);

impl Loader<BlockersOf> for ReadLoader {
    type Value = Vec<Blocker>;
    type Error = Arc<ApiError>;

    async fn load(&self, keys: &[BlockersOf]) -> Result<HashMap<BlockersOf, Vec<Blocker>>, Arc<ApiError>> {
        let tasks: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let found = self.orchestrator.task_blockers(&self.actor, &tasks).await;
        let found = found.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(found
            .into_iter()
            .map(|((run, ix), blockers)| (BlockersOf(run, ix), blockers))
            .collect())
    }
}

/// Names the reasons why a run does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RunBlockersOf(pub(crate) RunId);

impl Loader<RunBlockersOf> for ReadLoader {
    type Value = Vec<Blocker>;
    type Error = Arc<ApiError>;

    async fn load(
        &self,
        keys: &[RunBlockersOf],
    ) -> Result<HashMap<RunBlockersOf, Vec<Blocker>>, Arc<ApiError>> {
        let runs: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = self.orchestrator.run_blockers(&self.actor, &runs).await;
        let found = found.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(found
            .into_iter()
            .map(|(run, blockers)| (RunBlockersOf(run), blockers))
            .collect())
    }
}

/// Names where the time of the tasks of a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TimesOf(pub(crate) RunId);

impl Loader<TimesOf> for ReadLoader {
    type Value = Arc<BTreeMap<TaskIx, TimeSpent>>;
    type Error = Arc<ApiError>;

    async fn load(
        &self,
        keys: &[TimesOf],
    ) -> Result<HashMap<TimesOf, Arc<BTreeMap<TaskIx, TimeSpent>>>, Arc<ApiError>> {
        let runs: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = self.orchestrator.time_spent(&self.actor, &runs).await;
        let found = found.map_err(|e| Arc::new(ApiError::store(&e)))?;
        Ok(found
            .into_iter()
            .map(|(run, times)| (TimesOf(run), Arc::new(times)))
            .collect())
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
