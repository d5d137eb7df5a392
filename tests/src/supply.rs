//! A control channel without HTTP: what a worker of a test asks the orchestrator for.

use std::collections::BTreeMap;

use anyhow::Context as _;
use async_trait::async_trait;
use futures_util::TryStreamExt;
use runnel_queue::{AttemptRef, PayloadRef};
use runnel_runtime::Orchestrator;
use runnel_runtime::payload::PayloadPut;
use runnel_runtime::secret::SecretGrant;
use runnel_worker::ControlChannel;

/// Asks the orchestrator of this process.
#[derive(Clone)]
pub struct Direct(pub Orchestrator);

#[async_trait]
impl ControlChannel for Direct {
    async fn payload(&self, at: &AttemptRef, reference: &PayloadRef) -> anyhow::Result<bytes::Bytes> {
        let found = self.0.payload_for_attempt(at, &reference.sha256).await?;
        let (_, pieces) = found.context("there is no such value")?;
        let pieces: Vec<bytes::Bytes> = pieces.try_collect().await?;
        Ok(pieces.concat().into())
    }

    async fn put_payload(
        &self,
        at: &AttemptRef,
        reference: &PayloadRef,
        value: bytes::Bytes,
    ) -> anyhow::Result<()> {
        match self
            .0
            .put_payload_for_attempt(at, &reference.sha256, value)
            .await?
        {
            PayloadPut::Stored(_) => Ok(()),
            refused => anyhow::bail!("{refused:?}"),
        }
    }

    async fn secrets(&self, at: &AttemptRef, names: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
        match self.0.secrets_for_attempt(at, names).await? {
            SecretGrant::Values(values) => Ok(values),
            SecretGrant::Forbidden => anyhow::bail!("forbidden"),
        }
    }
}
