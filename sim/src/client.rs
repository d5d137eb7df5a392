//! Whoever starts runs and operates them.

use std::sync::Arc;

use runnel_engine::run::{CancelMode, Input, Outcome, RunContext, RunStatus};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_runtime::offline::{Answer, Item};
use serde_json::Map;
use uuid::Uuid;

use crate::chance::Chance;
use crate::defect::Defect;
use crate::fault::{Fault, Faults};
use crate::script::Script;
use crate::store::Store;
use crate::world::{SECOND, World};

/// A client that has heard nothing for so long asks again.
const IMPATIENCE: i64 = 3 * SECOND;

/// The client.
#[derive(Debug)]
pub struct Client {
    starts: Vec<Start>,
    operations: Vec<Operation>,
    asked: Vec<Asked>,
    resume_at: i64,
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
}

/// Something that was asked of a replica.
#[derive(Debug)]
struct Asked {
    replica: usize,
    life: u32,
    ticket: u64,
    about: About,
}

#[derive(Debug, Clone, Copy)]
enum About {
    Start(usize),
    Cancel(RunId),
}

/// What an operator does, and when.
#[derive(Debug)]
struct Operation {
    due: i64,
    run: usize,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Cancel(CancelMode),
    Pause,
    Resume,
    Retry(u64),
    Skip(u64),
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
        });
        let starts: Vec<Start> = starts.collect();
        let mut operations = Vec::new();
        if faults.has(Fault::Operators) {
            for _ in 0..chance.between(1, 8) {
                let due =
                    now + i64::try_from(chance.below(u64::try_from(calm_at - now).unwrap_or(1))).unwrap_or(0);
                let what = match chance.below(if script.is_settled { 4 } else { 12 }) {
                    0 | 1 => What::Pause,
                    2 | 3 => What::Resume,
                    4 => What::Cancel(CancelMode::Graceful),
                    5 => What::Cancel(CancelMode::Now),
                    6..=9 => What::Retry(chance.bits()),
                    _ => What::Skip(chance.bits()),
                };
                operations.push(Operation {
                    due,
                    run: chance.index(starts.len()),
                    what,
                });
            }
        }
        operations.sort_by_key(|operation| std::cmp::Reverse(operation.due));
        Self {
            starts,
            operations,
            asked: Vec::new(),
            resume_at: calm_at,
        }
    }

    /// When the client does something next.
    #[must_use]
    pub fn due(&self, store: &Store, is_calm: bool) -> i64 {
        let open = self.starts.iter().filter(|start| start.accepted.is_none());
        let start = open.map(|start| start.due).min().unwrap_or(i64::MAX);
        let operation = self.operations.last().map_or(i64::MAX, |operation| operation.due);
        let resume = if is_calm && !store.paused().is_empty() {
            self.resume_at
        } else {
            i64::MAX
        };
        start.min(operation).min(resume)
    }

    /// Whether every start was answered.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.starts.iter().all(|start| start.accepted.is_some())
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
        while self
            .client
            .operations
            .last()
            .is_some_and(|operation| operation.due <= self.now)
        {
            if let Some(operation) = self.client.operations.pop() {
                self.operate(&operation);
            }
        }
        if self.is_calm && self.client.resume_at <= self.now {
            self.client.resume_at = self.now + 2 * SECOND;
            for run in self.store.paused() {
                self.order(
                    run,
                    Input::ResumeRequested {
                        actor: "operator".into(),
                    },
                );
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
            let item = Item::start(&self.script.workflows[start.workflow], context, &start.key);
            let ticket = self.submit(replica, item);
            self.tell(|| format!("a client asks replica {replica} to start run {at}"));
            self.client.asked.push(Asked {
                replica,
                life: self.replicas[replica].life,
                ticket,
                about: About::Start(at),
            });
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
            (About::Start(_) | About::Cancel(_), _) => {}
        }
    }

    fn operate(&mut self, operation: &Operation) {
        let Some(run) = self.client.starts[operation.run].accepted else {
            return;
        };
        let (actor, reason): (Arc<str>, _) = ("operator".into(), None);
        let tasks = self.store.runs.get(&run).map_or(0, |row| row.tasks().len());
        let pick = |bits: u64| {
            let at = bits.checked_rem(tasks as u64).unwrap_or(0);
            TaskIx(u32::try_from(at).unwrap_or(0))
        };
        let input = match operation.what {
            What::Cancel(mode) => Input::CancelRequested { mode, actor, reason },
            What::Pause => Input::PauseRequested { actor, reason },
            What::Resume => Input::ResumeRequested { actor },
            What::Retry(bits) => Input::TaskRetryRequested {
                task: self.failed_task(run, bits).unwrap_or_else(|| pick(bits)),
                actor,
            },
            What::Skip(bits) => Input::TaskSkipRequested {
                task: pick(bits),
                actor,
                reason,
            },
        };
        self.order(run, input);
    }

    /// Operators retry what has failed more often than anything else.
    fn failed_task(&self, run: RunId, bits: u64) -> Option<TaskIx> {
        use runnel_engine::run::TaskStatus::{Cancelled, Failed, TimedOut};
        let tasks = self.store.runs.get(&run)?.tasks().iter().enumerate();
        let failed: Vec<usize> = tasks
            .filter(|(_, task)| matches!(task.status, Failed | TimedOut | Cancelled))
            .map(|(at, _)| at)
            .collect();
        let at = failed.get(usize::try_from(bits % 97).ok()? % failed.len().max(1))?;
        Some(TaskIx(u32::try_from(*at).ok()?))
    }

    fn order(&mut self, run: RunId, input: Input) {
        let Some(replica) = self.some_replica() else {
            return;
        };
        self.tell(|| format!("an operator asks replica {replica}: {input:?}"));
        let is_cancel = matches!(input, Input::CancelRequested { .. });
        let ticket = if is_cancel && self.plot.defect == Some(Defect::CancelLost) {
            let ticket = self.ticket();
            let answer = Answer::Done(vec![Outcome::Applied], RunStatus::Cancelling);
            self.replicas[replica].replies.insert(ticket, Some(answer));
            ticket
        } else {
            self.submit(replica, Item::inputs(run, vec![input]))
        };
        if is_cancel {
            self.client.asked.push(Asked {
                replica,
                life: self.replicas[replica].life,
                ticket,
                about: About::Cancel(run),
            });
        }
    }
}

/// The moment at which a run would be accepted, for what is played without a shell.
#[must_use]
pub fn plain_context(at: usize) -> RunContext {
    RunContext {
        id: RunId(Uuid::from_u128(at as u128)),
        inputs: Arc::new(Map::new()),
        vars: Arc::new(Map::new()),
        workflow_version: 1,
        priority: 50,
        created_at: Timestamp(1_700_000_000 * SECOND),
        created_by: "client".into(),
    }
}
