//! The gates: `runtime::gate` and `runtime::apply::side::gate`, step by step. Every decision is `runnel_engine::gate::decide`.
//!
//! Places, questions and verdicts are rows; a pass is one transaction; what it decided is handed to the runs afterwards, and
//! handed over again when nobody has taken it in time.

use std::collections::{BTreeMap, BTreeSet};

use runnel_engine::gate::{
    Breaker, Decision, Facts, GateKey, GateKind, GateRequest, Group, RateState, Ticket, Waiting, decide, rank,
};
use runnel_engine::run::{Command, GateCommand, GateInput, Input, TaskStatus};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_runtime::offline::{Change, Item};

use crate::defect::Defect;
use crate::store::Store;
use crate::world::{POLL_INTERVAL, SECOND, World};

/// After this long without the run having taken it, a decision is handed over again.
const HANDOVER: i64 = 5 * SECOND;

const NAMESPACE: &str = "default";

/// A row of `gate_wait`.
#[derive(Debug)]
struct Asked {
    rank: i64,
    request: GateRequest,
    /// When it was admitted; the row stays until the run has taken it.
    admitted_at: Option<i64>,
}

/// The tables of the gates.
#[derive(Debug, Default)]
pub struct Gates {
    asked: BTreeMap<Ticket, Asked>,
    /// `concurrency_slot`: who holds a place, in which group, with which limit.
    places: BTreeMap<Ticket, (String, u32)>,
    verdicts: Vec<(String, Ticket, Option<bool>, Timestamp)>,
    rates: BTreeMap<GateKey, RateState>,
    breakers: BTreeMap<GateKey, Breaker>,
    /// Counts what may let somebody pass, so that gatekeepers look again.
    pub calls: u64,
}

/// The gatekeeper of one process.
#[derive(Debug, Default)]
pub struct Gatekeeper {
    /// Decided and not yet handed to the runs.
    decided: Vec<Ticket>,
    /// The calls that it has heard.
    heard: u64,
    /// It looks again then.
    until: i64,
}

fn of_task(run: RunId, task: TaskIx, attempt: u32) -> Ticket {
    Ticket {
        run,
        ix: i32::try_from(task.0).unwrap_or(i32::MAX),
        attempt,
    }
}

fn of_run(run: RunId) -> Ticket {
    Ticket {
        run,
        ix: -1,
        attempt: 0,
    }
}

impl Gates {
    /// What the commands of a change write, in the transaction of the change: answers and places first, then new questions.
    pub fn save(&mut self, change: &Change<'_>, defect: Option<Defect>) {
        let plan = change.version.plan();
        let mut asked: BTreeMap<Ticket, Asked> = BTreeMap::new();
        let ask = |since: Timestamp, priority, request: &GateRequest| Asked {
            rank: rank(since, priority),
            request: request.clone(),
            admitted_at: None,
        };
        for command in change.commands {
            let Command::Gate(command) = command else { continue };
            self.calls += 1;
            match command {
                GateCommand::Request {
                    task,
                    attempt,
                    since,
                    request,
                } => {
                    let definition = plan.task(change.state.tasks[task.at()].template);
                    let priority = definition.priority.unwrap_or(change.state.context.priority);
                    asked.insert(
                        of_task(change.run, *task, *attempt),
                        ask(*since, priority, request),
                    );
                }
                GateCommand::RequestRun { since, request } => {
                    let priority = change.state.context.priority;
                    asked.insert(of_run(change.run), ask(*since, priority, request));
                }
                GateCommand::Taken { task, attempt } => {
                    let ticket = of_task(change.run, *task, *attempt);
                    asked.remove(&ticket);
                    self.asked.remove(&ticket);
                }
                GateCommand::TakenRun => drop(self.asked.remove(&of_run(change.run))),
                GateCommand::Release {
                    task,
                    attempt,
                    circuit,
                    verdict,
                } => {
                    let ticket = of_task(change.run, *task, *attempt);
                    asked.remove(&ticket);
                    self.release(ticket, defect);
                    if let Some(name) = circuit {
                        self.verdicts.push((name.clone(), ticket, *verdict, change.now));
                    }
                }
                GateCommand::ReleaseRun => self.release(of_run(change.run), defect),
                GateCommand::Keep { .. } => {}
            }
        }
        for (ticket, question) in asked {
            self.asked.entry(ticket).or_insert(question);
        }
    }

    fn release(&mut self, ticket: Ticket, defect: Option<Defect>) {
        self.asked.remove(&ticket);
        if defect != Some(Defect::PlaceKept) {
            self.places.remove(&ticket);
        }
    }

    /// One pass: the transaction of `runtime::gate::pass`. Answers who was admitted, and when the next one may be.
    fn pass(&mut self, now: Timestamp) -> (Vec<Ticket>, Option<Timestamp>) {
        let waiting: Vec<Waiting> = self
            .asked
            .iter()
            .filter(|(_, asked)| asked.admitted_at.is_none())
            .map(|(ticket, asked)| Waiting {
                ticket: *ticket,
                namespace: NAMESPACE.to_owned(),
                rank: asked.rank,
                request: asked.request.clone(),
                is_cached: false,
            })
            .collect();
        for (name, ticket, verdict, at) in std::mem::take(&mut self.verdicts) {
            let breaker = self.breakers.entry(key(GateKind::Circuit, &name)).or_default();
            breaker.judge(ticket, verdict, at);
        }
        let mut groups: BTreeMap<GateKey, Group> = BTreeMap::new();
        for (name, limit) in self.places.values() {
            let group = groups.entry(key(GateKind::Group, name)).or_default();
            group.holders += 1;
            group.smallest_limit = Some(group.smallest_limit.map_or(*limit, |least| least.min(*limit)));
        }
        let mut facts = Facts {
            groups,
            rates: std::mem::take(&mut self.rates),
            breakers: std::mem::take(&mut self.breakers),
        };
        let decided = decide(&waiting, &mut facts, now);
        (self.rates, self.breakers) = (facts.rates, facts.breakers);
        let mut admitted = Vec::new();
        for (ticket, decision) in decided.decisions {
            if decision != Decision::Admitted {
                continue;
            }
            if let Some(asked) = self.asked.get_mut(&ticket) {
                asked.admitted_at = Some(now.0);
                if let Some(group) = &asked.request.group {
                    self.places.insert(ticket, (group.name.clone(), group.limit));
                }
            }
            admitted.push(ticket);
        }
        (admitted, decided.next_at)
    }

    /// Decisions that nobody has taken in time.
    fn overdue(&mut self, now: Timestamp) -> Vec<Ticket> {
        let mut overdue = Vec::new();
        for (ticket, asked) in &mut self.asked {
            if asked.admitted_at.is_some_and(|at| at + HANDOVER <= now.0) {
                asked.admitted_at = Some(now.0);
                overdue.push(*ticket);
            }
        }
        overdue
    }

    /// A broken promise about places: a group over its limit, or a place that nobody holds.
    #[must_use]
    pub fn broken(&self, store: &Store) -> Option<String> {
        let mut holders: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for (ticket, (group, limit)) in &self.places {
            let held = holders.entry(group).or_insert((0, *limit));
            held.0 += 1;
            if held.0 > held.1 {
                return Some(format!("{group} has more holders than its limit of {limit}"));
            }
            if !self.asked.contains_key(ticket) && !is_holding(store, ticket) {
                return Some(format!(
                    "task {} attempt {} of {} holds a place of {group} and does not run",
                    ticket.ix, ticket.attempt, ticket.run
                ));
            }
        }
        None
    }
}

fn is_holding(store: &Store, ticket: &Ticket) -> bool {
    let Some(row) = store.runs.get(&ticket.run) else {
        return false;
    };
    match usize::try_from(ticket.ix) {
        Err(_) => !row.columns().status.is_terminal(),
        Ok(at) => row.tasks().get(at).is_some_and(|task| {
            task.attempt == ticket.attempt
                && matches!(
                    task.status,
                    TaskStatus::Queued | TaskStatus::Running | TaskStatus::Waiting
                )
        }),
    }
}

fn key(kind: GateKind, name: &str) -> GateKey {
    GateKey {
        namespace: NAMESPACE.to_owned(),
        kind,
        name: name.to_owned(),
    }
}

impl World {
    /// When the gatekeeper of a replica has something to do.
    pub(crate) fn gatekeeper_due(&self, at: usize) -> i64 {
        let keeper = &self.replicas[at].gatekeeper;
        let is_called = keeper.heard < self.store.gates.calls || !keeper.decided.is_empty();
        if is_called { self.now } else { keeper.until }
    }

    /// One step: decide, or hand what was decided to the runs.
    pub(crate) fn keep_gates(&mut self, at: usize) {
        let decided = std::mem::take(&mut self.replicas[at].gatekeeper.decided);
        if !decided.is_empty() {
            let runs: BTreeSet<RunId> = decided.iter().map(|ticket| ticket.run).collect();
            for run in runs {
                let own = decided.iter().filter(|ticket| ticket.run == run);
                let inputs = own.map(admission).collect();
                self.submit(at, Item::inputs(run, inputs));
            }
            return;
        }
        let now = self.clock(at);
        let calls = self.store.gates.calls;
        let mut admitted = self.store.gates.overdue(now);
        let (passed, next_at) = self.store.gates.pass(now);
        admitted.extend(passed);
        self.tell(|| format!("replica {at} admits {}", admitted.len()));
        let pause = next_at.map_or(POLL_INTERVAL, |next| (next.0 - now.0).clamp(1, POLL_INTERVAL));
        let until = self.now + pause;
        let keeper = &mut self.replicas[at].gatekeeper;
        keeper.decided = admitted;
        keeper.heard = calls;
        keeper.until = until;
    }
}

fn admission(ticket: &Ticket) -> Input {
    Input::Gate(match u32::try_from(ticket.ix) {
        Ok(ix) => GateInput::Admitted {
            task: TaskIx(ix),
            attempt: ticket.attempt,
        },
        Err(_) => GateInput::RunAdmitted,
    })
}
