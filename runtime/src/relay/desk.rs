//! The relay's books: which attempts are out, per task queue.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use runnel_engine::{RunId, TaskIx};

use super::AttemptKey;

#[derive(Debug)]
pub(crate) struct Desk {
    outstanding_max: usize,
    /// Attempts whose messages this relay has sent and that have not ended, each with its queue and namespace.
    out: HashMap<(RunId, TaskIx), (u32, String, Arc<str>)>,
    /// Number of them per queue.
    counts: HashMap<String, usize>,
    /// Queues with rows in the table that found no room.
    backlog: HashSet<String>,
}

/// What may be sent at once: a copy of the books for one batch. Two appliers that look at the same time may pass the
/// limit by one batch, which harms nothing.
#[derive(Debug)]
pub(crate) struct Room {
    outstanding_max: usize,
    counts: HashMap<String, usize>,
    backlog: HashSet<String>,
}

impl Room {
    /// Takes a place in the queue. `false` when it is full, or when others wait that came before.
    pub(crate) fn take(&mut self, queue: &str) -> bool {
        if self.backlog.contains(queue) {
            return false;
        }
        if !self.counts.contains_key(queue) {
            self.counts.insert(queue.to_owned(), 0);
        }
        match self.counts.get_mut(queue) {
            Some(count) if *count < self.outstanding_max => {
                *count += 1;
                true
            }
            Some(_) | None => false,
        }
    }
}

impl Desk {
    pub(crate) fn new(outstanding_max: usize) -> Self {
        let outstanding_max = outstanding_max.max(1);
        Self {
            outstanding_max,
            out: HashMap::new(),
            counts: HashMap::new(),
            backlog: HashSet::new(),
        }
    }

    pub(crate) fn room(&self) -> Room {
        let Self {
            outstanding_max,
            counts,
            backlog,
            ..
        } = self;
        Room {
            outstanding_max: *outstanding_max,
            counts: counts.clone(),
            backlog: backlog.clone(),
        }
    }

    /// Free places of a queue.
    pub(crate) fn free(&self, queue: &str) -> usize {
        self.outstanding_max
            .saturating_sub(self.counts.get(queue).copied().unwrap_or(0))
    }

    /// Whether enough places are free to make a claim worth its statement.
    pub(crate) fn is_worth_a_claim(&self, queue: &str) -> bool {
        self.free(queue) >= (self.outstanding_max / 8).max(1)
    }

    pub(crate) fn send(&mut self, key: AttemptKey, queue: &str, namespace: &Arc<str>) {
        self.end((key.run, key.task));
        self.out.insert(
            (key.run, key.task),
            (key.attempt, queue.to_owned(), Arc::clone(namespace)),
        );
        match self.counts.get_mut(queue) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(queue.to_owned(), 1)),
        }
    }

    /// A task has changed; `attempt` is the one that is out, if any.
    pub(crate) fn touch(&mut self, run: RunId, task: TaskIx, attempt: Option<u32>) {
        if self
            .out
            .get(&(run, task))
            .is_some_and(|(sent, ..)| Some(*sent) != attempt)
        {
            self.end((run, task));
        }
    }

    fn end(&mut self, task: (RunId, TaskIx)) {
        if let Some((_, queue, _)) = self.out.remove(&task)
            && let Some(count) = self.counts.get_mut(&queue)
        {
            *count = count.saturating_sub(1);
        }
    }

    pub(crate) fn set_backlog(&mut self, queue: &str, has_backlog: bool) {
        if !has_backlog {
            self.backlog.remove(queue);
        } else if !self.backlog.contains(queue) {
            self.backlog.insert(queue.to_owned());
        }
    }

    /// Queues with a backlog that a claim would help now.
    pub(crate) fn claimable(&self) -> Vec<String> {
        self.backlog
            .iter()
            .filter(|queue| self.is_worth_a_claim(queue))
            .cloned()
            .collect()
    }

    /// How much of a queue's places each namespace has. A walk over all that is out: for claims, of which there are few.
    pub(super) fn shares(&self, queue: &str) -> BTreeMap<Arc<str>, usize> {
        let mut shares = BTreeMap::new();
        for (_, _, namespace) in self.out.values().filter(|(_, of, _)| of == queue) {
            *shares.entry(Arc::clone(namespace)).or_default() += 1;
        }
        shares
    }

    /// Queues that were sent to.
    pub(crate) fn queues(&self) -> Vec<String> {
        self.counts.keys().cloned().collect()
    }

    /// Attempts of full queues: another replica may have heard of their end.
    pub(crate) fn doubtful(&self) -> Vec<AttemptKey> {
        let full = |queue: &String| self.backlog.contains(queue) && !self.is_worth_a_claim(queue);
        let keys = self.out.iter().filter(|(_, (_, queue, _))| full(queue));
        keys.map(|((run, task), (attempt, ..))| AttemptKey {
            run: *run,
            task: *task,
            attempt: *attempt,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u128, attempt: u32) -> AttemptKey {
        AttemptKey {
            run: RunId(uuid::Uuid::from_u128(n)),
            task: TaskIx(0),
            attempt,
        }
    }

    #[test]
    fn a_place_is_free_again_when_the_attempt_ends_and_not_before() {
        let mut desk = Desk::new(2);
        desk.send(key(1, 1), "q", &Arc::from("n"));
        desk.send(key(2, 1), "q", &Arc::from("m"));
        assert_eq!(desk.free("q"), 0);
        assert!(!desk.room().take("q"));
        assert_eq!(desk.shares("q").into_values().collect::<Vec<_>>(), [1, 1]);
        desk.touch(key(1, 1).run, TaskIx(0), Some(1));
        assert_eq!(desk.free("q"), 0, "it runs");
        desk.touch(key(1, 1).run, TaskIx(0), None);
        desk.touch(key(1, 1).run, TaskIx(0), None);
        assert_eq!(desk.free("q"), 1, "a duplicate frees nothing");
        assert!(desk.room().take("q"));
    }

    #[test]
    fn a_new_attempt_takes_the_place_of_the_old_one() {
        let mut desk = Desk::new(2);
        desk.send(key(1, 1), "q", &Arc::from("n"));
        desk.send(key(1, 2), "q", &Arc::from("n"));
        assert_eq!(desk.free("q"), 1);
        desk.touch(key(1, 1).run, TaskIx(0), Some(3));
        assert_eq!(desk.free("q"), 2);
    }

    #[test]
    fn nothing_overtakes_a_backlog() {
        let mut desk = Desk::new(2);
        desk.set_backlog("q", true);
        let mut room = desk.room();
        assert!(!room.take("q"));
        assert!(room.take("other"));
        assert_eq!(desk.claimable(), ["q"]);
    }
}
