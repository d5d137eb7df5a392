//! Sends what the outbox holds.
//!
//! Guarantees: what was committed is sent at least once, however often the process dies; a row leaves the outbox only
//! after the queue accepted its message. At most a configured number of messages is out per task queue, so that
//! priority, pause and cancel still act on the rest. A message whose type nobody runs waits in the outbox.
//!
//! The fast way: an applier leases new rows to this relay and hands it the messages after the commit. The other way, for
//! what found no room, no worker or no queue: rows without a lease are claimed from the table, highest priority first.

mod claim;
mod desk;
mod ensured;
mod send;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runnel_engine::{RunId, TaskIx};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::message::Body;

pub(crate) use claim::waiting;
pub(crate) use desk::{Desk, Room};
pub(crate) use send::Relay;

/// How long rows belong to the relay that holds them. After a crash another one sends them then.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// An attempt: the key of its outbox row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AttemptKey {
    pub run: RunId,
    pub task: TaskIx,
    pub attempt: u32,
}

/// A message to send.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub key: AttemptKey,
    pub queue: String,
    pub namespace: Arc<str>,
    pub priority: u8,
    /// When the input came that it follows from; `None` for one that has waited in the table.
    pub since: Option<Instant>,
    pub body: Body,
}

/// What a commit means to the relay.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Leased to this relay.
    pub dispatches: Vec<Dispatch>,
    /// Queues that have rows which found no room.
    pub backlog: Vec<String>,
    /// Changed tasks, each with its attempt while a message of it is out.
    pub touched: Vec<(RunId, TaskIx, Option<u32>)>,
}

/// What the relay is told.
#[derive(Debug)]
enum Call {
    News(News),
    /// Look at the table now: a worker came, or somebody wants everything sent.
    Look,
}

/// The way to the relay.
#[derive(Clone)]
pub(crate) struct RelayHandle {
    shared: Arc<Shared>,
}

struct Shared {
    calls: mpsc::UnboundedSender<Call>,
    /// Accepted by the queue; their rows are to be deleted.
    sent: Mutex<VecDeque<AttemptKey>>,
    /// Wakes the relay when rows are to be deleted and no commit takes them along.
    has_sent: Notify,
    desk: Mutex<Desk>,
    /// Calls and sends that are not finished.
    unfinished: AtomicUsize,
    /// Somebody is about to delete the sent rows.
    is_flushing: AtomicBool,
}

impl RelayHandle {
    /// The handle, and what the loop receives from.
    pub(crate) fn new(outstanding_max: usize) -> (Self, CallReceiver) {
        let (calls, receiver) = mpsc::unbounded_channel();
        let shared = Shared {
            calls,
            sent: Mutex::default(),
            has_sent: Notify::new(),
            desk: Mutex::new(Desk::new(outstanding_max)),
            unfinished: AtomicUsize::new(0),
            is_flushing: AtomicBool::new(false),
        };
        (
            Self {
                shared: Arc::new(shared),
            },
            CallReceiver(receiver),
        )
    }

    /// Tells what a commit made.
    pub(crate) fn tell(&self, news: News) {
        if !(news.dispatches.is_empty() && news.backlog.is_empty() && news.touched.is_empty()) {
            self.call(Call::News(news));
        }
    }

    /// Looks at the table now.
    pub(crate) fn look(&self) {
        self.call(Call::Look);
    }

    /// How much may be sent at once, for the rows of one batch.
    pub(crate) fn room(&self) -> Room {
        self.desk().room()
    }

    /// Whether the queue has room for more than a claim costs.
    pub(crate) fn has_room(&self, queue: &str) -> bool {
        self.desk().is_worth_a_claim(queue)
    }

    /// How many places of the queue each namespace has.
    pub(crate) fn shares(&self, queue: &str) -> std::collections::BTreeMap<Arc<str>, usize> {
        self.desk().shares(queue)
    }

    /// Takes the rows that are to be deleted, at most as many as fit well into one statement.
    pub(crate) fn take_sent(&self) -> Vec<AttemptKey> {
        let mut sent = self.sent();
        let count = sent.len().min(SENT_MAX);
        sent.drain(..count).collect()
    }

    /// Gives back what a failed transaction did not delete.
    pub(crate) fn put_back_sent(&self, keys: Vec<AttemptKey>) {
        if !keys.is_empty() {
            self.sent().extend(keys);
            self.shared.has_sent.notify_one();
        }
    }

    /// Calls and sends that are not finished, and rows that are not deleted yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.shared.unfinished.load(Ordering::SeqCst) + self.sent().len()
    }

    /// Task queues that this process has sent to.
    pub(crate) fn queues(&self) -> Vec<String> {
        self.desk().queues()
    }

    fn call(&self, call: Call) {
        self.shared.unfinished.fetch_add(1, Ordering::SeqCst);
        if self.shared.calls.send(call).is_err() {
            // the relay has stopped; the rows are in the table
            self.shared.unfinished.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self) -> MutexGuard<'_, VecDeque<AttemptKey>> {
        self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the loop receives from.
pub(crate) struct CallReceiver(mpsc::UnboundedReceiver<Call>);

/// Rows deleted by one statement.
const SENT_MAX: usize = 2_000;
