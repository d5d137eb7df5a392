//! One pass: a transaction that reads the first of each lane, locks their gates, decides, and writes the decisions.
//!
//! At most twelve statements, however many wait. Locks are taken in this order: questions (those that somebody else is
//! deciding about are left out), gates by key. Nobody who holds a gate waits for a question, so passes cannot deadlock.

mod decisions;
mod facts;
mod questions;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runnel_engine::gate::{Decided, Decision, GateKey, Ticket, Waiting, decide};
use runnel_engine::{RunId, Timestamp};
use sea_orm::{DatabaseTransaction, DbBackend};

use super::kept::{Kept, read_kept};
use super::rows::WaitRow;
use crate::apply::Shell;
use crate::error::StoreError;

/// Lanes of one pass.
const LANES: usize = 64;
/// Questions of a lane in one pass.
const PER_LANE: usize = 128;

/// What a pass did.
pub(super) struct Passed {
    /// To be handed to the runs.
    pub answers: Vec<Answer>,
    /// Runs that must make room.
    pub displaced: BTreeSet<RunId>,
    /// When one that is blocked may pass.
    pub next_at: Option<Timestamp>,
    /// Whether there is more to decide behind what was decided.
    pub has_more: bool,
    /// Where the next pass of the sweep goes on; `None` when this one saw the last lane.
    pub last_lane: Option<(String, String)>,
}

/// What a run is told.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub ticket: Ticket,
    pub verdict: Verdict,
}

/// The decision, with what its input needs.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Admitted,
    Turned,
    Cached(Kept),
}

impl Verdict {
    /// The number in the column `state`.
    fn code(&self) -> u8 {
        match self {
            Self::Admitted => 1,
            Self::Cached(_) => 2,
            Self::Turned => 3,
        }
    }
}

/// Decides about the first of the lanes after the given one.
pub(super) async fn run(shell: &Arc<Shell>, after: &(String, String)) -> Result<Passed, StoreError> {
    let (shell, after) = (Arc::clone(shell), after.clone());
    let store = shell.store.clone();
    store
        .tx("pass the gates", move |tx| {
            let (shell, after) = (Arc::clone(&shell), after.clone());
            Box::pin(async move {
                let now = shell.clock.now();
                Pass {
                    tx,
                    backend: shell.backend,
                    now,
                }
                .run(&after)
                .await
            })
        })
        .await
}

struct Pass<'t> {
    tx: &'t DatabaseTransaction,
    backend: DbBackend,
    now: Timestamp,
}

impl Pass<'_> {
    async fn run(&self, after: &(String, String)) -> Result<Passed, StoreError> {
        let candidates = self.candidates(after).await?;
        let said = self.verdicts().await?;
        let mut keys: BTreeSet<GateKey> = said.iter().map(|said| said.key.clone()).collect();
        for row in &candidates {
            keys.extend(row.request.keys(&row.namespace));
        }
        let mut facts = self.lock(&keys).await?;
        let before = (facts.rates.clone(), facts.breakers.clone());
        for said in &said {
            let breaker = facts.breakers.entry(said.key.clone()).or_default();
            breaker.judge(said.ticket, said.verdict, said.at);
        }
        self.count_holders(&candidates, &mut facts).await?;
        let kept = self.kept(&candidates).await?;
        let waiting: Vec<Waiting> = candidates.iter().map(|row| waiting(row, &kept)).collect();
        let decided = decide(&waiting, &mut facts, self.now);
        let passed = summarise(&candidates, kept, &decided);
        self.take_places(&candidates, &decided).await?;
        self.mark(&candidates, &passed.answers).await?;
        self.save_gates(&facts, &before).await?;
        self.forget(&said).await?;
        Ok(passed)
    }

    /// Kept results that are good now, by namespace and key.
    async fn kept(&self, candidates: &[WaitRow]) -> Result<HashMap<(String, String), Kept>, StoreError> {
        let wanted = candidates.iter().filter_map(|row| {
            let cache = row.request.cache.as_ref().filter(|cache| cache.is_read)?;
            Some((row.namespace.as_str(), cache.key.as_str()))
        });
        read_kept(self.tx, self.backend, wanted, Some(self.now)).await
    }
}

fn kept_of<'k>(row: &WaitRow, kept: &'k HashMap<(String, String), Kept>) -> Option<&'k Kept> {
    let cache = row.request.cache.as_ref().filter(|cache| cache.is_read)?;
    kept.get(&(row.namespace.clone(), cache.key.clone()))
}

fn waiting(row: &WaitRow, kept: &HashMap<(String, String), Kept>) -> Waiting {
    Waiting {
        ticket: row.ticket,
        namespace: row.namespace.clone(),
        rank: row.rank,
        request: row.request.clone(),
        is_cached: kept_of(row, kept).is_some(),
    }
}

fn summarise(candidates: &[WaitRow], kept: HashMap<(String, String), Kept>, decided: &Decided) -> Passed {
    let by_ticket: HashMap<Ticket, &WaitRow> = candidates.iter().map(|row| (row.ticket, row)).collect();
    let mut answers = Vec::new();
    let mut moved: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (ticket, decision) in &decided.decisions {
        let Some(row) = by_ticket.get(ticket) else {
            continue;
        };
        let verdict = match decision {
            Decision::Admitted => Verdict::Admitted,
            Decision::Turned => Verdict::Turned,
            Decision::Cached => match kept_of(row, &kept) {
                Some(kept) => Verdict::Cached(kept.clone()),
                None => continue,
            },
            Decision::Blocked(_) => continue,
        };
        moved.insert((&row.namespace, &row.lane));
        answers.push(Answer {
            ticket: *ticket,
            verdict,
        });
    }
    let mut lanes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in candidates {
        *lanes.entry((&row.namespace, &row.lane)).or_default() += 1;
    }
    let has_more = lanes
        .iter()
        .any(|(lane, count)| *count == PER_LANE && moved.contains(lane));
    let last_lane = lanes
        .last_key_value()
        .filter(|_| lanes.len() == LANES)
        .map(|((namespace, lane), _)| ((*namespace).to_owned(), (*lane).to_owned()));
    Passed {
        answers,
        displaced: decided.displaced.clone(),
        next_at: decided.next_at,
        has_more,
        last_lane,
    }
}
