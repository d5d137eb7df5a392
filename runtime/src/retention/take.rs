//! Takes a few old runs out of the world.

use runnel_engine::run::RunStatus;
use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use crate::apply::{ids, ids_in};
use crate::dead_letters::Status as LetterStatus;
use crate::error::StoreError;
use crate::store::{Store, failed_to};

/// Runs of one transaction.
const RUNS: usize = 100;

/// Where the walk over a namespace's runs is, oldest first. What stays is not looked at again in the same walk, nor are the
/// entries of an index whose rows have just been deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    created_at: i64,
    id: Uuid,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            created_at: i64::MIN,
            id: Uuid::nil(),
        }
    }
}

/// What one transaction took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) runs: u64,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<Cursor>,
}

/// Takes runs of a namespace that ended before a moment, and notes them for `clear`.
pub(super) async fn some(
    store: &Store,
    namespace: &str,
    before: i64,
    cursor: Cursor,
) -> Result<Taken, StoreError> {
    let backend = store.backend();
    let find = backend.statement(
        find_sql(backend.pick(" FOR UPDATE OF r SKIP LOCKED", "")),
        [
            Value::from(namespace),
            Value::from(before),
            Value::from(cursor.created_at),
            Value::from(cursor.id),
        ],
    );
    let is_one = ids_in(backend.into());
    let changes = [
        format!("INSERT INTO run_removal(run_id) SELECT id FROM run WHERE id {is_one}"),
        // a message that was to be sent again when the report came after all, and that no worker was there to take
        format!("DELETE FROM outbox WHERE run_id {is_one}"),
        format!("DELETE FROM run WHERE id {is_one}"),
    ];
    store
        .tx("take old runs out", move |tx| {
            let (find, changes) = (find.clone(), changes.clone());
            Box::pin(async move {
                let failed = failed_to("take old runs out");
                let rows = tx.query_all_raw(find).await.map_err(failed)?;
                let found: Vec<Cursor> = rows.iter().map(read).collect::<Result<_, _>>().map_err(failed)?;
                let next = (found.len() == RUNS).then(|| found.last().copied()).flatten();
                if found.is_empty() {
                    return Ok(Taken { runs: 0, next });
                }
                for sql in &changes {
                    let rows = ids(backend.into(), found.iter().map(|run| run.id));
                    let statement = rows.bind(backend.into(), sql, vec![]);
                    tx.execute_raw(statement).await.map_err(failed)?;
                }
                let runs = found.len() as u64;
                Ok(Taken { runs, next })
            })
        })
        .await
}

/// Walks the index over a namespace's runs by age. A child goes with or after its parent, because a parent that goes on would
/// start it anew.
fn find_sql(lock: &str) -> String {
    format!(
        "SELECT r.created_at, r.id FROM run r WHERE r.namespace = $1 AND r.created_at < $2 \
         AND (r.created_at, r.id) > ($3, $4) AND r.status >= {ended} AND r.finished_at < $2 \
         AND NOT EXISTS (SELECT 1 FROM run above WHERE above.id IN (r.root_run_id, r.parent_run_id) AND above.status < {ended}) \
         AND NOT EXISTS (SELECT 1 FROM errand WHERE errand.run_id = r.id) \
         AND NOT EXISTS (SELECT 1 FROM dead_letter letter WHERE letter.run_id = r.id AND letter.status = {open}) \
         ORDER BY r.created_at, r.id LIMIT {RUNS}{lock}",
        ended = RunStatus::Succeeded as u8,
        open = LetterStatus::Open as i16,
    )
}

fn read(row: &QueryResult) -> Result<Cursor, sea_orm::DbErr> {
    Ok(Cursor {
        created_at: row.try_get_by_index(0)?,
        id: row.try_get_by_index(1)?,
    })
}
