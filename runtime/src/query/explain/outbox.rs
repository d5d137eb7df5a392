//! Messages that wait to be sent, and the places of tasks among them.

use std::collections::HashMap;

use runnel_engine::{RunId, TaskIx};
use sea_orm::{DbBackend, QueryResult};
use uuid::Uuid;

use super::{Reads, TASK_KEY, TaskKey, answers, task_keys};
use crate::apply::source;
use crate::error::StoreError;
use crate::store::failed_to;

pub(super) async fn backlogs(reads: &Reads) -> Result<HashMap<String, u64>, StoreError> {
    let sql = "SELECT queue, count(*) FROM outbox GROUP BY queue";
    let read = |row: &QueryResult| {
        let count: i64 = row.try_get_by_index(1)?;
        Ok((row.try_get_by_index(0)?, u64::try_from(count).unwrap_or(0)))
    };
    let statement = reads.store.backend().statement(sql, []);
    let backlogs = reads.store.rows("count the outbox", statement, read).await?;
    Ok(backlogs.into_iter().collect())
}

pub(super) async fn positions(reads: &Reads, keys: &[TaskKey]) -> Result<HashMap<TaskKey, u64>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = task_keys(backend, keys.iter().copied());
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT o.run_id, o.ix, (SELECT count(*) FROM outbox b WHERE b.queue = o.queue AND b.namespace = o.namespace \
         AND (b.rank, b.id) < (o.rank, o.id)) FROM {} JOIN outbox o ON o.run_id = c.run_id AND o.ix = c.ix",
        source(backend, TASK_KEY)
    );
    let failed = failed_to("find places in the outbox");
    let found = answers(reads, rows, &sql, failed).await?;
    let mut positions = HashMap::new();
    for row in found {
        let run: Uuid = row.try_get_by_index(0).map_err(failed)?;
        let ix: i32 = row.try_get_by_index(1).map_err(failed)?;
        let ahead: i64 = row.try_get_by_index(2).map_err(failed)?;
        positions.insert(
            (RunId(run), TaskIx(u32::try_from(ix).unwrap_or(0))),
            u64::try_from(ahead).unwrap_or(0) + 1,
        );
    }
    Ok(positions)
}
