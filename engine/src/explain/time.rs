//! How the time of a task divides into waiting and running, from the history.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::run::{Record, RecordKind, TaskStatus, status_after};
use crate::{TaskIx, Timestamp};

/// Where the time of a task went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeSpent {
    /// Waited for upstreams (or for a place among the items of its fan-out).
    pub blocked: Duration,
    /// Could have begun, and waited for a concurrency group, a rate, a breaker or the end of a pause.
    pub waiting_for_slot: Duration,
    /// Was on its way to a worker.
    pub queued: Duration,
    /// A worker ran it.
    pub running: Duration,
    /// Waited for its next attempt.
    pub retry_wait: Duration,
    /// Waited for a time, an event, a person, a child run or its items.
    pub waiting: Duration,
}

impl TimeSpent {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.blocked + self.waiting_for_slot + self.queued + self.running + self.retry_wait + self.waiting
    }

    /// Adds that of another task.
    pub fn add(&mut self, other: &Self) {
        self.blocked += other.blocked;
        self.waiting_for_slot += other.waiting_for_slot;
        self.queued += other.queued;
        self.running += other.running;
        self.retry_wait += other.retry_wait;
        self.waiting += other.waiting;
    }

    fn slot(&mut self, status: TaskStatus) -> Option<&mut Duration> {
        match status {
            TaskStatus::Blocked => Some(&mut self.blocked),
            TaskStatus::Ready => Some(&mut self.waiting_for_slot),
            TaskStatus::Queued => Some(&mut self.queued),
            TaskStatus::Running => Some(&mut self.running),
            TaskStatus::RetryWait => Some(&mut self.retry_wait),
            TaskStatus::Waiting => Some(&mut self.waiting),
            TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::TimedOut
            | TaskStatus::Cancelled
            | TaskStatus::Skipped
            | TaskStatus::Cached => None,
        }
    }
}

/// Reads a history in order, in stretches of any size.
#[derive(Debug, Default)]
pub struct Stopwatch {
    created_at: Option<Timestamp>,
    /// When the items of a fan-out could begin, by its key.
    expanded_at: BTreeMap<String, Timestamp>,
    tasks: BTreeMap<TaskIx, Lap>,
}

#[derive(Debug, Clone, Copy)]
struct Lap {
    status: TaskStatus,
    since: Timestamp,
    spent: TimeSpent,
}

impl Lap {
    fn end(&mut self, at: Timestamp, status: TaskStatus) {
        if let Some(slot) = self.spent.slot(self.status) {
            *slot += at.since(self.since);
        }
        self.status = status;
        self.since = self.since.max(at);
    }
}

impl Stopwatch {
    /// The next record.
    pub fn read(&mut self, record: &Record) {
        if record.kind == RecordKind::RunCreated {
            self.created_at = Some(record.at);
        }
        let (Some(task), Some(status)) = (record.task, status_after(record.kind)) else {
            return;
        };
        let key = record.key.as_deref().unwrap_or_default();
        if record.kind == RecordKind::TaskExpanded {
            self.expanded_at.insert(key.to_owned(), record.at);
        }
        // the key of an item is that of its fan-out with something in brackets
        let parent = key.ends_with(']').then(|| key.split('[').next()).flatten();
        let begin = parent
            .and_then(|parent| self.expanded_at.get(parent).copied())
            .or(self.created_at)
            .unwrap_or(record.at);
        let lap = self.tasks.entry(task).or_insert(Lap {
            status: TaskStatus::Blocked,
            since: begin,
            spent: TimeSpent::default(),
        });
        lap.end(record.at, status);
    }

    /// What each task that the history mentions has spent until `now`.
    #[must_use]
    pub fn stop(&self, now: Timestamp) -> BTreeMap<TaskIx, TimeSpent> {
        let spent = |(task, lap): (&TaskIx, &Lap)| {
            let mut lap = *lap;
            lap.end(now, lap.status);
            (*task, lap.spent)
        };
        self.tasks.iter().map(spent).collect()
    }
}
