//! Reading request bodies: always with a limit of size and time.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{HeaderMap, header};

use crate::error::{ApiError, Code};

/// Largest body of most requests.
pub(crate) const BYTES_MAX: usize = 1 << 20;
/// Largest body of an upload or a publish: a file of 1 MiB, escaped or in a multipart envelope.
pub(crate) const UPLOAD_BYTES_MAX: usize = 4 << 20;
/// Largest body of a start: the largest inputs, and room for what stands beside them.
pub(crate) const START_BYTES_MAX: usize = (64 << 20) + (64 << 10);
/// A body that takes longer is a client that drips bytes to hold a connection.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// The same for a large value of a worker.
pub(crate) const PAYLOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// The whole body, or why not.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    read_within(headers, body, limit, TIMEOUT).await
}

/// The whole body within a time.
pub(crate) async fn read_within(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, ApiError> {
    let too_large = || {
        ApiError::new(
            Code::PayloadTooLarge,
            format!("the body may have {limit} bytes at most"),
        )
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(timeout, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // over the limit, or the client is gone and reads no answer
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(ApiError::new(
            Code::RequestTimeout,
            "the body did not arrive in time",
        )),
    }
}

/// The media type of the body, lower case and without parameters; empty when none is given.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}
