//! Child runs of tasks, and items of fan-outs by status: for whole pages of tasks, one statement each.

use std::collections::HashMap;

use runnel_engine::run::{Counts, TaskStatus};
use runnel_engine::{RunId, TaskIx};
use runnel_entity::run;
use sea_orm::{FromQueryResult, QueryResult};

use super::Reads;
use crate::actor::Actor;
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::view::RunView;
use crate::view::convert::{corrupt, run_from_row};

/// An attempt that may have a child run.
pub type AttemptRef = (RunId, TaskIx, u32);

const ATTEMPTS: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int), ("attempt", Kind::Int)];
const TASKS: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int)];

impl Orchestrator {
    /// The child runs of attempts, where they have one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn children_of(
        &self,
        actor: &Actor,
        attempts: &[AttemptRef],
    ) -> Result<HashMap<AttemptRef, RunView>, StoreError> {
        children_of(self.reads(), actor, attempts).await
    }

    /// Items of fan-outs by status. Tasks that are none, or have no items yet, are left out.
    ///
    /// # Errors
    /// The store fails.
    pub async fn item_counts(
        &self,
        actor: &Actor,
        tasks: &[(RunId, TaskIx)],
    ) -> Result<HashMap<(RunId, TaskIx), Counts>, StoreError> {
        item_counts(self.reads(), actor, tasks).await
    }
}

async fn children_of(
    reads: &Reads,
    actor: &Actor,
    attempts: &[AttemptRef],
) -> Result<HashMap<AttemptRef, RunView>, StoreError> {
    let backend = reads.store.backend();
    let mut rows = RowSet::new(backend.into(), ATTEMPTS);
    for (run, task, attempt) in attempts {
        rows.id(run.0).int(task.0).int(*attempt);
    }
    let namespace = backend.pick("$4", "?2");
    let sql = format!(
        "SELECT run.* FROM {} JOIN run ON run.parent_run_id = c.run_id AND run.parent_ix = c.ix \
         AND run.parent_attempt = c.attempt WHERE run.namespace || '' = {namespace}",
        source(backend.into(), ATTEMPTS)
    );
    let statement = rows.bind(backend.into(), &sql, vec![actor.namespace.to_string().into()]);
    let read = |row: &QueryResult| run::Model::from_query_result(row, "");
    let found = reads.store.rows("read child runs", statement, read).await?;
    let mut children = HashMap::with_capacity(found.len());
    for row in found {
        let child = run_from_row(row)?;
        if let Some(parent) = child.parent {
            children.insert((parent.run, parent.task, parent.attempt), child);
        }
    }
    Ok(children)
}

async fn item_counts(
    reads: &Reads,
    actor: &Actor,
    tasks: &[(RunId, TaskIx)],
) -> Result<HashMap<(RunId, TaskIx), Counts>, StoreError> {
    let backend = reads.store.backend();
    let mut rows = RowSet::new(backend.into(), TASKS);
    for (run, task) in tasks {
        rows.id(run.0).int(task.0);
    }
    let namespace = backend.pick("$3", "?2");
    let sql = format!(
        "SELECT t.run_id, t.template, t.status, count(*) FROM {} JOIN run r ON r.id = c.run_id \
         JOIN task t ON t.run_id = c.run_id AND t.template = c.ix AND t.ix <> c.ix \
         WHERE r.namespace || '' = {namespace} GROUP BY t.run_id, t.template, t.status",
        source(backend.into(), TASKS)
    );
    let statement = rows.bind(backend.into(), &sql, vec![actor.namespace.to_string().into()]);
    let found = reads
        .store
        .rows("count the items of fan-outs", statement, counted);
    let mut counts: HashMap<(RunId, TaskIx), Counts> = HashMap::new();
    for (key, status, number) in found.await? {
        let status = TaskStatus::from_code(status)
            .ok_or_else(|| corrupt("task", format!("status {status} in run {}", key.0)))?;
        counts.entry(key).or_default().add(status, number);
    }
    Ok(counts)
}

fn counted(row: &QueryResult) -> Result<((RunId, TaskIx), i16, u32), sea_orm::DbErr> {
    let template: i32 = row.try_get_by_index(1)?;
    let number: i64 = row.try_get_by_index(3)?;
    let key = (
        RunId(row.try_get_by_index(0)?),
        TaskIx(u32::try_from(template).unwrap_or_default()),
    );
    Ok((
        key,
        row.try_get_by_index(2)?,
        u32::try_from(number).unwrap_or(u32::MAX),
    ))
}
