//! The worker as an AWS Lambda function behind an SQS event source.
//!
//! The event source receives, extends and deletes; this executes and reports. A record is answered as failed when its report
//! was not accepted, when its attempt was handed back, or when it cannot be executed here: the queue delivers it again.
//! Nothing outlives an invocation, because the process is frozen between two of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use runnel_queue::message::{MESSAGE_VERSION, decode_task};
use runnel_queue::{Attempt, Receipt, Report, ReportBatch};
use tokio::time::Instant;

use crate::attempt::{self, Ended};
use crate::control::{self, Control};
use crate::running::Running;
use crate::telemetry::Execution;
use crate::{Handlers, ReportSink, Supplies, clock};

/// Kept free at the end of an invocation for stopping attempts and reporting that.
const STOP_MARGIN: Duration = Duration::from_secs(12);

/// Kept free for the answer itself.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// Only a figure for bookkeeping: the event source holds the messages.
const VISIBILITY: Duration = Duration::from_secs(15 * 60);

const REPORT_TRIES: u32 = 5;
const REPORT_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Executes the tasks of SQS events.
#[derive(Clone)]
pub struct LambdaWorker {
    /// Name in reports.
    pub name: String,
    /// Where reports go.
    pub sink: Arc<dyn ReportSink>,
    /// Handlers by task type.
    pub handlers: Handlers,
    /// Where large values and stored secrets come from.
    pub supplies: Supplies,
}

impl LambdaWorker {
    /// Executes all records at once, within `remaining`; the answer lists those to deliver again.
    pub async fn handle(&self, event: SqsEvent, remaining: Duration) -> SqsBatchResponse {
        let begun = Instant::now();
        let margin = STOP_MARGIN.min(remaining / 3);
        let (control, reports) = Control::new();
        let running = Running::new(VISIBILITY);
        let settled = Mutex::new(Vec::new());
        let work = async {
            let records = event.records.iter().map(|record| async {
                if self.settle(record, &running, &control).await {
                    settled
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(record.message_id.clone());
                }
            });
            futures_util::future::join_all(records).await;
        };
        let deliver = control::deliver(reports, &self.name, self.sink.as_ref(), &running);
        tokio::pin!(deliver);
        let keep = async {
            tokio::select! {
                () = work => {}
                () = running.keep_reported(&control) => {}
                () = &mut deliver => {}
                () = async {
                    tokio::time::sleep_until(begun + remaining.saturating_sub(margin)).await;
                    running.drain();
                    std::future::pending().await
                } => {}
            }
        };
        if tokio::time::timeout(remaining.saturating_sub(2 * ANSWER_MARGIN), keep)
            .await
            .is_err()
        {
            tracing::warn!("the invocation is nearly over; what has not ended is delivered again");
        }
        drop(control);
        // the last lines of the log; without senders this ends by itself
        let _ = tokio::time::timeout(ANSWER_MARGIN, deliver).await;
        let settled = settled.into_inner().unwrap_or_else(PoisonError::into_inner);
        let failed = event
            .records
            .into_iter()
            .filter(|record| !settled.contains(&record.message_id));
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failed
            .map(|record| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = record.message_id.unwrap_or_default();
                failure
            })
            .collect();
        response
    }

    /// Whether the record's message may be deleted.
    async fn settle(&self, record: &SqsMessage, running: &Running, control: &Control) -> bool {
        let mut message = match decode_task(record.body.as_deref().unwrap_or_default()) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "message left in the queue"
                );
                return false;
            }
        };
        let Some(handler) = self.handlers.find(&message.kind) else {
            tracing::warn!(
                kind = message.kind,
                "no handler for this type; message left in the queue"
            );
            return false;
        };
        let receipt = Receipt(record.receipt_handle.clone().unwrap_or_default());
        let held = running.hold(&message, receipt, Instant::now());
        let execution = Execution::begin(&mut message, &self.name, queue_of(record), held.started_us);
        let work = attempt::execute(&message, handler, &held, control, &self.supplies);
        let (ended, log) =
            runnel_telemetry::with_log_context(Execution::log_context(&message), work).await;
        let (usage, traceparent) = execution.end(&ended, held.said.usage());
        held.end();
        running.release(&held);
        let at = held.at.clone();
        let (end, is_over) = match ended {
            Ended::Completed(outcome) => {
                let (started_us, finished_us) = (held.started_us, clock::now_us());
                (
                    Report::Completed(Attempt {
                        at,
                        outcome,
                        started_us,
                        finished_us,
                        usage,
                        traceparent,
                    }),
                    true,
                )
            }
            Ended::Returned => (
                Report::Returned {
                    at,
                    reason: "too little time left in the invocation".to_owned(),
                },
                false,
            ),
            Ended::Unwanted => return true,
            Ended::Lost => return false,
        };
        let rest = std::iter::from_fn(|| log.take_chunk()).map(|lines| Report::Log {
            at: held.at.clone(),
            lines,
        });
        let last = held.said.last(&held.at);
        self.report(rest.chain(last).chain([end]).collect()).await && is_over
    }

    async fn report(&self, reports: Vec<Report>) -> bool {
        let batch = ReportBatch {
            v: MESSAGE_VERSION,
            worker: self.name.clone(),
            reports,
        };
        for _ in 0..REPORT_TRIES {
            match self.sink.report(batch.clone()).await {
                Ok(_unwanted) => return true,
                Err(error) => tracing::warn!(error = format!("{error:#}"), "report not accepted"),
            }
            tokio::time::sleep(REPORT_RETRY_DELAY).await;
        }
        false
    }
}

/// Name of the queue that the event source reads.
fn queue_of(record: &SqsMessage) -> &str {
    let arn = record.event_source_arn.as_deref().unwrap_or_default();
    arn.rsplit_once(':').map_or("", |(_, name)| name)
}

/// Time from now to a moment given in milliseconds since the epoch.
#[must_use]
pub fn remaining_until(deadline_ms: u64) -> Duration {
    let now_ms = u64::try_from(clock::now_us() / 1000).unwrap_or(0);
    Duration::from_millis(deadline_ms.saturating_sub(now_ms))
}
