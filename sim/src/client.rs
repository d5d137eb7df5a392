//! Whoever starts runs, and hears what became of that and of what operators have asked.

use std::sync::Arc;

use runnel_engine::run::{CancelMode, Input, Outcome, RunContext};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_runtime::offline::{Answer, Item};
use serde_json::Map;
use uuid::Uuid;

use crate::chance::Chance;
use crate::fault::{Fault, Faults};
use crate::operator::Operation;
use crate::script::Script;
use crate::store::Store;
use crate::world::{SECOND, World};

/// A client that has heard nothing for so long asks again.
const IMPATIENCE: i64 = 3 * SECOND;

/// So often are paused runs resumed after the faults; whatever pauses then is cancelled.
const RESUMES_MAX: u32 = 300;

/// Results of tasks that a run takes over, as JSON texts.
pub type Results = Vec<(TaskIx, Arc<str>)>;

/// The client.
#[derive(Debug)]
pub struct Client {
    starts: Vec<Start>,
    operations: Vec<Operation>,
    asked: Vec<Asked>,
    resume_at: i64,
    /// How often paused runs were resumed after the faults.
    resumes: u32,
}

/// A run to be started.
#[derive(Debug)]
struct Start {
    key: String,
    workflow: usize,
    due: i64,
    accepted: Option<RunId>,
    /// Sent once more although nothing was lost.
    is_doubled: bool,
    /// The run that it repeats, and the results that it takes over.
    rerun: Option<(RunId, Results)>,
}

/// Something that was asked of a replica.
#[derive(Debug)]
struct Asked {
    replica: usize,
    life: u32,
    ticket: u64,
    about: About,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    /// A start.
    Start(usize),
    /// A cancel.
    Cancel(RunId),
    /// The replay of a dead letter.
    Letter(usize),
    /// Something whose answer nobody acts upon.
    Nothing,
}

impl Client {
    /// What the client does in a simulation.
    pub fn new(script: &Script, faults: &Faults, now: i64, calm_at: i64, chance: &mut Chance) -> Self {
        let at_once = chance.percent(50);
        let starts = script.runs.iter().enumerate().map(|(at, workflow)| Start {
            key: format!("run-{at}"),
            workflow: *workflow,
            due: if at_once {
                now
            } else {
                now + chance.millis(0, 3_000)
            },
            accepted: None,
            is_doubled: faults.has(Fault::Impatience) && chance.percent(60),
            rerun: None,
        });
        let starts: Vec<Start> = starts.collect();
        let mut operations = Vec::new();
        if faults.has(Fault::Operators) {
            for _ in 0..chance.between(1, 10) {
                let within = chance.below(u64::try_from(calm_at - now).unwrap_or(1));
                let due = now + i64::try_from(within).unwrap_or(0);
                operations.push(Operation::drawn(chance, script.is_settled, due));
            }
        }
        operations.sort_by_key(|operation| std::cmp::Reverse(operation.due));
        Self {
            starts,
            operations,
            asked: Vec::new(),
            resume_at: calm_at,
            resumes: 0,
        }
    }

    /// When the client does something next. Operators do not wait when every run has ended: there is nothing to wait for.
    #[must_use]
    pub fn due(&self, store: &Store, is_calm: bool, now: i64) -> i64 {
        let open = self.starts.iter().filter(|start| start.accepted.is_none());
        let start = open.map(|start| start.due).min().unwrap_or(i64::MAX);
        let operation = match self.operations.last() {
            Some(_) if self.are_accepted() && store.is_done() => now,
            Some(operation) => operation.due,
            None => i64::MAX,
        };
        let resume = if is_calm && !store.paused().is_empty() {
            self.resume_at
        } else {
            i64::MAX
        };
        start.min(operation).min(resume)
    }

    fn are_accepted(&self) -> bool {
        self.starts.iter().all(|start| start.accepted.is_some())
    }

    /// Whether every start was answered, and operators have done what they wanted to.
    #[must_use]
    pub fn is_done(&self, is_calm: bool) -> bool {
        self.are_accepted() && (is_calm || self.operations.is_empty())
    }

    /// One more start: it repeats a run and takes results over from it.
    pub fn add_rerun(&mut self, now: i64, workflow: usize, of: RunId, kept: Results) {
        self.starts.push(Start {
            key: format!("run-{}", self.starts.len()),
            workflow,
            due: now,
            accepted: None,
            is_doubled: false,
            rerun: Some((of, kept)),
        });
    }

    /// Something was asked; its answer will come under this ticket, if it comes.
    pub fn note(&mut self, replica: usize, life: u32, ticket: u64, about: About) {
        self.asked.push(Asked {
            replica,
            life,
            ticket,
            about,
        });
    }
}

impl World {
    /// One step of the client.
    pub(crate) fn act_as_client(&mut self) {
        self.hear_answers();
        for at in 0..self.client.starts.len() {
            let start = &self.client.starts[at];
            if start.accepted.is_none() && start.due <= self.now {
                self.ask_to_start(at);
            }
        }
        if self.is_calm {
            self.client.operations.clear();
        }
        let is_over = self.client.are_accepted() && self.store.is_done();
        let due = |operation: &Operation| is_over || operation.due <= self.now;
        if self.client.operations.last().is_some_and(due)
            && let Some(operation) = self.client.operations.pop()
        {
            self.operate(&operation);
        }
        if self.is_calm && self.client.resume_at <= self.now {
            self.client.resume_at = self.now + 2 * SECOND;
            self.client.resumes += 1;
            // runs that take each other's time may use up every round of attempts: at last a person gives them up
            let is_hopeless = self.client.resumes > RESUMES_MAX && !self.script.is_settled;
            for run in self.store.paused() {
                let (actor, mode, reason) = ("operator".into(), CancelMode::Graceful, None);
                let order = if is_hopeless {
                    Input::CancelRequested { mode, actor, reason }
                } else {
                    Input::ResumeRequested { actor }
                };
                self.order(run, order);
            }
        }
    }

    fn ask_to_start(&mut self, at: usize) {
        let times = if self.client.starts[at].is_doubled { 2 } else { 1 };
        self.client.starts[at].is_doubled = false;
        self.client.starts[at].due = self.now + IMPATIENCE;
        for _ in 0..times {
            let Some(replica) = self.some_replica() else {
                return;
            };
            let start = &self.client.starts[at];
            let bits = (u128::from(self.now.unsigned_abs()) << 64) | u128::from(self.chance.bits());
            let context = RunContext {
                id: RunId(Uuid::from_u128(bits)),
                inputs: Arc::new(Map::new()),
                vars: Arc::new(Map::new()),
                workflow_version: 1,
                priority: 50,
                created_at: self.clock(replica),
                created_by: "client".into(),
            };
            let version = &self.script.workflows[start.workflow];
            let item = match &start.rerun {
                None => Item::start(version, context, &start.key),
                Some((of, kept)) => Item::rerun(version, context, &start.key, *of, kept.clone()),
            };
            let ticket = self.submit(replica, item);
            self.tell(|| format!("a client asks replica {replica} to start run {at}"));
            let life = self.replicas[replica].life;
            self.client.note(replica, life, ticket, About::Start(at));
        }
    }

    fn hear_answers(&mut self) {
        for asked in std::mem::take(&mut self.client.asked) {
            let replica = &mut self.replicas[asked.replica];
            if replica.life != asked.life {
                // the answer died with the process
                continue;
            }
            match replica.replies.remove(&asked.ticket) {
                None => self.client.asked.push(asked),
                Some(None) => {}
                Some(Some(answer)) => self.hear(asked.about, answer),
            }
        }
    }

    fn hear(&mut self, about: About, answer: Answer) {
        match (about, answer) {
            (About::Start(at), Answer::Created(run) | Answer::KeyTaken(run)) => {
                let start = &mut self.client.starts[at];
                let before = *start.accepted.get_or_insert(run);
                if before != run {
                    self.oracle.fail(
                        "one-run-a-key",
                        format!("run {at} was answered as {before} and as {run}"),
                    );
                }
                self.oracle.accepted(&self.store, run);
            }
            (About::Cancel(run), Answer::Done(outcomes, _)) if outcomes.contains(&Outcome::Applied) => {
                self.oracle.cancelled(&self.store, run);
            }
            (About::Letter(letter), answer) => self.hear_of_replay(letter, &answer),
            (About::Start(_) | About::Cancel(_) | About::Nothing, _) => {}
        }
    }
}

/// The moment at which a run would be accepted, for what is played without a shell.
#[must_use]
pub fn plain_context(id: u64) -> RunContext {
    RunContext {
        id: RunId(Uuid::from_u128(u128::from(id))),
        inputs: Arc::new(Map::new()),
        vars: Arc::new(Map::new()),
        workflow_version: 1,
        priority: 50,
        created_at: Timestamp(1_700_000_000 * SECOND),
        created_by: "client".into(),
    }
}
