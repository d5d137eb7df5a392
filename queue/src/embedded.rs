//! An in-process queue with the semantics of SQS: visibility, redelivery, receive count, delay, dead letters.
//!
//! Holds nothing durable. `EmbeddedQueue::with_faults` repeats and reorders deliveries for tests.
