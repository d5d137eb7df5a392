//! The relay: `runtime::relay`, step by step. Its books are the runtime's own code.

use runnel_runtime::offline::{Attempt, Parcel};

use crate::defect::Defect;
use crate::fault::Fault;
use crate::replica::{Sending, Work};
use crate::secret;
use crate::world::{POLL_INTERVAL, World};

/// Sent rows wait this long for a commit to take them along.
const FLUSH: i64 = 50_000;

/// First pause after the queue failed.
const BACKOFF: i64 = 100_000;
const TRIES_MAX: u32 = 5;

impl World {
    /// Notes rows that are to be deleted.
    pub(crate) fn put_back_sent(&mut self, at: usize, keys: Vec<Attempt>) {
        if keys.is_empty() {
            return;
        }
        let flush_at = self.now + FLUSH;
        let replica = &mut self.replicas[at];
        replica.sent.extend(keys);
        replica.flush_at.get_or_insert(flush_at);
    }

    /// Takes what commits have told.
    pub(crate) fn hear_calls(&mut self, at: usize) {
        let mut parcels = Vec::new();
        while let Some(news) = self.replicas[at].calls.pop_front() {
            let books = &mut self.replicas[at].books;
            for parcel in &news.parcels {
                books.send(parcel.at, &parcel.queue);
            }
            for (run, task, attempt) in news.touched {
                books.touch(run, task, attempt);
            }
            for queue in &news.backlog {
                books.set_backlog(queue, true);
            }
            parcels.extend(news.parcels);
        }
        self.dispatch(at, parcels);
        self.claim_backlog(at);
    }

    /// Takes claimed rows whose messages are made.
    pub(crate) fn take_rendered(&mut self, at: usize) {
        let Some(parcels) = self.replicas[at].rendered.pop_front() else {
            return;
        };
        for parcel in &parcels {
            self.replicas[at].books.send(parcel.at, &parcel.queue);
        }
        self.dispatch(at, parcels);
    }

    fn dispatch(&mut self, at: usize, mut parcels: Vec<Parcel>) {
        parcels.sort_by_key(|parcel| std::cmp::Reverse(parcel.priority));
        let (mut gone, mut ready) = (Vec::new(), Vec::new());
        for parcel in parcels {
            if parcel.body.is_some() {
                ready.push(parcel);
            } else {
                self.replicas[at].books.touch(parcel.at.run, parcel.at.task, None);
                gone.push(parcel.at);
            }
        }
        self.put_back_sent(at, gone);
        let due = self.now;
        while let Some(queue) = ready.first().map(|parcel| parcel.queue.clone()) {
            let (parcels, rest) = ready.into_iter().partition(|parcel| parcel.queue == queue);
            ready = rest;
            let sending = Sending {
                queue,
                parcels,
                tries: 0,
                due,
            };
            self.replicas[at].sends.push(sending);
        }
    }

    /// One call to the queue, and what becomes of it.
    pub(crate) fn send(&mut self, at: usize, n: usize) {
        let mut sending = self.replicas[at].sends.remove(n);
        sending.tries += 1;
        let (mut accepted, mut failed) = (Vec::new(), Vec::new());
        for parcel in std::mem::take(&mut sending.parcels) {
            let is_refused = self.strikes(Fault::SendFailure, 15);
            // the answer may be lost as well as the request
            let is_unheard = self.strikes(Fault::SendFailure, 8);
            if !is_refused {
                let delay = if self.faults.has(Fault::Reorder) {
                    self.chance.millis(0, 900)
                } else {
                    0
                };
                if secret::is_told(parcel.body.as_deref().unwrap_or_default()) {
                    let text = format!("the message of {} tells it", short(parcel.at));
                    self.oracle.fail("secret", text);
                }
                self.tasks.send(
                    parcel.body.clone().unwrap_or_default(),
                    vec![parcel.at],
                    self.now + delay,
                );
                self.oracle.sent(parcel.at);
                self.tell(|| format!("replica {at} sends {:?}", short(parcel.at)));
            }
            if is_refused || is_unheard {
                failed.push(parcel);
            } else {
                accepted.push(parcel.at);
            }
        }
        self.put_back_sent(at, accepted);
        if !failed.is_empty() && sending.tries < TRIES_MAX {
            let most = BACKOFF << sending.tries;
            let due = self.now + most / 2 + self.chance.millis(0, 50);
            self.replicas[at].sends.push(Sending {
                parcels: failed,
                due,
                ..sending
            });
        } else {
            for parcel in failed {
                self.replicas[at].books.touch(parcel.at.run, parcel.at.task, None);
            }
        }
        self.claim_backlog(at);
    }

    /// Deletes the rows of all sent messages.
    pub(crate) fn flush(&mut self, at: usize) {
        self.replicas[at].flush_at = None;
        let keys: Vec<Attempt> = self.replicas[at].sent.drain(..).collect();
        if self.strikes(Fault::Busy, 10) {
            self.put_back_sent(at, keys);
            return;
        }
        self.store.delete(&keys);
    }

    fn claim_backlog(&mut self, at: usize) {
        for queue in self.replicas[at].books.claimable() {
            self.claim(at, &queue);
        }
    }

    /// Claims what nobody holds: after a crash, after the queue was away.
    pub(crate) fn poll(&mut self, at: usize) {
        self.replicas[at].poll_at = self.now + POLL_INTERVAL;
        let now = self.clock(at);
        let waiting = self.store.waiting(now, self.plot.defect);
        if self.plot.defect != Some(Defect::SlotNotFreed) {
            for attempt in self.replicas[at].books.doubtful() {
                if !self.store.is_out(&attempt) {
                    self.replicas[at].books.touch(attempt.run, attempt.task, None);
                }
            }
        }
        for queue in waiting {
            self.claim(at, &queue);
        }
    }

    fn claim(&mut self, at: usize, queue: &str) {
        let now = self.clock(at);
        if !self.store.waiting(now, self.plot.defect).contains(queue) {
            self.replicas[at].books.set_backlog(queue, false);
            return;
        }
        let free = self.replicas[at].books.free(queue);
        if free == 0 {
            self.replicas[at].books.set_backlog(queue, true);
            return;
        }
        let claimed = self.store.claim(queue, now, free, self.plot.defect);
        let has_more = claimed.len() == free;
        self.replicas[at].books.set_backlog(queue, has_more);
        self.tell(|| format!("replica {at} claims {} rows", claimed.len()));
        self.replicas[at]
            .inbox
            .push_back(Work::Render(claimed, queue.to_owned()));
    }
}

/// An attempt in few letters.
#[must_use]
pub fn short(at: Attempt) -> String {
    format!("task {} attempt {} of {}", at.task.0, at.attempt, at.run)
}
