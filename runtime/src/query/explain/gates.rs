//! How the gates stand that somebody asks.

use std::collections::{BTreeSet, HashMap};

use runnel_engine::RunId;
use runnel_engine::Timestamp;
use runnel_engine::explain::{GateFacts, GroupFacts, Holder};
use runnel_engine::gate::{Breaker, GateKey, GateKind, RateState};
use runnel_engine::run::RunStatus;
use sea_orm::DbBackend;

use super::rows::Parent;
use super::{Reads, TASK_KEY, TaskKey, answers};
use crate::apply::{RowSet, source};
use crate::error::StoreError;
use crate::gate::{GATE_KEY, WAIT_COLUMNS, WaitRow, push_key, read_group, read_key, ticket};
use crate::store::failed_to;

/// Holders of a group that are named.
const HOLDERS_MAX: u32 = 20;

/// What the tasks and the pending runs ask of the gates, and how these stand: four statements.
pub(super) async fn of(
    reads: &Reads,
    parents: &HashMap<RunId, Parent>,
    keys: &[TaskKey],
) -> Result<HashMap<(RunId, i32), GateFacts>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let mut rows = RowSet::new(backend, TASK_KEY);
    for (run, ix) in keys {
        rows.id(run.0).int(ix.0);
    }
    for (run, parent) in parents {
        if parent.facts.status == RunStatus::Pending {
            rows.id(run.0).int(-1);
        }
    }
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT {WAIT_COLUMNS}, (SELECT count(*) FROM gate_wait b WHERE b.state = 0 AND b.namespace = w.namespace \
         AND b.lane = w.lane AND (b.rank, b.id) < (w.rank, w.id)) \
         FROM {} JOIN gate_wait w ON w.run_id = c.run_id AND w.ix = c.ix WHERE w.state = 0",
        source(backend, TASK_KEY)
    );
    let failed = failed_to("read questions to the gates");
    let found = answers(reads, rows, &sql, failed).await?;
    let mut asked = Vec::with_capacity(found.len());
    let mut wanted: BTreeSet<GateKey> = BTreeSet::new();
    for row in &found {
        let ahead: i64 = row.try_get_by_index(9).map_err(failed)?;
        let wait = WaitRow::read(row)?;
        wanted.extend(wait.request.keys(&wait.namespace));
        asked.push((wait, u64::try_from(ahead).unwrap_or(0) + 1));
    }
    let groups = groups(reads, &wanted).await?;
    let (rates, breakers) = states(reads, &wanted).await?;
    let facts = asked.into_iter().map(|(wait, position)| {
        let find = |kind| {
            wait.request
                .keys(&wait.namespace)
                .into_iter()
                .find(|key| key.kind == kind)
        };
        let group = find(GateKind::Group).and_then(|key| groups.get(&key).cloned());
        let rate = find(GateKind::Rate).and_then(|key| rates.get(&key).copied());
        let breaker = find(GateKind::Circuit).and_then(|key| breakers.get(&key).cloned());
        let facts = GateFacts {
            position,
            group: group.unwrap_or_default(),
            rate: rate.unwrap_or_default(),
            breaker: breaker.unwrap_or_default(),
            request: wait.request,
        };
        ((wait.ticket.run, wait.ticket.ix), facts)
    });
    Ok(facts.collect())
}

fn gate_keys<'k>(backend: DbBackend, keys: impl Iterator<Item = &'k GateKey>) -> RowSet {
    let mut rows = RowSet::new(backend, GATE_KEY);
    for key in keys {
        push_key(&mut rows, key);
    }
    rows
}

async fn groups(
    reads: &Reads,
    wanted: &BTreeSet<GateKey>,
) -> Result<HashMap<GateKey, GroupFacts>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = gate_keys(backend, wanted.iter().filter(|key| key.kind == GateKind::Group));
    let mut groups: HashMap<GateKey, GroupFacts> = HashMap::new();
    if rows.is_empty() {
        return Ok(groups);
    }
    let sql = format!(
        "SELECT h.namespace, h.group_name, h.held, h.smallest, h.run_id, h.ix, h.attempt, h.held_at, t.key FROM ( \
         SELECT s.*, count(*) OVER g AS held, min(s.holders_max) OVER g AS smallest, \
         row_number() OVER (PARTITION BY s.namespace, s.group_name ORDER BY s.held_at, s.run_id, s.ix) AS n \
         FROM {} JOIN concurrency_slot s ON s.namespace = c.namespace AND s.group_name = c.name \
         WINDOW g AS (PARTITION BY s.namespace, s.group_name)) AS h \
         LEFT JOIN task t ON t.run_id = h.run_id AND t.ix = h.ix WHERE h.n <= {HOLDERS_MAX} ORDER BY h.n",
        source(backend, GATE_KEY)
    );
    let failed = failed_to("read the holders of groups");
    let found = answers(reads, rows, &sql, failed).await?;
    for row in &found {
        let key = read_group(row)?;
        let held: i64 = row.try_get_by_index(2).map_err(failed)?;
        let smallest: i32 = row.try_get_by_index(3).map_err(failed)?;
        let since: i64 = row.try_get_by_index(7).map_err(failed)?;
        let group = groups.entry(key).or_default();
        group.held = u32::try_from(held).unwrap_or(u32::MAX);
        group.smallest_limit = u32::try_from(smallest).ok();
        group.holders.push(Holder {
            ticket: ticket(row, 4)?,
            task: row.try_get_by_index(8).map_err(failed)?,
            since: Timestamp(since),
        });
    }
    Ok(groups)
}

type States = (HashMap<GateKey, RateState>, HashMap<GateKey, Breaker>);

async fn states(reads: &Reads, wanted: &BTreeSet<GateKey>) -> Result<States, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = gate_keys(backend, wanted.iter().filter(|key| key.kind != GateKind::Group));
    let mut states = States::default();
    if rows.is_empty() {
        return Ok(states);
    }
    let sql = format!(
        "SELECT g.namespace, g.kind, g.name, g.state FROM {} JOIN gate g \
         ON g.namespace = c.namespace AND g.kind = c.kind AND g.name = c.name WHERE g.state <> '{{}}'",
        source(backend, GATE_KEY)
    );
    let failed = failed_to("read the gates");
    let found = answers(reads, rows, &sql, failed).await?;
    for row in &found {
        let Some(key) = read_key(row)? else { continue };
        let state: String = row.try_get_by_index(3).map_err(failed)?;
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            table: "gate",
            problem: error.to_string(),
        };
        if key.kind == GateKind::Rate {
            states
                .0
                .insert(key, serde_json::from_str(&state).map_err(corrupt)?);
        } else {
            states
                .1
                .insert(key, serde_json::from_str(&state).map_err(corrupt)?);
        }
    }
    Ok(states)
}
