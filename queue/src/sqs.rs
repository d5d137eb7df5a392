//! SQS through aws-sdk-sqs: batches of 10, long polling, visibility extension, receive count, dead-letter queue, custom endpoint.
//!
//! A queue `default` is `runnel-default` at the service, its dead-letter queue `runnel-default-dlq`. Works with AWS and with
//! anything that speaks its protocol at an `endpoint`. Calls are repeated by the SDK; what still fails is the caller's to repeat.

mod batch;
mod client;
mod inspect;
mod queues;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use crate::task_queue::{
    Delivery, Depth, Outgoing, QueueError, QueueName, Receipt, SendFailure, TaskQueue, VISIBILITY_MAX,
};
pub use client::{connect_client, reachable_url};
pub use inspect::{DeadLetterFacts, QueueFacts};
use queues::Queues;

/// Longest long poll of the service.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Most messages of one receive call.
const RECEIVE_MAX: usize = 10;

/// Receive calls at once, after a first one came back full.
const RECEIVES_AT_ONCE: usize = 8;

/// Settings of an [`SqsQueue`].
#[derive(Debug, Clone)]
pub struct SqsConfig {
    /// Address of a service other than AWS, as `http://127.0.0.1:4566`.
    pub endpoint: Option<String>,
    /// Region; from the environment when `None`.
    pub region: Option<String>,
    /// Begin of every queue's name at the service.
    pub queue_prefix: String,
    /// Whether missing queues are created, with their dead-letter queues. Otherwise they must be there.
    pub create_queues: bool,
    /// Deliveries before a message goes to the dead-letter queue, for queues that are created. At least 20: throttled receives
    /// count too, and attempts are counted by the orchestrator.
    pub max_receive_count: u32,
    /// Longest time of one try of a call; longer than a long poll.
    pub attempt_timeout: Duration,
    /// Longest time of a call with all its tries.
    pub operation_timeout: Duration,
}

impl Default for SqsConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            queue_prefix: "runnel-".to_owned(),
            create_queues: false,
            max_receive_count: 20,
            attempt_timeout: Duration::from_secs(30),
            operation_timeout: Duration::from_secs(70),
        }
    }
}

/// Queues at SQS.
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    queues: Queues,
}

impl SqsQueue {
    /// Sets up the client; calls nothing yet.
    pub async fn connect(config: SqsConfig) -> Self {
        let client = connect_client(&config).await;
        Self {
            queues: Queues::new(client.clone(), config),
            client,
        }
    }

    async fn receive_once(
        &self,
        queue: &QueueName,
        url: &str,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(whole(max.min(RECEIVE_MAX)))
            .wait_time_seconds(seconds(wait.min(WAIT_MAX)))
            .visibility_timeout(seconds(visibility.min(VISIBILITY_MAX)))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| self.queues.failed("receive", queue, error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(delivery)
            .collect())
    }
}

#[async_trait]
impl TaskQueue for SqsQueue {
    async fn ensure(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.queues.url(queue).await.map(drop)
    }

    async fn send(&self, queue: &QueueName, messages: Vec<Outgoing>) -> Result<Vec<SendFailure>, QueueError> {
        let url = self.queues.url(queue).await?;
        batch::send(&self.client, &self.queues, queue, &url, messages).await
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let url = self.queues.url(queue).await?;
        let mut deliveries = self.receive_once(queue, &url, max, wait, visibility).await?;
        // only a full answer promises more; waiting in several calls would hold back what the first one has
        while deliveries.len() < max && deliveries.len().is_multiple_of(RECEIVE_MAX) && !deliveries.is_empty()
        {
            let missing = max - deliveries.len();
            let calls = missing.div_ceil(RECEIVE_MAX).min(RECEIVES_AT_ONCE);
            let more = futures_util::future::join_all((0..calls).map(|call| {
                let share = (missing - call * RECEIVE_MAX).min(RECEIVE_MAX);
                self.receive_once(queue, &url, share, Duration::ZERO, visibility)
            }));
            let before = deliveries.len();
            // a failed call loses nothing: its messages become visible again, and the next receive will fail by itself
            deliveries.extend(more.await.into_iter().flatten().flatten());
            if deliveries.len() < before + missing.min(calls * RECEIVE_MAX) {
                break;
            }
        }
        Ok(deliveries)
    }

    async fn extend(
        &self,
        queue: &QueueName,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, QueueError> {
        let url = self.queues.url(queue).await?;
        batch::extend(&self.client, &self.queues, queue, &url, receipts, visibility).await
    }

    async fn delete(&self, queue: &QueueName, receipts: &[Receipt]) -> Result<(), QueueError> {
        let url = self.queues.url(queue).await?;
        batch::delete(&self.client, &self.queues, queue, &url, receipts).await
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, QueueError> {
        let url = self.queues.url(queue).await?;
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url.as_ref())
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| self.queues.failed("read the depth", queue, error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let number = |name| {
            attributes
                .get(&name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        Ok(Depth {
            visible: number(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: number(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }

    fn is_durable(&self) -> bool {
        true
    }
}

fn delivery(message: aws_sdk_sqs::types::Message) -> Option<Delivery> {
    let count = message
        .attributes
        .as_ref()?
        .get(&MessageSystemAttributeName::ApproximateReceiveCount)?;
    Some(Delivery {
        receipt: Receipt(message.receipt_handle?),
        receive_count: count.parse().unwrap_or(1),
        body: message.body.unwrap_or_default(),
    })
}

/// A call's error with its whole chain in one text; the SDK's own Display says only "service error".
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct ServiceError(String);

fn describe<E>(error: &SdkError<E>) -> ServiceError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    ServiceError(DisplayErrorContext(error).to_string())
}

/// Whole seconds, rounded up so that a short wait stays a wait.
fn seconds(duration: Duration) -> i32 {
    let rounded = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(rounded).unwrap_or(i32::MAX)
}

fn whole(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
