//! Wakes the scheduler before its next look: something changed, or a run that a schedule waits for has ended.
//!
//! A bell is a hint: what it says is read again from the rows, and a bell that nobody heard costs one pause.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use uuid::Uuid;

/// Schedules remembered as having had a run end; past it they are found by their own next look.
const ENDED_MAX: usize = 1_000;

/// The bell of one process.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScheduleBell {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    rung: Notify,
    ended: Mutex<BTreeSet<Uuid>>,
    busy: AtomicUsize,
}

/// Work in progress; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Inner>);

impl ScheduleBell {
    /// Something may be due earlier than was known.
    pub(crate) fn ring(&self) {
        self.inner.rung.notify_one();
    }

    /// A run that the schedule (or trigger) started has ended.
    pub(crate) fn ended(&self, owner: Uuid) {
        let mut ended = self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() < ENDED_MAX {
            ended.insert(owner);
        }
        drop(ended);
        self.ring();
    }

    /// The owners whose runs have ended since the last call.
    pub(super) fn take_ended(&self) -> Vec<Uuid> {
        let mut ended = self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *ended).into_iter().collect()
    }

    /// Resolves at the next ring.
    pub(super) async fn rung(&self) {
        self.inner.rung.notified().await;
    }

    /// Marks work, for who waits until nothing moves.
    pub(super) fn work(&self) -> Busy {
        self.inner.busy.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(&self.inner))
    }

    /// Whether something is being done, or is known to be waiting.
    pub(crate) fn is_busy(&self) -> bool {
        let ended = self.inner.ended.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.busy.load(Ordering::SeqCst) > 0 || !ended.is_empty()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}
