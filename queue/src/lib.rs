//! Messages between orchestrator and workers, and the queues that carry them.
//!
//! Guarantees: every message carries its version; a message of a newer version is refused with a typed error and left in
//! the queue. Delivery is at least once and unordered. Knows neither engine nor database.

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod crash;
pub mod embedded;
pub mod message;
pub mod payload;
pub mod sqs;
pub mod task_queue;
pub mod token;

pub use embedded::{EmbeddedConfig, EmbeddedQueue, FaultPlan};
pub use message::{
    Attempt, AttemptRef, Failure, FailureCategory, LogLine, LogStream, MessageError, Outcome, Progress,
    Report, ReportBatch, TaskMessage, Usage,
};
pub use payload::{PayloadError, PayloadLocation, PayloadRef, PayloadStore};
pub use sqs::{SqsConfig, SqsQueue};
pub use task_queue::{Delivery, Depth, Outgoing, QueueError, QueueName, Receipt, SendFailure, TaskQueue};
pub use token::{TokenKey, TokenKeys};
