//! A worker that does exactly what a test tells it: it speaks the messages, and executes nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use runnel_queue::message::{MESSAGE_VERSION, decode_task};
use runnel_queue::{
    Attempt, AttemptRef, Failure, FailureCategory, Outcome, Outgoing, QueueError, QueueName, Receipt, Report,
    ReportBatch, TaskMessage, TaskQueue,
};
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough that a message never comes again because a test was slow.
const VISIBILITY: Duration = Duration::from_secs(300);
/// One long poll.
const POLL: Duration = Duration::from_secs(1);

/// A message that a scripted worker holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// What is to be done.
    pub message: TaskMessage,
    /// For the deletion.
    pub receipt: Receipt,
}

impl Held {
    /// The fence of its reports.
    #[must_use]
    pub fn at(&self) -> AttemptRef {
        self.message.at.clone()
    }
}

/// A worker by hand.
#[derive(Debug, Clone)]
pub struct ScriptedWorker {
    /// Its name.
    pub name: String,
    queue: Arc<dyn TaskQueue>,
    tasks: QueueName,
    types: Vec<String>,
}

impl ScriptedWorker {
    /// Registers a worker of the queue `default` with the given task types.
    ///
    /// # Errors
    /// The queue service does not answer.
    pub async fn register(queue: Arc<dyn TaskQueue>, name: &str, types: &[&str]) -> anyhow::Result<Self> {
        Self::register_on("default", queue, name, types).await
    }

    /// The same on another task queue, where workers that know other types do not hold its messages.
    ///
    /// # Errors
    /// The queue service does not answer.
    pub async fn register_on(
        tasks: &str,
        queue: Arc<dyn TaskQueue>,
        name: &str,
        types: &[&str],
    ) -> anyhow::Result<Self> {
        let tasks = QueueName(tasks.to_owned());
        queue.ensure(&tasks).await?;
        queue.ensure(&QueueName::completions()).await?;
        let types = types.iter().map(|kind| (*kind).to_owned()).collect();
        let worker = Self {
            name: name.to_owned(),
            queue,
            tasks,
            types,
        };
        worker.hello().await?;
        Ok(worker)
    }

    /// Says that it is still there, as a worker does every 30 s. Needed after the clock was moved.
    ///
    /// # Errors
    /// The queue service does not answer.
    pub async fn hello(&self) -> anyhow::Result<()> {
        let hello = Report::Hello {
            types: self.types.clone(),
            queue: self.tasks.0.clone(),
            slots: 100,
        };
        self.report(vec![hello]).await
    }

    /// Receives until it holds `count` messages.
    ///
    /// # Errors
    /// The queue service does not answer, or a message cannot be read.
    pub async fn take(&self, count: usize) -> anyhow::Result<Vec<Held>> {
        let mut held = Vec::with_capacity(count);
        while held.len() < count {
            held.extend(self.receive(count - held.len(), POLL).await?);
        }
        Ok(held)
    }

    /// Receives what is there now or within `wait`.
    ///
    /// # Errors
    /// The queue service does not answer, or a message cannot be read.
    pub async fn receive(&self, max: usize, wait: Duration) -> anyhow::Result<Vec<Held>> {
        let deliveries = match self.queue.receive(&self.tasks, max, wait, VISIBILITY).await {
            // as every worker does when a queue was lost
            Err(QueueError::NotFound { .. }) => {
                self.queue.ensure(&self.tasks).await?;
                self.queue.receive(&self.tasks, max, wait, VISIBILITY).await?
            }
            received => received?,
        };
        let read = |delivery: runnel_queue::Delivery| {
            let message = decode_task(&delivery.body).context("reading a task message")?;
            Ok(Held {
                message,
                receipt: delivery.receipt,
            })
        };
        deliveries.into_iter().map(read).collect()
    }

    /// Deletes a message.
    ///
    /// # Errors
    /// The queue service does not answer.
    pub async fn delete(&self, held: &[Held]) -> anyhow::Result<()> {
        let receipts: Vec<Receipt> = held.iter().map(|held| held.receipt.clone()).collect();
        Ok(self.queue.delete(&self.tasks, &receipts).await?)
    }

    /// Sends the reports in one message on the completion queue.
    ///
    /// # Errors
    /// The queue service does not take it.
    pub async fn report(&self, reports: Vec<Report>) -> anyhow::Result<()> {
        let body = serde_json::to_string(&self.batch(reports))?;
        let message = Outgoing {
            body,
            delay: Duration::ZERO,
            traceparent: None,
        };
        let refused = self.queue.send(&QueueName::completions(), vec![message]).await?;
        anyhow::ensure!(refused.is_empty(), "the queue refused a report: {refused:?}");
        Ok(())
    }

    /// The reports as a batch of this worker, for [`runnel_runtime::Orchestrator::report`].
    #[must_use]
    pub fn batch(&self, reports: Vec<Report>) -> ReportBatch {
        ReportBatch {
            v: MESSAGE_VERSION,
            worker: self.name.clone(),
            reports,
        }
    }

    /// Takes `count` messages, reports each as succeeded with its key as output, and deletes them.
    ///
    /// # Errors
    /// The queue service does not answer.
    pub async fn succeed_next(&self, count: usize) -> anyhow::Result<Vec<Held>> {
        let held = self.take(count).await?;
        self.report(
            held.iter()
                .map(|held| succeeded(&held.at(), &Value::from(held.message.key.as_str())))
                .collect(),
        )
        .await?;
        self.delete(&held).await?;
        Ok(held)
    }
}

/// The report of a success. Times are zero: they are the worker's own and decide nothing.
#[must_use]
pub fn succeeded(at: &AttemptRef, output: &Value) -> Report {
    let output = to_raw_value(output).unwrap_or_default();
    Report::Completed(Attempt {
        at: at.clone(),
        outcome: Outcome::Output(output),
        started_us: 0,
        finished_us: 0,
        usage: None,
        traceparent: None,
    })
}

/// The report of a failure by the handler.
#[must_use]
pub fn failed(at: &AttemptRef, is_retryable: bool) -> Report {
    let failure = Failure {
        category: FailureCategory::User,
        code: "SCRIPTED".to_owned(),
        message: "the test says so".to_owned(),
        details: None,
        retryable: is_retryable,
        traceback: None,
        retry_after_ms: None,
    };
    Report::Completed(Attempt {
        at: at.clone(),
        outcome: Outcome::Error(failure),
        started_us: 0,
        finished_us: 0,
        usage: None,
        traceparent: None,
    })
}

/// What an [`EchoWorker`] answers to a task.
pub type Answer = dyn Fn(&TaskMessage) -> Outcome + Send + Sync;

/// A worker that answers every message at once and remembers what it was sent.
#[derive(Debug)]
pub struct EchoWorker {
    seen: Arc<Mutex<Vec<TaskMessage>>>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl EchoWorker {
    /// Starts one that gives every task its input as output.
    #[must_use]
    pub fn start(worker: ScriptedWorker) -> Self {
        Self::start_with(
            worker,
            Arc::new(|message: &TaskMessage| Outcome::Output(message.input.clone())),
        )
    }

    /// Starts one with answers of its own.
    #[must_use]
    pub fn start_with(worker: ScriptedWorker, answer: Arc<Answer>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let task = tokio::spawn(echo(worker, answer, Arc::clone(&seen), stop.clone()));
        Self { seen, stop, task }
    }

    /// The messages so far, in the order of their arrival.
    #[must_use]
    pub fn seen(&self) -> Vec<TaskMessage> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops it and answers what it was sent.
    ///
    /// # Errors
    /// The queue failed meanwhile.
    pub async fn stop(self) -> anyhow::Result<Vec<TaskMessage>> {
        self.stop.cancel();
        let seen = Arc::clone(&self.seen);
        self.task.await??;
        Ok(seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn echo(
    worker: ScriptedWorker,
    answer: Arc<Answer>,
    seen: Arc<Mutex<Vec<TaskMessage>>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let held = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            held = worker.receive(100, POLL) => held?,
        };
        if held.is_empty() {
            continue;
        }
        let report = |held: &Held| {
            let outcome = answer(&held.message);
            Report::Completed(Attempt {
                at: held.at(),
                outcome,
                started_us: 0,
                finished_us: 0,
                usage: None,
                traceparent: None,
            })
        };
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(held.iter().map(|held| held.message.clone()));
        worker.report(held.iter().map(report).collect()).await?;
        worker.delete(&held).await?;
    }
}
