//! Messages, a recording sink and contexts for the tests of this crate.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runnel_queue::message::encode_task;
use runnel_queue::{
    Attempt, AttemptRef, EmbeddedConfig, EmbeddedQueue, Outgoing, QueueName, Report, ReportBatch,
    TaskMessage, TaskQueue,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::log::AttemptLog;
use crate::secret::Redactor;
use crate::{Handlers, ReportSink, TaskContext, WorkerConfig};

/// Longest wait for something that must happen; far beyond what it takes, so that it fails only when it does not happen.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Keeps all reports and lets a test wait for some.
pub(crate) struct Recorder {
    reports: watch::Sender<Vec<Report>>,
    /// Calls to refuse before the first is accepted.
    pub(crate) refusals: AtomicU32,
    pub(crate) unwanted: Mutex<Vec<AttemptRef>>,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        let reports = watch::Sender::new(Vec::new());
        Arc::new(Self {
            reports,
            refusals: AtomicU32::new(0),
            unwanted: Mutex::default(),
        })
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        self.reports.borrow().clone()
    }

    pub(crate) async fn wait_for(&self, is_enough: impl FnMut(&Vec<Report>) -> bool) -> Vec<Report> {
        let mut changes = self.reports.subscribe();
        let seen = tokio::time::timeout(PATIENCE, changes.wait_for(is_enough)).await;
        seen.expect("the reports arrive").expect("the sink lives").clone()
    }

    pub(crate) async fn wait_for_completed(&self, count: usize) -> Vec<Attempt> {
        completed(&self.wait_for(|reports| completed(reports).len() >= count).await)
    }
}

#[async_trait::async_trait]
impl ReportSink for Recorder {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        let refuse = |left: u32| left.checked_sub(1);
        if self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse)
            .is_ok()
        {
            anyhow::bail!("refused by the test");
        }
        self.reports.send_modify(|reports| reports.extend(batch.reports));
        Ok(self.unwanted.lock().expect("not poisoned").clone())
    }
}

pub(crate) fn completed(reports: &[Report]) -> Vec<Attempt> {
    let attempt = |report: &Report| match report {
        Report::Completed(attempt) => Some(attempt.clone()),
        _ => None,
    };
    reports.iter().filter_map(attempt).collect()
}

pub(crate) fn message(kind: &str, task: u32, input: &Value) -> TaskMessage {
    let message = json!({
        "v": 1, "run": "0190d3b4-0000-7000-8000-000000000001", "task": task, "attempt": 1, "token": format!("k.{task}"),
        "namespace": "default", "workflow": "flow", "key": format!("task-{task}"), "type": kind, "input": input,
        "idempotency_key": format!("once-{task}"),
    });
    // by way of text: raw JSON cannot be read from a value
    runnel_queue::message::decode_task(&message.to_string()).expect("a message")
}

pub(crate) fn outgoing(message: &TaskMessage) -> Outgoing {
    Outgoing {
        body: encode_task(message).expect("encoded"),
        delay: Duration::ZERO,
        traceparent: None,
    }
}

pub(crate) fn context(kind: &str, input: Value) -> TaskContext {
    TaskContext {
        namespace: "default".to_owned(),
        workflow: "flow".to_owned(),
        run: "0190d3b4-0000-7000-8000-000000000001".to_owned(),
        key: "task".to_owned(),
        kind: kind.to_owned(),
        attempt: 2,
        input,
        env: BTreeMap::new(),
        metadata: None,
        timeout: None,
        idempotency_key: "once".to_owned(),
        traceparent: None,
        cancelled: CancellationToken::new(),
        log: AttemptLog::new(Redactor::default()),
        checkpoint: None,
        said: Arc::default(),
    }
}

/// A worker on an embedded queue.
pub(crate) struct Bench {
    pub(crate) queue: Arc<EmbeddedQueue>,
    pub(crate) sink: Arc<Recorder>,
    pub(crate) config: WorkerConfig,
    pub(crate) stop: CancellationToken,
}

impl Bench {
    pub(crate) fn new(handlers: Handlers) -> Self {
        let queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig::default()));
        let sink = Recorder::new();
        let config = WorkerConfig {
            name: "w1".to_owned(),
            queue: Arc::<EmbeddedQueue>::clone(&queue),
            task_queue: Self::name(),
            sink: Arc::<Recorder>::clone(&sink),
            concurrency: 4,
            visibility: Duration::from_secs(30),
            drain_grace: Duration::from_secs(5),
            handlers,
            supplies: crate::Supplies::default(),
        };
        Self {
            queue,
            sink,
            config,
            stop: CancellationToken::new(),
        }
    }

    pub(crate) fn name() -> QueueName {
        QueueName("default".to_owned())
    }

    pub(crate) async fn send(&self, messages: &[TaskMessage]) {
        let refused = self
            .queue
            .send(&Self::name(), messages.iter().map(outgoing).collect())
            .await;
        assert!(refused.expect("sent").is_empty());
    }

    pub(crate) fn start(&self) -> tokio::task::JoinHandle<anyhow::Result<()>> {
        tokio::spawn(crate::run(self.config.clone(), self.stop.clone()))
    }

    /// Stops the worker and answers everything it reported.
    pub(crate) async fn finish(&self, worker: tokio::task::JoinHandle<anyhow::Result<()>>) -> Vec<Report> {
        self.stop.cancel();
        worker
            .await
            .expect("the worker did not panic")
            .expect("the worker stopped in order");
        self.sink.reports()
    }

    pub(crate) async fn depth(&self) -> runnel_queue::Depth {
        self.queue.depth(&Self::name()).await.expect("the depth")
    }
}
