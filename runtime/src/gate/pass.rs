//! One pass: a transaction that reads the first of each lane, locks their gates, decides, and writes the decisions.
//!
//! At most twelve statements, however many wait. Locks are taken in this order: questions (those that somebody else is
//! deciding about are left out), gates by key. Nobody who holds a gate waits for a question, so passes cannot deadlock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runnel_engine::definition::OnConflict;
use runnel_engine::gate::{
    Breaker, Decided, Decision, Facts, GateKey, GateKind, Group, RateState, Ticket, Waiting, decide,
};
use runnel_engine::{RunId, Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};

use super::rows::{GATE_KEY, WAIT_COLUMNS, WaitRow, kind_of, push_key, ticket};
use crate::apply::{Column, Kind, RowSet, Shell, source};
use crate::error::StoreError;
use crate::store::failed_to;

/// Lanes of one pass.
const LANES: usize = 64;
/// Questions of a lane in one pass.
const PER_LANE: usize = 128;
/// Verdicts of one pass.
const VERDICTS: usize = 2_000;

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

/// A kept result.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub output: Arc<str>,
    pub source: RunId,
    pub kept_at: Timestamp,
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

/// What an attempt that a breaker had let pass has said at its end.
struct Said {
    id: i64,
    key: GateKey,
    ticket: Ticket,
    verdict: Option<bool>,
    at: Timestamp,
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

    /// The first questions of the next lanes, locked; what another gatekeeper decides about right now is left out.
    async fn candidates(&self, after: &(String, String)) -> Result<Vec<WaitRow>, StoreError> {
        let sql = if self.backend == DbBackend::Postgres {
            format!(
                "WITH RECURSIVE lanes AS ( \
                 (SELECT namespace, lane FROM gate_wait WHERE state = 0 AND (namespace, lane) > ($1, $2) \
                  ORDER BY namespace, lane LIMIT 1) \
                 UNION ALL \
                 SELECT n.namespace, n.lane FROM lanes l CROSS JOIN LATERAL \
                 (SELECT namespace, lane FROM gate_wait WHERE state = 0 AND (namespace, lane) > (l.namespace, l.lane) \
                  ORDER BY namespace, lane LIMIT 1) n) \
                 SELECT {WAIT_COLUMNS} FROM (SELECT * FROM lanes LIMIT {LANES}) l CROSS JOIN LATERAL \
                 (SELECT * FROM gate_wait x WHERE x.state = 0 AND x.namespace = l.namespace AND x.lane = l.lane \
                  ORDER BY x.rank, x.id LIMIT {PER_LANE} FOR UPDATE SKIP LOCKED) w"
            )
        } else {
            format!(
                "WITH RECURSIVE lanes(namespace, lane) AS ( \
                 SELECT namespace, lane FROM (SELECT namespace, lane FROM gate_wait \
                  WHERE state = 0 AND (namespace, lane) > (?1, ?2) ORDER BY namespace, lane LIMIT 1) \
                 UNION ALL \
                 SELECT n.namespace, n.lane FROM lanes l JOIN gate_wait n ON n.id = (SELECT x.id FROM gate_wait x \
                  WHERE x.state = 0 AND (x.namespace, x.lane) > (l.namespace, l.lane) \
                  ORDER BY x.namespace, x.lane, x.rank, x.id LIMIT 1) \
                 LIMIT {LANES}) \
                 SELECT {WAIT_COLUMNS} FROM lanes l JOIN gate_wait w ON w.id IN (SELECT x.id FROM gate_wait x \
                  WHERE x.state = 0 AND x.namespace = l.namespace AND x.lane = l.lane \
                  ORDER BY x.rank, x.id LIMIT {PER_LANE})"
            )
        };
        let statement = sea_orm::Statement::from_sql_and_values(
            self.backend,
            sql,
            [after.0.clone().into(), after.1.clone().into()],
        );
        let rows = self
            .tx
            .query_all_raw(statement)
            .await
            .map_err(failed_to("read questions to the gates"))?;
        rows.iter().map(WaitRow::read).collect()
    }

    async fn verdicts(&self) -> Result<Vec<Said>, StoreError> {
        let lock = if self.backend == DbBackend::Postgres {
            " FOR UPDATE SKIP LOCKED"
        } else {
            ""
        };
        let sql = format!(
            "SELECT id, namespace, name, run_id, ix, attempt, verdict, at FROM circuit_verdict ORDER BY id LIMIT {VERDICTS}{lock}"
        );
        let failed = failed_to("read verdicts");
        let rows = self
            .tx
            .query_all_raw(sea_orm::Statement::from_string(self.backend, sql))
            .await
            .map_err(failed)?;
        let mut said = Vec::with_capacity(rows.len());
        for row in rows {
            let verdict: Option<i16> = row.try_get_by_index(6).map_err(failed)?;
            said.push(Said {
                id: row.try_get_by_index(0).map_err(failed)?,
                key: GateKey {
                    namespace: row.try_get_by_index(1).map_err(failed)?,
                    kind: GateKind::Circuit,
                    name: row.try_get_by_index(2).map_err(failed)?,
                },
                ticket: ticket(&row, 3)?,
                verdict: verdict.map(|verdict| verdict != 0),
                at: Timestamp(row.try_get_by_index(7).map_err(failed)?),
            });
        }
        Ok(said)
    }

    /// Locks the gates in the order of their keys and reads them; makes those that are not there yet.
    async fn lock(&self, keys: &BTreeSet<GateKey>) -> Result<Facts, StoreError> {
        let mut facts = Facts::default();
        if keys.is_empty() {
            return Ok(facts);
        }
        let set = || {
            let mut rows = RowSet::new(self.backend, GATE_KEY);
            for key in keys {
                push_key(&mut rows, key);
            }
            rows
        };
        let rows = source(self.backend, GATE_KEY);
        let make = format!(
            "INSERT INTO gate(namespace, kind, name, state, changed_at) \
             SELECT c.namespace, c.kind, c.name, '{{}}', {} FROM {rows} WHERE true ON CONFLICT DO NOTHING",
            self.now.0
        );
        let failed = failed_to("lock the gates");
        self.tx
            .execute_raw(set().bind(self.backend, &make, vec![]))
            .await
            .map_err(failed)?;
        let lock = if self.backend == DbBackend::Postgres {
            " FOR UPDATE OF g"
        } else {
            ""
        };
        let read = format!(
            "SELECT g.namespace, g.kind, g.name, g.state FROM {rows} JOIN gate g \
             ON g.namespace = c.namespace AND g.kind = c.kind AND g.name = c.name \
             ORDER BY g.namespace, g.kind, g.name{lock}"
        );
        let found = self
            .tx
            .query_all_raw(set().bind(self.backend, &read, vec![]))
            .await
            .map_err(failed)?;
        if found.len() != keys.len() {
            // one was tidied away between the two statements: it would not be locked
            return Err(StoreError::Conflict {
                action: "lock the gates",
            });
        }
        for row in &found {
            let kind: i16 = row.try_get_by_index(1).map_err(failed)?;
            let Some(kind) = kind_of(kind) else { continue };
            let key = GateKey {
                namespace: row.try_get_by_index(0).map_err(failed)?,
                kind,
                name: row.try_get_by_index(2).map_err(failed)?,
            };
            let state: String = row.try_get_by_index(3).map_err(failed)?;
            read_state(key, &state, &mut facts)?;
        }
        Ok(facts)
    }

    /// How many hold a place in each group, and who came first where somebody wants to displace.
    async fn count_holders(&self, candidates: &[WaitRow], facts: &mut Facts) -> Result<(), StoreError> {
        let groups = |wanted: fn(OnConflict) -> bool| {
            let mut rows = RowSet::new(self.backend, GROUP);
            let names: BTreeSet<(&str, &str)> = candidates
                .iter()
                .filter_map(|row| Some((row.namespace.as_str(), row.request.group.as_ref()?)))
                .filter(|(_, group)| wanted(group.on_conflict))
                .map(|(namespace, group)| (namespace, group.name.as_str()))
                .collect();
            for (namespace, name) in names {
                rows.text(namespace).text(name);
            }
            rows
        };
        let failed = failed_to("count the holders of groups");
        let all = groups(|_| true);
        if all.is_empty() {
            return Ok(());
        }
        let from = source(self.backend, GROUP);
        let count = format!(
            "SELECT s.namespace, s.group_name, count(*), min(s.holders_max) FROM {from} JOIN concurrency_slot s \
             ON s.namespace = c.namespace AND s.group_name = c.name GROUP BY s.namespace, s.group_name"
        );
        let key = |row: &sea_orm::QueryResult| {
            Ok::<_, sea_orm::DbErr>(GateKey {
                namespace: row.try_get_by_index(0)?,
                kind: GateKind::Group,
                name: row.try_get_by_index(1)?,
            })
        };
        let rows = self
            .tx
            .query_all_raw(all.bind(self.backend, &count, vec![]))
            .await;
        for row in rows.map_err(failed)? {
            let (holders, smallest): (i64, i32) = (
                row.try_get_by_index(2).map_err(failed)?,
                row.try_get_by_index(3).map_err(failed)?,
            );
            let group = Group {
                holders: u32::try_from(holders).unwrap_or(u32::MAX),
                smallest_limit: Some(u32::try_from(smallest).unwrap_or(1)),
                oldest: Vec::new(),
            };
            facts.groups.insert(key(&row).map_err(failed)?, group);
        }
        let displacing = groups(|on_conflict| on_conflict == OnConflict::CancelRunning);
        if displacing.is_empty() {
            return Ok(());
        }
        let oldest = format!(
            "SELECT s.namespace, s.group_name, s.run_id FROM {from} JOIN concurrency_slot s \
             ON s.namespace = c.namespace AND s.group_name = c.name WHERE s.ix = -1 ORDER BY s.held_at, s.run_id"
        );
        let rows = self
            .tx
            .query_all_raw(displacing.bind(self.backend, &oldest, vec![]))
            .await;
        for row in rows.map_err(failed)? {
            let run: uuid::Uuid = row.try_get_by_index(2).map_err(failed)?;
            let group = facts.groups.entry(key(&row).map_err(failed)?).or_default();
            group.oldest.push(RunId(run));
        }
        Ok(())
    }

    /// Kept results that are good now, by namespace and key.
    async fn kept(&self, candidates: &[WaitRow]) -> Result<HashMap<(String, String), Kept>, StoreError> {
        let wanted = candidates.iter().filter_map(|row| {
            let cache = row.request.cache.as_ref().filter(|cache| cache.is_read)?;
            Some((row.namespace.as_str(), cache.key.as_str()))
        });
        read_kept(self.tx, self.backend, wanted, Some(self.now)).await
    }

    async fn take_places(&self, candidates: &[WaitRow], decided: &Decided) -> Result<(), StoreError> {
        let by_ticket: HashMap<Ticket, &WaitRow> = candidates.iter().map(|row| (row.ticket, row)).collect();
        let mut rows = RowSet::new(self.backend, SLOT_NEW);
        for (ticket, decision) in &decided.decisions {
            let Some(row) = by_ticket.get(ticket).filter(|_| *decision == Decision::Admitted) else {
                continue;
            };
            if let Some(group) = &row.request.group {
                rows.id(ticket.run.0).int(ticket.ix).int(ticket.attempt);
                rows.text(&row.namespace).text(&group.name);
                rows.int(i32::try_from(group.limit).unwrap_or(i32::MAX))
                    .int(self.now.0);
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO concurrency_slot(run_id, ix, attempt, namespace, group_name, holders_max, held_at) \
             SELECT c.run_id, c.ix, c.attempt, c.namespace, c.group_name, c.holders_max, c.held_at FROM {} \
             WHERE true ON CONFLICT DO NOTHING",
            source(self.backend, SLOT_NEW)
        );
        let statement = rows.bind(self.backend, &sql, vec![]);
        self.tx
            .execute_raw(statement)
            .await
            .map_err(failed_to("take places"))?;
        Ok(())
    }

    /// Notes the decisions with their questions: whoever hands them over next knows them.
    async fn mark(&self, candidates: &[WaitRow], answers: &[Answer]) -> Result<(), StoreError> {
        let by_ticket: HashMap<Ticket, &WaitRow> = candidates.iter().map(|row| (row.ticket, row)).collect();
        let mut rows = RowSet::new(self.backend, MARK);
        for answer in answers {
            if let Some(row) = by_ticket.get(&answer.ticket) {
                rows.int(row.id).int(answer.verdict.code());
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE gate_wait SET state = c.state, decided_at = {} FROM {} WHERE gate_wait.id = c.id",
            self.now.0,
            source(self.backend, MARK)
        );
        let statement = rows.bind(self.backend, &sql, vec![]);
        self.tx
            .execute_raw(statement)
            .await
            .map_err(failed_to("note decisions"))?;
        Ok(())
    }

    async fn save_gates(
        &self,
        facts: &Facts,
        before: &(BTreeMap<GateKey, RateState>, BTreeMap<GateKey, Breaker>),
    ) -> Result<(), StoreError> {
        let mut rows = RowSet::new(self.backend, GATE_STATE);
        let mut push = |key: &GateKey, state: Result<String, serde_json::Error>| {
            let state = state.map_err(|error| StoreError::Corrupt {
                table: "gate",
                problem: error.to_string(),
            })?;
            push_key(&mut rows, key);
            rows.text(&state);
            Ok::<_, StoreError>(())
        };
        for (key, rate) in &facts.rates {
            if before.0.get(key) != Some(rate) {
                push(key, serde_json::to_string(rate))?;
            }
        }
        for (key, breaker) in &facts.breakers {
            if before.1.get(key) != Some(breaker) {
                push(key, serde_json::to_string(breaker))?;
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE gate SET state = c.state, changed_at = {} FROM {} \
             WHERE gate.namespace = c.namespace AND gate.kind = c.kind AND gate.name = c.name",
            self.now.0,
            source(self.backend, GATE_STATE)
        );
        let statement = rows.bind(self.backend, &sql, vec![]);
        self.tx
            .execute_raw(statement)
            .await
            .map_err(failed_to("save the gates"))?;
        Ok(())
    }

    async fn forget(&self, said: &[Said]) -> Result<(), StoreError> {
        if said.is_empty() {
            return Ok(());
        }
        const ID: &[Column] = &[("id", Kind::Int)];
        let mut rows = RowSet::new(self.backend, ID);
        for said in said {
            rows.int(said.id);
        }
        let sql = format!(
            "DELETE FROM circuit_verdict WHERE id IN (SELECT c.id FROM {})",
            source(self.backend, ID)
        );
        let statement = rows.bind(self.backend, &sql, vec![]);
        self.tx
            .execute_raw(statement)
            .await
            .map_err(failed_to("delete verdicts"))?;
        Ok(())
    }
}

const GROUP: &[Column] = &[("namespace", Kind::Text), ("name", Kind::Text)];
const MARK: &[Column] = &[("id", Kind::Int), ("state", Kind::Int)];
const GATE_STATE: &[Column] = &[
    ("namespace", Kind::Text),
    ("kind", Kind::Int),
    ("name", Kind::Text),
    ("state", Kind::Text),
];
const SLOT_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("namespace", Kind::Text),
    ("group_name", Kind::Text),
    ("holders_max", Kind::Int),
    ("held_at", Kind::Int),
];

/// Kept results by namespace and key; only those good at the given moment, where one is given.
pub(super) async fn read_kept<C: ConnectionTrait>(
    db: &C,
    backend: DbBackend,
    wanted: impl Iterator<Item = (&str, &str)>,
    good_at: Option<Timestamp>,
) -> Result<HashMap<(String, String), Kept>, StoreError> {
    let mut rows = RowSet::new(backend, GROUP);
    let wanted: BTreeSet<(&str, &str)> = wanted.collect();
    for (namespace, key) in wanted {
        rows.text(namespace).text(key);
    }
    let mut kept = HashMap::new();
    if rows.is_empty() {
        return Ok(kept);
    }
    let sql = format!(
        "SELECT r.namespace, r.key, r.output, r.run_id, r.kept_at FROM {} JOIN result_cache r \
         ON r.namespace = c.namespace AND r.key = c.name WHERE r.expires_at > {}",
        source(backend, GROUP),
        good_at.map_or(i64::MIN, |at| at.0)
    );
    let failed = failed_to("read kept results");
    let found = db.query_all_raw(rows.bind(backend, &sql, vec![])).await;
    for row in found.map_err(failed)? {
        let place: (String, String) = (
            row.try_get_by_index(0).map_err(failed)?,
            row.try_get_by_index(1).map_err(failed)?,
        );
        let output: String = row.try_get_by_index(2).map_err(failed)?;
        let run: uuid::Uuid = row.try_get_by_index(3).map_err(failed)?;
        let result = Kept {
            output: Arc::from(output),
            source: RunId(run),
            kept_at: Timestamp(row.try_get_by_index(4).map_err(failed)?),
        };
        kept.insert(place, result);
    }
    Ok(kept)
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

fn read_state(key: GateKey, state: &str, facts: &mut Facts) -> Result<(), StoreError> {
    if state == "{}" {
        return Ok(());
    }
    let corrupt = |error: serde_json::Error| StoreError::Corrupt {
        table: "gate",
        problem: format!("{}: {error}", key.name),
    };
    match key.kind {
        GateKind::Group => {}
        GateKind::Rate => {
            let rate = serde_json::from_str(state).map_err(corrupt)?;
            facts.rates.insert(key, rate);
        }
        GateKind::Circuit => {
            let breaker = serde_json::from_str(state).map_err(corrupt)?;
            facts.breakers.insert(key, breaker);
        }
    }
    Ok(())
}
