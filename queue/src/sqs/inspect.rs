//! How a queue is set up at the service, for whoever checks an installation. Changes nothing.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;

use super::SqsQueue;
use crate::task_queue::{QueueError, QueueName, TaskQueue as _};

/// How a queue is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueFacts {
    /// How long a received message stays invisible where the receiver does not say.
    pub visibility: Duration,
    /// How long messages are kept.
    pub retention: Duration,
    /// Where messages go that were received too often; `None`: nowhere.
    pub dead_letter: Option<DeadLetterFacts>,
    /// Messages that could be received now.
    pub visible: u64,
    /// Whether messages are encrypted at rest.
    pub is_encrypted: bool,
}

/// The redrive policy of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterFacts {
    /// Whether it is the queue that Runnel reads dead letters from.
    pub is_read: bool,
    /// Deliveries before a message goes there.
    pub max_receive_count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
    /// A number, which some services write as a text.
    max_receive_count: serde_json::Value,
}

impl SqsQueue {
    /// Asks the service how the queue is set up.
    ///
    /// # Errors
    /// The queue does not exist, or the service does not answer.
    pub async fn inspect(&self, queue: &QueueName) -> Result<QueueFacts, QueueError> {
        let url = self.queues.url(queue).await?;
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url.as_ref())
            .attribute_names(QueueAttributeName::All)
            .send()
            .await
            .map_err(|error| self.queues.failed("read the attributes of", queue, error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let text = |name| attributes.get(&name).map(String::as_str);
        let number = |name| text(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let policy = text(QueueAttributeName::RedrivePolicy)
            .and_then(|policy| serde_json::from_str::<RedrivePolicy>(policy).ok());
        let expected = self.queues.name_at_service(&self.dead_letter(queue));
        Ok(QueueFacts {
            visibility: Duration::from_secs(number(QueueAttributeName::VisibilityTimeout)),
            retention: Duration::from_secs(number(QueueAttributeName::MessageRetentionPeriod)),
            dead_letter: policy.map(|policy| DeadLetterFacts {
                is_read: policy.dead_letter_target_arn.rsplit(':').next() == Some(&*expected),
                max_receive_count: whole(&policy.max_receive_count),
            }),
            visible: number(QueueAttributeName::ApproximateNumberOfMessages),
            is_encrypted: text(QueueAttributeName::KmsMasterKeyId).is_some_and(|key| !key.is_empty())
                || text(QueueAttributeName::SqsManagedSseEnabled) == Some("true"),
        })
    }
}

fn whole(value: &serde_json::Value) -> u32 {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}
