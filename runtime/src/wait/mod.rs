//! Waiting for the outside, on the shell's side: events find the tasks that wait for them; people, signals and callbacks find theirs.
//!
//! Guarantees: an event that is committed reaches every task that waits for its type, or began to wait soon enough after it
//! (`look_back`), whatever crashes in between; no worker, message or poll is held by a waiting task.
//!
//! An event and a wait meet in one of two ways. *Delivery* takes events that are not marked as delivered and offers each to the
//! waits that are there. *Look-back* takes waits that are not marked as looked back and offers them the events that are there.
//! Each begins after the commit of its row, and marks it after the last offer. If the event commits first, the look-back
//! reads it; if the wait commits first, the delivery reads it. A crash before the mark repeats offers, and an offer to a task
//! that waits no more changes nothing.

mod address;
mod approvals;
mod delivery;
mod error;
mod look_back;
mod operate;
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runnel_engine::run::WaitSubject;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::apply::{Appliers, Shell};
use crate::error::StoreError;

pub(crate) use address::CallbackAddress;
pub use approvals::{ApprovalFilter, ApprovalView};
pub use error::WaitError;
pub use operate::{DecisionRequest, SignalRequest, callback_failure};

/// As stored in `wait.kind`.
pub(crate) const EVENT: i64 = 0;
const SIGNAL: i64 = 1;
pub(crate) const APPROVAL: i64 = 2;
const CALLBACK: i64 = 3;

/// Poll intervals between two looks at the tables without a reason: only for what a crash has left, here or elsewhere.
const POLLS: u32 = 12;

/// The stored number of what a task waits for.
pub(crate) fn kind_code(subject: &WaitSubject) -> i64 {
    match subject {
        WaitSubject::Event(..) => EVENT,
        WaitSubject::Signal(_) => SIGNAL,
        WaitSubject::Approval => APPROVAL,
        WaitSubject::Callback => CALLBACK,
    }
}

/// Where the loop is told that there is something to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    has_events: AtomicBool,
    has_waits: AtomicBool,
    is_working: AtomicBool,
    rung: Notify,
}

impl Waits {
    /// An event was committed.
    pub(crate) fn deliver(&self) {
        self.inner.has_events.store(true, Ordering::SeqCst);
        self.inner.rung.notify_one();
    }

    /// A task that waits for an event was committed.
    pub(crate) fn look_back(&self) {
        self.inner.has_waits.store(true, Ordering::SeqCst);
        self.inner.rung.notify_one();
    }

    /// Whether an event or a wait may not have met all that it should.
    pub(crate) fn is_busy(&self) -> bool {
        let inner = &self.inner;
        inner.has_events.load(Ordering::SeqCst)
            || inner.has_waits.load(Ordering::SeqCst)
            || inner.is_working.load(Ordering::SeqCst)
    }
}

/// The loop that lets events and waits meet.
pub(crate) struct Loop {
    shell: Arc<Shell>,
    appliers: Appliers,
    poll_interval: Duration,
}

impl Loop {
    pub(crate) fn new(shell: Arc<Shell>, appliers: Appliers, poll_interval: Duration) -> Self {
        Self {
            shell,
            appliers,
            poll_interval,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let inner = Arc::clone(&self.shell.waits.inner);
        // what an end before this start has left
        inner.has_events.store(true, Ordering::SeqCst);
        inner.has_waits.store(true, Ordering::SeqCst);
        loop {
            inner.is_working.store(true, Ordering::SeqCst);
            let pause = match self.turn(&inner).await {
                Ok(()) => self.poll_interval * POLLS,
                Err(StoreError::Stopping) => return,
                Err(error) => {
                    tracing::warn!(%error, "events and the tasks that wait for them meet later");
                    self.poll_interval
                }
            };
            inner.is_working.store(false, Ordering::SeqCst);
            tokio::select! {
                () = stop.cancelled() => return,
                () = inner.rung.notified() => {}
                () = tokio::time::sleep(pause) => {
                    inner.has_events.store(true, Ordering::SeqCst);
                    inner.has_waits.store(true, Ordering::SeqCst);
                }
            }
        }
    }

    /// Does what it was told; a part that fails is told again.
    async fn turn(&self, inner: &Inner) -> Result<(), StoreError> {
        if inner.has_waits.swap(false, Ordering::SeqCst)
            && let Err(error) = look_back::run(&self.shell, &self.appliers).await
        {
            inner.has_waits.store(true, Ordering::SeqCst);
            return Err(error);
        }
        if inner.has_events.swap(false, Ordering::SeqCst)
            && let Err(error) = delivery::run(&self.shell, &self.appliers).await
        {
            inner.has_events.store(true, Ordering::SeqCst);
            return Err(error);
        }
        Ok(())
    }
}
