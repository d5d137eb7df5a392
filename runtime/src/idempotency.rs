//! Answers kept for requests that are repeated under the same key, for mutations that have no key of their own in their rows.
//!
//! A key is claimed before its request begins and holds the answer once it has ended well; it is kept for
//! [`KEPT_FOR`]. A request that was refused gives its key back. When the server dies between the effect and the answer, the
//! key is free again after [`LEASE`], and the request is executed once more: what takes such a key must bear that.

use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_entity::idempotency as entity;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::{Backend, failed_to};

/// How long an answer is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a request may take before another one of the same key begins it again.
pub const LEASE: Duration = Duration::from_secs(60);

/// Old keys that leave with each new one: more than one, so that the table shrinks to what a day brings.
const SWEEP: usize = 10;

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: the request may begin.
    Begun,
    /// The same request has ended with this answer.
    Replay(String),
    /// The key was used for another request.
    Conflict,
    /// The same request is at work.
    AtWork,
}

impl Orchestrator {
    /// Claims a key for a request.
    ///
    /// # Errors
    /// The store fails.
    pub async fn claim_key(&self, actor: &Actor, key: &str, request_hash: &str) -> Result<Claim, StoreError> {
        let now = self.clock().now();
        let row = entity::Model {
            namespace: actor.namespace.to_string(),
            idempotency_key: key.to_owned(),
            request_hash: request_hash.to_owned(),
            answer: None,
            created_at: now.0,
            leased_until: now.after(LEASE).0,
        };
        let backend = self.reads().store.backend();
        self.reads()
            .store
            .tx("claim an idempotency key", move |tx| {
                let row = row.clone();
                Box::pin(async move { claim(tx, backend, row, now).await })
            })
            .await
    }

    /// Keeps the answer of a request that has ended well.
    ///
    /// # Errors
    /// The store fails.
    pub async fn keep_answer(&self, actor: &Actor, key: &str, answer: String) -> Result<(), StoreError> {
        let of_key = of_key(&actor.namespace, key);
        self.reads()
            .store
            .tx("keep an answer", move |tx| {
                let kept = entity::Entity::update_many()
                    .col_expr(entity::Column::Answer, Expr::value(answer.clone()))
                    .filter(of_key.clone());
                Box::pin(async move {
                    kept.exec(tx).await.map_err(failed_to("keep an answer"))?;
                    Ok(())
                })
            })
            .await
    }

    /// Gives a key back: its request did nothing.
    ///
    /// # Errors
    /// The store fails.
    pub async fn release_key(&self, actor: &Actor, key: &str) -> Result<(), StoreError> {
        let of_key = of_key(&actor.namespace, key).and(entity::Column::Answer.is_null());
        self.reads()
            .store
            .tx("give an idempotency key back", move |tx| {
                let gone = entity::Entity::delete_many().filter(of_key.clone());
                Box::pin(async move {
                    gone.exec(tx)
                        .await
                        .map_err(failed_to("give an idempotency key back"))?;
                    Ok(())
                })
            })
            .await
    }
}

fn of_key(namespace: &str, key: &str) -> sea_orm::sea_query::SimpleExpr {
    entity::Column::Namespace
        .eq(namespace)
        .and(entity::Column::IdempotencyKey.eq(key))
}

/// The row is inserted, or taken over when its request is too old to be kept or too late to be at work. What comes back
/// tells which.
async fn claim(
    tx: &DatabaseTransaction,
    backend: Backend,
    row: entity::Model,
    now: Timestamp,
) -> Result<Claim, StoreError> {
    let failed = failed_to("claim an idempotency key");
    let oldest = Timestamp(now.0.saturating_sub(micros(KEPT_FOR)));
    sweep(tx, backend, oldest).await?;
    let p = |n: usize| format!("{}{n}", backend.pick("$", "?"));
    let taken = backend.statement(
        format!(
            "INSERT INTO idempotency (namespace, idempotency_key, request_hash, answer, created_at, leased_until) \
             VALUES ({p1}, {p2}, {p3}, NULL, {p4}, {p5}) ON CONFLICT (namespace, idempotency_key) DO UPDATE SET \
             request_hash = excluded.request_hash, answer = NULL, created_at = excluded.created_at, \
             leased_until = excluded.leased_until WHERE idempotency.created_at < {p6} OR (idempotency.answer IS NULL \
             AND idempotency.leased_until <= {p4} AND idempotency.request_hash = excluded.request_hash) \
             RETURNING request_hash",
            p1 = p(1),
            p2 = p(2),
            p3 = p(3),
            p4 = p(4),
            p5 = p(5),
            p6 = p(6),
        ),
        [
            row.namespace.clone().into(),
            row.idempotency_key.clone().into(),
            row.request_hash.clone().into(),
            row.created_at.into(),
            row.leased_until.into(),
            oldest.0.into(),
        ],
    );
    if tx.query_one_raw(taken).await.map_err(failed)?.is_some() {
        return Ok(Claim::Begun);
    }
    let held = entity::Entity::find()
        .filter(of_key(&row.namespace, &row.idempotency_key))
        .one(tx)
        .await
        .map_err(failed)?
        // its request gave it back in this very moment
        .ok_or(StoreError::Conflict {
            action: "claim an idempotency key",
        })?;
    Ok(match held.answer {
        _ if held.request_hash != row.request_hash => Claim::Conflict,
        Some(answer) => Claim::Replay(answer),
        None => Claim::AtWork,
    })
}

async fn sweep(tx: &DatabaseTransaction, backend: Backend, oldest: Timestamp) -> Result<(), StoreError> {
    let sql = format!(
        "DELETE FROM idempotency WHERE (namespace, idempotency_key) IN (SELECT namespace, idempotency_key \
         FROM idempotency WHERE created_at < {} ORDER BY created_at LIMIT {SWEEP})",
        backend.pick("$1", "?1")
    );
    tx.execute_raw(backend.statement(sql, [oldest.0.into()]))
        .await
        .map_err(failed_to("claim an idempotency key"))?;
    Ok(())
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}
