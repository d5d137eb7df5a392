//! Runs and tasks, as their reasons are made of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runnel_engine::explain::{QueueFacts, RunFacts, TaskFacts};
use runnel_engine::run::{RunExtra, RunStatus, TaskStatus};
use runnel_engine::{RunId, TaskIx, Timestamp, WorkflowVersionId};
use sea_orm::{DbBackend, QueryResult};
use uuid::Uuid;

use super::super::heads;
use super::{Reads, TASK_KEY, TaskKey, answers, task_keys};
use crate::actor::Actor;
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::store::failed_to;
use crate::workflows::CompiledVersion;

/// Tasks of a run whose reasons stand for the run.
const OF_RUN_MAX: u32 = 20;

/// A run of the tasks.
pub(super) struct Parent {
    pub version: Arc<CompiledVersion>,
    pub facts: RunFacts,
}

/// Some tasks of each run that wait for something but upstreams; none of a run of which an attempt runs.
pub(super) async fn open_tasks(
    reads: &Reads,
    ids: &BTreeSet<RunId>,
) -> Result<BTreeMap<RunId, Vec<TaskIx>>, StoreError> {
    const RUN: &[Column] = &[("id", Kind::Id)];
    let backend: DbBackend = reads.store.backend().into();
    let mut rows = RowSet::new(backend, RUN);
    for id in ids {
        rows.id(id.0);
    }
    let mut open: BTreeMap<RunId, Vec<TaskIx>> = BTreeMap::new();
    if rows.is_empty() {
        return Ok(open);
    }
    let sql = format!(
        "SELECT run_id, ix FROM (SELECT t.run_id, t.ix, row_number() OVER (PARTITION BY t.run_id ORDER BY t.ix) AS n \
         FROM {} JOIN task t ON t.run_id = c.id WHERE t.status IN ({}, {}, {}, {}) AND NOT EXISTS \
         (SELECT 1 FROM task r WHERE r.run_id = c.id AND r.status = {})) AS o WHERE n <= {OF_RUN_MAX} ORDER BY run_id, ix",
        source(backend, RUN),
        TaskStatus::Ready as u8,
        TaskStatus::Queued as u8,
        TaskStatus::Waiting as u8,
        TaskStatus::RetryWait as u8,
        TaskStatus::Running as u8
    );
    let failed = failed_to("read what a run waits for");
    let found = answers(reads, rows, &sql, failed).await?;
    for row in found {
        let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
        let ix: i32 = row.try_get_by_index(1).map_err(failed)?;
        open.entry(RunId(id))
            .or_default()
            .push(TaskIx(u32::try_from(ix).unwrap_or(0)));
    }
    Ok(open)
}

pub(super) async fn parents(
    reads: &Reads,
    actor: &Actor,
    ids: &BTreeSet<RunId>,
) -> Result<HashMap<RunId, Parent>, StoreError> {
    let heads = heads::of_runs(reads, actor, ids).await?;
    let mut wanted: Vec<WorkflowVersionId> = heads.iter().map(|head| head.version).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let versions = reads.versions.get_all(&wanted).await?;
    let mut parents = HashMap::with_capacity(heads.len());
    for head in heads {
        let (Some(version), Some(status)) = (versions.get(&head.version), RunStatus::from_code(head.status))
        else {
            continue;
        };
        // what cannot be read here is reported by whoever applies the run
        let extra: RunExtra = serde_json::from_str(&head.extra).unwrap_or_default();
        let facts = RunFacts {
            status,
            is_paused: head.is_paused,
            pause: extra.pause.clone(),
            outcome: extra.outcome,
        };
        let parent = Parent {
            version: Arc::clone(version),
            facts,
        };
        parents.insert(head.id, parent);
    }
    Ok(parents)
}

/// What the row of each task says of it; its upstreams, its gate and its queue are left open.
pub(super) async fn tasks(
    reads: &Reads,
    wanted: &BTreeSet<TaskKey>,
) -> Result<HashMap<TaskKey, TaskFacts>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = task_keys(backend, wanted.iter().copied());
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let waiting = TaskStatus::Waiting as u8;
    let sql = format!(
        "SELECT t.run_id, t.ix, t.template, CASE WHEN t.item IS NULL THEN 0 ELSE 1 END, t.status, t.attempt, t.wake_at, \
         t.ready_at, t.queued_at, CASE WHEN t.status = {waiting} AND t.item IS NULL THEN t.input END, \
         CASE WHEN t.status = {waiting} THEN (SELECT r.id FROM run r WHERE r.parent_run_id = t.run_id \
         AND r.parent_ix = t.ix AND r.parent_attempt = t.attempt) END \
         FROM {} JOIN task t ON t.run_id = c.run_id AND t.ix = c.ix",
        source(backend, TASK_KEY)
    );
    let failed = failed_to("read tasks");
    let found = answers(reads, rows, &sql, failed).await?;
    let read = |row: &QueryResult| {
        let run: Uuid = row.try_get_by_index(0)?;
        let (ix, template, is_item): (i32, i32, i32) = (
            row.try_get_by_index(1)?,
            row.try_get_by_index(2)?,
            row.try_get_by_index(3)?,
        );
        let (status, attempt): (i16, i32) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        let moment =
            |at: usize| Ok::<_, sea_orm::DbErr>(row.try_get_by_index::<Option<i64>>(at)?.map(Timestamp));
        let task = TaskFacts {
            template: TaskIx(u32::try_from(template).unwrap_or(0)),
            is_item: is_item != 0,
            status: TaskStatus::from_code(status).unwrap_or(TaskStatus::Blocked),
            attempt: u32::try_from(attempt).unwrap_or(0),
            wake_at: moment(6)?,
            ready_at: moment(7)?,
            queued_at: moment(8)?,
            input: row.try_get_by_index(9)?,
            child: row.try_get_by_index::<Option<Uuid>>(10)?.map(RunId),
            upstreams: Vec::new(),
            gate: None,
            queue: QueueFacts::default(),
        };
        Ok(((RunId(run), TaskIx(u32::try_from(ix).unwrap_or(0))), task))
    };
    found
        .iter()
        .map(read)
        .collect::<Result<_, sea_orm::DbErr>>()
        .map_err(failed)
}
