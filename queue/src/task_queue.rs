//! The queue as the rest of Runnel sees it: SQS semantics.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

/// Longest delay of a message, the limit of SQS; a longer one is shortened to it. Longer waits belong into the database.
pub const DELAY_MAX: Duration = Duration::from_secs(15 * 60);

/// Longest visibility, the limit of SQS; a longer one is shortened to it.
pub const VISIBILITY_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// End of the name of every dead-letter queue.
const DEAD_LETTER_SUFFIX: &str = "-dlq";

/// Whether the queue is itself a dead-letter queue; such a queue has none of its own.
#[must_use]
pub fn is_dead_letter(queue: &QueueName) -> bool {
    queue.0.ends_with(DEAD_LETTER_SUFFIX)
}

/// Logical name of a queue, as `default`, `gpu` or `completions`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(pub String);

impl QueueName {
    /// The queue on which workers report.
    #[must_use]
    pub fn completions() -> Self {
        Self("completions".to_owned())
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One message to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Body, at most [`crate::message::MESSAGE_BYTES_MAX`] bytes.
    pub body: String,
    /// Not visible before this delay (at most 15 minutes).
    pub delay: Duration,
    /// W3C trace context, for a message attribute where the service has those. What reads the message finds it in the body too.
    pub traceparent: Option<String>,
}

/// A message that was not accepted; `index` is its position in the call.
#[derive(Debug, Clone)]
pub struct SendFailure {
    /// Position in the call.
    pub index: usize,
    /// Whether the message itself is at fault, so that sending it again cannot succeed.
    pub is_permanent: bool,
    /// What the queue said.
    pub message: String,
}

/// Handle of one delivery; valid until its visibility ends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// One received message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// For delete, extend and release.
    pub receipt: Receipt,
    /// The body as sent.
    pub body: String,
    /// How often it has been received, this time included.
    pub receive_count: u32,
}

/// How full a queue is; approximate for SQS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Messages that could be received now.
    pub visible: u64,
    /// Messages received and not yet deleted.
    pub in_flight: u64,
    /// Messages that wait for their delay.
    pub delayed: u64,
}

/// Why a call to the queue failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No such queue; the message says how to create it.
    #[error("queue `{queue}` does not exist: {hint}")]
    NotFound {
        /// The queue.
        queue: String,
        /// What to do.
        hint: String,
    },
    /// The queue service did not answer or refused; try again with backoff.
    #[error("queue service failed to {action} on `{queue}`")]
    Unavailable {
        /// What was tried.
        action: &'static str,
        /// The queue.
        queue: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A queue with the semantics of SQS standard queues: at least once, unordered, visibility timeout, receive count, delay,
/// dead-letter queue after `max_receive_count`. Batches are split to the service's limits inside.
#[async_trait]
pub trait TaskQueue: Send + Sync + fmt::Debug {
    /// Creates the queue (and its dead-letter queue) where that is allowed, or checks that it exists.
    async fn ensure(&self, queue: &QueueName) -> Result<(), QueueError>;

    /// Sends messages; the answer lists those that were not accepted. An error means that none is known to be accepted.
    async fn send(&self, queue: &QueueName, messages: Vec<Outgoing>) -> Result<Vec<SendFailure>, QueueError>;

    /// Receives up to `max` messages, waiting up to `wait` for the first. Each stays invisible for `visibility`.
    async fn receive(
        &self,
        queue: &QueueName,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, QueueError>;

    /// Sets the visibility of received messages anew, from now; zero releases them. Answers the receipts that are no longer held.
    async fn extend(
        &self,
        queue: &QueueName,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, QueueError>;

    /// Deletes messages. Deleting one that is gone succeeds.
    async fn delete(&self, queue: &QueueName, receipts: &[Receipt]) -> Result<(), QueueError>;

    /// How full the queue is.
    async fn depth(&self, queue: &QueueName) -> Result<Depth, QueueError>;

    /// Name of the dead-letter queue that belongs to `queue`.
    fn dead_letter(&self, queue: &QueueName) -> QueueName {
        QueueName(format!("{queue}{DEAD_LETTER_SUFFIX}"))
    }

    /// Whether the queue survives the end of this process. If not, everything unfinished is dispatched again at boot.
    fn is_durable(&self) -> bool;
}
