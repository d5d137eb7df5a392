//! Which running attempts are running for nothing: the answer to a heartbeat.

use std::collections::HashSet;

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_queue::AttemptRef;
use sea_orm::QueryResult;

use crate::apply::{Column, Kind, RowSet, Shell, source};
use crate::error::StoreError;

const ATTEMPTS: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int), ("attempt", Kind::Int)];

/// Of the attempts, those that are not the live attempt of a live run: one statement. Attempts without a valid token
/// are wanted by nobody.
pub(crate) async fn find(shell: &Shell, attempts: &[AttemptRef]) -> Result<Vec<AttemptRef>, StoreError> {
    let mut rows = RowSet::new(shell.backend, ATTEMPTS);
    for at in attempts.iter().filter(|at| is_valid(shell, at)) {
        rows.id(at.run).int(at.task).int(at.attempt);
    }
    let mut wanted = HashSet::new();
    if !rows.is_empty() {
        let sql = format!(
            "SELECT t.run_id, t.ix, t.attempt FROM {} \
             JOIN task t ON t.run_id = c.run_id AND t.ix = c.ix AND t.attempt = c.attempt AND t.status IN ({}, {}) \
             JOIN run r ON r.id = t.run_id AND r.status < {}",
            source(shell.backend, ATTEMPTS),
            TaskStatus::Queued as u8,
            TaskStatus::Running as u8,
            RunStatus::Succeeded as u8
        );
        let read = |row: &QueryResult| {
            let run: uuid::Uuid = row.try_get_by_index(0)?;
            let (task, attempt): (i32, i32) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            Ok((run, i64::from(task), i64::from(attempt)))
        };
        let statement = rows.bind(shell.backend, &sql, vec![]);
        let found = shell.store.rows("look for unwanted attempts", statement, read);
        wanted.extend(found.await?);
    }
    let is_wanted = |at: &AttemptRef| {
        is_valid(shell, at) && wanted.contains(&(at.run, at.task.into(), at.attempt.into()))
    };
    Ok(attempts.iter().filter(|at| !is_wanted(at)).cloned().collect())
}

fn is_valid(shell: &Shell, at: &AttemptRef) -> bool {
    shell.token_keys.verify(at.run, at.task, at.attempt, &at.token)
}
