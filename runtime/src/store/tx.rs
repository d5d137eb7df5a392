//! The one way to write.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::{DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tracing::Instrument;

use super::fault::{Fault, classify};
use super::{Backend, Store};
use crate::audit::{self, Draft};
use crate::error::StoreError;

/// How often a transaction is tried before the caller is told that the database is busy.
pub const ATTEMPTS_MAX: u32 = 5;

/// First pause after a conflict; doubles, and each is drawn from zero to its double.
const PAUSE: Duration = Duration::from_millis(4);

/// What a transaction does; called anew for each try, so it must not keep anything from the try before.
pub type Work<'tx, T> = BoxFuture<'tx, Result<T, StoreError>>;

/// How one try ended other than well.
enum Failed {
    /// Rolled back; may be tried again.
    Retry(StoreError),
    /// Rolled back (or unknown); the caller decides.
    Final(StoreError),
}

impl Store {
    /// Runs `work` in one transaction and commits it; an error rolls it back.
    ///
    /// The transaction runs in a task of its own: a caller that is dropped, at whatever point, neither cancels it half-way
    /// nor leaves an open transaction in the pool. SQLite takes its write lock at the beginning. Conflicts, lost connections
    /// before the commit, and [`StoreError::Conflict`] from `work` try the whole transaction again, up to [`ATTEMPTS_MAX`] times.
    ///
    /// # Errors
    /// What `work` answered; [`StoreError::Busy`] after the last try; [`StoreError::CommitUnknown`] when the connection was lost
    /// during the commit: load again to learn whether it took place.
    pub async fn tx<T, F>(&self, action: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'tx> Fn(&'tx DatabaseTransaction) -> Work<'tx, T> + Send + Sync + 'static,
    {
        let store = self.clone();
        // what a mutation commits takes the mutation's row of the audit log along
        let draft = audit::current();
        let tries = async move {
            let done = store.try_until_done(action, work, draft.as_deref()).await;
            if let (Ok(_), Some(draft)) = (&done, &draft) {
                draft.mark_written();
            }
            done
        };
        // the only error of a join here is a panic of `work` or the end of the runtime; both have rolled back
        tokio::spawn(tries.in_current_span())
            .await
            .map_err(|_| StoreError::Aborted { action })?
    }

    async fn try_until_done<T, F>(
        &self,
        action: &'static str,
        work: F,
        draft: Option<&Draft>,
    ) -> Result<T, StoreError>
    where
        F: for<'tx> Fn(&'tx DatabaseTransaction) -> Work<'tx, T> + Send + Sync,
        T: Send,
    {
        let mut attempts = 1;
        loop {
            match self.try_once(action, &work, draft).await {
                Ok(value) => return Ok(value),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Retry(error)) if attempts == ATTEMPTS_MAX => {
                    tracing::warn!(action, attempts, %error, "transaction gave up");
                    return Err(StoreError::Busy { action, attempts });
                }
                Err(Failed::Retry(error)) => {
                    tracing::debug!(action, attempts, %error, "transaction is tried again");
                    metrics::counter!("runnel_store_retries_total", "action" => action).increment(1);
                }
            }
            tokio::time::sleep(self.pause(attempts)).await;
            attempts += 1;
        }
    }

    async fn try_once<T, F>(&self, action: &'static str, work: &F, draft: Option<&Draft>) -> Result<T, Failed>
    where
        F: for<'tx> Fn(&'tx DatabaseTransaction) -> Work<'tx, T> + Send + Sync,
        T: Send,
    {
        let begun = self
            .inner
            .write
            .begin_with_options(begin_options(self.inner.backend))
            .await;
        let tx = begun.map_err(|source| judge(StoreError::Statement { action, source }))?;
        let worked = async {
            let value = work(&tx).await?;
            match draft {
                Some(draft) if !draft.is_written() => audit::insert_into(&tx, draft).await?,
                Some(_) | None => {}
            }
            Ok(value)
        };
        let value = match worked.await {
            Ok(value) => value,
            Err(error) => {
                // a failed rollback means a lost connection, which rolls back by itself
                if let Err(source) = tx.rollback().await {
                    tracing::debug!(action, error = %source, "rollback failed");
                }
                return Err(judge(error));
            }
        };
        match tx.commit().await {
            Ok(()) => Ok(value),
            Err(source) => Err(match classify(&source) {
                Fault::Lost => Failed::Final(StoreError::CommitUnknown { action, source }),
                Fault::Conflict => Failed::Retry(StoreError::Statement { action, source }),
                Fault::Exhausted | Fault::Permanent => {
                    Failed::Final(StoreError::Statement { action, source })
                }
            }),
        }
    }

    /// Full jitter: two writers that met once should not meet again.
    pub(super) fn pause(&self, attempts: u32) -> Duration {
        let most = u64::try_from(PAUSE.as_micros())
            .unwrap_or(u64::MAX)
            .saturating_mul(1 << attempts.min(10));
        Duration::from_micros(self.inner.entropy.bits() % most.max(1))
    }
}

/// What an error before the commit means: nothing has been written yet, so a lost connection may be tried again.
fn judge(error: StoreError) -> Failed {
    match &error {
        StoreError::Conflict { .. } => Failed::Retry(error),
        StoreError::Statement { action, source } => match classify(source) {
            Fault::Conflict | Fault::Lost => Failed::Retry(error),
            // waiting longer for a full pool only makes the queue longer
            Fault::Exhausted => Failed::Final(StoreError::Busy { action, attempts: 1 }),
            Fault::Permanent => Failed::Final(error),
        },
        StoreError::Open(_)
        | StoreError::Busy { .. }
        | StoreError::CommitUnknown { .. }
        | StoreError::Aborted { .. }
        | StoreError::Corrupt { .. }
        | StoreError::NewerSchema { .. }
        | StoreError::OlderSchema { .. }
        | StoreError::Payload(_)
        | StoreError::Stopping => Failed::Final(error),
    }
}

/// SQLite's own default is `DEFERRED`, where a transaction that reads before it writes fails at once under concurrency.
pub(super) fn begin_options(backend: Backend) -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: match backend {
            Backend::Sqlite => Some(SqliteTransactionMode::Immediate),
            Backend::Postgres => None,
        },
        ..TransactionOptions::default()
    }
}
