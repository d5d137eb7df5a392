//! Where large values and stored secrets come from: the payload store where the worker reaches it, else the control channel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use runnel_queue::payload::{PAYLOAD_BYTES_MAX, PayloadError, PayloadRef, PayloadStore};
use runnel_queue::{AttemptRef, FailureCategory};
use serde_json::value::RawValue;

use crate::task::TaskError;

/// Tries of a call that may succeed later.
const TRIES: u32 = 3;
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// What a worker may ask the orchestrator for in the name of an attempt.
#[async_trait::async_trait]
pub trait ControlChannel: Send + Sync {
    /// Reads a large value that the attempt's run refers to.
    ///
    /// # Errors
    /// It is not there for this attempt, or the other side does not answer.
    async fn payload(&self, at: &AttemptRef, reference: &PayloadRef) -> anyhow::Result<Bytes>;

    /// Stores a large value that the attempt will report.
    ///
    /// # Errors
    /// The other side does not take it, or does not answer.
    async fn put_payload(&self, at: &AttemptRef, reference: &PayloadRef, value: Bytes) -> anyhow::Result<()>;

    /// Opens stored secrets that the attempt's message names; those that are not stored are missing.
    ///
    /// # Errors
    /// The other side refuses, or does not answer.
    async fn secrets(&self, at: &AttemptRef, names: &[String]) -> anyhow::Result<BTreeMap<String, String>>;
}

/// What a worker is supplied from. Empty: only small values, and secrets of its own environment.
#[derive(Clone, Default)]
pub struct Supplies {
    /// The payload store, where this worker reaches it.
    pub payloads: Option<PayloadStore>,
    /// The orchestrator.
    pub channel: Option<Arc<dyn ControlChannel>>,
}

impl Supplies {
    /// The JSON text of a large input.
    pub(crate) async fn fetch(
        &self,
        at: &AttemptRef,
        reference: &PayloadRef,
    ) -> Result<Box<RawValue>, TaskError> {
        let value = self.fetch_bytes(at, reference).await?;
        let text = std::str::from_utf8(&value).ok().map(str::to_owned);
        text.and_then(|text| RawValue::from_string(text).ok())
            .ok_or_else(|| unreachable_payload("the stored input is not JSON"))
    }

    async fn fetch_bytes(&self, at: &AttemptRef, reference: &PayloadRef) -> Result<Bytes, TaskError> {
        if let Some(store) = &self.payloads {
            return match again(|| store.get(reference), is_passing).await {
                Ok(value) => Ok(value),
                Err(error) => Err(unreachable_payload(&chain(&error))),
            };
        }
        let Some(channel) = &self.channel else {
            return Err(no_way("its input"));
        };
        let value = again(|| channel.payload(at, reference), |_| true)
            .await
            .map_err(|error| unreachable_payload(&format!("{error:#}")))?;
        if PayloadRef::of(&value) != *reference {
            return Err(unreachable_payload("the input arrived damaged"));
        }
        Ok(value)
    }

    /// Puts a large output away.
    pub(crate) async fn store(&self, at: &AttemptRef, value: Bytes) -> Result<PayloadRef, TaskError> {
        if value.len() > PAYLOAD_BYTES_MAX {
            return Err(output_too_large(value.len()));
        }
        if let Some(store) = &self.payloads {
            return again(|| store.put(value.clone()), is_passing)
                .await
                .map_err(|error| unreachable_payload(&chain(&error)));
        }
        let Some(channel) = &self.channel else {
            return Err(no_way("its output"));
        };
        let reference = PayloadRef::of(&value);
        again(|| channel.put_payload(at, &reference, value.clone()), |_| true)
            .await
            .map_err(|error| unreachable_payload(&format!("{error:#}")))?;
        Ok(reference)
    }

    /// Stored secrets; none where there is no channel.
    pub(crate) async fn secrets(
        &self,
        at: &AttemptRef,
        names: &[String],
    ) -> Result<BTreeMap<String, String>, TaskError> {
        let Some(channel) = self.channel.as_ref().filter(|_| !names.is_empty()) else {
            return Ok(BTreeMap::new());
        };
        again(|| channel.secrets(at, names), |_| true)
            .await
            .map_err(|error| {
                let message = format!("stored secrets cannot be read now: {error:#}");
                TaskError::new(FailureCategory::Unavailable, "SECRETS_UNREACHABLE", message).retryable()
            })
    }
}

/// A large output that no limit allows.
pub(crate) fn output_too_large(bytes: usize) -> TaskError {
    let message = format!(
        "the output has {bytes} bytes, more than the limit of {PAYLOAD_BYTES_MAX}; store it elsewhere and return a reference"
    );
    TaskError::new(FailureCategory::User, "OUTPUT_TOO_LARGE", message)
}

async fn again<T, E, F: Future<Output = Result<T, E>>>(
    call: impl Fn() -> F,
    is_worth_it: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let mut tries = 1;
    loop {
        match call().await {
            Err(error) if tries < TRIES && is_worth_it(&error) => {}
            result => return result,
        }
        tokio::time::sleep(RETRY_DELAY * tries).await;
        tries += 1;
    }
}

fn is_passing(error: &PayloadError) -> bool {
    match error {
        PayloadError::Unavailable { .. } => true,
        PayloadError::NotFound { .. } | PayloadError::Damaged { .. } | PayloadError::TooLarge { .. } => false,
    }
}

fn chain(error: &PayloadError) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn unreachable_payload(problem: &str) -> TaskError {
    let message = format!("a large value cannot be had: {problem}");
    TaskError::new(FailureCategory::Unavailable, "PAYLOAD_UNREACHABLE", message).retryable()
}

fn no_way(what: &str) -> TaskError {
    let message = format!(
        "{what} is too large for a message, and this worker reaches neither the payload store nor the API: \
         set RUNNEL_PAYLOADS or RUNNEL_API_URL on it"
    );
    TaskError::new(FailureCategory::Unavailable, "PAYLOAD_UNREACHABLE", message)
}
