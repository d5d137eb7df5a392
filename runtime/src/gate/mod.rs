//! The gatekeeper: decides which of the waiting attempts and runs may begin.
//!
//! Guarantees: a limit is never passed, however many replicas decide, because each pass is one transaction that locks the
//! gates it decides about in the order of their keys; what was granted and not yet handed to its run, because the process
//! died in between, is handed over again; the number of statements of a pass does not depend on how many wait, and what
//! waits behind a full group hides nothing that could begin. Every decision itself is `runnel_engine::gate`.
//!
//! Woken by every commit that asks or gives back, and by the moment at which a rate or a breaker lets the next one pass.

mod circuits;
mod deliver;
mod kept;
mod pass;
mod purge;
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_queue::crash_point;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::apply::{Appliers, Shell};
use crate::error::StoreError;

pub use circuits::{CircuitPhase, CircuitView};
pub(crate) use rows::{GATE_KEY, WAIT_COLUMNS, WaitRow, push_key, read_group, read_key, ticket};

/// After this long without the run having taken it, a decision is handed over again.
const HANDOVER: Duration = Duration::from_secs(5);

/// Pause after a pass that failed.
const PAUSE: Duration = Duration::from_millis(200);

/// How often expired results and forgotten gates are deleted.
const PURGE_EVERY: Duration = Duration::from_secs(60);

/// The way to the gatekeeper of this process.
#[derive(Debug, Default)]
pub(crate) struct GateHandle {
    rung: Notify,
    /// How often it was called, and the call up to which it has looked at everything.
    calls: AtomicU64,
    answered: AtomicU64,
    /// The moment at which the next one may pass by itself.
    next: AtomicI64,
}

impl GateHandle {
    /// Nobody waits.
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicI64::new(i64::MAX),
            // what waits since before the start is looked at before anything counts as settled
            calls: AtomicU64::new(1),
            ..Self::default()
        }
    }

    /// Something asks or has given back, or time has moved.
    pub(crate) fn ring(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.rung.notify_one();
    }

    /// Whether something is to be decided that has not been looked at.
    pub(crate) fn is_moving(&self) -> bool {
        self.answered.load(Ordering::SeqCst) < self.calls.load(Ordering::SeqCst)
    }

    /// Whether somebody may pass by now who could not at the last pass.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next.load(Ordering::SeqCst) <= now.0
    }
}

/// The loop.
pub(crate) struct Gatekeeper {
    shell: Arc<Shell>,
    appliers: Appliers,
    poll_interval: Duration,
}

impl Gatekeeper {
    pub(crate) fn new(shell: Arc<Shell>, appliers: Appliers, poll_interval: Duration) -> Self {
        Self {
            shell,
            appliers,
            poll_interval,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let gate = &self.shell.gate;
        let mut purge_at = Timestamp(i64::MIN);
        loop {
            let calls = gate.calls.load(Ordering::SeqCst);
            let pause = match self.turn().await {
                Ok(next) => {
                    let next = next.unwrap_or(Timestamp(i64::MAX));
                    gate.next.store(next.0, Ordering::SeqCst);
                    gate.answered.fetch_max(calls, Ordering::SeqCst);
                    next.since(self.shell.clock.now()).min(self.poll_interval)
                }
                Err(StoreError::Stopping) => return,
                Err(error) => {
                    tracing::warn!(%error, "gatekeeper could not decide");
                    PAUSE.min(self.poll_interval)
                }
            };
            let now = self.shell.clock.now();
            if now >= purge_at {
                purge_at = now.after(PURGE_EVERY);
                if let Err(error) = purge::run(&self.shell, now).await {
                    tracing::warn!(%error, "gatekeeper could not tidy up");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = gate.rung.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Decides until nobody can pass; answers when the next one can.
    async fn turn(&self) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let now = self.shell.clock.now();
            let look = rows::look(&self.shell, now).await?;
            if look.has_overdue {
                deliver::again(&self.shell, &self.appliers, now).await?;
            }
            if !look.has_waiting {
                return Ok(look.overdue_at);
            }
            let (next, must_repeat) = self.sweep().await?;
            if !must_repeat {
                return Ok([next, look.overdue_at].into_iter().flatten().min());
            }
        }
    }

    /// One walk over all lanes; answers when the next one can pass, and whether there is more to decide now.
    async fn sweep(&self) -> Result<(Option<Timestamp>, bool), StoreError> {
        let mut after = (String::new(), String::new());
        let mut next_at: Option<Timestamp> = None;
        let mut must_repeat = false;
        loop {
            let passed = pass::run(&self.shell, &after).await?;
            if !passed.answers.is_empty() {
                crash_point!("gate.after_grant");
            }
            next_at = [next_at, passed.next_at].into_iter().flatten().min();
            must_repeat |= passed.has_more;
            deliver::answers(&self.shell, &self.appliers, passed.answers).await?;
            deliver::displace(&self.appliers, passed.displaced).await?;
            match passed.last_lane {
                Some(last) => after = last,
                None => return Ok((next_at, must_repeat)),
            }
        }
    }
}
