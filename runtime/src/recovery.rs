//! What a start does about the end before it.
//!
//! Outbox rows are sent by the relay's first poll. A queue that is not durable has forgotten what it held, and its workers
//! ended with this process: every attempt that was out gets an outbox row again. The attempt stays the same; should two
//! of its messages be executed after all, the first valid report wins.

use runnel_engine::gate;
use runnel_engine::run::{RunStatus, TaskStatus};
use sea_orm::ConnectionTrait;

use crate::clock::Clock;
use crate::error::StoreError;
use crate::store::{Backend, Store, failed_to};

/// Runs before any loop. Answers how many attempts are dispatched again.
pub(crate) async fn run(store: &Store, clock: &dyn Clock, is_queue_durable: bool) -> Result<u64, StoreError> {
    let now = clock.now().0;
    let backend = store.backend();
    let mut statements = Vec::new();
    if backend == Backend::Sqlite {
        // no other process writes here, so every lease is that of a dead one
        statements.push(backend.statement("UPDATE outbox SET leased_until = 0 WHERE leased_until > 0", []));
    }
    if !is_queue_durable {
        let ageing = i64::try_from(gate::AGEING.as_micros()).unwrap_or(i64::MAX);
        let sql = format!(
            "INSERT INTO outbox(run_id, ix, attempt, queue, kind, priority, created_at, leased_until, namespace, rank) \
             SELECT t.run_id, t.ix, t.attempt, t.queue, t.kind, r.priority, {now}, 0, r.namespace, COALESCE(t.queued_at, {now}) - {ageing} * r.priority FROM run r JOIN task t ON t.run_id = r.id \
             WHERE r.status < {} AND t.status IN ({}, {}) ORDER BY t.queued_at, t.ix ON CONFLICT DO NOTHING",
            RunStatus::Succeeded as u8,
            TaskStatus::Queued as u8,
            TaskStatus::Running as u8
        );
        statements.push(backend.statement(sql, []));
    }
    if statements.is_empty() {
        return Ok(0);
    }
    let failed = failed_to("recover unfinished attempts");
    store
        .tx("recover unfinished attempts", move |tx| {
            let statements = statements.clone();
            Box::pin(async move {
                let mut written = 0;
                for statement in statements {
                    written = tx.execute_raw(statement).await.map_err(failed)?.rows_affected();
                }
                Ok(written)
            })
        })
        .await
}
