//! The only place where time and randomness enter Runnel's decisions.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

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
    Moment {
        now: clock.now(),
        entropy: entropy.bits(),
    }
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the adapter that everything else takes the time from"
    )]
    fn now(&self) -> Timestamp {
        Timestamp(chrono::Utc::now().timestamp_micros())
    }
}

/// The randomness of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn uuid(&self, at: Timestamp) -> Uuid {
        uuid_at(at, self.bits(), self.bits())
    }

    fn bits(&self) -> u64 {
        // The operating system fails to give randomness only before it has booted; std's hash keys have the same source.
        getrandom::u64().unwrap_or_else(|_| RandomState::new().hash_one(std::thread::current().id()))
    }
}

/// A clock that stands still until it is moved: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
}

impl ManualClock {
    /// Stands at the given moment.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: AtomicI64::new(now.0),
        }
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(
            i64::try_from(by.as_micros()).unwrap_or(i64::MAX),
            Ordering::SeqCst,
        );
    }

    /// Moves to a moment, also backwards, as a machine's clock may.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }
}

/// The same ids and bits for the same seed: for tests and simulations.
#[derive(Debug)]
pub struct SeededEntropy {
    state: Mutex<u64>,
}

impl SeededEntropy {
    /// Starts from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: Mutex::new(seed),
        }
    }
}

impl Entropy for SeededEntropy {
    fn uuid(&self, at: Timestamp) -> Uuid {
        uuid_at(at, self.bits(), self.bits())
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn bits(&self) -> u64 {
        let mut state = self
            .state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = *state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// A UUIDv7 with the milliseconds of `at`, so that ids sort by time.
fn uuid_at(at: Timestamp, first: u64, second: u64) -> Uuid {
    let millis = u64::try_from(at.0 / 1000).unwrap_or(0);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&first.to_be_bytes());
    random[8..].copy_from_slice(&second.to_be_bytes()[..2]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_version_seven() {
        let entropy = SeededEntropy::new(1);
        let early = entropy.uuid(Timestamp(1_700_000_000_000_000));
        let late = entropy.uuid(Timestamp(1_700_000_000_001_000));
        assert!(early < late);
        assert_eq!(early.get_version_num(), 7);
    }

    #[test]
    fn a_seed_gives_the_same_bits() {
        let (a, b) = (SeededEntropy::new(7), SeededEntropy::new(7));
        assert_eq!([a.bits(), a.bits()], [b.bits(), b.bits()]);
        assert_ne!(a.bits(), SeededEntropy::new(8).bits());
    }

    #[test]
    fn system_bits_have_no_fixed_bit() {
        let (mut ones, mut zeros) = (0, 0);
        for _ in 0..256 {
            let bits = SystemEntropy.bits();
            ones |= bits;
            zeros |= !bits;
        }
        assert_eq!((ones, zeros), (u64::MAX, u64::MAX));
    }
}
