//! Reports over the completion queue.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use runnel_queue::message::encode_reports;
use runnel_queue::{AttemptRef, Outgoing, QueueName, ReportBatch, TaskQueue};

use crate::ReportSink;

/// Sends each batch as one message. Learns nothing of unwanted attempts.
#[derive(Debug, Clone)]
pub struct QueueSink {
    queue: Arc<dyn TaskQueue>,
    name: QueueName,
}

impl QueueSink {
    /// Reports over [`QueueName::completions`] of the service.
    #[must_use]
    pub fn new(queue: Arc<dyn TaskQueue>) -> Self {
        Self {
            queue,
            name: QueueName::completions(),
        }
    }
}

#[async_trait::async_trait]
impl ReportSink for QueueSink {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        let body = encode_reports(&batch).context("reports do not fit a message")?;
        let refused = self
            .queue
            .send(
                &self.name,
                vec![Outgoing {
                    body,
                    delay: Duration::ZERO,
                    traceparent: None,
                }],
            )
            .await?;
        match refused.into_iter().next() {
            None => Ok(Vec::new()),
            Some(failure) => Err(anyhow::anyhow!(
                "queue `{}` refused the reports: {}",
                self.name,
                failure.message
            )),
        }
    }
}
