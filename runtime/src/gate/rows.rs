//! Rows of those who wait, and of the gates.

use runnel_engine::gate::{GateKey, GateKind, GateRequest, Ticket};
use runnel_engine::{RunId, Timestamp};
use sea_orm::{ConnectionTrait, QueryResult};

use super::HANDOVER;
use crate::apply::{Column, Kind, RowSet, Shell};
use crate::error::StoreError;
use crate::store::failed_to;

/// What is to be done, seen from outside a transaction.
pub(super) struct Look {
    /// Somebody waits, or a verdict does.
    pub has_waiting: bool,
    /// A decision was not taken in time.
    pub has_overdue: bool,
    /// When the oldest decision that is not taken is handed over again.
    pub overdue_at: Option<Timestamp>,
}

/// One statement, also when nobody waits.
pub(super) async fn look(shell: &Shell, now: Timestamp) -> Result<Look, StoreError> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM gate_wait WHERE state = 0) \
               OR EXISTS (SELECT 1 FROM circuit_verdict) THEN 1 ELSE 0 END, \
               (SELECT min(decided_at) FROM gate_wait WHERE state <> 0)";
    let failed = failed_to("look at the gates");
    let row = shell
        .store
        .read()
        .query_one_raw(shell.store.backend().statement(sql, []))
        .await
        .map_err(failed)?;
    let Some(row) = row else {
        return Ok(Look {
            has_waiting: false,
            has_overdue: false,
            overdue_at: None,
        });
    };
    let has_waiting: i32 = row.try_get_by_index(0).map_err(failed)?;
    let decided_at: Option<i64> = row.try_get_by_index(1).map_err(failed)?;
    let overdue_at = decided_at.map(|at| Timestamp(at).after(HANDOVER));
    Ok(Look {
        has_waiting: has_waiting != 0,
        has_overdue: overdue_at.is_some_and(|at| at <= now),
        overdue_at: overdue_at.filter(|at| *at > now),
    })
}

/// One that waits, as stored.
#[derive(Debug, Clone)]
pub(crate) struct WaitRow {
    pub id: i64,
    pub namespace: String,
    pub lane: String,
    pub rank: i64,
    pub ticket: Ticket,
    pub state: i16,
    pub request: GateRequest,
}

pub(crate) const WAIT_COLUMNS: &str =
    "w.id, w.namespace, w.lane, w.rank, w.run_id, w.ix, w.attempt, w.state, w.request";

impl WaitRow {
    /// From the columns of [`WAIT_COLUMNS`].
    pub(crate) fn read(row: &QueryResult) -> Result<Self, StoreError> {
        let failed = failed_to("read a question to the gates");
        let id: i64 = row.try_get_by_index(0).map_err(failed)?;
        let request: String = row.try_get_by_index(8).map_err(failed)?;
        let request = serde_json::from_str(&request).map_err(|error| StoreError::Corrupt {
            table: "gate_wait",
            problem: format!("{id}: {error}"),
        })?;
        Ok(Self {
            id,
            namespace: row.try_get_by_index(1).map_err(failed)?,
            lane: row.try_get_by_index(2).map_err(failed)?,
            rank: row.try_get_by_index(3).map_err(failed)?,
            ticket: ticket(row, 4)?,
            state: row.try_get_by_index(7).map_err(failed)?,
            request,
        })
    }
}

/// Run, index and attempt from three columns.
pub(crate) fn ticket(row: &QueryResult, at: usize) -> Result<Ticket, StoreError> {
    let failed = failed_to("read a ticket");
    let (run, ix, attempt): (uuid::Uuid, i32, i32) = (
        row.try_get_by_index(at).map_err(failed)?,
        row.try_get_by_index(at + 1).map_err(failed)?,
        row.try_get_by_index(at + 2).map_err(failed)?,
    );
    Ok(Ticket {
        run: RunId(run),
        ix,
        attempt: u32::try_from(attempt).unwrap_or(0),
    })
}

/// A gate by its key.
pub(crate) const GATE_KEY: &[Column] = &[
    ("namespace", Kind::Text),
    ("kind", Kind::Int),
    ("name", Kind::Text),
];

pub(crate) fn push_key(rows: &mut RowSet, key: &GateKey) {
    rows.text(&key.namespace).int(key.kind as u8).text(&key.name);
}

/// A gate from the first three columns: namespace, kind, name. `None`: a kind that this program does not know.
pub(crate) fn read_key(row: &QueryResult) -> Result<Option<GateKey>, StoreError> {
    let failed = failed_to("read a gate");
    let kind: i16 = row.try_get_by_index(1).map_err(failed)?;
    let Some(kind) = kind_of(kind) else {
        return Ok(None);
    };
    Ok(Some(GateKey {
        namespace: row.try_get_by_index(0).map_err(failed)?,
        kind,
        name: row.try_get_by_index(2).map_err(failed)?,
    }))
}

/// The gate of a group from the first two columns: namespace, name.
pub(crate) fn read_group(row: &QueryResult) -> Result<GateKey, StoreError> {
    let failed = failed_to("read a group");
    Ok(GateKey {
        namespace: row.try_get_by_index(0).map_err(failed)?,
        kind: GateKind::Group,
        name: row.try_get_by_index(1).map_err(failed)?,
    })
}

fn kind_of(code: i16) -> Option<GateKind> {
    [GateKind::Group, GateKind::Rate, GateKind::Circuit]
        .into_iter()
        .find(|kind| *kind as i16 == code)
}
