//! Audit rows on their way into the table.

use std::sync::Arc;

use runnel_entity::audit;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, IntoActiveModel};

use super::{AuditEnd, AuditOutcome, Draft};
use crate::apply::{Column, Kind, RowSet};
use crate::error::StoreError;
use crate::query::Reads;
use crate::store::failed_to;

/// Rows that leave with a batch of an applier.
pub(crate) const AUDIT_NEW: &[Column] = &[
    ("id", Kind::Id),
    ("namespace", Kind::Text),
    ("at", Kind::Int),
    ("actor", Kind::Text),
    ("action", Kind::Text),
    ("target_type", Kind::Text),
    ("target_id", Kind::Text),
    ("reason", Kind::Text),
    ("request_id", Kind::Text),
    ("outcome", Kind::Text),
    ("state_before", Kind::Text),
    ("state_after", Kind::Text),
];

/// Adds the row of a mutation that took place, with the states around it.
pub(crate) fn add_row(rows: &mut RowSet, draft: &Draft, before: Option<&str>, after: Option<&str>) {
    let late = draft.late().clone();
    let (kind, id) = late.target.map(|target| (target.kind, target.id)).unzip();
    rows.id(draft.id)
        .text(&draft.namespace)
        .int(draft.at.0)
        .text(&draft.actor)
        .text(&draft.action)
        .opt_text(kind.as_deref())
        .opt_text(id.as_deref())
        .opt_text(late.reason.as_deref())
        .opt_text(draft.request_id.as_deref())
        .text(AuditOutcome::Ok.as_str())
        .opt_text(before)
        .opt_text(after);
}

/// Puts the row of a mutation into the transaction that is its effect.
pub(crate) async fn insert_into(tx: &impl ConnectionTrait, draft: &Draft) -> Result<(), StoreError> {
    let unless_there = OnConflict::column(audit::Column::Id).do_nothing().to_owned();
    audit::Entity::insert(row(draft).into_active_model())
        .on_conflict(unless_there)
        .exec_without_returning(tx)
        .await
        .map_err(failed_to("write the audit log"))?;
    Ok(())
}

fn row(draft: &Draft) -> audit::Model {
    let late = draft.late().clone();
    let (target_type, target_id) = late.target.map(|target| (target.kind, target.id)).unzip();
    audit::Model {
        id: draft.id,
        namespace: draft.namespace.to_string(),
        at: draft.at.0,
        actor: draft.actor.to_string(),
        action: draft.action.clone(),
        target_type,
        target_id,
        reason: late.reason,
        request_id: draft.request_id.clone(),
        outcome: AuditOutcome::Ok.as_str().to_owned(),
        code: None,
        state_before: None,
        state_after: None,
    }
}

/// Writes the row, or what of it the committed one lacks.
pub(super) async fn finish(reads: &Reads, draft: &Arc<Draft>, end: &AuditEnd) -> Result<(), StoreError> {
    let had_target = draft.late().target.is_some();
    if draft.is_written() && end.outcome == AuditOutcome::Ok && (had_target || end.target.is_none()) {
        return Ok(());
    }
    let mut row = row(draft);
    if !had_target && let Some(target) = &end.target {
        row.target_type = Some(target.kind.clone());
        row.target_id = Some(target.id.clone());
    }
    row.outcome = end.outcome.as_str().to_owned();
    row.code.clone_from(&end.code);
    let mut active = row.into_active_model();
    let mut changed = vec![
        audit::Column::TargetType,
        audit::Column::TargetId,
        audit::Column::Outcome,
        audit::Column::Code,
    ];
    if end.state_after.is_some() {
        active.state_after = Set(end.state_after.clone());
        changed.push(audit::Column::StateAfter);
    }
    reads
        .store
        .tx("write the audit log", move |tx| {
            let (active, changed) = (active.clone(), changed.clone());
            Box::pin(async move {
                let again = OnConflict::column(audit::Column::Id)
                    .update_columns(changed)
                    .to_owned();
                audit::Entity::insert(active)
                    .on_conflict(again)
                    .exec_without_returning(tx)
                    .await
                    .map_err(failed_to("write the audit log"))?;
                Ok(())
            })
        })
        .await
}
