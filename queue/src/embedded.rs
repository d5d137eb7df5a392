//! An in-process queue with the semantics of SQS: visibility, redelivery, receive count, delay, dead letters.
//!
//! Guarantees: a message is delivered until it is deleted or has been received `max_receive_count` times, after which it is
//! in the dead-letter queue. Holds nothing durable: a restart forgets everything, and the caller dispatches again.
//! Nothing polls: a waiting receiver wakes for an arrival or for the earliest moment at which a message becomes visible.
//! All waiting uses tokio's clock, so that a test can pause and advance it.
//!
//! [`EmbeddedQueue::with_faults`] repeats and reorders deliveries, as SQS may, but the same way for the same seed.

mod channel;
mod faults;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::message::MESSAGE_BYTES_MAX;
use crate::task_queue::{
    DELAY_MAX, Delivery, Depth, Outgoing, QueueError, QueueName, Receipt, SendFailure, TaskQueue,
    VISIBILITY_MAX, is_dead_letter,
};
use channel::Channel;
pub use faults::FaultPlan;

/// Settings of an [`EmbeddedQueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedConfig {
    /// Deliveries of one message before it goes to the dead-letter queue. Attempts are counted by the orchestrator; this
    /// limit only ends messages that kill every worker which receives them.
    pub max_receive_count: u32,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            max_receive_count: 20,
        }
    }
}

/// The in-process queue. Queues come into being when they are first named.
#[derive(Debug)]
pub struct EmbeddedQueue {
    config: EmbeddedConfig,
    faults: Option<FaultPlan>,
    channels: RwLock<HashMap<QueueName, Arc<Channel>>>,
}

impl EmbeddedQueue {
    /// An empty queue service.
    #[must_use]
    pub fn new(config: EmbeddedConfig) -> Self {
        Self {
            config,
            faults: None,
            channels: RwLock::default(),
        }
    }

    /// The same, repeating and reordering deliveries as planned.
    #[must_use]
    pub fn with_faults(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan);
        self
    }

    fn channel(&self, queue: &QueueName) -> Arc<Channel> {
        if let Some(channel) = self
            .channels
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(queue)
        {
            return Arc::clone(channel);
        }
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        let create = || {
            let limit = (!is_dead_letter(queue)).then_some(self.config.max_receive_count);
            Arc::new(Channel::new(limit, self.faults.as_ref()))
        };
        Arc::clone(channels.entry(queue.clone()).or_insert_with(create))
    }
}

#[async_trait]
impl TaskQueue for EmbeddedQueue {
    async fn ensure(&self, queue: &QueueName) -> Result<(), QueueError> {
        self.channel(queue);
        Ok(())
    }

    async fn send(&self, queue: &QueueName, messages: Vec<Outgoing>) -> Result<Vec<SendFailure>, QueueError> {
        let mut failures = Vec::new();
        let mut accepted = Vec::with_capacity(messages.len());
        for (index, message) in messages.into_iter().enumerate() {
            let bytes = message.body.len();
            if bytes > MESSAGE_BYTES_MAX || bytes == 0 {
                failures.push(SendFailure {
                    index,
                    is_permanent: true,
                    message: format!("message has {bytes} bytes; 1 to {MESSAGE_BYTES_MAX} are allowed"),
                });
                continue;
            }
            accepted.push((message.body, message.delay.min(DELAY_MAX)));
        }
        self.channel(queue).send(accepted, Instant::now());
        Ok(failures)
    }

    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError> {
        let channel = self.channel(queue);
        let give_up_at = Instant::now() + wait;
        loop {
            // registered before looking, so that an arrival between looking and waiting is not missed
            let changed = channel.changed();
            tokio::pin!(changed);
            changed.as_mut().enable();

            let now = Instant::now();
            let taken = channel.take(max, visibility.min(VISIBILITY_MAX), now);
            if !taken.dead.is_empty() {
                self.channel(&self.dead_letter(queue)).send(taken.dead, now);
            }
            if !taken.deliveries.is_empty() || max == 0 || now >= give_up_at {
                return Ok(taken.deliveries);
            }
            let alarm = taken.next_visible_at.map_or(give_up_at, |at| at.min(give_up_at));
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(alarm) => {}
            }
        }
    }

    async fn extend(
        &self,
        queue: &QueueName,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, QueueError> {
        Ok(self
            .channel(queue)
            .extend(receipts, visibility.min(VISIBILITY_MAX), Instant::now()))
    }

    async fn delete(&self, queue: &QueueName, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.channel(queue).delete(receipts);
        Ok(())
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, QueueError> {
        Ok(self.channel(queue).depth(Instant::now()))
    }

    fn is_durable(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
