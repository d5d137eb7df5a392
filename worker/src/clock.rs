//! The worker's one look at the wall clock. Durations are measured with tokio's clock; this is for timestamps only.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the one adapter of the worker")]
pub(crate) fn now_us() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

/// The time as signatures of requests need it.
#[expect(clippy::disallowed_methods, reason = "the one adapter of the worker")]
pub(crate) fn system_now() -> SystemTime {
    SystemTime::now()
}
