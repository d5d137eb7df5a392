//! What workers report, on its way to the appliers: `runtime::consumer` and `runtime::intake`, and the dead letters. What
//! reports become is the runtime's own code.

use runnel_engine::TaskIx;
use runnel_engine::run::Input;
use runnel_queue::ReportBatch;
use runnel_queue::message::{decode_reports, decode_task};
use runnel_runtime::offline::{Item, sort_reports};

use crate::defect::Defect;
use crate::queue::Delivery;
use crate::world::{SECOND, World};

/// How long a received message belongs to a process.
const VISIBILITY: i64 = 10 * SECOND;

/// Between two looks at the dead letters.
const DEAD_LETTERS_EVERY: i64 = 30 * SECOND;

impl World {
    /// When a receiver of completions has something to do.
    pub(crate) fn consumer_due(&self, at: usize, n: usize) -> Option<i64> {
        let replica = &self.replicas[at];
        let consumer = &replica.consumers[n];
        if consumer.held.is_empty() {
            return self.completions.next_visible_at();
        }
        let is_answered = consumer
            .tickets
            .iter()
            .all(|ticket| replica.replies.contains_key(ticket));
        is_answered.then_some(self.now)
    }

    /// One step of a receiver: take messages, or delete those whose reports are committed.
    pub(crate) fn consume(&mut self, at: usize, n: usize) {
        if self.replicas[at].consumers[n].held.is_empty() {
            self.receive_reports(at, n);
            return;
        }
        let tickets = self.replicas[at].consumers[n].tickets.clone();
        let Some(replies) = self.replicas[at].take_replies(&tickets) else {
            return;
        };
        let held = std::mem::take(&mut self.replicas[at].consumers[n].held);
        self.replicas[at].consumers[n].tickets.clear();
        if replies.iter().any(Option::is_none) {
            // they stay in the queue and come again
            return;
        }
        for delivery in held {
            self.delete_report(&delivery);
        }
    }

    fn delete_report(&mut self, delivery: &Delivery) {
        self.oracle.report_deleted(&self.store, &delivery.carries);
        let manners = self.manners();
        self.completions
            .delete(delivery.receipt, manners, &mut self.chance);
    }

    fn receive_reports(&mut self, at: usize, n: usize) {
        let manners = self.manners();
        let max = self.chance.index(10) + 1;
        let held = self
            .completions
            .receive(max, self.now, VISIBILITY, manners, &mut self.chance);
        let mut batches: Vec<ReportBatch> = held
            .iter()
            .filter_map(|delivery| decode_reports(&delivery.body).ok())
            .collect();
        if self.plot.defect == Some(Defect::TokenUnchecked) {
            self.sign_everything(&mut batches);
        }
        if self.plot.defect == Some(Defect::DeletedBeforeCommit) {
            for delivery in &held {
                self.delete_report(delivery);
            }
        }
        let (inputs, _) = sort_reports(&self.keys, &batches);
        self.tell(|| format!("replica {at} receives {} messages of reports", held.len()));
        let mut tickets = Vec::new();
        for (run, inputs) in inputs {
            tickets.push(self.submit(at, Item::inputs(run, inputs)));
        }
        let consumer = &mut self.replicas[at].consumers[n];
        consumer.held = held;
        consumer.tickets = tickets;
    }

    /// A defect: whatever the token says is believed.
    fn sign_everything(&self, batches: &mut [ReportBatch]) {
        for report in batches.iter_mut().flat_map(|batch| &mut batch.reports) {
            if let runnel_queue::Report::Completed(attempt) = report {
                let at = &mut attempt.at;
                at.token = self.keys.sign(at.run, at.task, at.attempt);
            }
        }
    }

    /// When the dead letters need somebody.
    pub(crate) fn dead_due(&self, at: usize) -> i64 {
        let replica = &self.replicas[at];
        let is_answered = replica
            .dead
            .iter()
            .any(|(_, ticket)| replica.replies.contains_key(ticket));
        if is_answered { self.now } else { replica.dead_at }
    }

    /// A task message that was received too often ends its attempt as lost, and is deleted after the commit of that.
    pub(crate) fn read_dead_letters(&mut self, at: usize) {
        let waiting = std::mem::take(&mut self.replicas[at].dead);
        for (receipt, ticket) in waiting {
            match self.replicas[at].replies.remove(&ticket) {
                Some(Some(_)) => {
                    let manners = self.manners();
                    self.tasks.delete(receipt, manners, &mut self.chance);
                }
                Some(None) => {}
                None => self.replicas[at].dead.push((receipt, ticket)),
            }
        }
        if self.now < self.replicas[at].dead_at {
            return;
        }
        self.replicas[at].dead_at = self.now + DEAD_LETTERS_EVERY;
        for delivery in self.tasks.receive_dead(self.now, VISIBILITY) {
            let Ok(message) = decode_task(&delivery.body) else {
                self.oracle
                    .fail("state", "a task message cannot be read".to_owned());
                return;
            };
            if self.plot.defect == Some(Defect::DeadLettersDropped) {
                let manners = self.manners();
                self.tasks.delete(delivery.receipt, manners, &mut self.chance);
                continue;
            }
            let input = Input::AttemptLost {
                task: TaskIx(message.at.task),
                attempt: message.at.attempt,
                reason: "the message was received too often without an end of the attempt".into(),
            };
            let run = runnel_engine::RunId(message.at.run);
            self.tell(|| format!("replica {at} reads a dead letter"));
            let ticket = self.submit(at, Item::inputs(run, vec![input]));
            self.replicas[at].dead.push((delivery.receipt, ticket));
        }
    }
}
