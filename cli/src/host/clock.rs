//! Wall clock time for tables: from the one adapter that the orchestrator uses too.

use chrono::{DateTime, Utc};
use runnel_runtime::{Clock, SystemClock};

/// Now.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(SystemClock.now().0).unwrap_or_default()
}
