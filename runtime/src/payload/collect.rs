//! Deletes values that no run refers to any more. Any replica may do it at any time; a value is deleted under the lock of its
//! row, which a claim waits for.

use std::time::Duration;

use runnel_queue::PayloadRef;
use sea_orm::{ConnectionTrait, QueryResult};
use tokio_util::sync::CancellationToken;

use super::{Payloads, failed, micros};
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::store::failed_to;

/// How often garbage is looked for. Listing a bucket costs money, and garbage is rare.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Most objects of one listing and most rows of one turn; the rest waits for the next.
const LISTED_MAX: usize = 10_000;
const CANDIDATES_MAX: i64 = 1_000;

const DELETED: &str = "runnel_payloads_deleted_total";

/// Nobody refers to it: no row of `payload_use` whose run still exists, and no kept result. The pattern is that of the partial
/// index over kept results, which is used only where it is repeated.
const UNUSED: &str = "NOT EXISTS (SELECT 1 FROM payload_use u JOIN run r ON r.id = u.run_id \
     WHERE u.sha256 = payload.sha256) AND NOT EXISTS (SELECT 1 FROM result_cache k WHERE k.output LIKE '@payload:%' \
     AND k.output = '@payload:sha256:' || payload.sha256 || ':' || payload.bytes)";

const FOUND: &[Column] = &[("sha256", Kind::Text), ("bytes", Kind::Int)];

/// What a collection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Values deleted.
    pub deleted: u64,
    /// Bytes freed.
    pub bytes: u64,
}

/// The loop.
pub(crate) struct Collector {
    pub payloads: Payloads,
}

impl Collector {
    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let collected = tokio::select! {
                () = stop.cancelled() => return,
                collected = self.payloads.collect() => collected,
            };
            match collected {
                Ok(collected) if collected.deleted == 0 => {}
                Ok(Collected { deleted, bytes }) => {
                    tracing::info!(deleted, bytes, "payloads without a run were deleted");
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "payloads without a run were not all deleted"
                ),
            }
        }
    }
}

impl Payloads {
    /// Looks once.
    pub(crate) async fn collect(&self) -> Result<Collected, StoreError> {
        let oldest = self.inner.clock.now().0 - micros(self.inner.keep);
        self.adopt(oldest).await?;
        let mut collected = Collected::default();
        for (sha256, bytes) in self.candidates(oldest).await? {
            if self.delete_unused(sha256, oldest).await? {
                collected.deleted += 1;
                collected.bytes += bytes;
            }
        }
        metrics::counter!(DELETED).increment(collected.deleted);
        Ok(collected)
    }

    /// Gives a row to old objects that have none: a worker wrote them and died before its report.
    async fn adopt(&self, oldest: i64) -> Result<(), StoreError> {
        let found = self
            .inner
            .store
            .written_before(oldest, LISTED_MAX)
            .await
            .map_err(failed)?;
        if found.is_empty() {
            return Ok(());
        }
        let backend = self.inner.rows.backend().into();
        let mut rows = RowSet::new(backend, FOUND);
        for PayloadRef { sha256, bytes } in found.iter().map(|payload| &payload.reference) {
            rows.text(sha256).int(i64::try_from(*bytes).unwrap_or(i64::MAX));
        }
        let sql = format!(
            "INSERT INTO payload(sha256, bytes, used_at) SELECT c.sha256, c.bytes, 0 FROM {} WHERE true \
             ON CONFLICT (sha256) DO NOTHING",
            source(backend, FOUND)
        );
        let statement = rows.bind(backend, &sql, vec![]);
        self.inner.rows.execute("adopt payloads", statement).await?;
        Ok(())
    }

    async fn candidates(&self, oldest: i64) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = format!(
            "SELECT sha256, bytes FROM payload WHERE used_at < {oldest} AND {UNUSED} ORDER BY used_at LIMIT {CANDIDATES_MAX}"
        );
        let read = |row: &QueryResult| {
            let bytes: i64 = row.try_get_by_index(1)?;
            Ok((row.try_get_by_index(0)?, u64::try_from(bytes).unwrap_or(0)))
        };
        let store = &self.inner.rows;
        let statement = store.backend().statement(&sql, []);
        store.rows("look for unused payloads", statement, read).await
    }

    /// Deletes one under the lock of its row, unless it was claimed or written meanwhile. The one call to a service inside a
    /// transaction, because the lock is what orders it against the claims; it holds no other row.
    async fn delete_unused(&self, sha256: String, oldest: i64) -> Result<bool, StoreError> {
        let backend = self.inner.rows.backend();
        let sql = backend.pick(
            format!("DELETE FROM payload WHERE sha256 = $1 AND used_at < {oldest} AND {UNUSED}"),
            format!("DELETE FROM payload WHERE sha256 = ?1 AND used_at < {oldest} AND {UNUSED}"),
        );
        let uses = backend.pick(
            "DELETE FROM payload_use WHERE sha256 = $1",
            "DELETE FROM payload_use WHERE sha256 = ?1",
        );
        let store = self.inner.store.clone();
        self.inner
            .rows
            .tx("delete a payload", move |tx| {
                let (store, sha256) = (store.clone(), sha256.clone());
                let delete = backend.statement(&sql, [sha256.clone().into()]);
                let forget = backend.statement(uses, [sha256.clone().into()]);
                Box::pin(async move {
                    let failed_sql = failed_to("delete a payload");
                    if tx.execute_raw(delete).await.map_err(failed_sql)?.rows_affected() == 0 {
                        return Ok(false);
                    }
                    let found = store.find(&sha256).await.map_err(failed)?;
                    if found.is_some_and(|found| found.written_us >= oldest) {
                        // a worker has written it again; rolls back
                        return Err(StoreError::Aborted {
                            action: "delete a payload",
                        });
                    }
                    store.delete(&sha256).await.map_err(failed)?;
                    tx.execute_raw(forget).await.map_err(failed_sql)?;
                    Ok(true)
                })
            })
            .await
            .or_else(|error| match error {
                StoreError::Aborted { .. } => Ok(false),
                other => Err(other),
            })
    }
}
