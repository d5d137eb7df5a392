//! How the gates stand: locked, read, and written back.

use std::collections::{BTreeMap, BTreeSet};

use runnel_engine::RunId;
use runnel_engine::definition::OnConflict;
use runnel_engine::gate::{Breaker, Facts, GateKey, GateKind, Group, RateState};
use sea_orm::{ConnectionTrait, DbBackend};

use super::Pass;
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::gate::rows::{GATE_KEY, WaitRow, push_key, read_group, read_key};
use crate::store::failed_to;

const GROUP: &[Column] = &[("namespace", Kind::Text), ("name", Kind::Text)];
const GATE_STATE: &[Column] = &[
    ("namespace", Kind::Text),
    ("kind", Kind::Int),
    ("name", Kind::Text),
    ("state", Kind::Text),
];

impl Pass<'_> {
    /// Locks the gates in the order of their keys and reads them; makes those that are not there yet.
    pub(super) async fn lock(&self, keys: &BTreeSet<GateKey>) -> Result<Facts, StoreError> {
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
            let Some(key) = read_key(row)? else { continue };
            let state: String = row.try_get_by_index(3).map_err(failed)?;
            read_state(key, &state, &mut facts)?;
        }
        Ok(facts)
    }

    /// How many hold a place in each group, and who came first where somebody wants to displace.
    pub(super) async fn count_holders(
        &self,
        candidates: &[WaitRow],
        facts: &mut Facts,
    ) -> Result<(), StoreError> {
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
            facts.groups.insert(read_group(&row)?, group);
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
            let group = facts.groups.entry(read_group(&row)?).or_default();
            group.oldest.push(RunId(run));
        }
        Ok(())
    }

    pub(super) async fn save_gates(
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
