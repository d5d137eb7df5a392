//! Deletes what belonged to runs that are no more.

use runnel_entity::run_removal;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{ConnectionTrait, EntityTrait, Order, QueryOrder, QuerySelect, Statement};
use uuid::Uuid;

use crate::apply::{ids, ids_in};
use crate::error::StoreError;
use crate::store::{Store, failed_to};

/// Runs of one transaction.
const RUNS: u64 = 100;

/// Rows of one table and transaction.
const ROWS: u64 = 1_000;

/// The tables that hold what belongs to a run. A letter that waits for a person keeps its run, so none of those goes.
const TABLES: &[&str] = &["event", "task", "task_log", "wait", "payload_use", "dead_letter"];

/// What one transaction deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cleared {
    pub(super) rows: u64,
    /// Whether there may be more to delete.
    pub(super) is_more: bool,
}

/// Deletes a slice. The ids are forgotten by the transaction that finds nothing of them any more.
pub(super) async fn some(store: &Store) -> Result<Cleared, StoreError> {
    let backend = store.backend();
    let sql: Vec<String> = TABLES
        .iter()
        .map(|table| {
            // by the place of the row: no plan can make that a walk over the table
            let id = backend.pick("ctid", "rowid");
            let found = format!(
                "SELECT {id} FROM {table} WHERE run_id {} LIMIT {ROWS}",
                ids_in(backend.into())
            );
            backend.pick(
                format!("DELETE FROM {table} WHERE ctid = ANY(ARRAY({found}))"),
                format!("DELETE FROM {table} WHERE rowid IN ({found})"),
            )
        })
        .collect();
    let is_locking = backend.pick(true, false);
    store
        .tx("delete the rows of old runs", move |tx| {
            let sql = sql.clone();
            Box::pin(async move {
                let failed = failed_to("delete the rows of old runs");
                let mut find = run_removal::Entity::find()
                    .order_by(run_removal::Column::RunId, Order::Asc)
                    .limit(RUNS);
                if is_locking {
                    find = find.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
                }
                let runs: Vec<Uuid> = find
                    .all(tx)
                    .await
                    .map_err(failed)?
                    .into_iter()
                    .map(|row| row.run_id)
                    .collect();
                let bind = |sql: &str| -> Statement {
                    ids(backend.into(), runs.iter().copied()).bind(backend.into(), sql, vec![])
                };
                let mut rows = 0;
                if !runs.is_empty() {
                    for sql in &sql {
                        rows += tx.execute_raw(bind(sql)).await.map_err(failed)?.rows_affected();
                    }
                }
                if rows == 0 && !runs.is_empty() {
                    let forget = format!("DELETE FROM run_removal WHERE run_id {}", ids_in(backend.into()));
                    tx.execute_raw(bind(&forget)).await.map_err(failed)?;
                }
                let is_more = !runs.is_empty();
                Ok(Cleared { rows, is_more })
            })
        })
        .await
}
