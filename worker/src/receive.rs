//! The receive loop. Permits are the capacity: they are taken before receiving and move into the attempt, so a worker never
//! holds a message that it cannot execute at once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runnel_queue::message::decode_task;
use runnel_queue::{Attempt, AttemptRef, Delivery, MessageError, Receipt, Report, TaskMessage, crash_point};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::WorkerConfig;
use crate::attempt::{self, Ended};
use crate::clock;
use crate::completion::{Finished, Settle};
use crate::control::Control;
use crate::log::AttemptLog;
use crate::running::{Held, Running};
use crate::task::Handler;
use crate::telemetry::{Execution, METERS};

/// Longest wait of one receive, the limit of SQS.
const RECEIVE_WAIT: Duration = Duration::from_secs(20);

/// Most messages of one receive.
const RECEIVE_MAX: usize = 256;

/// For a type that this worker does not know: time for one that does.
pub(crate) const UNKNOWN_TYPE_DELAY: Duration = Duration::from_secs(15);

/// For a message of a newer Runnel: time for a newer worker.
pub(crate) const NEWER_VERSION_DELAY: Duration = Duration::from_secs(10 * 60);

/// For a message that nobody can read, until the queue calls it dead.
pub(crate) const MALFORMED_DELAY: Duration = Duration::from_secs(5);

/// For a second delivery of an attempt that runs here.
pub(crate) const REPEATED_DELAY: Duration = Duration::from_secs(30);

const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// The last attempts whose report was accepted: a message that comes again is deleted without running it again.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    attempts: Mutex<(HashSet<AttemptRef>, VecDeque<AttemptRef>)>,
}

impl Recent {
    const KEPT: usize = 4096;

    pub(crate) fn remember<'a>(&self, reported: impl Iterator<Item = &'a AttemptRef>) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, order) = &mut *attempts;
        for at in reported {
            if known.insert(at.clone()) {
                order.push_back(at.clone());
            }
        }
        while order.len() > Self::KEPT {
            if let Some(oldest) = order.pop_front() {
                known.remove(&oldest);
            }
        }
    }

    pub(crate) fn knows(&self, at: &AttemptRef) -> bool {
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .contains(at)
    }
}

/// Receives and spawns attempts; cheap to clone.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) config: Arc<WorkerConfig>,
    pub(crate) running: Arc<Running>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) control: Control,
    pub(crate) finished: mpsc::Sender<Finished>,
    pub(crate) attempts: TaskTracker,
}

impl Receiver {
    /// Receives until the stop; the attempts go on.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let capacity = Arc::new(Semaphore::new(self.config.concurrency));
        // several receivers of a process add up
        METERS.slots.increment(f64::from(
            u32::try_from(self.config.concurrency).unwrap_or(u32::MAX),
        ));
        let mut backoff = BACKOFF_MIN;
        while let Some(permits) = stop.run_until_cancelled(all_free(&capacity)).await.flatten() {
            let receive = self.config.queue.receive(
                &self.config.task_queue,
                permits.num_permits(),
                RECEIVE_WAIT,
                self.config.visibility,
            );
            match stop.run_until_cancelled(receive).await {
                None => return,
                Some(Ok(deliveries)) => {
                    backoff = BACKOFF_MIN;
                    METERS.received.increment(deliveries.len() as u64);
                    if stop.is_cancelled() {
                        return self.release(&deliveries).await;
                    }
                    self.accept(deliveries, permits).await;
                }
                Some(Err(error)) => {
                    METERS.receive_errors.increment(1);
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "nothing received, trying again"
                    );
                    stop.run_until_cancelled(tokio::time::sleep(backoff)).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    /// Gives back what arrived together with the stop.
    async fn release(&self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            self.put_back(&delivery.receipt, Duration::ZERO).await;
        }
    }

    async fn accept(&self, deliveries: Vec<Delivery>, mut permits: OwnedSemaphorePermit) {
        if deliveries.is_empty() {
            return;
        }
        crash_point!("worker.after_receive");
        let received = Instant::now();
        let mut repeated = Vec::new();
        for delivery in deliveries {
            let Some((message, handler)) = self.readable(&delivery).await else {
                continue;
            };
            if self.recent.knows(&message.at) {
                repeated.push(delivery.receipt);
            } else if self.running.holds(&message.at) {
                self.put_back(&delivery.receipt, REPEATED_DELAY).await;
            } else {
                let held = self.running.hold(&message, delivery.receipt, received);
                let permit = permits.split(1);
                self.attempts
                    .spawn(self.clone().attempt(message, handler, held, permit));
            }
        }
        if !repeated.is_empty()
            && let Err(error) = self.config.queue.delete(&self.config.task_queue, &repeated).await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "repeated messages not deleted"
            );
        }
    }

    /// The message and its handler; one that cannot be executed here goes back to the queue.
    async fn readable(&self, delivery: &Delivery) -> Option<(TaskMessage, Arc<dyn Handler>)> {
        let delay = match decode_task(&delivery.body) {
            Ok(message) => match self.config.handlers.find(&message.kind) {
                Some(handler) => return Some((message, handler)),
                None => {
                    tracing::warn!(
                        kind = message.kind,
                        task = message.key,
                        "no handler for this type; released"
                    );
                    UNKNOWN_TYPE_DELAY * delivery.receive_count.clamp(1, 20)
                }
            },
            Err(error @ MessageError::NewerVersion { .. }) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "message left for a newer worker"
                );
                NEWER_VERSION_DELAY
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "message cannot be read");
                MALFORMED_DELAY
            }
        };
        self.put_back(&delivery.receipt, delay).await;
        None
    }

    async fn put_back(&self, receipt: &Receipt, delay: Duration) {
        let receipts = std::slice::from_ref(receipt);
        if let Err(error) = self
            .config
            .queue
            .extend(&self.config.task_queue, receipts, delay)
            .await
        {
            // it becomes visible by itself, only at another time
            tracing::warn!(error = &error as &dyn std::error::Error, "message not put back");
        }
    }

    async fn attempt(
        self,
        mut message: TaskMessage,
        handler: Arc<dyn Handler>,
        held: Arc<Held>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let queue = &self.config.task_queue.0;
        let execution = Execution::begin(&mut message, &self.config.name, queue, held.started_us);
        let work = attempt::execute(&message, handler, &held, &self.control, &self.config.supplies);
        let (ended, log) = Execution::watched(&message, work).await;
        let (usage, traceparent) = execution.end(&ended, held.said.usage());
        held.end();
        let at = held.at.clone();
        let (end, then) = match ended {
            Ended::Completed(outcome) => {
                let attempt = Attempt {
                    at,
                    outcome,
                    started_us: held.started_us,
                    finished_us: clock::now_us(),
                    usage,
                    traceparent,
                };
                (Some(Report::Completed(attempt)), Settle::Delete)
            }
            Ended::Returned => {
                attempt::note(&log, "the worker stops; the attempt is handed back");
                (
                    Some(Report::Returned {
                        at,
                        reason: "the worker stops".to_owned(),
                    }),
                    Settle::Release,
                )
            }
            Ended::Unwanted => (None, Settle::Delete),
            Ended::Lost => (None, Settle::Leave),
        };
        let reports = end
            .into_iter()
            .flat_map(|end| {
                rest_of(&log, &held.at)
                    .chain(held.said.last(&held.at))
                    .chain([end])
            })
            .collect();
        // the channel is bounded: a worker whose reports are not accepted stops taking tasks
        let sent = self.finished.send(Finished { held, reports, then }).await;
        debug_assert!(sent.is_ok(), "the reporter outlives the attempts");
        drop(permit);
    }
}

/// Waits for one permit and takes all that are free.
async fn all_free(capacity: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let mut permits = Arc::clone(capacity).acquire_owned().await.ok()?;
    let more = capacity.available_permits().min(RECEIVE_MAX - 1);
    if let Ok(more) = Arc::clone(capacity).try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
        permits.merge(more);
    }
    Some(permits)
}

pub(crate) fn rest_of(log: &AttemptLog, at: &AttemptRef) -> impl Iterator<Item = Report> {
    std::iter::from_fn(|| log.take_chunk()).map(|lines| Report::Log {
        at: at.clone(),
        lines,
    })
}
