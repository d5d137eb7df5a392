//! Reports of ended attempts: never lost while the message is held.
//!
//! Sent at once when nothing is being sent; what ends meanwhile is gathered, so that batches grow with the load and an idle
//! worker adds no delay. A message is deleted (or released) only after its report was accepted; until then the attempt stays
//! held. A crash between the two repeats the report or the attempt, and the orchestrator's fence refuses the second.

use std::sync::Arc;
use std::time::Duration;

use runnel_queue::{Receipt, Report, crash_point};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::WorkerConfig;
use crate::pack;
use crate::receive::Recent;
use crate::running::{Held, Running, StopReason};

/// Sends at once. One would make every completion wait for the one before; many would make batches small.
const SENDS_MAX: usize = 4;

/// Reports gathered into one send.
const GATHER_MAX: usize = 1000;

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// An ended attempt.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) held: Arc<Held>,
    /// The rest of its log, then its end; empty when there is nothing to tell.
    pub(crate) reports: Vec<Report>,
    pub(crate) then: Settle,
}

/// What becomes of the message once the report is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settle {
    Delete,
    Release,
    /// It is somebody else's.
    Leave,
}

/// What a send needs; cheap to clone.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) running: Arc<Running>,
    pub(crate) recent: Arc<Recent>,
    /// Cancelled when the worker gives up on what it could not report.
    pub(crate) give_up: CancellationToken,
}

impl Reporter {
    /// Reports until every sender is gone and everything is reported, or until it gives up.
    pub(crate) async fn run(self, mut finished: mpsc::Receiver<Finished>) {
        let mut sends = JoinSet::new();
        let mut gathered = Vec::new();
        while finished.recv_many(&mut gathered, GATHER_MAX).await > 0 {
            while sends.len() >= SENDS_MAX {
                sends.join_next().await;
                while gathered.len() < GATHER_MAX
                    && let Ok(more) = finished.try_recv()
                {
                    gathered.push(more);
                }
            }
            sends.spawn(self.clone().settle(std::mem::take(&mut gathered)));
            while sends.try_join_next().is_some() {}
        }
        while sends.join_next().await.is_some() {}
    }

    async fn settle(self, mut finished: Vec<Finished>) {
        let reports: Vec<_> = finished
            .iter_mut()
            .flat_map(|f| std::mem::take(&mut f.reports))
            .collect();
        crash_point!("worker.before_report");
        for batch in pack::batches(&self.config.name, reports) {
            let mut backoff = BACKOFF_MIN;
            loop {
                match self.config.sink.report(batch.clone()).await {
                    Ok(unwanted) => break self.running.stop_all(&unwanted, StopReason::Unwanted),
                    Err(error) => {
                        tracing::warn!(error = format!("{error:#}"), "report not accepted, trying again")
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(backoff) => backoff = (backoff * 2).min(BACKOFF_MAX),
                    // the messages become visible again and another worker repeats the attempts
                    () = self.give_up.cancelled() => return self.forget(&finished),
                }
            }
        }
        crash_point!("worker.after_report");
        self.recent.remember(
            finished
                .iter()
                .filter(|f| f.then == Settle::Delete)
                .map(|f| &f.held.at),
        );
        self.settle_messages(&finished).await;
        self.forget(&finished);
    }

    async fn settle_messages(&self, finished: &[Finished]) {
        let (queue, name) = (&self.config.queue, &self.config.task_queue);
        let receipts = |then: Settle| -> Vec<Receipt> {
            finished
                .iter()
                .filter(|f| f.then == then)
                .map(|f| f.held.receipt.clone())
                .collect()
        };
        let (delete, release) = (receipts(Settle::Delete), receipts(Settle::Release));
        if !delete.is_empty()
            && let Err(error) = queue.delete(name, &delete).await
        {
            // harmless: it comes again and is recognised, or its report is refused by the fence
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                messages = delete.len(),
                "messages not deleted"
            );
        }
        if !release.is_empty()
            && let Err(error) = queue.extend(name, &release, Duration::ZERO).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                messages = release.len(),
                "messages not released"
            );
        }
    }

    fn forget(&self, finished: &[Finished]) {
        finished.iter().for_each(|f| self.running.release(&f.held));
    }
}
