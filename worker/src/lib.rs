//! Runnel's workers: receive, execute, report. Know neither database nor engine.

use std::sync::Arc;
use std::time::Duration;

use runnel_queue::{AttemptRef, QueueName, ReportBatch, TaskQueue};
use tokio_util::sync::CancellationToken;

/// Where reports go: the completion queue, or the orchestrator in the same process.
#[async_trait::async_trait]
pub trait ReportSink: Send + Sync {
    /// Delivers the batch; answers those of its attempts whose result is not wanted any more (empty where that cannot be known).
    ///
    /// # Errors
    /// The reports were not accepted; the caller tries again.
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>>;
}

/// What a worker is started with.
#[derive(Clone)]
pub struct WorkerConfig {
    /// Name, unique among live workers.
    pub name: String,
    /// The queue service.
    pub queue: Arc<dyn TaskQueue>,
    /// The task queue to receive from.
    pub task_queue: QueueName,
    /// Where reports go.
    pub sink: Arc<dyn ReportSink>,
    /// Attempts at once.
    pub concurrency: usize,
    /// Visibility of a received message; extended at a third of it.
    pub visibility: Duration,
    /// How long running attempts may go on after a stop.
    pub drain_grace: Duration,
    /// Handlers by task type.
    pub handlers: Handlers,
}

/// Handlers by task type.
#[derive(Clone, Default)]
pub struct Handlers {
    // the implementer's
}

impl Handlers {
    /// `http`, `shell`, `python`, `llm` and `sqs`.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// The task types, sorted.
    #[must_use]
    pub fn types(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Runs a worker until `stop` is cancelled and its attempts have ended or the grace is over.
///
/// # Errors
/// The queue does not exist.
pub async fn run(config: WorkerConfig, stop: CancellationToken) -> anyhow::Result<()> {
    let _ = (config, stop);
    unimplemented!()
}
