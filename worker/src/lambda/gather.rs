//! Reports of one invocation, together.
//!
//! What ends within a short window goes into one message, as far as the limit of a message allows; and when nothing else of the batch
//! can end any more, it goes at once. So a batch costs a few messages, and a batch of one no time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runnel_queue::{AttemptRef, Report};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Fate, Verdict};
use crate::receive::Recent;
use crate::{ReportSink, pack};

/// The longest that an ended attempt waits for others to end. Its downstreams wait as long.
const WINDOW: Duration = Duration::from_millis(25);

/// How often a batch of reports is offered. Then its records are delivered again.
const TRIES: u32 = 5;
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Done {
    /// Place of its record in the event.
    pub(super) index: usize,
    pub(super) at: AttemptRef,
    /// The rest of its log, then its end.
    pub(super) reports: Vec<Report>,
}

/// Gathers and sends.
pub(super) struct Gatherer<'a> {
    pub(super) worker: &'a str,
    pub(super) sink: &'a dyn ReportSink,
    pub(super) recent: &'a Recent,
    /// Records that may still end.
    pub(super) open: &'a AtomicUsize,
    pub(super) fates: &'a [Fate],
}

impl Gatherer<'_> {
    /// Reports until every sender is gone.
    pub(super) async fn run(&self, mut ended: mpsc::Receiver<Done>) {
        while let Some(first) = ended.recv().await {
            let mut gathered = vec![first];
            let window_ends = Instant::now() + WINDOW;
            while self.open.load(Ordering::SeqCst) > 0 {
                match tokio::time::timeout_at(window_ends, ended.recv()).await {
                    Ok(Some(done)) => gathered.push(done),
                    Ok(None) | Err(_) => break,
                }
            }
            while let Ok(done) = ended.try_recv() {
                gathered.push(done);
            }
            self.report(gathered).await;
        }
    }

    /// Sends in order, and settles each record once its last report was accepted.
    async fn report(&self, gathered: Vec<Done>) {
        let mut ends = Vec::with_capacity(gathered.len());
        let mut reports = Vec::new();
        for done in gathered {
            reports.extend(done.reports);
            ends.push((reports.len(), done.index, done.at));
        }
        let mut accepted = 0;
        for batch in pack::batches(self.worker, reports) {
            let size = batch.reports.len();
            if !self.offer(batch).await {
                break;
            }
            accepted += size;
        }
        for (end, index, at) in ends {
            let verdict = if end <= accepted {
                self.recent.remember([&at].into_iter());
                Verdict::Settled
            } else {
                // the completion queue is away: the queue's own visibility timeout is a good time to wait
                Verdict::Left(None)
            };
            if let Some(fate) = self.fates.get(index) {
                fate.decide(verdict);
            }
        }
    }

    async fn offer(&self, batch: runnel_queue::ReportBatch) -> bool {
        for tried in 1..=TRIES {
            match self.sink.report(batch.clone()).await {
                Ok(_unwanted) => return true,
                Err(error) => tracing::warn!(error = format!("{error:#}"), "report not accepted"),
            }
            if tried < TRIES {
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
        false
    }
}
