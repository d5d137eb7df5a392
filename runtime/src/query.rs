//! Reads. Every one takes the actor and answers only what is in its namespace; not found is `None`.

use std::collections::HashMap;

use runnel_engine::{RunId, TaskIx, WorkflowId, WorkflowVersionId};

use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::view::{
    EventFilter, EventView, FeedCursor, LogView, Page, PageRequest, RunFilter, RunOrder, RunView, TaskFilter,
    TaskView, VersionView, WorkerView, WorkflowView,
};

#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "named after what they answer; they fail when the store does"
)]
impl Orchestrator {
    pub async fn find_workflow(&self, actor: &Actor, key: &str) -> Result<Option<WorkflowView>, StoreError> {
        let _ = (actor, key);
        unimplemented!()
    }

    pub async fn workflows_by_id(
        &self,
        actor: &Actor,
        ids: &[WorkflowId],
    ) -> Result<HashMap<WorkflowId, WorkflowView>, StoreError> {
        let _ = (actor, ids);
        unimplemented!()
    }

    pub async fn versions_by_id(
        &self,
        actor: &Actor,
        ids: &[WorkflowVersionId],
    ) -> Result<HashMap<WorkflowVersionId, VersionView>, StoreError> {
        let _ = (actor, ids);
        unimplemented!()
    }

    /// Sorted by key.
    pub async fn list_workflows(
        &self,
        actor: &Actor,
        key_prefix: Option<&str>,
        page: PageRequest<String>,
    ) -> Result<Page<WorkflowView>, StoreError> {
        let _ = (actor, key_prefix, page);
        unimplemented!()
    }

    /// Newest first; the cursor is the version number.
    pub async fn list_versions(
        &self,
        actor: &Actor,
        workflow: WorkflowId,
        page: PageRequest<i32>,
    ) -> Result<Page<VersionView>, StoreError> {
        let _ = (actor, workflow, page);
        unimplemented!()
    }

    pub async fn find_run(&self, actor: &Actor, id: RunId) -> Result<Option<RunView>, StoreError> {
        Ok(self.runs_by_id(actor, &[id]).await?.remove(&id))
    }

    pub async fn runs_by_id(
        &self,
        actor: &Actor,
        ids: &[RunId],
    ) -> Result<HashMap<RunId, RunView>, StoreError> {
        let _ = (actor, ids);
        unimplemented!()
    }

    /// Keyset over (created_at, id).
    pub async fn list_runs(
        &self,
        actor: &Actor,
        filter: RunFilter,
        order: RunOrder,
        page: PageRequest<(i64, RunId)>,
    ) -> Result<Page<RunView>, StoreError> {
        let _ = (actor, filter, order, page);
        unimplemented!()
    }

    pub async fn find_task(
        &self,
        actor: &Actor,
        run: RunId,
        key: &str,
    ) -> Result<Option<TaskView>, StoreError> {
        let _ = (actor, run, key);
        unimplemented!()
    }

    pub async fn find_task_at(
        &self,
        actor: &Actor,
        run: RunId,
        ix: TaskIx,
    ) -> Result<Option<TaskView>, StoreError> {
        let _ = (actor, run, ix);
        unimplemented!()
    }

    /// In index order.
    pub async fn list_tasks(
        &self,
        actor: &Actor,
        run: RunId,
        filter: TaskFilter,
        page: PageRequest<TaskIx>,
    ) -> Result<Page<TaskView>, StoreError> {
        let _ = (actor, run, filter, page);
        unimplemented!()
    }

    /// Keys of the upstreams of tasks of one version, by template index; from the cached plan, no statement when cached.
    pub async fn upstream_keys(
        &self,
        actor: &Actor,
        version: WorkflowVersionId,
    ) -> Result<std::sync::Arc<Vec<Vec<String>>>, StoreError> {
        let _ = (actor, version);
        unimplemented!()
    }

    /// Events of one run in order of seq, after the given seq.
    pub async fn run_events(
        &self,
        actor: &Actor,
        run: RunId,
        page: PageRequest<i64>,
    ) -> Result<Page<EventView>, StoreError> {
        let _ = (actor, run, page);
        unimplemented!()
    }

    /// Events of all runs in feed order, never skipping one that commits late.
    pub async fn list_events(
        &self,
        actor: &Actor,
        filter: EventFilter,
        page: PageRequest<FeedCursor>,
    ) -> Result<Page<EventView>, StoreError> {
        let _ = (actor, filter, page);
        unimplemented!()
    }

    /// The newest place of the feed: where a subscription without a cursor starts.
    pub async fn feed_head(&self) -> Result<FeedCursor, StoreError> {
        unimplemented!()
    }

    /// Log chunks of a task after a cursor; of all attempts when `attempt` is `None`.
    pub async fn task_log(
        &self,
        actor: &Actor,
        run: RunId,
        task: TaskIx,
        attempt: Option<u32>,
        page: PageRequest<i64>,
    ) -> Result<Page<LogView>, StoreError> {
        let _ = (actor, run, task, attempt, page);
        unimplemented!()
    }

    pub async fn list_workers(&self) -> Result<Vec<WorkerView>, StoreError> {
        unimplemented!()
    }
}
