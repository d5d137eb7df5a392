//! Reads. Every one takes the actor and answers only what is in its namespace; not found is `None`.
//!
//! A list is a keyset page: stable while rows are added, and as fast at its end as at its beginning. The number of
//! statements of a read does not depend on what it finds.

pub mod attempts;
pub mod count;
mod events;
pub mod explain;
pub mod family;
mod heads;
mod logs;
pub(crate) mod owned;
pub mod predicate;
mod runs;
pub mod standing;
pub mod table;
mod tasks;
mod together;
pub mod window;
mod workers;
mod workflows;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use runnel_engine::explain::{Blocker, TimeSpent};
use runnel_engine::{RunId, TaskIx, WorkflowId, WorkflowVersionId};

use crate::actor::Actor;
use crate::clock::{Clock, Entropy};
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::Store;
use crate::view::{
    EventFilter, EventView, FeedCursor, FeedPage, LogView, Page, PageRequest, RunFilter, RunOrder, RunView,
    TaskFilter, TaskPayloads, TaskView, VersionView, WorkflowFilter, WorkflowView,
};
use crate::workflows::Versions;

use attempts::AttemptView;
use count::Count;
pub(crate) use runs::filtered as filtered_runs;
use tasks::Payloads;
use together::Together;
use window::Window;

/// Most items of a page; more are not refused but not given.
pub const PAGE_MAX: u32 = 200;

/// A task, as loaders ask for it.
pub type TaskRef = (RunId, TaskIx);

/// What was found for tasks; one of another namespace has no entry.
pub type Found<T> = Result<HashMap<TaskRef, T>, StoreError>;

/// What reads and publishing need.
#[derive(Clone)]
pub(crate) struct Reads {
    /// Its statements are counted apart from those of the loops.
    pub store: Store,
    pub versions: Versions,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Task types that run without a registered worker.
    pub local_types: Arc<[String]>,
    /// Runs that are asked for one by one at the same time.
    pub together: Together,
}

impl fmt::Debug for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reads")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Reads {
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        local_types: Vec<String>,
    ) -> Self {
        let store = store.counted_apart();
        Self {
            versions: Versions::new(store.clone()),
            store,
            clock,
            entropy,
            local_types: local_types.into(),
            together: Together::default(),
        }
    }
}

#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "named after what they answer; they fail when the store does"
)]
impl Orchestrator {
    pub async fn find_workflow(&self, actor: &Actor, key: &str) -> Result<Option<WorkflowView>, StoreError> {
        workflows::find(self.reads(), actor, key).await
    }

    pub async fn workflows_by_id(
        &self,
        actor: &Actor,
        ids: &[WorkflowId],
    ) -> Result<HashMap<WorkflowId, WorkflowView>, StoreError> {
        workflows::by_id(self.reads(), actor, ids).await
    }

    pub async fn versions_by_id(
        &self,
        actor: &Actor,
        ids: &[WorkflowVersionId],
    ) -> Result<HashMap<WorkflowVersionId, VersionView>, StoreError> {
        workflows::versions_by_id(self.reads(), actor, ids).await
    }

    /// Sorted by key.
    pub async fn list_workflows(
        &self,
        actor: &Actor,
        key_prefix: Option<&str>,
        page: impl Into<Window<String>>,
    ) -> Result<Page<WorkflowView>, StoreError> {
        let filter = WorkflowFilter {
            key_prefix: key_prefix.map(str::to_owned),
            ..WorkflowFilter::default()
        };
        workflows::list(self.reads(), actor, filter, page.into()).await
    }

    /// Sorted by key.
    pub async fn find_workflows(
        &self,
        actor: &Actor,
        filter: WorkflowFilter,
        window: Window<String>,
    ) -> Result<Page<WorkflowView>, StoreError> {
        workflows::list(self.reads(), actor, filter, window).await
    }

    pub async fn count_workflows(&self, actor: &Actor, filter: WorkflowFilter) -> Result<Count, StoreError> {
        workflows::count(self.reads(), actor, filter).await
    }

    /// Versions by workflow and number.
    pub async fn versions_by_number(
        &self,
        actor: &Actor,
        numbers: &[(WorkflowId, i32)],
    ) -> Result<HashMap<(WorkflowId, i32), VersionView>, StoreError> {
        workflows::versions_by_number(self.reads(), actor, numbers).await
    }

    /// Newest first; the cursor is the version number.
    pub async fn list_versions(
        &self,
        actor: &Actor,
        workflow: WorkflowId,
        page: impl Into<Window<i32>>,
    ) -> Result<Page<VersionView>, StoreError> {
        workflows::list_versions(self.reads(), actor, workflow, page.into()).await
    }

    pub async fn find_run(&self, actor: &Actor, id: RunId) -> Result<Option<RunView>, StoreError> {
        Ok(self.runs_by_id(actor, &[id]).await?.remove(&id))
    }

    pub async fn runs_by_id(
        &self,
        actor: &Actor,
        ids: &[RunId],
    ) -> Result<HashMap<RunId, RunView>, StoreError> {
        runs::by_id(self.reads(), actor, ids, Payloads::Read).await
    }

    /// As [`Self::runs_by_id`], but without inputs and outputs, which are not even read.
    pub async fn runs_by_id_without_payloads(
        &self,
        actor: &Actor,
        ids: &[RunId],
    ) -> Result<HashMap<RunId, RunView>, StoreError> {
        runs::by_id(self.reads(), actor, ids, Payloads::Left).await
    }

    /// Keyset over the order's time and the id.
    pub async fn list_runs(
        &self,
        actor: &Actor,
        filter: RunFilter,
        order: RunOrder,
        page: impl Into<Window<(i64, RunId)>>,
    ) -> Result<Page<RunView>, StoreError> {
        runs::list(self.reads(), actor, filter, order, page.into(), Payloads::Read).await
    }

    /// As [`Self::list_runs`], but without inputs and outputs, which are not even read.
    pub async fn list_runs_without_payloads(
        &self,
        actor: &Actor,
        filter: RunFilter,
        order: RunOrder,
        window: Window<(i64, RunId)>,
    ) -> Result<Page<RunView>, StoreError> {
        runs::list(self.reads(), actor, filter, order, window, Payloads::Left).await
    }

    /// Where a run stands in a list of the order.
    #[must_use]
    pub fn place_of_run(order: RunOrder, run: &RunView) -> (i64, RunId) {
        runs::place(order, run)
    }

    pub async fn count_runs(&self, actor: &Actor, filter: RunFilter) -> Result<Count, StoreError> {
        runs::count(self.reads(), actor, filter).await
    }

    /// The newest runs of each workflow, without payloads.
    pub async fn recent_runs(
        &self,
        actor: &Actor,
        workflows: &[WorkflowId],
        each: u32,
    ) -> Result<HashMap<WorkflowId, Vec<RunView>>, StoreError> {
        runs::recent(self.reads(), actor, workflows, each).await
    }

    /// Tasks by run and index, without payloads; those of other namespaces are not there.
    pub async fn tasks_by_ref(&self, actor: &Actor, refs: &[TaskRef]) -> Found<TaskView> {
        tasks::by_ref(self.reads(), actor, refs).await
    }

    /// Input and output of tasks by run and index; those of other namespaces are not there.
    pub async fn payloads_by_ref(&self, actor: &Actor, refs: &[TaskRef]) -> Found<TaskPayloads> {
        tasks::payloads_by_ref(self.reads(), actor, refs).await
    }

    /// The attempts of tasks by run and index, in order; those of other namespaces have none.
    pub async fn attempts_by_ref(&self, actor: &Actor, refs: &[TaskRef]) -> Found<Vec<AttemptView>> {
        attempts::by_ref(self.reads(), actor, refs).await
    }

    pub async fn count_tasks(
        &self,
        actor: &Actor,
        run: RunId,
        filter: TaskFilter,
    ) -> Result<Count, StoreError> {
        tasks::count(self.reads(), actor, run, filter).await
    }

    pub async fn find_task(
        &self,
        actor: &Actor,
        run: RunId,
        key: &str,
    ) -> Result<Option<TaskView>, StoreError> {
        tasks::find(self.reads(), actor, run, key).await
    }

    pub async fn find_task_at(
        &self,
        actor: &Actor,
        run: RunId,
        ix: TaskIx,
    ) -> Result<Option<TaskView>, StoreError> {
        tasks::find_at(self.reads(), actor, run, ix).await
    }

    /// In index order.
    pub async fn list_tasks(
        &self,
        actor: &Actor,
        run: RunId,
        filter: TaskFilter,
        page: impl Into<Window<TaskIx>>,
    ) -> Result<Page<TaskView>, StoreError> {
        tasks::list(self.reads(), actor, run, filter, page.into(), Payloads::Read).await
    }

    /// As [`Self::list_tasks`], but without inputs and outputs, which are not even read.
    pub async fn list_tasks_without_payloads(
        &self,
        actor: &Actor,
        run: RunId,
        filter: TaskFilter,
        page: impl Into<Window<TaskIx>>,
    ) -> Result<Page<TaskView>, StoreError> {
        tasks::list(self.reads(), actor, run, filter, page.into(), Payloads::Left).await
    }

    /// Keys of the upstreams of tasks of one version, by template index; from the cached plan, no statement when cached.
    /// Empty when the version is not in the actor's namespace.
    pub async fn upstream_keys(
        &self,
        actor: &Actor,
        version: WorkflowVersionId,
    ) -> Result<Arc<Vec<Vec<String>>>, StoreError> {
        workflows::upstream_keys(self.reads(), actor, version).await
    }

    /// The plan of a version; from the cache, no statement when cached. `None` when the version is not in the actor's namespace.
    pub async fn find_plan(
        &self,
        actor: &Actor,
        version: WorkflowVersionId,
    ) -> Result<Option<Arc<runnel_engine::Plan>>, StoreError> {
        workflows::plan(self.reads(), actor, version).await
    }

    /// How the first `count` tasks of a run stand, by index: those of its file. Empty when the run is not in the actor's namespace.
    pub async fn task_table(
        &self,
        actor: &Actor,
        run: RunId,
        count: u32,
    ) -> Result<Vec<table::TaskLine>, StoreError> {
        table::of_run(self.reads(), actor, run, count).await
    }

    /// Why tasks do not run now; none for one that runs or has ended, no entry for one of another namespace.
    pub async fn task_blockers(&self, actor: &Actor, tasks: &[TaskRef]) -> Found<Vec<Blocker>> {
        explain::of_tasks(self.reads(), self.payloads(), actor, tasks).await
    }

    /// Why runs do not run now; none for one of which an attempt runs or that has ended.
    pub async fn run_blockers(
        &self,
        actor: &Actor,
        runs: &[RunId],
    ) -> Result<HashMap<RunId, Vec<Blocker>>, StoreError> {
        explain::of_runs(self.reads(), self.payloads(), actor, runs).await
    }

    /// Where the time of each task of the runs went; no entry for a run whose history is too long.
    pub async fn time_spent(
        &self,
        actor: &Actor,
        runs: &[RunId],
    ) -> Result<HashMap<RunId, BTreeMap<TaskIx, TimeSpent>>, StoreError> {
        explain::time_spent(self.reads(), actor, runs).await
    }

    /// Events of one run in order of seq, after the given seq.
    pub async fn run_events(
        &self,
        actor: &Actor,
        run: RunId,
        page: PageRequest<i64>,
    ) -> Result<Page<EventView>, StoreError> {
        events::of_run(self.reads(), actor, run, page).await
    }

    /// Events of all runs in feed order, never skipping one that commits late; those of one run are in order of seq. Scans until the
    /// page has an item or the feed ends.
    pub async fn list_events(
        &self,
        actor: &Actor,
        filter: EventFilter,
        page: PageRequest<FeedCursor>,
    ) -> Result<Page<EventView>, StoreError> {
        events::list(self.reads(), actor, filter, page).await
    }

    /// As [`Self::list_events`], but looks at a bounded stretch and says how far it got: for a subscription, which must not look at
    /// the same events again only because its filter let none of them pass.
    pub async fn scan_events(
        &self,
        actor: &Actor,
        filter: EventFilter,
        page: PageRequest<FeedCursor>,
    ) -> Result<FeedPage, StoreError> {
        events::scan(self.reads(), actor, &filter, page).await
    }

    /// The newest place of the feed: where a subscription without a cursor starts.
    pub async fn feed_head(&self) -> Result<FeedCursor, StoreError> {
        events::head(self.reads()).await
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
        logs::of_task(self.reads(), actor, run, task, attempt, page).await
    }
}

/// How many items a page has.
fn limit<C>(page: &PageRequest<C>) -> usize {
    page.first.clamp(1, PAGE_MAX) as usize
}

/// A page from up to one item more than it holds.
pub(crate) fn page<T>(mut items: Vec<T>, limit: usize, has_previous: bool) -> Page<T> {
    let has_next = items.len() > limit;
    items.truncate(limit);
    Page {
        items,
        has_next,
        has_previous,
    }
}

/// The first text that does not begin with `prefix` any more, in byte order: with it a prefix is a range that an index can
/// walk, and no character has a special meaning. `None` when there is none (an empty prefix).
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // skips the surrogates, which are no characters
        let next = if last == '\u{d7ff}' {
            Some('\u{e000}')
        } else {
            char::from_u32(u32::from(last) + 1)
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod store_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_range() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix(""), None);
    }

    #[test]
    fn a_page_knows_whether_there_is_more() {
        let full = page(vec![1, 2, 3], 2, false);
        assert_eq!((full.items, full.has_next), (vec![1, 2], true));
        assert!(!page(vec![1, 2], 2, true).has_next);
    }
}
