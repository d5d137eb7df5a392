//! Errands between runs and their child runs: `runtime::child` and `runtime::apply::side::child`, step by step. An errand
//! stays in its table until it is done; whoever claims it may die at any of its steps.

use std::sync::Arc;
use std::time::Duration;

use runnel_engine::run::{
    CancelMode, Category, ChildCommand, ChildInput, ChildRequest, Command, Input, Outcome, RunContext, Stale,
    TaskFailure, TaskStatus,
};
use runnel_engine::{RunId, TaskIx};
use runnel_runtime::offline::{Answer, Attempt, Change, DEPTH_MAX, Item, Parent};
use serde_json::Map;
use uuid::Uuid;

use crate::defect::Defect;
use crate::reach::Reach;
use crate::store::Store;
use crate::world::{POLL_INTERVAL, World};

/// How long who claimed an errand may take before another replica does it as well.
const LEASE: Duration = Duration::from_secs(30);

/// What an errand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Start the child of an attempt.
    Start,
    /// Cancel it gracefully.
    Cancel,
    /// Cancel it now.
    CancelNow,
    /// Tell the parent that this run has ended.
    Ended,
}

/// The key of an errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Errand {
    /// The parent and its attempt; for the notice of an end, the child.
    pub at: Attempt,
    /// What it is.
    pub kind: Kind,
}

/// How far an errand is.
#[derive(Debug)]
enum Stage {
    Fresh,
    /// The child is being made.
    Starting(u64),
    /// The parent is being told of the child that was made for it.
    Telling(u64),
    /// The child is being cancelled.
    Cancelling(u64),
    /// How the child ended was read.
    Read(RunId, Box<ChildInput>),
    /// The parent is being told how the child ended.
    Reporting(u64),
    Done,
    /// Done again when the lease is over.
    Failed,
}

/// The loop of one process.
#[derive(Debug, Default)]
pub struct Errands {
    claimed: Vec<(Errand, i64, Stage)>,
    /// It looks again then.
    until: i64,
    /// A commit has told that there is something to do.
    pub is_rung: bool,
}

impl Store {
    /// The errands that a change asks for: one that is there already is not written twice, but is due again.
    pub fn save_errands(&mut self, change: &Change<'_>, defect: Option<Defect>) {
        let mut asked = Vec::new();
        for command in change.commands {
            let Command::Child(command) = command else {
                continue;
            };
            let (task, attempt, kind) = match command {
                ChildCommand::Start { task, attempt } => (task, attempt, Kind::Start),
                ChildCommand::Cancel { task, attempt, mode } => {
                    if defect == Some(Defect::CancelStaysUp) {
                        continue;
                    }
                    let kind = match mode {
                        CancelMode::Graceful => Kind::Cancel,
                        CancelMode::Now => Kind::CancelNow,
                    };
                    (task, attempt, kind)
                }
            };
            asked.push(Errand {
                at: Attempt {
                    run: change.run,
                    task: *task,
                    attempt: *attempt,
                },
                kind,
            });
        }
        if change.has_ended_as_child && defect != Some(Defect::EndUntold) {
            asked.push(end_of(change.run));
        }
        for errand in asked {
            self.errands.insert(errand, 0);
        }
    }

    /// Errands that nobody holds, some of them, now held.
    fn claim_errands(&mut self, now: i64, lease: i64, max: usize) -> Vec<(Errand, i64)> {
        let free = self
            .errands
            .iter_mut()
            .filter(|(_, leased_until)| **leased_until <= now);
        let taken = free.take(max).map(|(errand, leased_until)| {
            *leased_until = lease;
            (*errand, lease)
        });
        taken.collect()
    }

    /// The child run of an attempt.
    #[must_use]
    pub fn child_of(&self, at: &Attempt) -> Option<RunId> {
        self.children.get(at).and_then(|runs| runs.first()).copied()
    }

    /// Whether the task still waits for the child of this attempt.
    #[must_use]
    pub fn wants_child(&self, at: &Attempt) -> bool {
        let row = self.runs.get(&at.run);
        row.and_then(|row| row.tasks().get(at.task.at()))
            .is_some_and(|task| task.status == TaskStatus::Waiting && task.attempt == at.attempt)
    }

    /// What the task has asked for.
    #[must_use]
    pub fn child_request(&self, at: &Attempt) -> Option<ChildRequest> {
        let task = self.runs.get(&at.run)?.tasks().get(at.task.at())?;
        let input = serde_json::from_str(task.input.as_deref()?).ok()?;
        ChildRequest::of(&input).ok()
    }
}

/// The notice of the end of a child.
#[must_use]
pub fn end_of(child: RunId) -> Errand {
    Errand {
        at: Attempt {
            run: child,
            task: TaskIx(0),
            attempt: 0,
        },
        kind: Kind::Ended,
    }
}

impl World {
    /// When the errands of a replica have something to do; `None` while they wait for answers.
    pub(crate) fn errands_due(&self, at: usize) -> Option<i64> {
        let replica = &self.replicas[at];
        let errands = &replica.errands;
        if errands.claimed.is_empty() {
            return Some(if errands.is_rung { self.now } else { errands.until });
        }
        let is_answered = |ticket: &u64| replica.replies.contains_key(ticket);
        let can_go_on = |stage: &Stage| match stage {
            Stage::Fresh | Stage::Read(..) => true,
            Stage::Starting(ticket)
            | Stage::Telling(ticket)
            | Stage::Cancelling(ticket)
            | Stage::Reporting(ticket) => is_answered(ticket),
            Stage::Done | Stage::Failed => false,
        };
        let mut stages = errands.claimed.iter().map(|(_, _, stage)| stage);
        let is_over = stages
            .clone()
            .all(|stage| matches!(stage, Stage::Done | Stage::Failed));
        (is_over || stages.any(can_go_on)).then_some(self.now)
    }

    /// One step: claim, go on with one errand, or remove those that are done.
    pub(crate) fn run_errands(&mut self, at: usize) {
        if self.replicas[at].errands.claimed.is_empty() {
            return self.take_errands(at);
        }
        for n in 0..self.replicas[at].errands.claimed.len() {
            let (errand, lease, stage) = {
                let (errand, lease, stage) = &mut self.replicas[at].errands.claimed[n];
                (*errand, *lease, std::mem::replace(stage, Stage::Failed))
            };
            let (next, has_moved) = self.go_on(at, errand, stage);
            self.replicas[at].errands.claimed[n] = (errand, lease, next);
            if has_moved {
                return;
            }
        }
        let claimed = std::mem::take(&mut self.replicas[at].errands.claimed);
        for (errand, lease, stage) in claimed {
            // one that was asked for again meanwhile is not the one that is done
            let is_same = self.store.errands.get(&errand) == Some(&lease);
            if matches!(stage, Stage::Done) && is_same {
                self.store.errands.remove(&errand);
            }
        }
        self.oracle.is_family_changed = true;
        self.replicas[at].errands.is_rung = true;
    }

    fn take_errands(&mut self, at: usize) {
        let now = self.clock(at);
        let max = self.chance.index(10) + 1;
        let mut claimed = self.store.claim_errands(now.0, now.after(LEASE).0, max);
        if self.plot.defect == Some(Defect::ErrandsForgotten) {
            // removed before they are done
            for (errand, _) in &claimed {
                self.store.errands.remove(errand);
            }
        }
        let until = self.now + POLL_INTERVAL;
        let errands = &mut self.replicas[at].errands;
        errands.is_rung = false;
        errands.until = until;
        errands.claimed = claimed
            .drain(..)
            .map(|(errand, lease)| (errand, lease, Stage::Fresh))
            .collect();
        let count = errands.claimed.len();
        if count > 0 {
            self.tell(|| format!("replica {at} claims {count} errands"));
        }
    }

    /// The next stage of an errand, and whether anything was done.
    fn go_on(&mut self, at: usize, errand: Errand, stage: Stage) -> (Stage, bool) {
        let waited = |stage: Stage| (stage, false);
        let moved = |stage: Stage| (stage, true);
        match stage {
            Stage::Fresh => moved(self.begin_errand(at, errand)),
            Stage::Read(parent, input) => {
                let ticket = self.submit(at, Item::inputs(parent, vec![Input::Child(*input)]));
                moved(Stage::Reporting(ticket))
            }
            Stage::Starting(ticket) => match self.replicas[at].replies.remove(&ticket) {
                None => waited(Stage::Starting(ticket)),
                Some(Some(Answer::Created(child) | Answer::KeyTaken(child))) => {
                    moved(self.tell_of_child(at, errand, child))
                }
                Some(_) => moved(Stage::Failed),
            },
            Stage::Telling(ticket) => match self.replicas[at].replies.remove(&ticket) {
                None => waited(Stage::Telling(ticket)),
                Some(Some(answer)) if is_refused(&answer) => moved(self.cancel_orphan(at, errand)),
                Some(Some(_)) => moved(Stage::Done),
                Some(None) => moved(Stage::Failed),
            },
            Stage::Cancelling(ticket) => match self.replicas[at].replies.remove(&ticket) {
                None => waited(Stage::Cancelling(ticket)),
                Some(Some(_)) => moved(Stage::Done),
                Some(None) => moved(Stage::Failed),
            },
            Stage::Reporting(ticket) => match self.replicas[at].replies.remove(&ticket) {
                None => waited(Stage::Reporting(ticket)),
                Some(Some(_)) => moved(Stage::Done),
                Some(None) => moved(Stage::Failed),
            },
            Stage::Done | Stage::Failed => waited(stage),
        }
    }

    fn begin_errand(&mut self, at: usize, errand: Errand) -> Stage {
        match errand.kind {
            Kind::Start => self.start_child(at, errand),
            Kind::Cancel | Kind::CancelNow => self.cancel_child(at, errand),
            Kind::Ended => {
                let Some(row) = self.store.runs.get(&errand.at.run) else {
                    return Stage::Done;
                };
                // a run that is open again: its next end is another errand
                let (Some(parent), true) = (row.parent, row.columns().status.is_terminal()) else {
                    return Stage::Done;
                };
                let columns = row.columns();
                let input = ChildInput::Ended {
                    task: parent.task,
                    attempt: parent.attempt,
                    child: errand.at.run,
                    status: columns.status,
                    outputs: columns.outputs.clone(),
                    error: columns.error.clone(),
                };
                Stage::Read(parent.run, Box::new(input))
            }
        }
    }

    fn start_child(&mut self, at: usize, errand: Errand) -> Stage {
        let existing = self.store.child_of(&errand.at);
        let is_blind = self.plot.defect == Some(Defect::ChildTwice);
        if !self.store.wants_child(&errand.at) {
            return match existing {
                Some(_) => self.cancel_orphan(at, errand),
                // nobody waits for it, and it was never made
                None => Stage::Done,
            };
        }
        if let Some(child) = existing.filter(|_| !is_blind) {
            return self.tell_of_child(at, errand, child);
        }
        let Some(parent) = self.store.runs.get(&errand.at.run) else {
            return Stage::Done;
        };
        let (depth, root) = (parent.depth + 1, parent.root.unwrap_or(errand.at.run));
        let request = self.store.child_request(&errand.at);
        let version = request.and_then(|request| self.script.workflow(&request.workflow).cloned());
        let Some(version) = version.filter(|_| depth <= DEPTH_MAX) else {
            self.reached(Reach::ChildTooDeep);
            let failure = TaskFailure::new(Category::Input, "CHILD_DEPTH", "too deep", false);
            let refused = ChildInput::Refused {
                task: errand.at.task,
                attempt: errand.at.attempt,
                failure,
            };
            let item = Item::inputs(errand.at.run, vec![Input::Child(refused)]);
            return Stage::Telling(self.submit(at, item));
        };
        let bits = (u128::from(self.now.unsigned_abs()) << 64) | u128::from(self.chance.bits());
        let id = RunId(Uuid::from_u128(bits));
        let context = RunContext {
            id,
            inputs: Arc::new(Map::new()),
            vars: Arc::new(Map::new()),
            workflow_version: 1,
            priority: 50,
            created_at: self.clock(at),
            created_by: "client".into(),
        };
        let Attempt { run, task, attempt } = errand.at;
        let key = match is_blind {
            true => format!("child/{run}/{}/{attempt}/{id}", task.0),
            false => format!("child/{run}/{}/{attempt}", task.0),
        };
        let parent = Parent {
            run,
            task,
            attempt,
            root,
            depth,
            trace: None,
        };
        Stage::Starting(self.submit(at, Item::child(&version, context, &key, parent)))
    }

    fn tell_of_child(&mut self, at: usize, errand: Errand, child: RunId) -> Stage {
        let started = ChildInput::Started {
            task: errand.at.task,
            attempt: errand.at.attempt,
            child,
        };
        let item = Item::inputs(errand.at.run, vec![Input::Child(started)]);
        Stage::Telling(self.submit(at, item))
    }

    /// A child whose parent gave up before it heard of it. One that nobody waits for lives on by itself.
    fn cancel_orphan(&mut self, at: usize, errand: Errand) -> Stage {
        let request = self.store.child_request(&errand.at);
        if !request.is_some_and(|request| request.wait) {
            return Stage::Done;
        }
        self.reached(Reach::ChildOrphaned);
        self.cancel_child(at, errand)
    }

    /// One without a child is done: whoever makes the child later sees that nobody wants it.
    fn cancel_child(&mut self, at: usize, errand: Errand) -> Stage {
        let Some(child) = self.store.child_of(&errand.at) else {
            return Stage::Done;
        };
        let input = Input::CancelRequested {
            mode: match errand.kind {
                Kind::CancelNow => CancelMode::Now,
                Kind::Start | Kind::Cancel | Kind::Ended => CancelMode::Graceful,
            },
            actor: format!("run:{}", errand.at.run).into(),
            reason: None,
        };
        Stage::Cancelling(self.submit(at, Item::inputs(child, vec![input])))
    }
}

/// Whether a parent that was told of its child did not want it any more.
fn is_refused(answer: &Answer) -> bool {
    match answer {
        Answer::Done(outcomes, _) => outcomes.iter().any(|outcome| {
            matches!(
                outcome,
                Outcome::Ignored(Stale::RunIsTerminal | Stale::TaskIsTerminal | Stale::OldAttempt)
            )
        }),
        Answer::UnknownRun => true,
        Answer::Created(_) | Answer::KeyTaken(_) | Answer::Failed(_) => false,
    }
}
