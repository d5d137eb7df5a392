//! When messages that were left in their queue are delivered again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsMessage;
use runnel_queue::{QueueName, Receipt, TaskQueue};

/// Sets the visibility of messages at the queue that an event came from.
#[derive(Clone)]
pub(super) struct Left {
    queue: Arc<dyn TaskQueue>,
    prefix: String,
}

impl Left {
    pub(super) fn new(queue: Arc<dyn TaskQueue>, prefix: String) -> Self {
        Self { queue, prefix }
    }

    /// Makes each message visible after its time. What fails becomes visible by itself, only later.
    pub(super) async fn put_back(&self, left: impl Iterator<Item = (&SqsMessage, Duration)>) {
        let mut calls: BTreeMap<(QueueName, Duration), Vec<Receipt>> = BTreeMap::new();
        for (record, delay) in left {
            let queue = record
                .event_source_arn
                .as_deref()
                .and_then(|arn| self.queue_of(arn));
            if let (Some(queue), Some(receipt)) = (queue, &record.receipt_handle) {
                calls
                    .entry((queue, delay))
                    .or_default()
                    .push(Receipt(receipt.clone()));
            }
        }
        for ((queue, delay), receipts) in calls {
            if let Err(error) = self.queue.extend(&queue, &receipts, delay).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    %queue,
                    messages = receipts.len(),
                    "messages become visible at the end of the visibility timeout"
                );
            }
        }
    }

    /// The logical name of a queue, from its ARN; `None` for a queue that is not one of ours.
    fn queue_of(&self, arn: &str) -> Option<QueueName> {
        let name = arn.rsplit(':').next()?.strip_prefix(&self.prefix)?;
        (!name.is_empty()).then(|| QueueName(name.to_owned()))
    }
}
