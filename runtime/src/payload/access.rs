//! What a worker without a way to the payload store asks the orchestrator for.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use runnel_queue::payload::{PayloadError, PayloadRef, is_digest};
use runnel_queue::{AttemptRef, TokenKeys};
use sea_orm::ConnectionTrait;

use super::{Payloads, failed};
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::failed_to;

/// A value on its way to somebody, piece by piece.
pub type PayloadStream = BoxStream<'static, std::io::Result<Bytes>>;

/// What became of a value that a worker sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadPut {
    /// It is stored.
    Stored(PayloadRef),
    /// The token is not that of an attempt.
    Forbidden,
    /// Its bytes have another hash than announced, or are too many.
    Refused(String),
}

impl Orchestrator {
    /// A large value for the attempt that proves itself by its token: one that its run refers to. `None` for anything else.
    ///
    /// # Errors
    /// The store failed.
    pub async fn payload_for_attempt(
        &self,
        at: &AttemptRef,
        sha256: &str,
    ) -> Result<Option<(PayloadRef, PayloadStream)>, StoreError> {
        if !is_digest(sha256) || !is_valid(&self.shell().token_keys, at) {
            return Ok(None);
        }
        let payloads = self.payloads();
        let Some(reference) = payloads.used_by(at, sha256).await? else {
            return Ok(None);
        };
        let stream = payloads.inner.store.stream(&reference).await.map_err(failed)?;
        Ok(Some((reference, stream)))
    }

    /// Stores a large value that an attempt will report. It is nobody's until then, and collected if that never happens.
    ///
    /// # Errors
    /// The store failed.
    pub async fn put_payload_for_attempt(
        &self,
        at: &AttemptRef,
        sha256: &str,
        value: Bytes,
    ) -> Result<PayloadPut, StoreError> {
        if !is_valid(&self.shell().token_keys, at) {
            return Ok(PayloadPut::Forbidden);
        }
        let reference = PayloadRef::of(&value);
        if reference.sha256 != sha256 {
            let message = "the bytes that arrived have another hash than the path says".to_owned();
            return Ok(PayloadPut::Refused(message));
        }
        let payloads = self.payloads();
        payloads.claim(std::iter::once(&reference)).await?;
        match payloads.inner.store.put_named(&reference, value).await {
            Ok(()) => Ok(PayloadPut::Stored(reference)),
            Err(error @ PayloadError::TooLarge { .. }) => Ok(PayloadPut::Refused(error.to_string())),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Payloads {
    async fn used_by(&self, at: &AttemptRef, sha256: &str) -> Result<Option<PayloadRef>, StoreError> {
        let backend = self.inner.rows.backend();
        let sql = backend.pick(
            "SELECT p.bytes FROM payload p JOIN payload_use u ON u.sha256 = p.sha256 WHERE p.sha256 = $1 AND u.run_id = $2",
            "SELECT p.bytes FROM payload p JOIN payload_use u ON u.sha256 = p.sha256 WHERE p.sha256 = ?1 AND u.run_id = ?2",
        );
        let failed = failed_to("find a payload");
        let row = self
            .inner
            .rows
            .read()
            .query_one_raw(backend.statement(sql, [sha256.into(), at.run.into()]))
            .await
            .map_err(failed)?;
        row.map(|row| {
            let bytes: i64 = row.try_get_by_index(0).map_err(failed)?;
            Ok(PayloadRef {
                sha256: sha256.to_owned(),
                bytes: u64::try_from(bytes).unwrap_or(0),
            })
        })
        .transpose()
    }
}

fn is_valid(keys: &TokenKeys, at: &AttemptRef) -> bool {
    keys.verify(at.run, at.task, at.attempt, &at.token)
}
