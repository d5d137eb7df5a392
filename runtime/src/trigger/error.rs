//! Why an event or a delivery was not taken.

use crate::error::StoreError;

/// An event was refused.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// An attribute is missing or does not fit.
    #[error("event {index}: {message}")]
    Invalid {
        /// Which event of the request, from 0.
        index: usize,
        /// One sentence.
        message: String,
    },
    /// More events than a request may have.
    #[error("{actual} events; the limit is {limit}")]
    TooMany {
        /// How many.
        actual: usize,
        /// How many may be.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A delivery to a webhook was refused.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// There is no such webhook, or it takes nothing now.
    #[error("there is no webhook at this address")]
    Unknown,
    /// The signature, its time or its headers do not fit. One message for all: who guesses learns nothing.
    #[error(
        "the signature does not fit: sign `<webhook-id>.<webhook-timestamp>.<body>` with the secret of this webhook, within five minutes"
    )]
    Unsigned,
    /// The rate limit of the webhook.
    #[error("too many deliveries; the limit is {limit}")]
    RateLimited {
        /// As `50/m`.
        limit: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
