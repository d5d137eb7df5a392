//! Reports that are worth sending and not worth keeping: hello, started, heartbeats, log lines.
//!
//! They go in order, several in one batch, with a few tries; then they are dropped, because the next heartbeat says more
//! than a late one. The sink's answer names the attempts nobody wants any more, and those are stopped.

use std::future::pending;
use std::time::Duration;

use runnel_queue::Report;
use tokio::sync::mpsc;

use crate::ReportSink;
use crate::pack;
use crate::running::{Running, StopReason};

/// Reports that may wait; beyond, log writers wait.
const WAITING_MAX: usize = 1024;

/// Tries to deliver one batch before it is dropped.
const TRIES: u32 = 3;

const RETRY_DELAY: Duration = Duration::from_millis(200);

/// The sending end.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    sender: mpsc::Sender<Report>,
}

/// Room for one report.
pub(crate) struct Room<'a>(mpsc::Permit<'a, Report>);

impl Room<'_> {
    pub(crate) fn send(self, report: Report) {
        self.0.send(report);
    }
}

impl Control {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Report>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self { sender }, receiver)
    }

    /// Waits for room; for ever when the worker has stopped delivering.
    pub(crate) async fn reserve(&self) -> Room<'_> {
        match self.sender.reserve().await {
            Ok(permit) => Room(permit),
            Err(_closed) => pending().await,
        }
    }

    /// Sends unless too much is waiting; for reports that come again.
    pub(crate) fn offer(&self, report: Report) -> bool {
        self.sender.try_send(report).is_ok()
    }
}

/// Delivers until every sender is gone.
pub(crate) async fn deliver(
    mut reports: mpsc::Receiver<Report>,
    worker: &str,
    sink: &dyn ReportSink,
    running: &Running,
) {
    let mut gathered = Vec::new();
    while reports.recv_many(&mut gathered, WAITING_MAX).await > 0 {
        for batch in pack::batches(worker, std::mem::take(&mut gathered)) {
            let mut tries = 1;
            loop {
                match sink.report(batch.clone()).await {
                    Ok(unwanted) => break running.stop_all(&unwanted, StopReason::Unwanted),
                    Err(error) if tries == TRIES => {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            reports = batch.reports.len(),
                            "reports dropped"
                        );
                        break;
                    }
                    Err(_) => tries += 1,
                }
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}
