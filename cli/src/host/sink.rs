//! The way of reports inside one process: straight into the orchestrator, without a queue between.

use async_trait::async_trait;
use runnel_queue::{AttemptRef, Report, ReportBatch};
use runnel_runtime::Orchestrator;
use runnel_worker::ReportSink;

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

/// The attempt that a report says to be still going on.
fn alive(report: &Report) -> Option<&AttemptRef> {
    match report {
        Report::Started { at, .. } | Report::Heartbeat { at } | Report::Log { at, .. } => Some(at),
        Report::Hello { .. } | Report::Goodbye {} | Report::Returned { .. } | Report::Completed(_) => None,
    }
}
