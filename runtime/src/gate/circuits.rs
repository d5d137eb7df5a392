//! Breakers as people see them, and their reset by hand.

use runnel_engine::Timestamp;
use runnel_engine::gate::{Breaker, BreakerPhase, GateKind};
use sea_orm::QueryResult;

use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::page as page_of;
use crate::store::Store;
use crate::view::{Page, PageRequest};

/// Most breakers of one list.
pub const CIRCUITS_MAX: u32 = 200;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitPhase {
    /// Everything passes.
    Closed,
    /// Nothing passes.
    Open,
    /// One attempt tries it.
    HalfOpen,
}

/// One breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitView {
    /// Its key within the namespace.
    pub key: String,
    /// Where it stands.
    pub phase: CircuitPhase,
    /// Failures in the window, or those that opened it.
    pub failures: u32,
    /// When it opened.
    pub opened_at: Option<Timestamp>,
    /// When a probe may pass.
    pub probe_at: Option<Timestamp>,
}

impl CircuitView {
    pub(crate) fn new(key: String, breaker: &Breaker) -> Self {
        let (phase, failures, opened_at, probe_at) = match &breaker.phase {
            BreakerPhase::Closed { failures } => (
                CircuitPhase::Closed,
                u32::try_from(failures.len()).unwrap_or(u32::MAX),
                None,
                None,
            ),
            BreakerPhase::Open {
                since,
                probe_at,
                failures,
            } => (CircuitPhase::Open, *failures, Some(*since), Some(*probe_at)),
            BreakerPhase::HalfOpen { since, failures, .. } => {
                (CircuitPhase::HalfOpen, *failures, Some(*since), None)
            }
        };
        Self {
            key,
            phase,
            failures,
            opened_at,
            probe_at,
        }
    }
}

impl Orchestrator {
    /// Breakers of the namespace after a key, by key.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_circuits(
        &self,
        actor: &Actor,
        page: PageRequest<String>,
    ) -> Result<Page<CircuitView>, StoreError> {
        let size = page.first.clamp(1, CIRCUITS_MAX);
        let has_previous = page.after.is_some();
        let filter = Filter::After(page.after.as_deref().unwrap_or_default());
        let items = read(&self.reads().store, &actor.namespace, filter, size + 1).await?;
        Ok(page_of(items, size as usize, has_previous))
    }

    /// One breaker; one that nobody has used is closed.
    ///
    /// # Errors
    /// The store fails.
    pub async fn find_circuit(&self, actor: &Actor, key: &str) -> Result<Option<CircuitView>, StoreError> {
        let mut found = read(&self.reads().store, &actor.namespace, Filter::Key(key), 1).await?;
        Ok(found.pop())
    }

    /// Closes a breaker and forgets its failures; answers it, `None` when nobody has used it. What waits for it may begin.
    ///
    /// # Errors
    /// The store fails.
    pub async fn reset_circuit(&self, actor: &Actor, key: &str) -> Result<Option<CircuitView>, StoreError> {
        let fresh = serde_json::to_string(&Breaker::default()).unwrap_or_else(|_| "{}".to_owned());
        let backend = self.reads().store.backend();
        let sql = backend.pick(
            "UPDATE gate SET state = $1, changed_at = $2 WHERE namespace = $3 AND kind = $4 AND name = $5",
            "UPDATE gate SET state = ?1, changed_at = ?2 WHERE namespace = ?3 AND kind = ?4 AND name = ?5",
        );
        let statement = backend.statement(
            sql,
            [
                fresh.into(),
                self.clock().now().0.into(),
                actor.namespace.to_string().into(),
                (GateKind::Circuit as i16).into(),
                key.to_owned().into(),
            ],
        );
        self.reads().store.execute("reset a breaker", statement).await?;
        self.ring_gates();
        self.find_circuit(actor, key).await
    }
}

enum Filter<'k> {
    After(&'k str),
    Key(&'k str),
}

async fn read(
    store: &Store,
    namespace: &str,
    filter: Filter<'_>,
    first: u32,
) -> Result<Vec<CircuitView>, StoreError> {
    let backend = store.backend();
    let (sign, key) = match filter {
        Filter::After(key) => (">", key),
        Filter::Key(key) => ("=", key),
    };
    let mark = backend.pick("$", "?");
    let sql = format!(
        "SELECT name, state FROM gate WHERE namespace = {mark}1 AND kind = {} AND name {sign} {mark}2 ORDER BY name LIMIT {first}",
        GateKind::Circuit as u8
    );
    let statement = backend.statement(sql, [namespace.to_owned().into(), key.to_owned().into()]);
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    let rows: Vec<(String, String)> = store.rows("read breakers", statement, read).await?;
    let mut circuits = Vec::with_capacity(rows.len());
    for (key, state) in rows {
        let breaker = if state == "{}" {
            Breaker::default()
        } else {
            serde_json::from_str(&state).map_err(|error| StoreError::Corrupt {
                table: "gate",
                problem: format!("{key}: {error}"),
            })?
        };
        circuits.push(CircuitView::new(key, &breaker));
    }
    Ok(circuits)
}
