//! Time of an in-process cluster: the machine's clock, which a test can move ahead.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_runtime::Clock;
use runnel_runtime::clock::SystemClock;

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
    fn now(&self) -> Timestamp {
        Timestamp(
            SystemClock
                .now()
                .0
                .saturating_add(self.ahead_us.load(Ordering::SeqCst)),
        )
    }
}
