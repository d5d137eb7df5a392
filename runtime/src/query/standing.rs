//! What tasks allow, as the engine's own refusals see them: for a whole page of tasks, two statements.

use std::collections::{BTreeSet, HashMap};

use runnel_engine::run::{RunExtra, RunStanding, RunStatus, TaskStanding, TaskStatus};
use runnel_engine::{RunId, TaskIx, WorkflowVersionId};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};

use super::{Found, Reads, TaskRef, heads};
use crate::actor::Actor;
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::failed_to;
use crate::view::convert::corrupt;

const TASK_KEY: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int)];

impl Orchestrator {
    /// How tasks stand, for the engine's word on what may be done to them; no entry for one of another namespace.
    ///
    /// # Errors
    /// The store fails.
    pub async fn task_standings(&self, actor: &Actor, tasks: &[TaskRef]) -> Found<TaskStanding> {
        let reads = self.reads();
        let ids: BTreeSet<RunId> = tasks.iter().map(|(run, _)| *run).collect();
        let runs = runs(reads, actor, &ids).await?;
        let versions: Vec<WorkflowVersionId> = runs.values().map(|(version, _)| *version).collect();
        let versions = reads.versions.get_all(&versions).await?;
        let backend: DbBackend = reads.store.backend().into();
        let mut rows = RowSet::new(backend, TASK_KEY);
        for (run, ix) in tasks {
            rows.id(run.0).int(ix.0);
        }
        if rows.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT t.run_id, t.ix, t.template, t.status, f.status FROM {} \
             JOIN task t ON t.run_id = c.run_id AND t.ix = c.ix \
             LEFT JOIN task f ON f.run_id = t.run_id AND f.ix = t.template AND t.item IS NOT NULL",
            source(backend, TASK_KEY)
        );
        let failed = failed_to("read how tasks stand");
        let db = reads.store.read();
        let found = db.query_all_raw(rows.bind(backend, &sql, vec![])).await;
        let mut standings = HashMap::with_capacity(tasks.len());
        for row in found.map_err(failed)? {
            let task = StandingRow::read(&row).map_err(failed)?;
            let Some((version, run)) = runs.get(&task.key.0) else {
                continue;
            };
            let Some(version) = versions.get(version) else {
                continue;
            };
            let standing = TaskStanding {
                run: *run,
                section: version.plan.section(task.template),
                status: status_of(task.status)?,
                fanout: task.fanout.map(status_of).transpose()?,
            };
            standings.insert(task.key, standing);
        }
        Ok(standings)
    }
}

struct StandingRow {
    key: TaskRef,
    template: TaskIx,
    status: i16,
    fanout: Option<i16>,
}

impl StandingRow {
    fn read(row: &QueryResult) -> Result<Self, sea_orm::DbErr> {
        let ix = |at: usize| {
            let ix: i32 = row.try_get_by_index(at)?;
            Ok::<_, sea_orm::DbErr>(TaskIx(u32::try_from(ix).unwrap_or(0)))
        };
        Ok(Self {
            key: (RunId(row.try_get_by_index(0)?), ix(1)?),
            template: ix(2)?,
            status: row.try_get_by_index(3)?,
            fanout: row.try_get_by_index(4)?,
        })
    }
}

fn status_of(code: i16) -> Result<TaskStatus, StoreError> {
    TaskStatus::from_code(code).ok_or_else(|| corrupt("task", format!("status {code}")))
}

async fn runs(
    reads: &Reads,
    actor: &Actor,
    ids: &BTreeSet<RunId>,
) -> Result<HashMap<RunId, (WorkflowVersionId, RunStanding)>, StoreError> {
    let mut runs = HashMap::with_capacity(ids.len());
    for head in heads::of_runs(reads, actor, ids).await? {
        let (id, code) = (head.id, head.status);
        let status =
            RunStatus::from_code(code).ok_or_else(|| corrupt("run", format!("status {code} of {id}")))?;
        let extra: RunExtra = serde_json::from_str(&head.extra)
            .map_err(|error| corrupt("run", format!("extra of {id}: {error}")))?;
        let standing = RunStanding::new(status, head.is_paused, &extra);
        runs.insert(id, (head.version, standing));
    }
    Ok(runs)
}
