//! The gates: `runtime::gate` and `runtime::apply::side::gate`, step by step. Every decision is `runnel_engine::gate::decide`.
//!
//! Places, questions and verdicts are rows; a pass is one transaction; what it decided is handed to the runs afterwards, and
//! handed over again when nobody has taken it in time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runnel_engine::gate::{
    Blocked, Breaker, Decision, Facts, GateKey, GateKind, GateRequest, Group, RateState, Ticket, Waiting,
    decide, rank,
};
use runnel_engine::run::{CancelMode, Command, GateCommand, GateInput, Input, TaskStatus};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_runtime::offline::{Change, Item};

use crate::defect::Defect;
use crate::reach::Reach;
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
    /// What was decided and when; the row stays until the run has taken it.
    decided: Option<(Verdict, i64)>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Admitted,
    Turned,
    Cached,
}

/// A row of `result_cache`.
#[derive(Debug, Clone)]
struct Kept {
    output: Arc<str>,
    source: RunId,
    kept_at: Timestamp,
    expires_at: Timestamp,
}

/// A row of `concurrency_slot`.
#[derive(Debug)]
struct Place {
    group: String,
    limit: u32,
    held_at: i64,
}

/// The tables of the gates.
#[derive(Debug, Default)]
pub struct Gates {
    asked: BTreeMap<Ticket, Asked>,
    places: BTreeMap<Ticket, Place>,
    kept: BTreeMap<String, Kept>,
    verdicts: Vec<(String, Ticket, Option<bool>, Timestamp)>,
    rates: BTreeMap<GateKey, RateState>,
    breakers: BTreeMap<GateKey, Breaker>,
    /// Counts what may let somebody pass, so that gatekeepers look again.
    pub calls: u64,
}

/// What a pass came to.
#[derive(Debug, Default)]
struct Passed {
    decided: Vec<(Ticket, Verdict)>,
    /// Runs that must make room.
    displaced: BTreeSet<RunId>,
    next_at: Option<Timestamp>,
    reached: Vec<Reach>,
}

/// The gatekeeper of one process.
#[derive(Debug, Default)]
pub struct Gatekeeper {
    /// Decided and not yet handed to the runs.
    decided: Vec<(Ticket, GateInput)>,
    /// Runs that have not been asked to make room yet.
    displaced: BTreeSet<RunId>,
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
            decided: None,
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
                GateCommand::Keep { task, key, until } => {
                    if let Some(output) = &change.state.tasks[task.at()].output {
                        let kept = Kept {
                            output: Arc::clone(output),
                            source: change.run,
                            kept_at: change.now,
                            expires_at: *until,
                        };
                        self.kept.insert(key.clone(), kept);
                    }
                }
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

    /// The kept result that a question may take.
    fn kept_for(
        &self,
        request: &GateRequest,
        now: Option<Timestamp>,
        defect: Option<Defect>,
    ) -> Option<&Kept> {
        let cache = request.cache.as_ref().filter(|cache| cache.is_read)?;
        let kept = if defect == Some(Defect::CacheKeyIgnored) {
            self.kept.values().next()
        } else {
            self.kept.get(&cache.key)
        };
        kept.filter(|kept| now.is_none_or(|now| kept.expires_at > now))
    }

    /// Who holds places in each group.
    fn groups(&self, defect: Option<Defect>) -> BTreeMap<GateKey, Group> {
        let mut groups: BTreeMap<GateKey, Group> = BTreeMap::new();
        let mut oldest: Vec<(i64, RunId, &str)> = Vec::new();
        for (ticket, place) in &self.places {
            let group = groups.entry(key(GateKind::Group, &place.group)).or_default();
            let is_overrun = defect == Some(Defect::GroupOverrun) && group.holders == 1;
            group.holders += u32::from(!is_overrun);
            let least = group
                .smallest_limit
                .map_or(place.limit, |least| least.min(place.limit));
            group.smallest_limit = Some(least + u32::from(is_overrun));
            if ticket.ix < 0 {
                oldest.push((place.held_at, ticket.run, &place.group));
            }
        }
        oldest.sort_unstable();
        for (_, run, name) in oldest {
            let group = groups.entry(key(GateKind::Group, name)).or_default();
            group.oldest.push(run);
        }
        groups
    }

    /// One pass: the transaction of `runtime::gate::pass`.
    fn pass(&mut self, now: Timestamp, defect: Option<Defect>) -> Passed {
        let waiting: Vec<Waiting> = self
            .asked
            .iter()
            .filter(|(_, asked)| asked.decided.is_none())
            .map(|(ticket, asked)| Waiting {
                ticket: *ticket,
                namespace: NAMESPACE.to_owned(),
                rank: asked.rank,
                request: asked.request.clone(),
                is_cached: self.kept_for(&asked.request, Some(now), defect).is_some(),
            })
            .collect();
        for (name, ticket, verdict, at) in std::mem::take(&mut self.verdicts) {
            let breaker = self.breakers.entry(key(GateKind::Circuit, &name)).or_default();
            breaker.judge(ticket, verdict, at);
        }
        let mut facts = Facts {
            groups: self.groups(defect),
            rates: std::mem::take(&mut self.rates),
            breakers: std::mem::take(&mut self.breakers),
        };
        let decided = decide(&waiting, &mut facts, now);
        (self.rates, self.breakers) = (facts.rates, facts.breakers);
        let mut passed = Passed {
            displaced: decided.displaced,
            next_at: decided.next_at,
            ..Passed::default()
        };
        for (ticket, decision) in decided.decisions {
            let verdict = match decision {
                Decision::Admitted => Verdict::Admitted,
                Decision::Turned => Verdict::Turned,
                Decision::Cached => Verdict::Cached,
                Decision::Blocked(blocked) => {
                    passed.reached.push(blocked_by(&ticket, blocked));
                    continue;
                }
            };
            if let Some(asked) = self.asked.get_mut(&ticket) {
                asked.decided = Some((verdict, now.0));
                if let (Some(group), Verdict::Admitted) = (&asked.request.group, verdict) {
                    let place = Place {
                        group: group.name.clone(),
                        limit: group.limit,
                        held_at: now.0,
                    };
                    self.places.insert(ticket, place);
                }
            }
            passed.decided.push((ticket, verdict));
        }
        passed
    }

    /// What the runs are told; a question whose kept result is gone is open again.
    fn inputs(
        &mut self,
        decided: Vec<(Ticket, Verdict)>,
        defect: Option<Defect>,
    ) -> Vec<(Ticket, GateInput)> {
        let mut inputs = Vec::new();
        for (ticket, verdict) in decided {
            let kept = self
                .asked
                .get(&ticket)
                .and_then(|asked| self.kept_for(&asked.request, None, defect).cloned());
            match input(&ticket, verdict, kept) {
                Some(input) => inputs.push((ticket, input)),
                None => {
                    if let Some(asked) = self.asked.get_mut(&ticket) {
                        asked.decided = None;
                    }
                }
            }
        }
        inputs
    }

    /// Decisions that nobody has taken in time.
    fn overdue(&mut self, now: Timestamp) -> Vec<(Ticket, Verdict)> {
        let mut overdue = Vec::new();
        for (ticket, asked) in &mut self.asked {
            if let Some((verdict, at)) = &mut asked.decided
                && *at + HANDOVER <= now.0
            {
                *at = now.0;
                overdue.push((*ticket, *verdict));
            }
        }
        overdue
    }

    /// What is left of the tables when every run has ended; a place or a question of nobody.
    #[must_use]
    pub fn leftovers(&self) -> Option<String> {
        let place = self
            .places
            .iter()
            .next()
            .map(|(ticket, place)| format!("{ticket:?} holds a place of {} after the end", place.group));
        let question = self.asked.keys().next();
        place.or_else(|| question.map(|ticket| format!("{ticket:?} asks after the end")))
    }

    /// A broken promise about places: a group over its limit, or a place that nobody holds.
    #[must_use]
    pub fn broken(&self, store: &Store) -> Option<String> {
        let mut holders: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for (ticket, Place { group, limit, .. }) in &self.places {
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
        let has_news = !(keeper.decided.is_empty() && keeper.displaced.is_empty());
        let is_called = keeper.heard < self.store.gates.calls || has_news;
        if is_called { self.now } else { keeper.until }
    }

    /// One step: decide, or hand what was decided to the runs.
    pub(crate) fn keep_gates(&mut self, at: usize) {
        let decided = std::mem::take(&mut self.replicas[at].gatekeeper.decided);
        let displaced = std::mem::take(&mut self.replicas[at].gatekeeper.displaced);
        if !(decided.is_empty() && displaced.is_empty()) {
            let mut inputs: BTreeMap<RunId, Vec<Input>> = BTreeMap::new();
            for (ticket, input) in decided {
                inputs.entry(ticket.run).or_default().push(Input::Gate(input));
            }
            for (run, inputs) in inputs {
                self.submit(at, Item::inputs(run, inputs));
            }
            for run in displaced {
                let cancel = Input::CancelRequested {
                    mode: CancelMode::Graceful,
                    actor: "runnel".into(),
                    reason: None,
                };
                self.submit(at, Item::inputs(run, vec![cancel]));
            }
            return;
        }
        let (now, defect) = (self.clock(at), self.plot.defect);
        let calls = self.store.gates.calls;
        let mut decided = self.store.gates.overdue(now);
        let passed = self.store.gates.pass(now, defect);
        for reach in passed.reached {
            self.reached(reach);
        }
        decided.extend(passed.decided);
        self.tell(|| format!("replica {at} decides {decided:?}"));
        let inputs = self.store.gates.inputs(decided, defect);
        let pause = passed
            .next_at
            .map_or(POLL_INTERVAL, |next| (next.0 - now.0).clamp(1, POLL_INTERVAL));
        let until = self.now + pause;
        let keeper = &mut self.replicas[at].gatekeeper;
        keeper.decided = inputs;
        keeper.displaced = passed.displaced;
        keeper.heard = calls;
        keeper.until = until;
    }
}

fn blocked_by(ticket: &Ticket, blocked: Blocked) -> Reach {
    match blocked {
        Blocked::Concurrency if ticket.ix < 0 => Reach::RunQueued,
        Blocked::Concurrency => Reach::GroupFull,
        Blocked::Rate(_) => Reach::RateFull,
        Blocked::Circuit(_) => Reach::CircuitOpen,
    }
}

/// What the asker is told; `None` when the kept result is gone.
fn input(ticket: &Ticket, verdict: Verdict, kept: Option<Kept>) -> Option<GateInput> {
    let Ok(ix) = u32::try_from(ticket.ix) else {
        return Some(match verdict {
            Verdict::Admitted | Verdict::Cached => GateInput::RunAdmitted,
            Verdict::Turned => GateInput::RunTurned,
        });
    };
    let (task, attempt) = (TaskIx(ix), ticket.attempt);
    Some(match verdict {
        Verdict::Admitted => GateInput::Admitted { task, attempt },
        Verdict::Turned => GateInput::Turned { task, attempt },
        Verdict::Cached => {
            let kept = kept?;
            GateInput::Cached {
                task,
                attempt,
                output: kept.output,
                source: kept.source,
                kept_at: kept.kept_at,
            }
        }
    })
}
