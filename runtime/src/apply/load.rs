//! Reads runs with all that their next input needs: two statements, however many runs.
//!
//! Rows of tasks are read one by one as they arrive: a run has up to a hundred thousand of them, and what the driver keeps
//! of a row is several times the task.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use runnel_engine::run::{RunState, TaskStatus};
use runnel_engine::{RunId, WorkflowVersionId};
use runnel_entity::{run, task};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, StreamTrait};
use uuid::Uuid;

use super::StartRow;
use super::convert;
use super::fetch::Fetch;
use super::rows::{RowSet, ids as id_rows};
use super::sql::{KEYS, Sql};
use super::turn::Known;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::workflows::{CompiledVersion, Versions};

/// What was found of the runs asked for; a run without an entry does not exist.
pub(super) type Loaded = HashMap<RunId, Result<Known, StoreError>>;

/// Whether the rows are locked until the end of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Another replica may change the run before it is saved; the version guard notices.
    None,
    /// Nobody changes the runs before this transaction ends. Rows are locked in the order of their ids.
    Rows,
}

/// Loads runs. The run's row is read before its tasks, so that a change between the two is seen by the guard.
pub(super) async fn runs<C: ConnectionTrait + StreamTrait>(
    db: &C,
    backend: DbBackend,
    sql: &Sql,
    versions: &Versions,
    ids: &[RunId],
    (lock, fetch): (Lock, &Fetch<'_>),
) -> Result<Loaded, StoreError> {
    let text = if lock == Lock::Rows {
        &sql.lock_runs
    } else {
        &sql.load_runs
    };
    let rows = db
        .query_all_raw(id_rows(backend, ids.iter().map(|id| id.0)).bind(backend, text, vec![]))
        .await;
    let mut runs = Vec::new();
    for row in rows.map_err(failed_to("load runs"))? {
        runs.push(run::Model::from_query_result(&row, "").map_err(failed_to("read a run"))?);
    }
    if runs.is_empty() {
        return Ok(Loaded::new());
    }
    let mut tasks = tasks(db, backend, sql, ids).await?;
    let mut wanted: Vec<_> = runs
        .iter()
        .map(|run| WorkflowVersionId(run.workflow_version_id))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let versions = versions.get_all(&wanted).await?;
    let mut loaded = Loaded::with_capacity(runs.len());
    for mut run in runs {
        let mut tasks = tasks.remove(&run.id).unwrap_or_default();
        let Some(version) = versions.get(&WorkflowVersionId(run.workflow_version_id)) else {
            let problem = convert::corrupt("run", format!("{} has no version", run.id));
            loaded.insert(RunId(run.id), Err(problem));
            continue;
        };
        let known = match fetch.fill(&version.plan, &mut run, &mut tasks).await {
            Ok(()) => convert::state(&version.plan, &run, tasks).map(|state| Known {
                has_parent: run.parent_run_id.is_some(),
                ..Known::new(Arc::clone(version), state, run.version)
            }),
            // a value that is gone is this run's problem alone; a store that is away is everybody's
            Err(StoreError::Corrupt { problem, .. }) => {
                Err(convert::corrupt("run", format!("{}: {problem}", run.id)))
            }
            Err(error) => return Err(error),
        };
        loaded.insert(RunId(run.id), known);
    }
    Ok(loaded)
}

/// The tasks of each run, in index order: one statement.
async fn tasks<C: StreamTrait>(
    db: &C,
    backend: DbBackend,
    sql: &Sql,
    ids: &[RunId],
) -> Result<HashMap<Uuid, Vec<task::Model>>, StoreError> {
    let failed = failed_to("load tasks");
    let statement = id_rows(backend, ids.iter().map(|id| id.0)).bind(backend, &sql.load_tasks, vec![]);
    let mut rows = pin!(db.stream_raw(statement).await.map_err(failed)?);
    let mut tasks: HashMap<Uuid, Vec<task::Model>> = HashMap::new();
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        let mut task = task::Model::from_query_result(&row, "").map_err(failed_to("read a task"))?;
        let has_ended = TaskStatus::from_code(task.status).is_some_and(TaskStatus::is_terminal);
        if has_ended && task.item.is_some() {
            // as after a commit: resolved anew should an operator retry the item
            task.input = None;
        }
        tasks.entry(task.run_id).or_default().push(task);
    }
    Ok(tasks)
}

/// One run with its plan, without a lock; `None` when it does not exist. With a version that was just read, no statement
/// but those on `db`.
pub(crate) async fn state_of<C: ConnectionTrait + StreamTrait>(
    db: &C,
    backend: DbBackend,
    versions: &Versions,
    run: RunId,
    fetch: &Fetch<'_>,
) -> Result<Option<(Arc<CompiledVersion>, RunState)>, StoreError> {
    let sql = Sql::new(backend);
    let mut loaded = runs(db, backend, &sql, versions, &[run], (Lock::None, fetch)).await?;
    let known = loaded.remove(&run).transpose()?;
    Ok(known.map(|known| (known.meta, known.state)))
}

/// Whether the rows of these runs still have these versions: one statement.
pub(super) async fn are_current<C: ConnectionTrait>(
    db: &C,
    backend: DbBackend,
    sql: &Sql,
    versions: &HashMap<RunId, i64>,
) -> Result<bool, StoreError> {
    let ids = id_rows(backend, versions.keys().map(|id| id.0));
    let failed = failed_to("check the versions of runs");
    let rows = db
        .query_all_raw(ids.bind(backend, &sql.load_versions, vec![]))
        .await
        .map_err(failed)?;
    let mut current = 0;
    for row in rows {
        let id: uuid::Uuid = row.try_get_by_index(0).map_err(failed)?;
        let version: i64 = row.try_get_by_index(1).map_err(failed)?;
        current += usize::from(versions.get(&RunId(id)) == Some(&version));
    }
    Ok(current == versions.len())
}

/// A run that holds an idempotency key.
#[derive(Debug, FromQueryResult)]
pub(super) struct KeyHolder {
    pub id: uuid::Uuid,
    pub namespace: String,
    pub idempotency_key: String,
    pub request_hash: Option<String>,
}

/// The runs that hold the idempotency keys of these starts: one statement, none when no start has a key.
pub(super) async fn key_holders<C: ConnectionTrait>(
    db: &C,
    backend: DbBackend,
    sql: &Sql,
    starts: impl Iterator<Item = &StartRow>,
) -> Result<Vec<KeyHolder>, StoreError> {
    let mut rows = RowSet::new(backend, KEYS);
    for start in starts {
        if let Some(key) = &start.idempotency_key {
            rows.text(&start.meta.namespace).text(key);
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let found = db
        .query_all_raw(rows.bind(backend, &sql.find_keys, vec![]))
        .await
        .map_err(failed_to("find keys"))?;
    found
        .iter()
        .map(|row| KeyHolder::from_query_result(row, "").map_err(failed_to("read a key")))
        .collect()
}
