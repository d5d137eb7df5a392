//! Runnel's workers: receive, execute, report. Know neither database nor engine.
//!
//! Guarantees:
//! - A message is deleted only after the report of its attempt was accepted, or after the orchestrator said that nobody wants
//!   it. So a worker may die at any moment: the message becomes visible again.
//! - At most `concurrency` attempts run, and no message is held that does not run.
//! - A handler that fails, panics, hangs or prints without end harms its own attempt only.
//! - No secret value leaves the worker in a report or log line.
//!
//! Who writes tasks of their own begins with [`Worker`]: an async function for each task type, and the same program is a container
//! worker and a Lambda function. The guide is `docs/workers.md`.

mod attempt;
mod clock;
mod completion;
mod control;
pub mod handlers;
pub mod lambda;
mod log;
mod pack;
mod panic;
mod program;
mod receive;
mod running;
mod said;
mod secret;
pub mod settings;
pub mod sink;
mod supply;
mod task;
pub mod telemetry;
pub mod typed;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use runnel_queue::{AttemptRef, QueueError, QueueName, Report, ReportBatch, TaskQueue};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use handlers::{BuiltinOptions, HttpPolicy};
pub use log::AttemptLog;
pub use program::Worker;
pub use runnel_queue::Progress;
pub use runnel_queue::{Failure, FailureCategory, LogStream};
pub use secret::{Redactor, Secrets};
pub use sink::{HttpSink, QueueSink, SplitSink};
pub use supply::{ControlChannel, Supplies};
pub use task::{Handler, Handlers, TaskContext, TaskError};
pub use typed::Classify;

/// How often a worker says that it is there.
const HELLO_EVERY: Duration = Duration::from_secs(30);

/// Ended attempts that may wait for their report, per slot.
const FINISHED_PER_SLOT: usize = 4;

/// After the attempts have ended: how long their reports may take, and the last of the log.
const REPORT_GRACE: Duration = Duration::from_secs(10);

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
    /// Where large values and stored secrets come from.
    pub supplies: Supplies,
}

/// Runs a worker until `stop` is cancelled and its attempts have ended or the grace is over.
///
/// # Errors
/// The queue does not exist.
pub async fn run(config: WorkerConfig, stop: CancellationToken) -> anyhow::Result<()> {
    anyhow::ensure!(config.concurrency > 0, "a worker needs at least one slot");
    if !reach_queue(&config, &stop).await? {
        return Ok(());
    }
    let config = Arc::new(config);
    let running = Arc::new(running::Running::new(config.visibility));
    let recent = Arc::new(receive::Recent::default());
    let give_up = CancellationToken::new();
    let (control, reports) = control::Control::new();
    let (finished, ended) = mpsc::channel(config.concurrency * FINISHED_PER_SLOT);
    let attempts = TaskTracker::new();

    let reporter = tokio::spawn(
        completion::Reporter {
            config: Arc::clone(&config),
            running: Arc::clone(&running),
            recent: Arc::clone(&recent),
            give_up: give_up.clone(),
        }
        .run(ended),
    );
    let deliverer = tokio::spawn(deliver_control(
        reports,
        Arc::clone(&config),
        Arc::clone(&running),
    ));
    let keeper = tokio::spawn(keep(Arc::clone(&config), Arc::clone(&running), control.clone()));
    let receiver = receive::Receiver {
        config: Arc::clone(&config),
        running: Arc::clone(&running),
        recent,
        control: control.clone(),
        finished,
        attempts: attempts.clone(),
    };
    tracing::info!(worker = config.name, queue = %config.task_queue, slots = config.concurrency, "worker started");
    receiver.run(&stop).await;

    drop(receiver);
    attempts.close();
    if tokio::time::timeout(config.drain_grace, attempts.wait())
        .await
        .is_err()
    {
        running.drain();
        attempts.wait().await;
    }
    let _ = control.offer(Report::Goodbye {});
    finish_reports(reporter, &give_up).await;
    keeper.abort();
    let _ = keeper.await; // its sender of control reports must be gone before the deliverer can end
    drop(control);
    if tokio::time::timeout(REPORT_GRACE, deliverer).await.is_err() {
        tracing::warn!("the last log lines could not be delivered");
    }
    tracing::info!(worker = config.name, "worker stopped");
    Ok(())
}

/// Waits until the queue service answers; false when told to stop before.
async fn reach_queue(config: &WorkerConfig, stop: &CancellationToken) -> anyhow::Result<bool> {
    let mut backoff = Duration::from_millis(200);
    loop {
        match stop
            .run_until_cancelled(config.queue.ensure(&config.task_queue))
            .await
        {
            None => return Ok(false),
            Some(Ok(())) => return Ok(true),
            Some(Err(error @ QueueError::NotFound { .. })) => {
                return Err(error).context("the worker cannot start");
            }
            Some(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "queue not reached, trying again"
                );
                stop.run_until_cancelled(tokio::time::sleep(backoff)).await;
                backoff = (backoff * 2).min(Duration::from_secs(5));
            }
        }
    }
}

/// Everything that goes on beside the attempts: hello, heartbeats, visibility.
async fn keep(config: Arc<WorkerConfig>, running: Arc<running::Running>, control: control::Control) {
    let hello = async {
        let mut every = tokio::time::interval(HELLO_EVERY);
        loop {
            every.tick().await;
            let _ = control.offer(Report::Hello {
                types: config.handlers.types(),
                queue: config.task_queue.to_string(),
                slots: u32::try_from(config.concurrency).unwrap_or(u32::MAX),
            });
        }
    };
    tokio::select! {
        () = hello => {}
        () = running.keep_reported(&control) => {}
        () = running.keep_invisible(config.queue.as_ref(), &config.task_queue) => {}
    }
}

async fn deliver_control(
    reports: mpsc::Receiver<Report>,
    config: Arc<WorkerConfig>,
    running: Arc<running::Running>,
) {
    control::deliver(reports, &config.name, config.sink.as_ref(), &running).await;
}

async fn finish_reports(mut reporter: tokio::task::JoinHandle<()>, give_up: &CancellationToken) {
    if tokio::time::timeout(REPORT_GRACE, &mut reporter).await.is_err() {
        tracing::warn!("not every report was accepted; the queue will deliver those tasks again");
        give_up.cancel();
        let _ = tokio::time::timeout(REPORT_GRACE, reporter).await;
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
