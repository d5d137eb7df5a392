//! Writes that need no transaction of the driver: one statement, which the database runs whole or not at all
//! (PostgreSQL), or a script that begins and ends its own (SQLite). What they spare is a round trip for each statement
//! between the first and the last: to the server, or to the thread of the connection.

use std::future::Future;

use sea_orm::{ConnectionTrait, DbErr, QueryResult, RuntimeErr, Statement, Value};
use sqlx::{AssertSqlSafe, SqlitePool};

use super::fault::{Fault, classify, is_refused};
use super::{ATTEMPTS_MAX, Store};
use crate::error::StoreError;

/// What became of it.
#[derive(Debug)]
pub(crate) enum Once {
    /// It is committed; the rows that it returned.
    Written(Vec<QueryResult>),
    /// A guard in it did not hold: nothing is written.
    Refused,
}

impl Store {
    /// Sends one writing statement as a transaction of its own; with SQLite a script as well, from `BEGIN` to `COMMIT`, whose
    /// parameters have no numbers and whose rows are not read. A caller that is dropped learns nothing of it, and leaves nothing half done. Conflicts are tried again
    /// as by [`Store::tx`].
    ///
    /// # Errors
    /// The statement failed; [`StoreError::Busy`] after the last try; [`StoreError::CommitUnknown`] when the connection was
    /// lost: it may have been committed.
    pub(crate) async fn once(&self, action: &'static str, statement: Statement) -> Result<Once, StoreError> {
        match &self.inner.scripts {
            None => {
                let send = || self.inner.once.query_all_raw(statement.clone());
                self.try_once_more(action, send).await
            }
            Some(pool) => {
                self.count();
                let send = || async { run_script(pool, &statement).await.map(|()| Vec::new()) };
                self.try_once_more(action, send).await
            }
        }
    }

    /// As [`Store::once`], for a statement without a guard.
    ///
    /// # Errors
    /// As [`Store::once`].
    pub(crate) async fn write(
        &self,
        action: &'static str,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let send = || self.inner.once.query_all_raw(statement.clone());
        match self.try_once_more(action, send).await? {
            Once::Written(rows) => Ok(rows),
            Once::Refused => Err(StoreError::Statement {
                action,
                source: DbErr::Custom("a statement without a guard was refused".to_owned()),
            }),
        }
    }

    async fn try_once_more<F>(&self, action: &'static str, send: impl Fn() -> F) -> Result<Once, StoreError>
    where
        F: Future<Output = Result<Vec<QueryResult>, DbErr>>,
    {
        let mut attempts = 1;
        loop {
            let source = match send().await {
                Ok(rows) => return Ok(Once::Written(rows)),
                Err(source) if is_refused(&source) => return Ok(Once::Refused),
                Err(source) => source,
            };
            match classify(&source) {
                Fault::Conflict if attempts < ATTEMPTS_MAX => {
                    tracing::debug!(action, attempts, error = %source, "statement is tried again");
                    metrics::counter!("runnel_store_retries_total", "action" => action).increment(1);
                }
                Fault::Conflict | Fault::Exhausted => {
                    tracing::warn!(action, attempts, error = %source, "statement gave up");
                    return Err(StoreError::Busy { action, attempts });
                }
                Fault::Lost => return Err(StoreError::CommitUnknown { action, source }),
                Fault::Permanent => return Err(StoreError::Statement { action, source }),
            }
            tokio::time::sleep(self.pause(attempts)).await;
            attempts += 1;
        }
    }
}

/// Runs a script on the one connection that writes. What it leaves open when it fails half-way is undone before the next
/// borrower gets the connection, and a caller that goes away does not keep that from happening.
async fn run_script(pool: &SqlitePool, script: &Statement) -> Result<(), DbErr> {
    let mut query = sqlx::query(AssertSqlSafe(script.sql.clone()));
    for value in script.values.iter().flat_map(|values| &values.0) {
        query = match value {
            Value::String(text) => query.bind(text.clone()),
            Value::BigInt(number) => query.bind(*number),
            other => {
                return Err(DbErr::Type(format!(
                    "a script binds texts and numbers, not {other:?}"
                )));
            }
        };
    }
    let pool = pool.clone();
    let run = async move {
        let mut connection = pool.acquire().await?;
        let done = query.execute(&mut *connection).await;
        if done.is_err() {
            // fails where nothing is open: the script did not get as far, or SQLite has rolled back itself
            let undone = sqlx::query("ROLLBACK").execute(&mut *connection).await;
            tracing::debug!(?undone, "a script failed");
        }
        done.map(drop)
    };
    let failed = |error: sqlx::Error| DbErr::Exec(RuntimeErr::SqlxError(error.into()));
    match tokio::spawn(run).await {
        Ok(done) => done.map_err(failed),
        Err(_) => Err(failed(sqlx::Error::WorkerCrashed)),
    }
}
