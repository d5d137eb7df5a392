//! Receives what workers report through the queue, and reads the dead letters of the task queues.
//!
//! Guarantees: a message is deleted only after the commit of all it reports; one that cannot be read or applied stays and
//! ends in the dead-letter queue; one of a newer version stays for a newer reader. A task message that was received too
//! often ends its attempt as lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use runnel_engine::run::{Input, RunStatus, TaskStatus};
use runnel_engine::{RunId, TaskIx};
use runnel_queue::message::{decode_reports, decode_task};
use runnel_queue::{Delivery, MessageError, QueueError, QueueName, Receipt, ReportBatch, TaskQueue};
use sea_orm::QueryResult;
use tokio_util::sync::CancellationToken;

use crate::apply::{Appliers, Shell};
use crate::dead_letters::{self, Poison};
use crate::error::StoreError;
use crate::intake::Intake;

/// Messages of one call; SQS gives at most ten.
const RECEIVE_MAX: usize = 500;

/// Long poll: the longest that SQS knows.
const WAIT: Duration = Duration::from_secs(20);

/// How long a received message belongs to this process. Longer than a batch takes to be applied; a batch that takes longer
/// may come twice and changes nothing then. No longer, because what a killed process had received waits this long: a
/// service may also hand a message to a long poll whose process is gone.
const VISIBILITY: Duration = Duration::from_secs(10);

/// Pause after the queue failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Poll intervals between two looks at the dead letters: a look is a call to the queue service for each task queue.
const DEAD_LETTERS_EVERY: u32 = 6;

const MALFORMED: &str = "runnel_reports_malformed_total";
const DEAD_LETTERS: &str = "runnel_dead_letters_total";

/// Several of these run side by side, so that a long poll is open while a batch is being applied.
#[derive(Clone)]
pub(crate) struct Consumer {
    intake: Intake,
    queue: Arc<dyn TaskQueue>,
    /// Deliveries that are being applied.
    busy: Arc<AtomicUsize>,
    has_warned: Arc<AtomicBool>,
}

impl Consumer {
    pub(crate) fn new(intake: Intake, queue: Arc<dyn TaskQueue>) -> Self {
        Self {
            intake,
            queue,
            busy: Arc::default(),
            has_warned: Arc::default(),
        }
    }

    /// Receives until `stop`; what was received is finished.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let name = QueueName::completions();
        loop {
            let received = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                received = self.queue.receive(&name, RECEIVE_MAX, WAIT, VISIBILITY) => received,
            };
            match received {
                Ok(deliveries) if deliveries.is_empty() => tokio::task::yield_now().await,
                Ok(deliveries) => {
                    self.busy.fetch_add(1, Ordering::SeqCst);
                    self.consume(&name, deliveries).await;
                    self.busy.fetch_sub(1, Ordering::SeqCst);
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "completions were not received"
                    );
                    let is_missing = matches!(error, QueueError::NotFound { .. });
                    if !is_missing || self.queue.ensure(&name).await.is_err() {
                        pause(&stop).await;
                    }
                }
            }
        }
    }

    /// Whether something received is not applied yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst) > 0
    }

    async fn consume(&self, name: &QueueName, deliveries: Vec<Delivery>) {
        let (mut receipts, mut batches) = (Vec::new(), Vec::new());
        for delivery in deliveries {
            if let Some(batch) = self.decode(&delivery) {
                receipts.push(delivery.receipt);
                batches.push(batch);
            }
        }
        let applied = match self.intake.accept(&batches).await {
            Ok(()) => receipts,
            Err(error) => {
                tracing::warn!(%error, messages = batches.len(), "reports are applied one message at a time");
                self.accept_each(receipts, &batches).await
            }
        };
        self.delete(name, &applied).await;
    }

    async fn accept_each(&self, receipts: Vec<Receipt>, batches: &[ReportBatch]) -> Vec<Receipt> {
        let mut applied = Vec::new();
        for (receipt, batch) in receipts.into_iter().zip(batches) {
            match self.intake.accept(std::slice::from_ref(batch)).await {
                Ok(()) => applied.push(receipt),
                Err(error) => tracing::warn!(%error, worker = batch.worker, "reports stay in the queue"),
            }
        }
        applied
    }

    fn decode(&self, delivery: &Delivery) -> Option<ReportBatch> {
        match decode_reports(&delivery.body) {
            Ok(batch) => Some(batch),
            Err(error @ MessageError::NewerVersion { .. }) => {
                if !self.has_warned.swap(true, Ordering::SeqCst) {
                    tracing::warn!(%error, "reports of a newer version stay in the queue");
                }
                None
            }
            Err(error @ (MessageError::Malformed(_) | MessageError::TooLarge { .. })) => {
                metrics::counter!(MALFORMED).increment(1);
                tracing::warn!(%error, received = delivery.receive_count, "a message is not a report");
                None
            }
        }
    }

    async fn delete(&self, name: &QueueName, receipts: &[Receipt]) {
        if receipts.is_empty() {
            return;
        }
        if let Err(error) = self.queue.delete(name, receipts).await {
            // they come again and change nothing
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "applied reports were not deleted"
            );
        }
    }
}

/// Reads the dead letters of the task queues, so that no task waits for ever for a message that nobody can run. Of every
/// queue that an attempt may be in, whichever process has sent it: a replica that is gone reads nothing any more.
pub(crate) struct DeadLetters {
    pub shell: Arc<Shell>,
    pub appliers: Appliers,
    pub queue: Arc<dyn TaskQueue>,
    pub poll_interval: Duration,
}

impl DeadLetters {
    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.poll_interval * DEAD_LETTERS_EVERY) => self.read_all().await,
            }
        }
    }

    /// Reads each queue's dead letters once.
    pub(crate) async fn read_all(&self) {
        let mut queues: BTreeSet<String> = self.shell.relay.queues().into_iter().collect();
        queues.extend(self.shell.registry.queues());
        match self.queues_in_use().await {
            Ok(in_use) => queues.extend(in_use),
            Err(error) => tracing::warn!(%error, "dead letters are read of the known queues only"),
        }
        for queue in queues {
            let name = self.queue.dead_letter(&QueueName(queue.clone()));
            match self
                .queue
                .receive(&name, RECEIVE_MAX, Duration::ZERO, VISIBILITY)
                .await
            {
                Ok(deliveries) => {
                    for delivery in deliveries {
                        self.end(&queue, &name, delivery).await;
                    }
                }
                // a queue that was never poisoned may have none
                Err(QueueError::NotFound { .. }) => {}
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "dead letters were not read"
                    );
                }
            }
        }
    }

    /// Queues of the attempts that are out.
    async fn queues_in_use(&self) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT t.queue FROM run r JOIN task t ON t.run_id = r.id WHERE r.status < {} AND t.status IN ({}, {})",
            RunStatus::Succeeded as u8,
            TaskStatus::Queued as u8,
            TaskStatus::Running as u8
        );
        let store = &self.shell.store;
        let statement = store.backend().statement(sql, []);
        let read = |row: &QueryResult| row.try_get_by_index(0);
        store.rows("look for queues in use", statement, read).await
    }

    async fn end(&self, queue: &str, name: &QueueName, delivery: Delivery) {
        metrics::counter!(DEAD_LETTERS).increment(1);
        let ended = match decode_task(&delivery.body) {
            Ok(message) => {
                let reason = "the message was received too often without an end of the attempt".into();
                let at = &message.at;
                tracing::warn!(run = %at.run, task = message.key, attempt = at.attempt, "dead letter ends its attempt");
                let poison = Poison::Task(&message);
                let kept = dead_letters::keep(&self.shell, queue, message.input.get(), poison).await;
                let input = Input::AttemptLost {
                    task: TaskIx(at.task),
                    attempt: at.attempt,
                    reason,
                };
                match kept {
                    Ok(()) => self.appliers.apply(RunId(at.run), vec![input]).await.map(drop),
                    Err(error) => Err(error),
                }
            }
            Err(error) => {
                tracing::error!(queue = %name, %error, "a dead letter is not a task message; it is kept for a person");
                let poison = Poison::Unknown(error.to_string());
                dead_letters::keep(&self.shell, queue, &delivery.body, poison).await
            }
        };
        let deleted = match ended {
            Ok(()) => self
                .queue
                .delete(name, &[delivery.receipt])
                .await
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = deleted {
            tracing::warn!(error, "a dead letter is read again later");
        }
    }
}

async fn pause(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(PAUSE) => {}
    }
}
