//! Time and randomness of an in-process cluster: the machine's clock, which a test can move ahead.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_runtime::{Clock, Entropy};
use uuid::Uuid;

/// The machine's clock plus an offset. Time goes on by itself, so that queues and workers agree with it, and a test that
/// needs a later time takes it with [`TestClock::advance`] instead of waiting.
#[derive(Debug, Default)]
pub struct TestClock {
    ahead_us: AtomicI64,
}

impl TestClock {
    /// Moves the clock ahead.
    pub fn advance(&self, by: Duration) {
        self.ahead_us.fetch_add(
            i64::try_from(by.as_micros()).unwrap_or(i64::MAX),
            Ordering::SeqCst,
        );
    }
}

impl Clock for TestClock {
    #[expect(clippy::disallowed_methods, reason = "the harness's own clock adapter")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let now_us = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        Timestamp(now_us.saturating_add(self.ahead_us.load(Ordering::SeqCst)))
    }
}

/// Random ids and bits, different in every process and every cluster.
#[derive(Debug, Default)]
pub struct TestEntropy {
    keys: RandomState,
    drawn: AtomicU64,
}

impl Entropy for TestEntropy {
    fn uuid(&self, at: Timestamp) -> Uuid {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.bits().to_le_bytes());
        random[8..].copy_from_slice(&self.bits().to_le_bytes()[..2]);
        let millis = u64::try_from(at.0 / 1_000).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn bits(&self) -> u64 {
        let mut hasher = self.keys.build_hasher();
        hasher.write_u64(self.drawn.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }
}
