//! One pass over what waits: who is admitted, who is turned away, who goes on waiting and why.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breaker, GateKey, GateKind, GateRequest, Permit, RateState, Ticket, refusal_ends_at};
use crate::definition::OnConflict;
use crate::{RunId, Timestamp};

/// One that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Who.
    pub ticket: Ticket,
    /// In which namespace.
    pub namespace: String,
    /// Its place in the order, see [`super::rank`]; equal ranks go by ticket.
    pub rank: i64,
    /// What it asks for.
    pub request: GateRequest,
    /// Whether a kept result was found for it.
    pub is_cached: bool,
}

/// The state of the gates that those who wait ask for. What is absent is empty, fresh, closed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Concurrency groups.
    pub groups: BTreeMap<GateKey, Group>,
    /// Rate limits.
    pub rates: BTreeMap<GateKey, RateState>,
    /// Breakers.
    pub breakers: BTreeMap<GateKey, Breaker>,
}

/// The holders of a concurrency group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// How many.
    pub holders: u32,
    /// The smallest of their limits; `None` without holders.
    pub smallest_limit: Option<u32>,
    /// Runs that hold, the oldest first; needed only for those who displace.
    pub oldest: Vec<RunId>,
}

/// Why one goes on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// The concurrency group is full.
    Concurrency,
    /// The rate limit allows it then.
    Rate(Timestamp),
    /// The breaker is open until then, or until its probe has ended.
    Circuit(Option<Timestamp>),
}

/// What was decided about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may begin, and holds what it asked for.
    Admitted,
    /// It takes the kept result.
    Cached,
    /// Its group is full and it does not want to wait.
    Turned,
    /// It goes on waiting.
    Blocked(Blocked),
}

/// The outcome of a pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decided {
    /// One decision each, in the order in which they were taken.
    pub decisions: Vec<(Ticket, Decision)>,
    /// Runs that must make room, each once.
    pub displaced: BTreeSet<RunId>,
    /// When one that is blocked may pass without anything else happening.
    pub next_at: Option<Timestamp>,
}

/// Decides about everyone, first by rank, and changes the facts accordingly.
pub fn decide(waiting: &[Waiting], facts: &mut Facts, now: Timestamp) -> Decided {
    let mut order: Vec<&Waiting> = waiting.iter().collect();
    order.sort_unstable_by_key(|one| (one.rank, one.ticket));
    let mut pass = Pass {
        facts,
        now,
        full: BTreeSet::new(),
        decided: Decided::default(),
    };
    for one in order {
        let decision = pass.one(one);
        pass.decided.decisions.push((one.ticket, decision));
        if let Decision::Blocked(Blocked::Rate(at) | Blocked::Circuit(Some(at))) = decision {
            let next = pass.decided.next_at.map_or(at, |next| next.min(at));
            pass.decided.next_at = Some(next);
        }
    }
    pass.decided
}

struct Pass<'f> {
    facts: &'f mut Facts,
    now: Timestamp,
    /// Groups in which somebody could not find a place: nobody behind may take one.
    full: BTreeSet<GateKey>,
    decided: Decided,
}

impl Pass<'_> {
    fn one(&mut self, one: &Waiting) -> Decision {
        if one.is_cached {
            return Decision::Cached;
        }
        let refused = self
            .ask_group(one)
            .or_else(|| self.ask_breaker(one))
            .or_else(|| self.ask_rate(one));
        if let Some(refused) = refused {
            return refused;
        }
        self.take(one);
        Decision::Admitted
    }

    fn ask_group(&mut self, one: &Waiting) -> Option<Decision> {
        let group = one.request.group.as_ref()?;
        let key = key(one, GateKind::Group, &group.name);
        if self.has_place(&key, group.limit) {
            return None;
        }
        self.full.insert(key.clone());
        match group.on_conflict {
            OnConflict::Skip => return Some(Decision::Turned),
            OnConflict::CancelRunning => self.displace(&key, group.limit),
            OnConflict::Queue => {}
        }
        Some(Decision::Blocked(Blocked::Concurrency))
    }

    fn ask_breaker(&self, one: &Waiting) -> Option<Decision> {
        let circuit = one.request.circuit.as_ref()?;
        let breaker = self
            .facts
            .breakers
            .get(&key(one, GateKind::Circuit, &circuit.key))?;
        let probe_at = match breaker.permit(self.now) {
            Permit::Pass | Permit::Probe => return None,
            Permit::NotBefore(at) => Some(at),
            Permit::AfterProbe => None,
        };
        Some(Decision::Blocked(Blocked::Circuit(probe_at)))
    }

    fn ask_rate(&self, one: &Waiting) -> Option<Decision> {
        let rate = one.request.rate.as_ref()?;
        let state = self
            .facts
            .rates
            .get(&key(one, GateKind::Rate, &rate.key))
            .copied();
        let at = refusal_ends_at(state.unwrap_or_default(), rate, self.now);
        (at > self.now).then_some(Decision::Blocked(Blocked::Rate(at)))
    }

    /// Nothing refused: everything is taken together.
    fn take(&mut self, one: &Waiting) {
        if let Some(group) = &one.request.group {
            let held = self
                .facts
                .groups
                .entry(key(one, GateKind::Group, &group.name))
                .or_default();
            held.holders += 1;
            let smallest = held.smallest_limit.unwrap_or(group.limit);
            held.smallest_limit = Some(smallest.min(group.limit));
        }
        if let Some(circuit) = &one.request.circuit {
            let key = key(one, GateKind::Circuit, &circuit.key);
            let breaker = self.facts.breakers.entry(key).or_default();
            breaker.pass(one.ticket, circuit.policy, self.now);
        }
        if let Some(rate) = &one.request.rate {
            let key = key(one, GateKind::Rate, &rate.key);
            let state = self.facts.rates.entry(key).or_default();
            *state = state.after_start(rate, self.now);
        }
    }

    fn has_place(&self, key: &GateKey, limit: u32) -> bool {
        if self.full.contains(key) {
            return false;
        }
        self.facts.groups.get(key).is_none_or(|group| {
            let limit = group.smallest_limit.map_or(limit, |smallest| smallest.min(limit));
            group.holders < limit.max(1)
        })
    }

    /// As many of the oldest as are too many for one more holder.
    fn displace(&mut self, key: &GateKey, limit: u32) {
        let Some(group) = self.facts.groups.get(key) else {
            return;
        };
        let limit = group.smallest_limit.map_or(limit, |smallest| smallest.min(limit));
        let surplus = (group.holders + 1).saturating_sub(limit.max(1));
        let oldest = group.oldest.iter().take(surplus as usize);
        self.decided.displaced.extend(oldest);
    }
}

fn key(one: &Waiting, kind: GateKind, name: &str) -> GateKey {
    GateKey {
        namespace: one.namespace.clone(),
        kind,
        name: name.to_owned(),
    }
}
