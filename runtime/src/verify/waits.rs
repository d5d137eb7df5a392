//! A task that waits for the outside has a row that lets the outside find it, and no other task has.

use runnel_engine::run::{TaskStatus, wait_kind};
use runnel_engine::{RunId, TaskIx};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::{Problem, VerifyReport};
use crate::error::StoreError;
use crate::store::Store;

/// Rows that may break the rule, read at a time.
const ROWS_MAX: u32 = 10_000;

/// Compares waiting tasks with the rows of `wait`.
pub(super) async fn check(store: &Store, report: &mut VerifyReport) -> Result<(), StoreError> {
    let waiting = TaskStatus::Waiting as u8;
    let missing = format!(
        "SELECT t.run_id, t.ix, t.extra FROM task t LEFT JOIN wait w \
         ON w.run_id = t.run_id AND w.ix = t.ix AND w.attempt = t.attempt \
         WHERE t.status = {waiting} AND t.extra IS NOT NULL AND w.run_id IS NULL LIMIT {ROWS_MAX}"
    );
    for (run, task, extra) in rows(store, &missing).await? {
        // timers, fan-outs and children wait without a row
        if wait_kind(extra.as_deref()).is_some() {
            let message = "the task waits for the outside, which cannot find it: its row is missing";
            report.add(problem(run, task, message));
        }
    }
    let left = format!(
        "SELECT w.run_id, w.ix, CAST(NULL AS text) FROM wait w LEFT JOIN task t \
         ON t.run_id = w.run_id AND t.ix = w.ix AND t.attempt = w.attempt AND t.status = {waiting} \
         WHERE t.run_id IS NULL LIMIT {ROWS_MAX}"
    );
    for (run, task, _) in rows(store, &left).await? {
        report.add(problem(
            run,
            task,
            "a wait was left behind: its task does not wait any more",
        ));
    }
    Ok(())
}

fn problem(run: RunId, task: TaskIx, message: &str) -> Problem {
    Problem {
        run: Some(run),
        task: Some(task),
        rule: "wait",
        message: message.to_owned(),
    }
}

async fn rows(store: &Store, sql: &str) -> Result<Vec<(RunId, TaskIx, Option<String>)>, StoreError> {
    let read = |row: &QueryResult| {
        let run: Uuid = row.try_get_by_index(0)?;
        let ix: i32 = row.try_get_by_index(1)?;
        let extra: Option<String> = row.try_get_by_index(2)?;
        Ok((RunId(run), TaskIx(u32::try_from(ix).unwrap_or_default()), extra))
    };
    let statement = store.backend().statement(sql, []);
    store.rows("check waits", statement, read).await
}
