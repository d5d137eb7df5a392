//! The worker as an AWS Lambda function behind an SQS event source.
//!
//! The event source receives and deletes; this executes and reports. Guarantees:
//! - A record is answered as done only after the report of its attempt was accepted. Every other one is answered as failed, and the
//!   queue delivers it again.
//! - The attempts of a batch run at once, and their ends are reported together: a handful of messages for an invocation, not one for each
//!   record.
//! - Before the time of the invocation is over, attempts that have not ended are stopped and handed back to the orchestrator, which has
//!   them begin anew elsewhere. Nothing outlives an invocation, because the process is frozen between two of them.
//! - A message of a newer version is left for a newer worker.
//!
//! Needs the completion queue and nothing else: no route to the API, no database.

mod gather;
mod left;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{LambdaEvent, service_fn};
use runnel_queue::message::decode_task;
use runnel_queue::{Attempt, MessageError, Receipt, Report, TaskQueue};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::attempt::{self, Ended};
use crate::control::{self, Control};
use crate::receive::{
    MALFORMED_DELAY, NEWER_VERSION_DELAY, REPEATED_DELAY, Recent, UNKNOWN_TYPE_DELAY, rest_of,
};
use crate::running::Running;
use crate::telemetry::{Execution, Figures};
use crate::{Handlers, ReportSink, Supplies, clock};
use gather::{Done, Gatherer};
use left::Left;

/// Kept free at the end of an invocation for stopping attempts and reporting that.
const STOP_MARGIN: Duration = Duration::from_secs(12);

/// Kept free for the last lines of the log and for the answer, each; less where there is little time at all.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// Only a figure for bookkeeping: the event source holds the messages.
const VISIBILITY: Duration = Duration::from_secs(15 * 60);

/// For what did not begin or end within the invocation: time for another one to have room.
const NO_TIME_DELAY: Duration = Duration::from_secs(5);

/// Attempts at once, unless it is said otherwise: what a batch of the usual size needs.
const CONCURRENCY: usize = 100;

/// Executes the tasks of SQS events.
#[derive(Clone)]
pub struct LambdaWorker {
    name: String,
    sink: Arc<dyn ReportSink>,
    handlers: Handlers,
    supplies: Supplies,
    concurrency: usize,
    left: Option<Left>,
    recent: Arc<Recent>,
}

impl LambdaWorker {
    /// A worker with this name in its reports.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        sink: Arc<dyn ReportSink>,
        handlers: Handlers,
        supplies: Supplies,
    ) -> Self {
        Self {
            name: name.into(),
            sink,
            handlers,
            supplies,
            concurrency: CONCURRENCY,
            left: None,
            recent: Arc::default(),
        }
    }

    /// Runs at most `attempts` at once; further records of a batch wait for their turn.
    #[must_use]
    pub fn with_concurrency(mut self, attempts: usize) -> Self {
        self.concurrency = attempts.max(1);
        self
    }

    /// Says when what was left is to be delivered again, at the queue it came from: after seconds, as suits the reason, and not after the
    /// queue's whole visibility timeout, which is a multiple of the function's. `prefix` is what the names of all queues begin with.
    /// Without it, or without the permission, the visibility timeout alone decides.
    #[must_use]
    pub fn with_queue(mut self, queue: Arc<dyn TaskQueue>, prefix: impl Into<String>) -> Self {
        self.left = Some(Left::new(queue, prefix.into()));
        self
    }

    /// Serves invocations for as long as the process lives.
    ///
    /// # Errors
    /// The Lambda Runtime API is not there.
    pub async fn run(self) -> anyhow::Result<()> {
        let serve = service_fn(|event: LambdaEvent<SqsEvent>| {
            let worker = self.clone();
            async move {
                let remaining = remaining_until(event.context.deadline);
                Ok::<_, lambda_runtime::Error>(worker.handle(event.payload, remaining).await)
            }
        });
        lambda_runtime::run(serve)
            .await
            .map_err(|error| anyhow::anyhow!(error).context("the Lambda Runtime API failed"))
    }

    /// Executes all records within `remaining`; the answer lists those to deliver again.
    pub async fn handle(&self, event: SqsEvent, remaining: Duration) -> SqsBatchResponse {
        let begun = Instant::now();
        let margin = STOP_MARGIN.min(remaining / 3);
        let answer_margin = ANSWER_MARGIN.min(margin / 8);
        let (control, reports) = Control::new();
        // the other half of the margin is for the reports and the answer
        let running = Running::new(VISIBILITY).with_stop_grace(margin / 2);
        let (finished, ended) = mpsc::channel(event.records.len().max(1));
        let invocation = Invocation {
            worker: self,
            running: &running,
            control: &control,
            slots: Semaphore::new(self.concurrency),
            stop_at: begun + remaining.saturating_sub(margin),
            open: AtomicUsize::new(event.records.len()),
            fates: event.records.iter().map(|_| Fate::default()).collect(),
            figures: Figures::new(),
        };
        let gatherer = Gatherer {
            worker: &self.name,
            sink: self.sink.as_ref(),
            recent: &self.recent,
            open: &invocation.open,
            fates: &invocation.fates,
        };
        let work = async {
            // moved in, so that the gatherer ends when all attempts have
            let finished = finished;
            let attempts = event
                .records
                .iter()
                .enumerate()
                .map(|(index, record)| invocation.take(index, record, &finished));
            futures_util::future::join_all(attempts).await;
        };
        let deliver = control::deliver(reports, &self.name, self.sink.as_ref(), &running);
        tokio::pin!(deliver);
        let keep = async {
            tokio::select! {
                _ = async { tokio::join!(work, gatherer.run(ended)) } => {}
                () = running.keep_reported(&control) => {}
                () = &mut deliver => {}
                () = async {
                    tokio::time::sleep_until(invocation.stop_at).await;
                    running.drain();
                    std::future::pending().await
                } => {}
            }
        };
        if tokio::time::timeout(remaining.saturating_sub(2 * answer_margin), keep)
            .await
            .is_err()
        {
            tracing::warn!("the invocation is nearly over; what has not ended is delivered again");
        }
        let (fates, figures) = (invocation.fates, invocation.figures);
        drop(control);
        // the last lines of the log; without senders this ends by itself
        let last_words = tokio::time::timeout(answer_margin, deliver);
        let put_back = tokio::time::timeout(answer_margin, self.put_back(&event.records, &fates));
        // the process is frozen after the answer: spans that wait are sent now, or not before the next one
        let spans = tokio::time::timeout(answer_margin, runnel_telemetry::flush());
        let _ = tokio::join!(last_words, put_back, spans);
        let records = event.records.len();
        let answer = self.answer(event.records, &fates);
        figures.print(records, answer.batch_item_failures.len(), begun.elapsed());
        answer
    }

    async fn put_back(&self, records: &[SqsMessage], fates: &[Fate]) {
        let Some(left) = &self.left else { return };
        let these = records.iter().zip(fates).filter_map(|(record, fate)| {
            let delay = if self.is_settled(record, fate) {
                None
            } else {
                fate.delay()
            };
            Some((record, delay?))
        });
        left.put_back(these).await;
    }

    /// Whether the record's message can go. A repetition within the batch can when its original was reported.
    fn is_settled(&self, record: &SqsMessage, fate: &Fate) -> bool {
        match fate.0.get() {
            Some(Verdict::Settled) => true,
            Some(Verdict::Left(_)) | None => false,
            Some(Verdict::Repeated) => decode_task(record.body.as_deref().unwrap_or_default())
                .is_ok_and(|message| self.recent.knows(&message.at)),
        }
    }

    fn answer(&self, records: Vec<SqsMessage>, fates: &[Fate]) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = records
            .into_iter()
            .zip(fates)
            .filter(|(record, fate)| !self.is_settled(record, fate))
            .map(|(record, _)| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = record.message_id.unwrap_or_default();
                failure
            })
            .collect();
        response
    }
}

/// What becomes of a record: nothing is known of it until somebody says so.
#[derive(Debug, Default)]
struct Fate(std::sync::OnceLock<Verdict>);

#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// Reported; its message can go.
    Settled,
    /// To be delivered again, after this time where it is known.
    Left(Option<Duration>),
    /// The same attempt came twice in the batch; the other one decides.
    Repeated,
}

impl Fate {
    /// The first verdict stands.
    fn decide(&self, verdict: Verdict) {
        let _ = self.0.set(verdict);
    }

    fn delay(&self) -> Option<Duration> {
        match self.0.get() {
            Some(Verdict::Left(delay)) => *delay,
            Some(Verdict::Settled) => None,
            Some(Verdict::Repeated) => Some(REPEATED_DELAY),
            // it has neither ended nor been stopped in time
            None => Some(NO_TIME_DELAY),
        }
    }
}

/// How the work on a record ended.
enum End {
    /// With something to report.
    Done(Done),
    /// Without.
    Decided(Verdict),
}

/// One batch at work.
struct Invocation<'a> {
    worker: &'a LambdaWorker,
    running: &'a Running,
    control: &'a Control,
    slots: Semaphore,
    stop_at: Instant,
    /// Records that may still end with a report.
    open: AtomicUsize,
    fates: Vec<Fate>,
    /// What CloudWatch hears of it.
    figures: Figures,
}

impl Invocation<'_> {
    /// Executes a record; its report, if there is one, goes to the gatherer.
    async fn take(&self, index: usize, record: &SqsMessage, finished: &mpsc::Sender<Done>) {
        let ended = self.execute(index, record).await;
        self.open.fetch_sub(1, Ordering::SeqCst);
        match ended {
            Ok(End::Done(done)) => {
                // the channel has room for all records; without a receiver the invocation is over
                let _ = finished.send(done).await;
            }
            Ok(End::Decided(verdict)) => self.decide(index, verdict),
            Err(delay) => self.decide(index, Verdict::Left(Some(delay))),
        }
    }

    fn decide(&self, index: usize, verdict: Verdict) {
        if let Some(fate) = self.fates.get(index) {
            fate.decide(verdict);
        }
    }

    /// How the record's attempt ended, or the time after which it is delivered again because it did not begin.
    async fn execute(&self, index: usize, record: &SqsMessage) -> Result<End, Duration> {
        let mut message = match decode_task(record.body.as_deref().unwrap_or_default()) {
            Ok(message) => message,
            Err(error) => {
                let is_newer = matches!(error, MessageError::NewerVersion { .. });
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "message left in the queue"
                );
                return Err(if is_newer {
                    NEWER_VERSION_DELAY
                } else {
                    MALFORMED_DELAY
                });
            }
        };
        let Some(handler) = self.worker.handlers.find(&message.kind) else {
            tracing::warn!(
                kind = message.kind,
                "no handler for this type; message left in the queue"
            );
            return Err(UNKNOWN_TYPE_DELAY * receives(record).clamp(1, 20));
        };
        if self.worker.recent.knows(&message.at) {
            return Ok(End::Decided(Verdict::Settled));
        }
        let slot = tokio::time::timeout_at(self.stop_at, self.slots.acquire()).await;
        if self.running.holds(&message.at) {
            return Ok(End::Decided(Verdict::Repeated));
        }
        let Ok(Ok(_slot)) = slot else {
            tracing::warn!(task = message.key, "no room within the invocation");
            return Err(NO_TIME_DELAY);
        };
        let receipt = Receipt(record.receipt_handle.clone().unwrap_or_default());
        let held = self.running.hold(&message, receipt, Instant::now());
        let (name, queue) = (&self.worker.name, queue_of(record));
        let execution = Execution::begin(&mut message, name, queue, held.started_us);
        let work = attempt::execute(&message, handler, &held, self.control, &self.worker.supplies);
        let (ended, log) = Execution::watched(&message, work).await;
        let (usage, traceparent) = execution.end(&ended, held.said.usage());
        self.figures.ended(&ended, usage.as_ref());
        held.end();
        self.running.release(&held);
        let at = held.at.clone();
        let end = match ended {
            Ended::Completed(outcome) => Report::Completed(Attempt {
                at,
                outcome,
                started_us: held.started_us,
                finished_us: clock::now_us(),
                usage,
                traceparent,
            }),
            // once that is known the attempt is over: its message must not begin it again beside its successor
            Ended::Returned => Report::Returned {
                at,
                reason: "too little time left in the invocation".to_owned(),
            },
            Ended::Unwanted => return Ok(End::Decided(Verdict::Settled)),
            Ended::Lost => return Ok(End::Decided(Verdict::Left(None))),
        };
        let at = held.at.clone();
        let reports = rest_of(&log, &at)
            .chain(held.said.last(&at))
            .chain([end])
            .collect();
        Ok(End::Done(Done { index, at, reports }))
    }
}

/// Name of the queue that the event source reads.
fn queue_of(record: &SqsMessage) -> &str {
    let arn = record.event_source_arn.as_deref().unwrap_or_default();
    arn.rsplit_once(':').map_or("", |(_, name)| name)
}

fn receives(record: &SqsMessage) -> u32 {
    let count = record.attributes.get("ApproximateReceiveCount");
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// Time from now to a moment given in milliseconds since the epoch.
#[must_use]
pub fn remaining_until(deadline_ms: u64) -> Duration {
    let now_ms = u64::try_from(clock::now_us() / 1000).unwrap_or(0);
    Duration::from_millis(deadline_ms.saturating_sub(now_ms))
}

#[cfg(test)]
mod tests;
