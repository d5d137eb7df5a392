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
        let key = |kind, name: &str| GateKey {
            namespace: one.namespace.clone(),
            kind,
            name: name.to_owned(),
        };
        let group = one
            .request
            .group
            .as_ref()
            .map(|group| (key(GateKind::Group, &group.name), group));
        if let Some((key, group)) = &group
            && !self.has_place(key, group.limit)
        {
            self.full.insert(key.clone());
            match group.on_conflict {
                OnConflict::Skip => return Decision::Turned,
                OnConflict::CancelRunning => self.displace(key, group.limit),
                OnConflict::Queue => {}
            }
            return Decision::Blocked(Blocked::Concurrency);
        }
        let circuit = one
            .request
            .circuit
            .as_ref()
            .map(|circuit| (key(GateKind::Circuit, &circuit.key), circuit));
        if let Some((key, _)) = &circuit {
            match self
                .facts
                .breakers
                .entry(key.clone())
                .or_default()
                .permit(self.now)
            {
                Permit::Pass | Permit::Probe => {}
                Permit::NotBefore(at) => return Decision::Blocked(Blocked::Circuit(Some(at))),
                Permit::AfterProbe => return Decision::Blocked(Blocked::Circuit(None)),
            }
        }
        let rate = one
            .request
            .rate
            .as_ref()
            .map(|rate| (key(GateKind::Rate, &rate.key), rate));
        if let Some((key, rate)) = &rate {
            let state = self.facts.rates.get(key).copied().unwrap_or_default();
            let at = refusal_ends_at(state, rate, self.now);
            if at > self.now {
                return Decision::Blocked(Blocked::Rate(at));
            }
        }
        // nothing refused: take everything
        if let Some((key, group)) = group {
            let held = self.facts.groups.entry(key).or_default();
            held.holders += 1;
            held.smallest_limit = Some(
                held.smallest_limit
                    .map_or(group.limit, |limit| limit.min(group.limit)),
            );
        }
        if let Some((key, circuit)) = circuit {
            let breaker = self.facts.breakers.entry(key).or_default();
            breaker.pass(one.ticket, circuit.policy, self.now);
        }
        if let Some((key, rate)) = rate {
            let state = self.facts.rates.entry(key).or_default();
            *state = state.after_start(rate, self.now);
        }
        Decision::Admitted
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
