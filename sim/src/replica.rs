//! One process of the orchestrator: what it holds in memory and loses when it dies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use runnel_engine::{Moment, RunId, Timestamp};
use runnel_runtime::offline::{Answer, Attempt, Batch, Books, Item, Parcel, States, Stored, Tidings};

use crate::errand::Errands;
use crate::gate::Gatekeeper;
use crate::queue::Receipt;
use crate::store::ReadRow;
use crate::wait::Meeting;

/// A process.
#[derive(Debug)]
pub struct Replica {
    /// Counts its lives; what belongs to an earlier one is gone.
    pub life: u32,
    /// When it starts again; `None` while it runs.
    pub restart_at: Option<i64>,
    /// How far its clock is off.
    pub offset: i64,
    /// Waiting for the applier.
    pub inbox: VecDeque<Work>,
    /// What the applier is doing.
    pub phase: Phase,
    /// Its cache.
    pub states: States,
    /// The relay's books.
    pub books: Books,
    /// What the relay has not heard yet.
    pub calls: VecDeque<Tidings>,
    /// Claimed messages on their way from the applier to the relay.
    pub rendered: VecDeque<Vec<Parcel>>,
    /// Calls to the queue that are not finished.
    pub sends: Vec<Sending>,
    /// Rows to be deleted.
    pub sent: VecDeque<Attempt>,
    /// When they are deleted if no commit takes them along.
    pub flush_at: Option<i64>,
    /// When the relay looks at the table.
    pub poll_at: i64,
    /// Receivers of completions.
    pub consumers: Vec<Consumer>,
    /// The alarm clock.
    pub waker: Waker,
    /// Decides who may pass the gates.
    pub gatekeeper: Gatekeeper,
    /// Does what is to be done about child runs.
    pub errands: Errands,
    /// Lets events and waits meet.
    pub meeting: Meeting,
    /// When the dead letters are read.
    pub dead_at: i64,
    /// Dead letters that are being applied.
    pub dead: Vec<(Receipt, u64)>,
    /// Answers by ticket; `None` for what was not committed.
    pub replies: BTreeMap<u64, Option<Answer>>,
}

/// Something for the applier.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most are items; a box would be an allocation for each"
)]
pub enum Work {
    /// To be applied; the ticket finds the answer.
    Item(Item, u64),
    /// To be made messages of.
    Render(Vec<Attempt>, String),
}

/// What the applier is doing; a crash may come between any two of these.
#[derive(Debug, Default)]
pub enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// Rows of runs were read, and not their tasks; the remembered states of the others are at hand.
    Reading(Vec<Item>, Vec<u64>, Vec<(RunId, Stored)>, Vec<ReadRow>),
    /// A batch was computed from remembered or read states, and is not saved.
    Computed(Vec<Item>, Vec<u64>, Box<Batch>, Moment),
    /// A race was lost, or the commit is in doubt: everything is to be read again under locks.
    Doubtful(Vec<Item>, Vec<u64>),
    /// A batch is committed, and nobody has heard of it.
    Committed(Vec<u64>, Box<Batch>),
}

/// A call to the queue.
#[derive(Debug)]
pub struct Sending {
    /// Where to.
    pub queue: String,
    /// What.
    pub parcels: Vec<Parcel>,
    /// How often it has failed.
    pub tries: u32,
    /// Not before.
    pub due: i64,
}

/// A receiver of completions.
#[derive(Debug, Default)]
pub struct Consumer {
    /// What it has received: the messages, and the tickets of what they report.
    pub held: Vec<crate::queue::Delivery>,
    /// What it waits for.
    pub tickets: Vec<u64>,
}

/// The alarm clock.
#[derive(Debug)]
pub struct Waker {
    /// The alarm that the appliers move.
    pub next: i64,
    /// Somebody has moved it earlier.
    pub is_rung: bool,
    /// It sleeps until then.
    pub until: i64,
    /// What it has ticked and waits for.
    pub ticking: Vec<(Timestamp, RunId, u64)>,
    /// What it has ticked in this turn.
    pub ticked: BTreeSet<(Timestamp, RunId)>,
    /// Runs that are left alone, until when.
    pub aside: BTreeMap<RunId, Timestamp>,
    /// Only for a defect: alarms up to here are never looked at again.
    pub cursor: Timestamp,
}

impl Replica {
    /// A process that has just started.
    #[must_use]
    pub fn new(life: u32, now: i64, outstanding_max: usize) -> Self {
        Self {
            life,
            restart_at: None,
            offset: 0,
            inbox: VecDeque::new(),
            phase: Phase::Idle,
            states: States::new(200),
            books: Books::new(outstanding_max),
            calls: VecDeque::new(),
            rendered: VecDeque::new(),
            sends: Vec::new(),
            sent: VecDeque::new(),
            flush_at: None,
            poll_at: now,
            consumers: vec![Consumer::default(), Consumer::default()],
            waker: Waker {
                next: i64::MAX,
                is_rung: false,
                until: now,
                ticking: Vec::new(),
                ticked: BTreeSet::new(),
                aside: BTreeMap::new(),
                cursor: Timestamp(i64::MIN),
            },
            gatekeeper: Gatekeeper::default(),
            errands: Errands::default(),
            meeting: Meeting::default(),
            dead_at: now,
            dead: Vec::new(),
            replies: BTreeMap::new(),
        }
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.restart_at.is_none()
    }

    /// Takes the answers of tickets when all of them are there.
    pub fn take_replies(&mut self, tickets: &[u64]) -> Option<Vec<Option<Answer>>> {
        if !tickets.iter().all(|ticket| self.replies.contains_key(ticket)) {
            return None;
        }
        let replies = tickets.iter().filter_map(|ticket| self.replies.remove(ticket));
        Some(replies.collect())
    }
}
