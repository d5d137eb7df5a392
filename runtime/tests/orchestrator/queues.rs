//! Queues that must be made before they can be used, and the dead letters of all of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use runnel_engine::run::RunStatus;
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_queue::{Delivery, Depth, Outgoing, QueueError, QueueName, Receipt, SendFailure, TaskQueue};

use crate::harness::*;

/// A durable queue service that knows only queues that were made, and fails to make each the first time.
#[derive(Debug)]
struct Strict {
    inner: Arc<EmbeddedQueue>,
    tried: Mutex<BTreeSet<String>>,
    made: Mutex<BTreeSet<String>>,
}

impl Strict {
    fn new(inner: Arc<EmbeddedQueue>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            tried: Mutex::default(),
            made: Mutex::default(),
        })
    }

    fn look_for(&self, queue: &QueueName) -> Result<(), QueueError> {
        let name = queue.0.trim_end_matches("-dlq");
        if self.made.lock().unwrap().contains(name) {
            return Ok(());
        }
        Err(QueueError::NotFound {
            queue: queue.0.clone(),
            hint: "make it".to_owned(),
        })
    }
}

#[async_trait]
impl TaskQueue for Strict {
    async fn ensure(&self, queue: &QueueName) -> Result<(), QueueError> {
        if self.tried.lock().unwrap().insert(queue.0.clone()) {
            return Err(QueueError::Unavailable {
                action: "make it",
                queue: queue.0.clone(),
                source: "not now".into(),
            });
        }
        self.made.lock().unwrap().insert(queue.0.clone());
        Ok(())
    }

    async fn send(&self, queue: &QueueName, messages: Vec<Outgoing>) -> Result<Vec<SendFailure>, QueueError> {
        self.look_for(queue)?;
        self.inner.send(queue, messages).await
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        self.look_for(queue)?;
        self.inner.receive(queue, max, wait, visibility).await
    }

    async fn extend(
        &self,
        queue: &QueueName,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.inner.extend(queue, receipts, visibility).await
    }

    async fn delete(&self, queue: &QueueName, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.inner.delete(queue, receipts).await
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, QueueError> {
        self.inner.depth(queue).await
    }

    fn is_durable(&self) -> bool {
        true
    }
}

const FAR: &str = "id: far\ntasks:\n  a: { type: job, queue: far, max_losses: 0 }\n";

async fn receive(queue: &dyn TaskQueue, name: &str) -> Vec<Delivery> {
    let name = QueueName(name.to_owned());
    queue
        .receive(&name, 10, Duration::ZERO, Duration::ZERO)
        .await
        .unwrap()
}

#[tokio::test]
async fn queues_are_made_before_their_first_use_and_tried_again() {
    for mut fixture in Fixture::all().await {
        let strict = Strict::new(Arc::clone(&fixture.queue));
        fixture.service = Some(strict.clone());
        let orchestrator = fixture.start().await;
        publish(&orchestrator, FAR).await;
        let run = start(&orchestrator, "far").await;
        orchestrator.settle().await;
        let delivered = receive(&*strict, "far").await;
        assert_eq!(delivered.len(), 1);
        let task = runnel_queue::message::decode_task(&delivered[0].body).unwrap();
        let body = serde_json::to_string(&batch(vec![succeeded(&task)])).unwrap();
        let report = Outgoing {
            body,
            delay: Duration::ZERO,
            traceparent: None,
        };
        // a worker's end of the queue is the same; it has not been made by this test
        let name = QueueName::completions();
        fixture.queue.send(&name, vec![report]).await.unwrap();
        assert_eq!(ended(&orchestrator, run).await, RunStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_dead_letter_of_before_the_restart_ends_its_attempt() {
    for mut fixture in Fixture::all().await {
        fixture.queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig { max_receive_count: 1 }));
        let strict = Strict::new(Arc::clone(&fixture.queue));
        fixture.service = Some(strict.clone());
        let orchestrator = fixture.start().await;
        publish(&orchestrator, FAR).await;
        let run = start(&orchestrator, "far").await;
        orchestrator.settle().await;
        orchestrator.stop(Duration::from_secs(5)).await;
        // a worker receives it and dies
        assert_eq!(receive(&*strict, "far").await.len(), 1);
        assert!(receive(&*strict, "far").await.is_empty());
        fixture.poll_interval = Duration::from_millis(20);
        let orchestrator = fixture.start().await;
        assert_eq!(ended(&orchestrator, run).await, RunStatus::Failed);
    }
}
