//! The applier: `runtime::apply::applier`, step by step. What a batch does to its runs is the runtime's own code; here are
//! the reads, the transaction and what follows the commit, with room for a death between any two of them.

use std::collections::BTreeSet;

use runnel_engine::run::{Command, Input, WaitCommand, WaitSubject};
use runnel_engine::{Moment, RunId};
use runnel_runtime::offline::{Answer, Attempt, Batch, Change, Item, Parcel, Stored};

use crate::defect::Defect;
use crate::fault::Fault;
use crate::reach;
use crate::replica::{Phase, Work};
use crate::store::{ReadRow, Saved};
use crate::world::World;

impl World {
    /// Whether the applier has something to do.
    pub(crate) fn has_work(&self, at: usize) -> bool {
        let replica = &self.replicas[at];
        !matches!(replica.phase, Phase::Idle) || !replica.inbox.is_empty()
    }

    /// Hands an item to the applier of a replica; the ticket finds the answer.
    pub(crate) fn submit(&mut self, at: usize, item: Item) -> u64 {
        let ticket = self.ticket();
        self.replicas[at].inbox.push_back(Work::Item(item, ticket));
        ticket
    }

    /// One step of the applier.
    pub(crate) fn apply(&mut self, at: usize) {
        match std::mem::take(&mut self.replicas[at].phase) {
            Phase::Idle => self.begin_batch(at),
            Phase::Reading(items, tickets, cached, rows) => {
                self.compute(at, items, tickets, cached, rows);
            }
            Phase::Computed(items, tickets, batch, moment) => {
                self.commit(at, items, tickets, *batch, moment);
            }
            Phase::Doubtful(items, tickets) => self.apply_locked(at, items, tickets),
            Phase::Committed(tickets, batch) => self.publish(at, tickets, *batch),
        }
    }

    fn begin_batch(&mut self, at: usize) {
        let (mut items, mut tickets) = (Vec::new(), Vec::new());
        let mut renders = Vec::new();
        for _ in 0..self.batch_max {
            match self.replicas[at].inbox.pop_front() {
                Some(Work::Item(mut item, ticket)) => {
                    self.spoil(&mut item);
                    items.push(item);
                    tickets.push(ticket);
                }
                Some(Work::Render(attempts, queue)) => renders.push((attempts, queue)),
                None => break,
            }
        }
        for (attempts, queue) in renders {
            self.render(at, attempts, &queue);
        }
        if items.is_empty() {
            return;
        }
        if self.plot.defect == Some(Defect::AnsweredBeforeCommit) {
            for (item, ticket) in items.iter().zip(&tickets) {
                if item.start_key().is_some() {
                    self.replicas[at]
                        .replies
                        .insert(*ticket, Some(Answer::Created(item.run())));
                }
            }
        }
        self.apply_cached(at, items, tickets);
    }

    /// A defect at the border of the engine changes what it is told.
    fn spoil(&mut self, item: &mut Item) {
        let (run, defect) = (item.run(), self.plot.defect);
        let Some(inputs) = item.inputs_mut() else { return };
        if defect != Some(Defect::FenceOpen) {
            return;
        }
        let Some(row) = self.store.runs.get(&run) else {
            return;
        };
        for input in inputs {
            if let Input::AttemptSucceeded { task, attempt, .. } | Input::AttemptFailed { task, attempt, .. } =
                input
                && let Some(current) = row.tasks().get(task.at())
            {
                *attempt = current.attempt;
            }
        }
    }

    /// `try_cached`: states from the cache, no lock before the first write, the version guards.
    fn apply_cached(&mut self, at: usize, items: Vec<Item>, tickets: Vec<u64>) {
        let (mut cached, mut missing) = (Vec::new(), BTreeSet::new());
        for run in runs_of(&items) {
            match self.replicas[at].states.take(run) {
                Some(stored) => cached.push((run, stored)),
                None => drop(missing.insert(run)),
            }
        }
        let rows = self.store.load_rows(&missing);
        if rows.is_empty() {
            self.compute(at, items, tickets, cached, rows);
        } else {
            self.replicas[at].phase = Phase::Reading(items, tickets, cached, rows);
        }
    }

    fn compute(
        &mut self,
        at: usize,
        items: Vec<Item>,
        tickets: Vec<u64>,
        mut read: Vec<(RunId, Stored)>,
        rows: Vec<ReadRow>,
    ) {
        let moment = self.moment(at);
        let mut cached: Vec<(RunId, i64)> = read
            .iter()
            .map(|(run, stored)| (*run, stored.version()))
            .collect();
        read.extend(self.store.load_tasks(rows));
        let keys: Vec<&str> = items.iter().filter_map(Item::start_key).collect();
        let holders = self.store.key_holders(&keys);
        let batch = Batch::compute(&items, read, &holders, moment);
        // that nothing changed is believed of a remembered state only when it is the current one
        let unchanged = batch.unchanged();
        cached.retain(|(run, _)| unchanged.iter().any(|(other, _)| other == run));
        let is_trusted = self.plot.defect == Some(Defect::CacheTrusted);
        if !is_trusted && !self.store.are_current(&cached) {
            self.tell(|| format!("replica {at} remembers old states"));
            self.replicas[at].phase = Phase::Doubtful(items, tickets);
            return;
        }
        let has_changes = batch.changes().next().is_some();
        self.replicas[at].phase = if has_changes {
            Phase::Computed(items, tickets, Box::new(batch), moment)
        } else {
            Phase::Committed(tickets, Box::new(batch))
        };
    }

    fn commit(&mut self, at: usize, items: Vec<Item>, tickets: Vec<u64>, mut batch: Batch, moment: Moment) {
        if self.strikes(Fault::Busy, 6) {
            self.tell(|| format!("replica {at}: the database is busy"));
            let replies = tickets.into_iter().map(|ticket| (ticket, None));
            self.replicas[at].replies.extend(replies);
            return;
        }
        if self.strikes(Fault::CommitUnknown, 3) {
            self.tell(|| format!("replica {at}: the connection breaks before the commit"));
            self.replicas[at].phase = Phase::Doubtful(items, tickets);
            return;
        }
        let sent: Vec<Attempt> = self.replicas[at].sent.drain(..).collect();
        batch.lease(&self.replicas[at].books);
        if self.save(at, &items, &batch, &sent, moment) == Saved::LostRace {
            self.tell(|| format!("replica {at} has lost a race"));
            self.put_back_sent(at, sent);
            self.replicas[at].phase = Phase::Doubtful(items, tickets);
            return;
        }
        if self.strikes(Fault::CommitUnknown, 4) {
            self.tell(|| format!("replica {at}: the connection breaks after the commit"));
            self.put_back_sent(at, sent);
            self.replicas[at].phase = Phase::Doubtful(items, tickets);
            return;
        }
        self.replicas[at].phase = Phase::Committed(tickets, Box::new(batch));
    }

    /// `try_locked`: everything is read again under locks, in the transaction that saves.
    fn apply_locked(&mut self, at: usize, items: Vec<Item>, tickets: Vec<u64>) {
        let moment = self.moment(at);
        let runs = runs_of(&items);
        for item in &items {
            drop(self.replicas[at].states.take(item.run()));
        }
        let all: BTreeSet<RunId> = items.iter().map(Item::run).chain(runs).collect();
        let read = self.store.load(&all);
        let keys: Vec<&str> = items.iter().filter_map(Item::start_key).collect();
        let holders = self.store.key_holders(&keys);
        let mut batch = Batch::compute(&items, read, &holders, moment);
        batch.lease(&self.replicas[at].books);
        if self.save(at, &items, &batch, &[], moment) == Saved::LostRace {
            self.replicas[at].phase = Phase::Doubtful(items, tickets);
            return;
        }
        self.replicas[at].phase = Phase::Committed(tickets, Box::new(batch));
    }

    /// One transaction.
    fn save(&mut self, at: usize, items: &[Item], batch: &Batch, sent: &[Attempt], moment: Moment) -> Saved {
        let changes: Vec<Change<'_>> = batch.changes().collect();
        self.oracle.before_commit(&self.store, &changes);
        let (saved, later) = self.store.save(&changes, sent, self.now, self.plot.defect);
        if saved == Saved::LostRace {
            return saved;
        }
        self.tally.commits += 1;
        let life = self.replicas[at].life;
        self.late_rows
            .extend(later.into_iter().map(|(key, row)| (at, life, key, row)));
        for change in &changes {
            if Self::is_looked_back(change) {
                self.replicas[at].meeting.has_waits = true;
            }
            self.hear_of_waits(change);
            for reach in reach::reached(change) {
                self.reached(reach);
            }
            let name = self.store.runs[&change.run].key.clone();
            for record in change.records {
                self.tell(|| {
                    format!(
                        "replica {at} commits {name} {}: {:?} {} attempt {:?} {}",
                        record.seq,
                        record.kind,
                        record.key.as_deref().unwrap_or_default(),
                        record.attempt,
                        record.reason.as_deref().unwrap_or_default(),
                    )
                });
            }
        }
        self.oracle.committed(items, &changes, moment);
        self.oracle.after_commit(&self.store, &changes);
        saved
    }

    /// Whether a wait for an event begins, which may have come already.
    fn is_looked_back(change: &Change<'_>) -> bool {
        let is_event = |command: &Command| match command {
            Command::Wait(WaitCommand::Begin { subject, .. }) => matches!(subject, WaitSubject::Event(..)),
            _ => false,
        };
        change.commands.iter().any(is_event)
    }

    /// A defective shell writes its outbox rows when it comes to it.
    pub(crate) fn write_late_rows(&mut self) {
        for (at, life, key, row) in std::mem::take(&mut self.late_rows) {
            if self.replicas[at].is_up() && self.replicas[at].life == life {
                self.store.insert((key, row));
            }
        }
    }

    /// `publish`: what follows the commit.
    fn publish(&mut self, at: usize, tickets: Vec<u64>, batch: Batch) {
        let published = batch.publish(&self.keys);
        let replica = &mut self.replicas[at];
        for stored in published.states {
            replica.states.put(stored);
        }
        for alarm in published.alarms {
            if alarm.0 < replica.waker.next {
                replica.waker.next = alarm.0;
                replica.waker.is_rung = true;
            }
        }
        replica.errands.is_rung |= published.has_errands;
        if !published.news.is_empty() {
            replica.calls.push_back(published.news);
        }
        for (ticket, answer) in tickets.into_iter().zip(published.answers) {
            let answer = match answer {
                Answer::Failed(problem) => {
                    self.oracle.fail("state", format!("a batch failed: {problem}"));
                    None
                }
                answer => Some(answer),
            };
            replica.replies.insert(ticket, answer);
        }
    }

    /// `render`: messages of rows that were not sent at once. That one is not wanted is believed only of rows just read.
    fn render(&mut self, at: usize, attempts: Vec<Attempt>, queue: &str) {
        let moment = self.moment(at);
        let mut parcels = Vec::new();
        for attempt in attempts {
            let cached = self.replicas[at].states.take(attempt.run);
            let mut body = cached
                .as_ref()
                .and_then(|stored| stored.message(&self.keys, attempt, &moment));
            let mut known = cached;
            if body.is_none() {
                known = self
                    .store
                    .load(&BTreeSet::from([attempt.run]))
                    .pop()
                    .map(|(_, stored)| stored);
                body = known
                    .as_ref()
                    .and_then(|stored| stored.message(&self.keys, attempt, &moment));
            }
            if let Some(known) = known {
                self.replicas[at].states.put(known);
            }
            parcels.push(Parcel {
                at: attempt,
                queue: queue.to_owned(),
                priority: 50,
                body,
            });
        }
        self.replicas[at].rendered.push_back(parcels);
    }
}

/// The existing runs that items concern.
fn runs_of(items: &[Item]) -> BTreeSet<RunId> {
    let inputs = items.iter().filter(|item| item.start_key().is_none());
    inputs.map(Item::run).collect()
}
