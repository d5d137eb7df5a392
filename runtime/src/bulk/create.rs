//! Accepting an operation: one transaction writes down the runs that it is about.

use runnel_entity::{bulk_item, bulk_operation, run};
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use sha2::{Digest, Sha256};

use super::{BULK_RUNS_MAX, BulkAccepted, BulkRequest, Matched, OPEN};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::filtered_runs;
use crate::query::predicate::RunPredicate;
use crate::store::{Backend, failed_to};
use crate::view::RunFilter;

/// What a transaction of a request found out.
enum Stored {
    New(bulk_operation::Model),
    Held(bulk_operation::Model),
}

impl Orchestrator {
    /// How many runs an operation would be about, its limit aside.
    ///
    /// # Errors
    /// The store fails.
    pub async fn count_bulk(&self, actor: &Actor, request: &BulkRequest) -> Result<Matched, StoreError> {
        self.count_runs(actor, meant(request)).await
    }

    /// Accepts an operation. It is worked off in the background, also after a restart.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_bulk(&self, actor: &Actor, request: BulkRequest) -> Result<BulkAccepted, StoreError> {
        let now = self.clock().now();
        let key = request.idempotency_key.clone();
        let operation = bulk_operation::Model {
            id: self.entropy().uuid(now),
            namespace: actor.namespace.to_string(),
            action: request.action.as_str().to_owned(),
            parameters: json(&request.action)?,
            created_by: actor.name.to_string(),
            reason: request.reason.clone(),
            request_hash: key.as_ref().map(|_| hash(&request)).transpose()?,
            idempotency_key: key,
            total: 0,
            created_at: now.0,
            started_at: None,
            finished_at: None,
            leased_until: 0,
        };
        let (actor, backend) = (actor.clone(), self.reads().store.backend());
        let owner = actor.clone();
        let wanted = operation.request_hash.clone();
        let stored = self
            .reads()
            .store
            .tx("accept an operation on many runs", move |tx| {
                let (actor, request, operation) = (actor.clone(), request.clone(), operation.clone());
                Box::pin(async move { store(tx, backend, &actor, &request, operation).await })
            })
            .await?;
        let (row, is_new) = match stored {
            Stored::New(row) => (row, true),
            Stored::Held(row) => (row, false),
        };
        let is_same = row.request_hash == wanted;
        let found = self.bulk_by_id(&owner, &[row.id]).await?.remove(&row.id);
        let view = found.ok_or(StoreError::Conflict {
            action: "read an operation on many runs",
        })?;
        if is_new {
            self.bulk_bell().ring();
            return Ok(BulkAccepted::Accepted(view));
        }
        Ok(if is_same {
            BulkAccepted::Replay(view)
        } else {
            BulkAccepted::KeyTaken(view)
        })
    }
}

/// The runs that match and that the action is legal for.
fn meant(request: &BulkRequest) -> RunFilter {
    let mut filter = request.filter.clone();
    let legal = request.action.applies_to();
    filter.predicate = Some(match filter.predicate {
        Some(predicate) => RunPredicate::All(vec![predicate, legal]),
        None => legal,
    });
    filter
}

async fn store(
    tx: &DatabaseTransaction,
    backend: Backend,
    actor: &Actor,
    request: &BulkRequest,
    mut operation: bulk_operation::Model,
) -> Result<Stored, StoreError> {
    let failed = failed_to("accept an operation on many runs");
    let inserted = bulk_operation::Entity::insert(operation.clone().into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx)
        .await
        .map_err(failed)?;
    if inserted == 0 {
        let held = bulk_operation::Entity::find()
            .filter(bulk_operation::Column::Namespace.eq(operation.namespace.as_str()))
            .filter(bulk_operation::Column::IdempotencyKey.eq(operation.idempotency_key.clone()))
            .one(tx)
            .await
            .map_err(failed)?;
        return held.map(Stored::Held).ok_or(StoreError::Conflict {
            action: "accept an operation on many runs",
        });
    }
    let newest = filtered_runs(backend, actor, meant(request))
        .select_only()
        .expr(Expr::val(operation.id))
        .expr(Expr::cust(
            "row_number() OVER (ORDER BY created_at DESC, id DESC)",
        ))
        .column(run::Column::Id)
        .expr(Expr::val(OPEN))
        .order_by_desc(run::Column::CreatedAt)
        .order_by_desc(run::Column::Id)
        .limit(u64::from(request.limit.clamp(1, BULK_RUNS_MAX)))
        .into_query();
    let mut items = Query::insert();
    items.into_table(bulk_item::Entity).columns([
        bulk_item::Column::OperationId,
        bulk_item::Column::Seq,
        bulk_item::Column::RunId,
        bulk_item::Column::Outcome,
    ]);
    let items = items.select_from(newest).map_err(|error| StoreError::Corrupt {
        table: "bulk_item",
        problem: error.to_string(),
    })?;
    let total = tx.execute(items).await.map_err(failed)?.rows_affected();
    operation.total = i32::try_from(total).unwrap_or(i32::MAX);
    let mut counted = bulk_operation::ActiveModel {
        id: Set(operation.id),
        total: Set(operation.total),
        ..Default::default()
    };
    if total == 0 {
        counted.finished_at = Set(Some(operation.created_at));
    }
    bulk_operation::Entity::update(counted)
        .exec(tx)
        .await
        .map_err(failed)?;
    Ok(Stored::New(operation))
}

fn hash(request: &BulkRequest) -> Result<String, StoreError> {
    let parts = json(&(
        request.action,
        &request.filter.predicate,
        request.limit,
        &request.reason,
    ))?;
    Ok(hex::encode(Sha256::digest(parts)))
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    // fails only for maps with keys that are no text, of which there is none
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt {
        table: "bulk_operation",
        problem: error.to_string(),
    })
}
