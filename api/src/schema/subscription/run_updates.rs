//! `runUpdates`: one run for a screen, as a snapshot and then what changed.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use async_stream::stream;
use futures_util::Stream;
use runnel_engine::run::TaskStatus;
use runnel_engine::{RunId, TaskIx};
use runnel_queue::Progress;
use runnel_runtime::feed::Topic;
use runnel_runtime::view::{PageRequest, RunView, TaskFilter, TaskView};
use runnel_runtime::{Actor, Orchestrator, StoreError};

use super::{PAGE, Resume};
use crate::auth::Permission;
use crate::error::{ApiError, Code};
use crate::schema::cursor::{Cursor, RunSeq};
use crate::schema::id;
use crate::schema::run::Run;
use crate::schema::session::open;
use crate::schema::task::Task;

/// Changes within this time become one message; the latest state of a task wins.
const COALESCE: Duration = Duration::from_millis(100);
/// Most tasks of one message. A larger snapshot says that it is truncated: page through `Run.tasks` instead.
const TASKS_MAX: usize = 2_000;

/// What a message of the `runUpdates` subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum RunUpdateKind {
    /// The run and its tasks as they are: replace what is known.
    Snapshot,
    /// The run and the tasks that changed: merge by task id.
    Patch,
    /// The run has ended and everything was sent.
    End,
}

/// A message of the `runUpdates` subscription.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct RunUpdate {
    /// What it is.
    kind: RunUpdateKind,
    /// Place in the history of the run: resume after it.
    cursor: String,
    /// The run as it is.
    run: Run,
    /// Tasks: all of a snapshot, the changed ones of a patch, none at the end.
    tasks: Vec<Task>,
    /// Whether there are more tasks than `tasks` holds.
    is_truncated: bool,
}

/// News of one run.
#[derive(Debug, Default)]
pub(crate) struct RunSubscription;

#[Subscription]
impl RunSubscription {
    /// One run as it changes, coalesced for screens. Begins with `SNAPSHOT`, or with `PATCH` when resumed; ends with `END`.
    async fn run_updates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the run.")] id: ID,
        #[graphql(desc = "Resume after this cursor; begin with a snapshot when null.")] after: Option<String>,
    ) -> Result<impl Stream<Item = Result<RunUpdate, ApiError>> + use<>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let resume = Resume::of(ctx);
        let missing = || ApiError::new(Code::NotFound, "run does not exist");
        let run = id::parse_run(&id).ok_or_else(missing)?;
        let reader = Reader {
            orchestrator: session.orchestrator.clone(),
            actor: session.actor.clone(),
            run,
        };
        reader.view().await?.ok_or_else(missing)?;
        // a cursor that is not understood costs a snapshot, which is always right
        let after = resume
            .or(after)
            .and_then(|text| RunSeq::decode(&text))
            .map(|place| place.0);
        Ok(updates(reader, after, resume))
    }
}

struct Reader {
    orchestrator: Orchestrator,
    actor: Actor,
    run: RunId,
}

impl Reader {
    async fn view(&self) -> Result<Option<RunView>, ApiError> {
        self.orchestrator
            .find_run(&self.actor, self.run)
            .await
            .map_err(|e| ApiError::store(&e))
    }

    /// The first tasks of the run, and whether there are more.
    async fn snapshot(&self) -> Result<(Vec<TaskView>, bool), StoreError> {
        let mut tasks: Vec<TaskView> = Vec::new();
        loop {
            let page = PageRequest {
                first: PAGE,
                after: tasks.last().map(|task| task.ix),
            };
            let page = self
                .orchestrator
                .list_tasks(&self.actor, self.run, TaskFilter::default(), page)
                .await?;
            tasks.extend(page.items);
            if !page.has_next || tasks.len() >= TASKS_MAX {
                return Ok((tasks, page.has_next));
            }
        }
    }

    /// Running tasks whose progress is not what was told last: progress leaves no event.
    async fn progressed(
        &self,
        run: &RunView,
        told: &mut HashMap<TaskIx, Progress>,
    ) -> Result<Vec<TaskView>, StoreError> {
        if run.counts.running == 0 {
            return Ok(Vec::new());
        }
        let filter = TaskFilter {
            status_in: Some(vec![TaskStatus::Running]),
            ..TaskFilter::default()
        };
        let page = PageRequest {
            first: PAGE,
            after: None,
        };
        let page = self
            .orchestrator
            .list_tasks_without_payloads(&self.actor, self.run, filter, page)
            .await?;
        let is_news = |task: &TaskView| match &task.progress {
            Some(progress) => told.insert(task.ix, progress.clone()).as_ref() != Some(progress),
            None => false,
        };
        Ok(page.items.into_iter().filter(is_news).collect())
    }

    /// Tasks named by the events after `from` up to `to`; `None` when they are too many for one message.
    async fn changed(&self, from: i64, to: i64) -> Result<Option<Vec<TaskView>>, StoreError> {
        let mut changed = BTreeSet::new();
        let mut at = from;
        while at < to {
            let page = PageRequest {
                first: PAGE,
                after: Some(at),
            };
            let page = self.orchestrator.run_events(&self.actor, self.run, page).await?;
            let Some(last) = page.items.last() else { break };
            at = last.record.seq;
            changed.extend(
                page.items
                    .iter()
                    .filter(|e| e.record.seq <= to)
                    .filter_map(|e| e.record.task),
            );
            if changed.len() > TASKS_MAX {
                return Ok(None);
            }
        }
        self.tasks_at(changed).await.map(Some)
    }

    /// Reads tasks by index, neighbours together.
    async fn tasks_at(&self, mut wanted: BTreeSet<TaskIx>) -> Result<Vec<TaskView>, StoreError> {
        let mut tasks = Vec::with_capacity(wanted.len());
        while let (Some(&first), Some(&last)) = (wanted.first(), wanted.last()) {
            let after = first.0.checked_sub(1).map(TaskIx);
            let size = (last.0 - first.0).saturating_add(1).min(PAGE);
            let page = PageRequest { first: size, after };
            let page = self
                .orchestrator
                .list_tasks(&self.actor, self.run, TaskFilter::default(), page)
                .await?;
            let end = page.items.last().map_or(last, |task| task.ix);
            tasks.extend(page.items.into_iter().filter(|task| wanted.contains(&task.ix)));
            wanted = wanted.split_off(&TaskIx(end.0.saturating_add(1)));
        }
        Ok(tasks)
    }
}

fn update(kind: RunUpdateKind, run: &RunView, tasks: (Vec<TaskView>, bool), resume: &Resume) -> RunUpdate {
    let cursor = RunSeq(run.last_seq).encode();
    resume.set_last(&cursor);
    let version = Some(run.workflow_version_id);
    let (tasks, is_truncated) = tasks;
    let tasks = tasks.into_iter().map(|view| Task { view, version }).collect();
    RunUpdate {
        kind,
        cursor,
        run: Run(run.clone()),
        tasks,
        is_truncated,
    }
}

fn updates(
    reader: Reader,
    after: Option<i64>,
    resume: Resume,
) -> impl Stream<Item = Result<RunUpdate, ApiError>> {
    stream! {
        // before the first read, so that nothing falls between the two
        let mut doorbell = reader.orchestrator.doorbell(Topic::Run(reader.run));
        let mut at = after;
        let mut told = HashMap::new();
        loop {
            let run = match reader.view().await {
                Ok(Some(run)) => run,
                Ok(None) => return,
                Err(error) => {
                    yield Err(error);
                    return;
                }
            };
            let news = match next(&reader, at, &run).await {
                Ok(None) => reader.progressed(&run, &mut told).await.map(|tasks| {
                    (!tasks.is_empty()).then_some((RunUpdateKind::Patch, (tasks, false)))
                }),
                news => news,
            };
            match news {
                Ok(None) => {}
                Ok(Some((kind, tasks))) => {
                    at = Some(run.last_seq);
                    yield Ok(update(kind, &run, tasks, &resume));
                }
                Err(error) => {
                    yield Err(ApiError::store(&error));
                    return;
                }
            }
            if run.status.is_terminal() {
                yield Ok(update(RunUpdateKind::End, &run, (Vec::new(), false), &resume));
                return;
            }
            if !doorbell.rung().await {
                return;
            }
            tokio::time::sleep(COALESCE).await;
        }
    }
}

type Tasks = (Vec<TaskView>, bool);

/// What the subscriber at `at` must be told about the run as read; `None`: nothing.
async fn next(
    reader: &Reader,
    at: Option<i64>,
    run: &RunView,
) -> Result<Option<(RunUpdateKind, Tasks)>, StoreError> {
    match at {
        Some(seq) if seq == run.last_seq => return Ok(None),
        Some(seq) if seq < run.last_seq => {
            if let Some(tasks) = reader.changed(seq, run.last_seq).await? {
                return Ok(Some((RunUpdateKind::Patch, (tasks, false))));
            }
        }
        // no cursor, or one from another history
        Some(_) | None => {}
    }
    Ok(Some((RunUpdateKind::Snapshot, reader.snapshot().await?)))
}
