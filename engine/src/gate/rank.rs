//! Priority with ageing, as one number that never changes while something waits.

use std::time::Duration;

use crate::Timestamp;

/// Waiting this long is worth one point of priority: what has priority 0 is passed by what has 100 for ten minutes.
pub const AGEING: Duration = Duration::from_secs(6);

/// The place in the order of what waits since a moment with a priority of 0 to 100: smaller goes first.
///
/// Effective priority is `priority + (now - since) / AGEING`. It grows at the same pace for all, so the order between two
/// does not depend on `now`, and a table can keep it as an indexed column.
#[must_use]
pub fn rank(since: Timestamp, priority: u8) -> i64 {
    let ageing = i64::try_from(AGEING.as_micros()).unwrap_or(i64::MAX);
    since
        .0
        .saturating_sub(ageing.saturating_mul(i64::from(priority.min(100))))
}
