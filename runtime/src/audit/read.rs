//! The audit log as people read it.

use runnel_engine::Timestamp;
use runnel_entity::audit;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::AuditOutcome;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::window::{Window, Windowed};
use crate::store::failed_to;
use crate::view::Page;
use crate::view::convert::corrupt;

/// One row of the log.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct AuditView {
    pub id: Uuid,
    pub at: Timestamp,
    pub actor: String,
    pub action: String,
    pub target_type: Option<String>,
    pub target_id: Option<String>,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    pub outcome: AuditOutcome,
    pub code: Option<String>,
    /// JSON text.
    pub state_before: Option<String>,
    /// JSON text.
    pub state_after: Option<String>,
}

/// Which rows of the log; all conditions must hold.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub action_in: Option<Vec<String>>,
    pub target_type: Option<String>,
    /// Also finds what belongs to it: the tasks of a run.
    pub target_id: Option<String>,
    pub outcome_in: Option<Vec<AuditOutcome>>,
    pub at_gte: Option<Timestamp>,
    pub at_lt: Option<Timestamp>,
}

impl Orchestrator {
    /// The audit log of the actor's namespace, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_audit(
        &self,
        actor: &Actor,
        filter: AuditFilter,
        window: Window<Uuid>,
    ) -> Result<Page<AuditView>, StoreError> {
        let mut rows = audit::Entity::find().filter(audit::Column::Namespace.eq(&*actor.namespace));
        let equal = [
            (audit::Column::Actor, filter.actor),
            (audit::Column::TargetType, filter.target_type),
        ];
        for (column, value) in equal {
            if let Some(value) = value {
                rows = rows.filter(column.eq(value));
            }
        }
        if let Some(id) = filter.target_id {
            // what belongs to it, as a task to its run, has its id as a prefix
            let parts = audit::Column::TargetId
                .gte(format!("{id}:"))
                .and(audit::Column::TargetId.lt(format!("{id};")));
            rows = rows.filter(audit::Column::TargetId.eq(id).or(parts));
        }
        if let Some(actions) = filter.action_in {
            rows = rows.filter(audit::Column::Action.is_in(actions));
        }
        if let Some(outcomes) = filter.outcome_in {
            rows = rows.filter(audit::Column::Outcome.is_in(outcomes.into_iter().map(AuditOutcome::as_str)));
        }
        if let Some(from) = filter.at_gte {
            rows = rows.filter(audit::Column::At.gte(from.0));
        }
        if let Some(until) = filter.at_lt {
            rows = rows.filter(audit::Column::At.lt(until.0));
        }
        let walk = Windowed::new(&window);
        let rows = walk.descending(rows, audit::Column::Id, window.place().copied());
        let rows = rows
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("read the audit log"))?;
        let items = rows.into_iter().map(view).collect::<Result<_, _>>()?;
        Ok(walk.page(items))
    }
}

fn view(row: audit::Model) -> Result<AuditView, StoreError> {
    let outcome = AuditOutcome::ALL
        .into_iter()
        .find(|outcome| outcome.as_str() == row.outcome)
        .ok_or_else(|| corrupt("audit", format!("outcome `{}` of {}", row.outcome, row.id)))?;
    Ok(AuditView {
        id: row.id,
        at: Timestamp(row.at),
        actor: row.actor,
        action: row.action,
        target_type: row.target_type,
        target_id: row.target_id,
        reason: row.reason,
        request_id: row.request_id,
        outcome,
        code: row.code,
        state_before: row.state_before,
        state_after: row.state_after,
    })
}
