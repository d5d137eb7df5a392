//! The only places where time and randomness enter Runnel's decisions.

use std::fmt;

use runnel_engine::{Moment, Timestamp};
use uuid::Uuid;

/// A source of time. `SystemClock` in production, a hand-moved one in tests.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// A source of ids and random bits.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// A new UUIDv7 of the given moment.
    fn uuid(&self, at: Timestamp) -> Uuid;
    /// 64 random bits.
    fn bits(&self) -> u64;
}

/// Draws a [`Moment`].
pub fn moment(clock: &dyn Clock, entropy: &dyn Entropy) -> Moment {
    Moment { now: clock.now(), entropy: entropy.bits() }
}
