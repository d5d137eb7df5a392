//! The way of reports inside one process: straight into the orchestrator, without a queue between.

use std::collections::BTreeMap;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use runnel_queue::{AttemptRef, PayloadRef, Report, ReportBatch};
use runnel_runtime::Orchestrator;
use runnel_runtime::payload::PayloadPut;
use runnel_runtime::secret::SecretGrant;
use runnel_worker::{ControlChannel, ReportSink};

/// Hands reports to the orchestrator of this process.
pub struct LocalSink {
    orchestrator: Orchestrator,
}

impl LocalSink {
    /// A sink of this orchestrator.
    pub fn new(orchestrator: Orchestrator) -> Self {
        Self { orchestrator }
    }
}

#[async_trait]
impl ReportSink for LocalSink {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        let alive: Vec<AttemptRef> = batch.reports.iter().filter_map(alive).cloned().collect();
        self.orchestrator.report(batch).await;
        if alive.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(self.orchestrator.unwanted(&alive).await)
        }
    }
}

/// The payload store is shared within the process; only secrets are asked for here.
#[async_trait]
impl ControlChannel for LocalSink {
    async fn payload(&self, at: &AttemptRef, reference: &PayloadRef) -> anyhow::Result<Bytes> {
        let found = self
            .orchestrator
            .payload_for_attempt(at, &reference.sha256)
            .await?;
        let (_, mut pieces) = found.context("there is no such value")?;
        let mut value = BytesMut::new();
        while let Some(piece) = pieces.next().await {
            value.extend_from_slice(&piece?);
        }
        Ok(value.freeze())
    }

    async fn put_payload(&self, at: &AttemptRef, reference: &PayloadRef, value: Bytes) -> anyhow::Result<()> {
        match self
            .orchestrator
            .put_payload_for_attempt(at, &reference.sha256, value)
            .await?
        {
            PayloadPut::Stored(_) => Ok(()),
            PayloadPut::Forbidden => anyhow::bail!("the attempt is over"),
            PayloadPut::Refused(message) => anyhow::bail!(message),
        }
    }

    async fn secrets(&self, at: &AttemptRef, names: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
        match self.orchestrator.secrets_for_attempt(at, names).await? {
            SecretGrant::Values(values) => Ok(values),
            SecretGrant::Forbidden => anyhow::bail!("the attempt is over"),
        }
    }
}

/// The attempt that a report says to be still going on.
fn alive(report: &Report) -> Option<&AttemptRef> {
    match report {
        Report::Started { at, .. } | Report::Heartbeat { at, .. } | Report::Log { at, .. } => Some(at),
        Report::Hello { .. } | Report::Goodbye {} | Report::Returned { .. } | Report::Completed(_) => None,
    }
}
