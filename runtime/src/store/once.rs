//! Writes of one statement: the database runs it whole or not at all, so it needs neither `BEGIN` nor `COMMIT`, which cost
//! a round trip each.

use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::fault::{Fault, classify, is_refused};
use super::{ATTEMPTS_MAX, Store};
use crate::error::StoreError;

/// What became of one statement.
#[derive(Debug)]
pub(crate) enum Once {
    /// It is committed; the rows that it returned.
    Written(Vec<QueryResult>),
    /// A guard in it divided by zero: nothing is written.
    Refused,
}

impl Store {
    /// Sends one writing statement as a transaction of its own. A caller that is dropped learns nothing of it, and leaves
    /// nothing half done. Conflicts are tried again as by [`Store::tx`].
    ///
    /// # Errors
    /// The statement failed; [`StoreError::Busy`] after the last try; [`StoreError::CommitUnknown`] when the connection was
    /// lost: it may have been committed.
    pub(crate) async fn once(&self, action: &'static str, statement: Statement) -> Result<Once, StoreError> {
        let mut attempts = 1;
        loop {
            let source = match self.inner.once.query_all_raw(statement.clone()).await {
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

    /// As [`Store::once`], for a statement without a guard.
    ///
    /// # Errors
    /// As [`Store::once`].
    pub(crate) async fn write(
        &self,
        action: &'static str,
        statement: Statement,
    ) -> Result<Vec<QueryResult>, StoreError> {
        match self.once(action, statement).await? {
            Once::Written(rows) => Ok(rows),
            Once::Refused => Err(StoreError::Statement {
                action,
                source: DbErr::Custom("a statement without a guard was refused".to_owned()),
            }),
        }
    }
}
