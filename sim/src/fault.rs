//! What goes wrong: which faults a seed draws, when they strike, and how they end.

use crate::chance::Chance;
use crate::replica::Replica;
use crate::world::{SECOND, World};

/// A kind of fault. Each simulation has some of them ("swarm testing", Groce et al. 2012), so that none hides another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// An orchestrator dies between two steps.
    Crash,
    /// A worker dies.
    WorkerCrash,
    /// A queue delivers a message twice.
    Duplicate,
    /// A queue forgets a deletion.
    LostDelete,
    /// A queue delivers in any order.
    Reorder,
    /// A call to a queue fails, also after the queue has accepted.
    SendFailure,
    /// A commit's outcome is unknown.
    CommitUnknown,
    /// The database refuses a transaction.
    Busy,
    /// A clock jumps, forward or back.
    Clock,
    /// A worker falls silent in the middle of an attempt, and reports late or never.
    Silence,
    /// A worker hands its attempts back.
    Drain,
    /// A worker reports twice.
    Twice,
    /// Somebody sends reports with tokens that are not valid.
    Forgery,
    /// Operators intervene.
    Operators,
    /// Everything takes seconds.
    Slow,
    /// Clients repeat their starts.
    Impatience,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Crash,
        Self::WorkerCrash,
        Self::Duplicate,
        Self::LostDelete,
        Self::Reorder,
        Self::SendFailure,
        Self::CommitUnknown,
        Self::Busy,
        Self::Clock,
        Self::Silence,
        Self::Drain,
        Self::Twice,
        Self::Forgery,
        Self::Operators,
        Self::Slow,
        Self::Impatience,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A set of faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults(u32);

impl Faults {
    /// Some of them, as the seed draws.
    pub fn drawn(chance: &mut Chance) -> Self {
        let percent = chance.between(20, 80);
        let mut drawn = Self::default();
        for fault in Fault::ALL {
            if chance.percent(percent) {
                drawn.add(fault);
            }
        }
        drawn
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    /// Adds one.
    pub fn add(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u8;
    }

    /// Those that are not in the other set.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let all = Fault::ALL.into_iter().filter(|fault| self.has(*fault));
        all.map(Fault::name).collect()
    }
}

impl World {
    /// After each step: a part may die, a clock may jump.
    pub(crate) fn strike(&mut self) {
        if self.is_calm || !self.chance.percent(3) {
            return;
        }
        if self.strikes(Fault::Crash, 35) {
            let at = self.chance.index(self.replicas.len());
            if self.replicas[at].is_up() {
                self.crash(at);
            }
        }
        if self.strikes(Fault::WorkerCrash, 30) {
            let at = self.chance.index(self.workers.len());
            self.crash_worker(at);
        }
        if self.strikes(Fault::Drain, 20) {
            let at = self.chance.index(self.workers.len());
            self.drain(at);
        }
        if self.strikes(Fault::Forgery, 30) {
            self.forge();
        }
        if self.strikes(Fault::Clock, 20) {
            let reach = if self.chance.percent(50) { 30_000 } else { 600_000 };
            let by = self.chance.millis(0, reach) - self.chance.millis(0, reach);
            let at = self.chance.index(self.replicas.len());
            self.replicas[at].offset = by;
            self.tell(|| format!("the clock of replica {at} is {}s off", by / SECOND));
        }
    }

    fn crash(&mut self, at: usize) {
        self.tally.crashes += 1;
        let (life, offset) = (self.replicas[at].life + 1, self.replicas[at].offset);
        let restart_at = self.now + self.chance.millis(10, 15_000);
        self.replicas[at] = Replica::new(life, restart_at, self.outstanding_max);
        self.replicas[at].restart_at = Some(restart_at);
        self.replicas[at].offset = offset;
        self.late_rows.retain(|(replica, ..)| *replica != at);
        self.tell(|| format!("replica {at} dies"));
        if !self.is_durable {
            self.tasks.forget();
            self.completions.forget();
            for worker in 0..self.workers.len() {
                self.crash_worker(worker);
                self.workers[worker].restart_at = Some(restart_at);
            }
        }
    }

    pub(crate) fn restart(&mut self, at: usize) {
        self.replicas[at].restart_at = None;
        self.tell(|| format!("replica {at} starts again"));
        self.store.recover(self.is_durable, self.plot.defect);
    }

    pub(crate) fn crash_worker(&mut self, at: usize) {
        self.tally.crashes += 1;
        self.workers[at].running.clear();
        self.workers[at].restart_at = Some(self.now + self.chance.millis(10, 20_000));
        self.tell(|| format!("worker {at} dies"));
    }

    /// The faults stop: whatever was off is put right, and from now on everything must come to its end.
    pub(crate) fn calm_down(&mut self) {
        self.is_calm = true;
        self.tell(|| "the faults stop".to_owned());
        for at in 0..self.replicas.len() {
            self.replicas[at].offset = 0;
        }
        for at in 0..self.workers.len() {
            self.workers[at].wake_up(self.now);
        }
    }
}
