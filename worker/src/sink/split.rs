//! Control over one way, ends of attempts over another.

use std::sync::Arc;

use runnel_queue::{AttemptRef, Report, ReportBatch};

use crate::ReportSink;

/// Sends ends of attempts over the durable way, and everything else over the control channel, whose answers tell of
/// unwanted attempts. Nothing about correctness depends on the control channel.
#[derive(Clone)]
pub struct SplitSink {
    durable: Arc<dyn ReportSink>,
    control: Arc<dyn ReportSink>,
}

impl SplitSink {
    /// Ends of attempts over `durable`, the rest over `control`.
    #[must_use]
    pub fn new(durable: Arc<dyn ReportSink>, control: Arc<dyn ReportSink>) -> Self {
        Self { durable, control }
    }
}

#[async_trait::async_trait]
impl ReportSink for SplitSink {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        let is_end = |report: &Report| matches!(report, Report::Completed(_) | Report::Returned { .. });
        if batch.reports.iter().any(is_end) {
            self.durable.report(batch).await
        } else {
            self.control.report(batch).await
        }
    }
}
