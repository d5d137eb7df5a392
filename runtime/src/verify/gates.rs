//! Who waits at the gates and who holds places, against the tasks and runs that they belong to. Each check is one statement,
//! so it sees one snapshot.

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_engine::{RunId, TaskIx};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::{Problem, VerifyReport};
use crate::error::StoreError;
use crate::store::Store;

/// Rows reported of each kind.
const ROWS_MAX: u32 = 1_000;

/// Every place belongs to an attempt that lives or is about to begin, no group is too full, and every question is still asked.
pub(super) async fn check(store: &Store, report: &mut VerifyReport) -> Result<(), StoreError> {
    for (sql, message) in [
        (
            held_for_nobody(),
            "a place in a concurrency group is held by nobody that lives",
        ),
        (
            asked_by_nobody(),
            "a question to the gates is asked by nobody that waits",
        ),
    ] {
        for (run, ix) in tickets(store, &sql).await? {
            report.add(Problem {
                run: Some(RunId(run)),
                task: u32::try_from(ix).ok().map(TaskIx),
                rule: "gates",
                message: message.to_owned(),
            });
        }
    }
    for (group, holders, limit) in overfull(store).await? {
        report.add(Problem {
            run: None,
            task: None,
            rule: "gates",
            message: format!("concurrency group {group} has {holders} holders, more than {limit}"),
        });
    }
    Ok(())
}

/// A place is granted before its attempt begins: until then its question says so.
fn held_for_nobody() -> String {
    let granted = "EXISTS (SELECT 1 FROM gate_wait w WHERE w.run_id = s.run_id AND w.ix = s.ix AND w.attempt = s.attempt AND w.state = 1)";
    format!(
        "SELECT s.run_id, s.ix FROM concurrency_slot s LEFT JOIN run r ON r.id = s.run_id \
         LEFT JOIN task t ON t.run_id = s.run_id AND t.ix = s.ix WHERE NOT {granted} AND NOT COALESCE( \
         CASE WHEN s.ix < 0 THEN r.status > {} AND r.status < {} \
         ELSE t.attempt = s.attempt AND t.status IN ({}, {}, {}) END, false) LIMIT {ROWS_MAX}",
        RunStatus::Pending as u8,
        RunStatus::Succeeded as u8,
        TaskStatus::Queued as u8,
        TaskStatus::Running as u8,
        TaskStatus::Waiting as u8
    )
}

fn asked_by_nobody() -> String {
    format!(
        "SELECT w.run_id, w.ix FROM gate_wait w LEFT JOIN run r ON r.id = w.run_id \
         LEFT JOIN task t ON t.run_id = w.run_id AND t.ix = w.ix WHERE NOT COALESCE( \
         CASE WHEN w.ix < 0 THEN r.status = {} ELSE t.attempt + 1 = w.attempt AND t.status = {} END, false) LIMIT {ROWS_MAX}",
        RunStatus::Pending as u8,
        TaskStatus::Ready as u8
    )
}

async fn tickets(store: &Store, sql: &str) -> Result<Vec<(Uuid, i32)>, StoreError> {
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    let statement = store.backend().statement(sql, []);
    store.rows("check the gates", statement, read).await
}

async fn overfull(store: &Store) -> Result<Vec<(String, i64, i32)>, StoreError> {
    let sql = format!(
        "SELECT group_name, count(*), min(holders_max) FROM concurrency_slot GROUP BY namespace, group_name \
         HAVING count(*) > min(holders_max) LIMIT {ROWS_MAX}"
    );
    let read = |row: &QueryResult| {
        Ok((
            row.try_get_by_index(0)?,
            row.try_get_by_index(1)?,
            row.try_get_by_index(2)?,
        ))
    };
    let statement = store.backend().statement(sql, []);
    store.rows("check the gates", statement, read).await
}
