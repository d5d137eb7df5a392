//! The world of one simulation: its parts, its time, and the scheduler that lets one of them take one step.
//!
//! Single-threaded. Each step is atomic and short: one transaction, one call to a queue, one decision. Which part takes the
//! next one is drawn, and between any two of them a part may die.

use std::fmt;

use runnel_engine::{Moment, Timestamp};
use runnel_queue::{TokenKey, TokenKeys};

use crate::chance::Chance;
use crate::client::Client;
use crate::defect::Defect;
use crate::fault::{Fault, Faults};
use crate::oracle::Oracle;
use crate::outside::Outside;
use crate::queue::{Manners, Queue};
use crate::reach::{Counts, Reach};
use crate::replica::Replica;
use crate::script::Script;
use crate::store::Store;
use crate::worker::Worker;

/// Microseconds of a second.
pub const SECOND: i64 = 1_000_000;

/// The relay and the waker look at the tables this often.
pub const POLL_INTERVAL: i64 = 5 * SECOND;

/// Steps of one simulation; more mean that something spins.
const STEPS_MAX: u64 = 60_000;

/// Simulated time in which everything must have ended once the faults have stopped: redispatches come after ten minutes, and
/// a chain of retries takes its time.
const PATIENCE: i64 = 8 * 3_600 * SECOND;

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Plot {
    /// Where everything comes from.
    pub seed: u64,
    /// Faults that are left out.
    pub without: Faults,
    /// Most runs.
    pub runs_max: usize,
    /// Most tasks of a workflow.
    pub tasks_max: usize,
    /// A deliberate defect.
    pub defect: Option<Defect>,
    /// Whether every step is told.
    pub is_told: bool,
}

impl Plot {
    /// Everything that the seed gives.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            without: Faults::default(),
            runs_max: usize::MAX,
            tasks_max: usize::MAX,
            defect: None,
            is_told: false,
        }
    }
}

/// A broken rule.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Name of the rule.
    pub rule: &'static str,
    /// What was found.
    pub message: String,
    /// The steps that led there, when they were told.
    pub steps: Vec<String>,
    /// The workflows, for people.
    pub script: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule `{}` is broken: {}", self.rule, self.message)
    }
}

/// What a simulation came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Steps taken.
    pub steps: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Parts that died.
    pub crashes: u64,
    /// What it came to.
    pub reached: Counts,
}

/// The parts.
pub struct World {
    /// What is simulated.
    pub plot: Plot,
    /// Workflows and endings.
    pub script: Script,
    /// Draws every choice.
    pub chance: Chance,
    /// True time, in microseconds.
    pub now: i64,
    /// What goes wrong in this simulation.
    pub faults: Faults,
    /// Nothing goes wrong any more from here on.
    pub calm_at: i64,
    /// Whether that moment has come.
    pub is_calm: bool,
    /// Whether the queues survive the processes. Otherwise there is one process, with its workers inside.
    pub is_durable: bool,
    /// The database.
    pub store: Store,
    /// The task queue.
    pub tasks: Queue,
    /// The completion queue.
    pub completions: Queue,
    /// The orchestrators.
    pub replicas: Vec<Replica>,
    /// The workers.
    pub workers: Vec<Worker>,
    /// Whoever starts and operates runs.
    pub client: Client,
    /// Whoever ends the waits of tasks.
    pub outside: Outside,
    /// Signs and verifies completion tokens.
    pub keys: TokenKeys,
    /// The rules.
    pub oracle: Oracle,
    /// Messages out at once, per replica.
    pub outstanding_max: usize,
    /// How long a received task belongs to a worker unless it extends that.
    pub visibility: i64,
    /// Items of one batch.
    pub batch_max: usize,
    /// Outbox rows that a defective shell writes after its commit.
    pub late_rows: Vec<(
        usize,
        u32,
        runnel_runtime::offline::Attempt,
        crate::store::OutboxRow,
    )>,
    /// What it came to.
    pub tally: Tally,
    last_ticket: u64,
    steps: Vec<String>,
}

/// A step that a part may take.
#[derive(Debug, Clone, Copy)]
enum Action {
    Apply(usize),
    Calls(usize),
    Rendered(usize),
    Send(usize, usize),
    Flush(usize),
    Poll(usize),
    Consume(usize, usize),
    Wake(usize),
    Gate(usize),
    Dead(usize),
    Restart(usize),
    LateRows,
    Receive(usize),
    Work(usize, usize),
    RestartWorker(usize),
    Client,
    Errands(usize),
    Meet(usize),
    Outside,
}

/// What may be done now, and when the next thing is due.
struct Offers {
    now: i64,
    actions: Vec<Action>,
    next: i64,
}

impl Offers {
    fn add(&mut self, action: Action, due: i64) {
        if due <= self.now {
            self.actions.push(action);
        } else {
            self.next = self.next.min(due);
        }
    }
}

impl World {
    /// The world of a plot, before its first step.
    ///
    /// # Errors
    /// The script of the seed cannot be made.
    pub fn new(plot: Plot) -> anyhow::Result<Self> {
        let script = Script::new(plot.seed, plot.runs_max, plot.tasks_max)?;
        let mut chance = Chance::new(plot.seed, 2);
        let now = 1_700_000_000 * SECOND;
        let faults = Faults::drawn(&mut chance).without(plot.without);
        let is_durable = chance.percent(70);
        let replicas = if is_durable { 2 } else { 1 };
        let outstanding_max = usize::try_from(chance.between(1, 12)).unwrap_or(1);
        let key = TokenKey {
            id: "k".to_owned(),
            secret: vec![7; 32],
        };
        let keys = TokenKeys::new(vec![key]).ok_or_else(|| anyhow::anyhow!("a key of 32 bytes"))?;
        let workers = chance.between(1, 3);
        let calm_at = now + chance.millis(1_000, 150_000);
        let batch_max = usize::try_from(chance.between(1, 20)).unwrap_or(1);
        let receive_max = u32::try_from(chance.between(1, 5)).unwrap_or(1);
        let visibility = chance.millis(4_000, 30_000);
        let client = Client::new(&script, &faults, now, calm_at, &mut chance);
        Ok(Self {
            plot,
            oracle: Oracle::default(),
            script,
            now,
            calm_at,
            is_calm: false,
            is_durable,
            store: Store::default(),
            tasks: Queue::mortal(receive_max),
            visibility,
            completions: Queue::default(),
            replicas: (0..replicas)
                .map(|_| Replica::new(0, now, outstanding_max))
                .collect(),
            workers: (0..workers).map(|at| Worker::new(at, now)).collect(),
            client,
            outside: Outside::default(),
            keys,
            outstanding_max,
            batch_max,
            faults,
            late_rows: Vec::new(),
            tally: Tally::default(),
            last_ticket: 0,
            steps: Vec::new(),
            chance,
        })
    }

    /// Lets the parts take their steps until every run has ended.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn play(&mut self) -> Result<Tally, Failure> {
        loop {
            if let Some((rule, message)) = self.oracle.broken.take() {
                return Err(self.failure(rule, message));
            }
            if self.is_over() {
                break;
            }
            self.tally.steps += 1;
            if self.tally.steps > STEPS_MAX {
                return Err(self.failure(
                    "ends",
                    format!("after {STEPS_MAX} steps: {}", self.what_is_open()),
                ));
            }
            if self.now > self.calm_at + PATIENCE {
                return Err(self.failure("ends", self.what_is_open()));
            }
            self.step();
        }
        self.oracle.at_the_end(&self.script, &self.store);
        match self.oracle.broken.take() {
            Some((rule, message)) => Err(self.failure(rule, message)),
            None => Ok(self.tally),
        }
    }

    fn is_over(&self) -> bool {
        self.client.is_done(self.is_calm) && self.store.is_done() && !self.store.runs.is_empty()
    }

    fn what_is_open(&self) -> String {
        let mut open = Vec::new();
        for (id, row) in self
            .store
            .runs
            .iter()
            .filter(|(_, row)| !row.columns().status.is_terminal())
        {
            let columns = row.columns();
            open.push(format!(
                "run {} of {id} is {:?} (paused {}, wakes at {:?}, now {}): {:?}",
                row.key, columns.status, columns.is_paused, columns.wake_at, self.now, columns.counts
            ));
        }
        if open.is_empty() {
            open.push("a start was not answered".to_owned());
        }
        open.join("; ")
    }

    fn failure(&mut self, rule: &'static str, message: String) -> Failure {
        Failure {
            rule,
            message,
            steps: std::mem::take(&mut self.steps),
            script: self.script.describe(),
        }
    }

    /// Tells a step, when somebody listens.
    pub fn tell(&mut self, text: impl FnOnce() -> String) {
        if self.plot.is_told {
            let seconds = (self.now - 1_700_000_000 * SECOND) as f64 / SECOND as f64;
            self.steps.push(format!("{seconds:>10.4}  {}", text()));
        }
    }

    /// The clock of a replica.
    #[must_use]
    pub fn clock(&self, replica: usize) -> Timestamp {
        Timestamp(self.now + self.replicas[replica].offset)
    }

    /// What a replica draws for one batch.
    pub fn moment(&mut self, replica: usize) -> Moment {
        Moment {
            now: self.clock(replica),
            entropy: self.chance.bits(),
        }
    }

    /// A new ticket.
    pub fn ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }

    /// Whether this fault happens now.
    pub fn strikes(&mut self, fault: Fault, percent: u64) -> bool {
        !self.is_calm && self.faults.has(fault) && self.chance.percent(percent)
    }

    /// How badly the queues behave now.
    #[must_use]
    pub fn manners(&self) -> Manners {
        let has = |fault| !self.is_calm && self.faults.has(fault);
        Manners {
            duplicates: if has(Fault::Duplicate) { 20 } else { 0 },
            lost_deletes: if has(Fault::LostDelete) { 15 } else { 0 },
            is_reordering: self.faults.has(Fault::Reorder),
        }
    }

    /// A replica that runs.
    pub fn some_replica(&mut self) -> Option<usize> {
        let up: Vec<usize> = (0..self.replicas.len())
            .filter(|at| self.replicas[*at].is_up())
            .collect();
        (!up.is_empty()).then(|| up[self.chance.index(up.len())])
    }

    /// The simulation has come to this once more.
    pub fn reached(&mut self, reach: Reach) {
        self.tally.reached.add(reach);
    }

    fn step(&mut self) {
        if !self.is_calm && self.now >= self.calm_at {
            self.calm_down();
        }
        let mut offers = Offers {
            now: self.now,
            actions: Vec::new(),
            next: i64::MAX,
        };
        self.offer(&mut offers);
        if !self.is_calm {
            offers.next = offers.next.min(self.calm_at);
        }
        let is_slow = !offers.actions.is_empty() && self.strikes(Fault::Slow, 4);
        if is_slow {
            self.now += self.chance.millis(0, 8_000);
            return;
        }
        if offers.actions.is_empty() {
            self.now = offers
                .next
                .max(self.now + 1)
                .min(self.calm_at + PATIENCE + 1)
                .max(self.now + 1);
            self.oracle
                .as_time_passes(&self.store, self.now, self.is_calm.then_some(self.calm_at));
            let has_room = self.is_calm
                && self
                    .replicas
                    .iter()
                    .all(|replica| replica.is_up() && replica.books.free("default") > 0);
            self.oracle.as_room_is(&self.store, self.now, has_room);
            return;
        }
        let action = offers.actions[self.chance.index(offers.actions.len())];
        self.act(action);
        self.now += i64::try_from(self.chance.below(3) * self.chance.below(800)).unwrap_or(0);
        self.strike();
        self.oracle
            .after_a_step(&self.store, &self.tasks, &self.completions, self.is_carrying());
    }

    /// While a process is down whose queue died with it, nothing carries its attempts.
    fn is_carrying(&self) -> bool {
        self.is_durable || self.replicas.iter().all(Replica::is_up)
    }

    fn offer(&self, offers: &mut Offers) {
        for (at, replica) in self.replicas.iter().enumerate() {
            if let Some(restart_at) = replica.restart_at {
                offers.add(Action::Restart(at), restart_at);
                continue;
            }
            if self.has_work(at) {
                offers.add(Action::Apply(at), self.now);
            }
            if !replica.calls.is_empty() {
                offers.add(Action::Calls(at), self.now);
            }
            if !replica.rendered.is_empty() {
                offers.add(Action::Rendered(at), self.now);
            }
            for (n, sending) in replica.sends.iter().enumerate() {
                offers.add(Action::Send(at, n), sending.due);
            }
            if let Some(flush_at) = replica.flush_at {
                offers.add(Action::Flush(at), flush_at);
            }
            offers.add(Action::Poll(at), replica.poll_at);
            for n in 0..replica.consumers.len() {
                if let Some(due) = self.consumer_due(at, n) {
                    offers.add(Action::Consume(at, n), due);
                }
            }
            if let Some(due) = self.waker_due(at) {
                offers.add(Action::Wake(at), due);
            }
            offers.add(Action::Gate(at), self.gatekeeper_due(at));
            offers.add(Action::Dead(at), self.dead_due(at));
            if let Some(due) = self.errands_due(at) {
                offers.add(Action::Errands(at), due);
            }
            if let Some(due) = self.meeting_due(at) {
                offers.add(Action::Meet(at), due);
            }
        }
        for (at, worker) in self.workers.iter().enumerate() {
            match worker.restart_at {
                Some(restart_at) => offers.add(Action::RestartWorker(at), restart_at),
                None => self.offer_worker(at, offers),
            }
        }
        if !self.late_rows.is_empty() {
            offers.add(Action::LateRows, self.now);
        }
        offers.add(
            Action::Client,
            self.client.due(&self.store, self.is_calm, self.now),
        );
        offers.add(Action::Outside, self.outside_due());
    }

    fn offer_worker(&self, at: usize, offers: &mut Offers) {
        let worker = &self.workers[at];
        if worker.running.len() < worker.slots
            && let Some(visible_at) = self.tasks.next_visible_at()
        {
            offers.add(Action::Receive(at), visible_at);
        }
        for (n, running) in worker.running.iter().enumerate() {
            offers.add(Action::Work(at, n), running.due());
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Apply(at) => self.apply(at),
            Action::Calls(at) => self.hear_calls(at),
            Action::Rendered(at) => self.take_rendered(at),
            Action::Send(at, n) => self.send(at, n),
            Action::Flush(at) => self.flush(at),
            Action::Poll(at) => self.poll(at),
            Action::Consume(at, n) => self.consume(at, n),
            Action::Wake(at) => self.wake(at),
            Action::Gate(at) => self.keep_gates(at),
            Action::Dead(at) => self.read_dead_letters(at),
            Action::Restart(at) => self.restart(at),
            Action::LateRows => self.write_late_rows(),
            Action::Receive(at) => self.receive(at),
            Action::Work(at, n) => self.work(at, n),
            Action::RestartWorker(at) => self.workers[at].restart_at = None,
            Action::Client => self.act_as_client(),
            Action::Errands(at) => self.run_errands(at),
            Action::Meet(at) => self.meet(at),
            Action::Outside => self.act_outside(),
        }
    }
}
