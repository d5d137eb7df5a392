//! Waits for the outside and the events that end them: `runtime::apply::side::wait` and the loop of `runtime::wait`, step by
//! step. Whether something fits a wait is decided by the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runnel_engine::run::{Command, Input, WaitCommand, WaitInput, WaitSubject};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_runtime::offline::{Change, Item};
use serde_json::json;

use crate::defect::Defect;
use crate::reach::Reach;
use crate::store::Store;
use crate::world::{POLL_INTERVAL, SECOND, World};

/// Between two looks at the tables without a reason.
const LOOK_EVERY: i64 = 12 * POLL_INTERVAL;

/// Events and waits of one turn.
const TURN_MAX: usize = 20;

/// The name of a wait.
pub type WaitKey = (RunId, TaskIx);

/// A row of `wait`.
#[derive(Debug, Clone)]
pub struct WaitRow {
    /// The attempt that waits.
    pub attempt: u32,
    /// For what.
    pub subject: WaitSubject,
    /// Since when, by the true clock.
    pub since: i64,
    must_look_back: bool,
}

/// A row of `inbound_event`.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// By the clock of the replica that took it.
    received_at: Timestamp,
    /// By the true clock.
    pub sent_at: i64,
    /// Its type.
    pub name: String,
    /// Whether it fits every wait for its type.
    pub is_good: bool,
    text: Arc<str>,
    is_delivered: bool,
}

/// The loop of one process that lets events and waits meet.
#[derive(Debug, Default)]
pub struct Meeting {
    /// An event was committed.
    pub has_events: bool,
    /// A wait for an event was committed.
    pub has_waits: bool,
    until: i64,
    turn: Turn,
}

/// What it is at.
#[derive(Debug, Default)]
enum Turn {
    #[default]
    Idle,
    /// Offering what came before to those who have begun to wait.
    LookingBack(Vec<(WaitKey, u32)>, Vec<u64>),
    /// Offering what came to those who wait.
    Delivering(Vec<usize>, Vec<u64>),
}

impl Store {
    /// What became of each wait last, since it may begin and end within one batch.
    pub fn save_waits(&mut self, change: &Change<'_>, now: i64, defect: Option<Defect>) {
        for command in change.commands {
            let Command::Wait(command) = command else { continue };
            match command {
                WaitCommand::Begin {
                    task,
                    attempt,
                    subject,
                } => {
                    let row = WaitRow {
                        attempt: *attempt,
                        subject: subject.clone(),
                        since: now,
                        must_look_back: matches!(subject, WaitSubject::Event(..)),
                    };
                    self.waits.insert((change.run, *task), row);
                }
                WaitCommand::End { .. } if defect == Some(Defect::WaitKept) => {}
                WaitCommand::End { task } => drop(self.waits.remove(&(change.run, *task))),
            }
        }
    }
}

/// Inputs by run: each run is told in one batch.
type Offers = BTreeMap<RunId, Vec<Input>>;

fn offer(offers: &mut Offers, (run, task): WaitKey, attempt: u32, event: &EventRow) {
    offers.entry(run).or_default().push(Input::Wait(WaitInput::Event {
        task,
        attempt,
        event: Arc::clone(&event.text),
    }));
}

impl World {
    /// An event arrives at a replica, which answers after the commit.
    pub(crate) fn take_event(&mut self, name: &str, is_good: bool) {
        let Some(at) = self.some_replica() else { return };
        let position = self.store.events.len();
        let event = json!({
            "specversion": "1.0", "id": position.to_string(), "source": "/sim", "type": name,
            "data": {"good": is_good},
        });
        self.store.events.push(EventRow {
            received_at: self.clock(at),
            sent_at: self.now,
            name: name.to_owned(),
            is_good,
            text: event.to_string().into(),
            is_delivered: false,
        });
        self.replicas[at].meeting.has_events = true;
        self.tell(|| format!("replica {at} takes event {position} of type {name}, good {is_good}"));
    }

    /// When events and waits have something to do; `None` while offers are being applied.
    pub(crate) fn meeting_due(&self, at: usize) -> Option<i64> {
        let replica = &self.replicas[at];
        let meeting = &replica.meeting;
        let tickets = match &meeting.turn {
            Turn::Idle => {
                let is_told = meeting.has_events || meeting.has_waits;
                return Some(if is_told { self.now } else { meeting.until });
            }
            Turn::LookingBack(_, tickets) | Turn::Delivering(_, tickets) => tickets,
        };
        let is_answered = tickets.iter().all(|ticket| replica.replies.contains_key(ticket));
        is_answered.then_some(self.now)
    }

    /// One step: offer, or mark what was offered.
    pub(crate) fn meet(&mut self, at: usize) {
        match std::mem::take(&mut self.replicas[at].meeting.turn) {
            Turn::Idle => self.begin_meeting(at),
            Turn::LookingBack(waits, tickets) => {
                let replies = self.replicas[at].take_replies(&tickets).unwrap_or_default();
                if replies.iter().any(Option::is_none) {
                    self.replicas[at].meeting.has_waits = true;
                    return;
                }
                for (key, attempt) in waits {
                    if !self.store.waits.contains_key(&key) {
                        self.reached(Reach::EventLookedBack);
                    }
                    if let Some(row) = self.store.waits.get_mut(&key)
                        && row.attempt == attempt
                    {
                        row.must_look_back = false;
                    }
                }
            }
            Turn::Delivering(events, tickets) => {
                let replies = self.replicas[at].take_replies(&tickets).unwrap_or_default();
                if replies.iter().any(Option::is_none) {
                    self.replicas[at].meeting.has_events = true;
                    return;
                }
                for event in events {
                    self.store.events[event].is_delivered = true;
                }
            }
        }
    }

    fn begin_meeting(&mut self, at: usize) {
        let until = self.now + LOOK_EVERY;
        let meeting = &mut self.replicas[at].meeting;
        if meeting.until <= self.now {
            (meeting.has_events, meeting.has_waits) = (true, true);
        }
        meeting.until = until;
        let (offers, turn) = if std::mem::take(&mut meeting.has_waits) {
            self.look_back()
        } else if std::mem::take(&mut meeting.has_events) {
            self.deliver()
        } else {
            return;
        };
        let mut tickets = Vec::new();
        for (run, inputs) in offers {
            tickets.push(self.submit(at, Item::inputs(run, inputs)));
        }
        self.replicas[at].meeting.turn = match turn {
            Turn::Idle => Turn::Idle,
            Turn::LookingBack(waits, _) => Turn::LookingBack(waits, tickets),
            Turn::Delivering(events, _) => Turn::Delivering(events, tickets),
        };
    }

    fn look_back(&self) -> (Offers, Turn) {
        let (mut offers, mut looked) = (Offers::new(), Vec::new());
        let new = self.store.waits.iter().filter(|(_, row)| row.must_look_back);
        for (key, row) in new.take(TURN_MAX) {
            looked.push((*key, row.attempt));
            let WaitSubject::Event(name, from) = &row.subject else {
                continue;
            };
            if self.plot.defect == Some(Defect::LookBackForgotten) {
                continue;
            }
            let came = |event: &&EventRow| event.name == **name && event.received_at >= *from;
            for event in self.store.events.iter().filter(came) {
                offer(&mut offers, *key, row.attempt, event);
            }
        }
        let is_idle = looked.is_empty();
        let turn = if is_idle {
            Turn::Idle
        } else {
            Turn::LookingBack(looked, Vec::new())
        };
        (offers, turn)
    }

    fn deliver(&self) -> (Offers, Turn) {
        let mut offers = Offers::new();
        let events = self.store.events.iter().enumerate();
        let new: Vec<usize> = events
            .filter(|(_, event)| !event.is_delivered)
            .map(|(at, _)| at)
            .take(TURN_MAX)
            .collect();
        for event in new.iter().map(|at| &self.store.events[*at]) {
            for (key, row) in &self.store.waits {
                if matches!(&row.subject, WaitSubject::Event(name, _) if **name == event.name) {
                    offer(&mut offers, *key, row.attempt, event);
                }
            }
        }
        let turn = if new.is_empty() {
            Turn::Idle
        } else {
            Turn::Delivering(new, Vec::new())
        };
        (offers, turn)
    }
}

/// How far apart two clocks of a simulation may be.
const SKEW_MAX: i64 = 25 * 60 * SECOND;

/// How long an event and a wait may need to meet when nothing goes wrong.
const MEETING_MAX: i64 = 300 * SECOND;

/// A broken promise about events: one that fits a wait, and has not ended it.
#[must_use]
pub fn unheard(store: &Store, now: i64, calm_at: i64) -> Option<String> {
    let types: BTreeSet<&str> = store.events.iter().map(|event| event.name.as_str()).collect();
    for ((run, task), row) in &store.waits {
        let WaitSubject::Event(name, _) = &row.subject else {
            continue;
        };
        if !types.contains(&**name) {
            continue;
        }
        // the file looks two hours back, by clocks that may be off
        let is_meant = |event: &&EventRow| {
            let looks_from = row.since - 2 * 3_600 * SECOND + 2 * SKEW_MAX;
            let met_by = event.sent_at.max(row.since).max(calm_at) + MEETING_MAX;
            event.is_good && event.name == **name && event.sent_at >= looks_from && met_by < now
        };
        if store.events.iter().any(|event| is_meant(&event)) {
            return Some(format!(
                "task {} of {run} waits for {name} although it has come",
                task.0
            ));
        }
    }
    None
}
