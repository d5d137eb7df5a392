//! Rate limits by the generic cell rate algorithm (ITU-T I.371, appendix): one stored moment a key, no counters.

use serde::{Deserialize, Serialize};

use super::RateRequest;
use crate::Timestamp;

/// What is stored of a rate limit: the moment at which its bucket would be full again ("theoretical arrival time").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RateState {
    /// Theoretical arrival time.
    pub full_at: Timestamp,
}

/// From one start to the next at the steady rate, in microseconds; at least one.
fn interval(limit: &RateRequest) -> i64 {
    (per(limit) / i64::from(limit.count.max(1))).max(1)
}

fn per(limit: &RateRequest) -> i64 {
    i64::try_from(limit.per.as_micros()).unwrap_or(i64::MAX)
}

/// When the next start is allowed; a moment that is not after `now` means: at once.
#[must_use]
pub fn refusal_ends_at(state: RateState, limit: &RateRequest, now: Timestamp) -> Timestamp {
    let full_at = state.full_at.max(now).0;
    // the bucket holds `count` starts: as many as `per` gives back
    let reserve = interval(limit).saturating_mul(i64::from(limit.count.max(1)));
    let allowed_at = full_at.saturating_add(interval(limit)).saturating_sub(reserve);
    Timestamp(allowed_at.max(now.0))
}

impl RateState {
    /// Takes one start, which must be allowed now.
    #[must_use]
    pub fn after_start(self, limit: &RateRequest, now: Timestamp) -> Self {
        Self {
            full_at: Timestamp(self.full_at.max(now).0.saturating_add(interval(limit))),
        }
    }
}
