//! Deletes what is old, in small batches, so that no transaction is long.

use std::time::Duration;

use runnel_engine::Timestamp;

use super::view::OutcomeStatus;
use crate::error::StoreError;
use crate::idempotency;
use crate::orchestrator::Orchestrator;

/// How often old rows are looked for.
const EVERY: Duration = Duration::from_secs(600);

/// Rows of one transaction.
const BATCH: u32 = 500;

/// Batches of one sweep of one table; what is left waits for the next.
const BATCHES_MAX: usize = 20;

/// How long events are kept for tasks that look back.
pub const EVENTS_KEPT: Duration = Duration::from_secs(48 * 3_600);

/// How long outcomes are kept.
pub const OUTCOMES_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How long outcomes are kept whose run goes on, or whose schedule was deleted before it ended.
const OPEN_KEPT: Duration = Duration::from_secs(400 * 24 * 3_600);

/// How long a delayed start is kept after it took place.
const STARTS_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How long an operation on many runs is kept after its end.
const BULK_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Sweeps, if it is time again.
pub(super) async fn old(
    orchestrator: &Orchestrator,
    audit_kept: Duration,
    swept: &mut Timestamp,
) -> Result<(), StoreError> {
    let now = orchestrator.clock().now();
    if swept.0 != 0 && now.since(*swept) < EVERY {
        return Ok(());
    }
    let before = |kept: Duration| {
        now.0
            .saturating_sub(i64::try_from(kept.as_micros()).unwrap_or(i64::MAX))
    };
    let is_done = format!(
        "created_at < {} AND due_at IS NULL AND status <> {} AND (NOT is_open OR created_at < {})",
        before(OUTCOMES_KEPT),
        OutcomeStatus::Buffered.code(),
        before(OPEN_KEPT)
    );
    let events = format!("received_at < {}", before(EVENTS_KEPT));
    let starts = format!(
        "origin = 2 AND next_at IS NULL AND cursor < {}",
        before(STARTS_KEPT)
    );
    let bulk = format!("finished_at < {}", before(BULK_KEPT));
    for (table, key, condition) in [
        ("inbound_event", "position", events),
        ("trigger_outcome", "id", is_done),
        ("schedule", "id", starts),
        ("audit", "id", format!("at < {}", before(audit_kept))),
        // each new key sweeps a few old ones; these are the last of a time with many
        (
            "idempotency",
            "namespace, idempotency_key",
            format!("created_at < {}", before(idempotency::KEPT_FOR)),
        ),
        (
            "bulk_item",
            "operation_id, seq",
            format!("operation_id IN (SELECT id FROM bulk_operation WHERE {bulk})"),
        ),
        (
            "bulk_operation",
            "id",
            format!("{bulk} AND NOT EXISTS (SELECT 1 FROM bulk_item WHERE operation_id = bulk_operation.id)"),
        ),
    ] {
        for _ in 0..BATCHES_MAX {
            if delete(orchestrator, table, key, &condition).await? < u64::from(BATCH) {
                break;
            }
        }
    }
    *swept = now;
    Ok(())
}

async fn delete(
    orchestrator: &Orchestrator,
    table: &str,
    key: &str,
    condition: &str,
) -> Result<u64, StoreError> {
    let store = &orchestrator.shell().store;
    let sql = format!(
        "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition} LIMIT {BATCH})"
    );
    let statement = store.backend().statement(sql, []);
    store.execute("delete old rows", statement).await
}
