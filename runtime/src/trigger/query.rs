//! Reads of triggers.

use std::collections::HashMap;

use runnel_engine::trigger::TriggerKind;
use runnel_engine::{Timestamp, WorkflowId};
use runnel_entity::event_trigger;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::view::TriggerView;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::PAGE_MAX;
use crate::schedule::outcome::kind_of;
use crate::schedule::query::{origin_of, pages};
use crate::store::failed_to;
use crate::view::convert::{corrupt, json};
use crate::view::{Page, PageRequest};

#[expect(
    clippy::missing_errors_doc,
    reason = "named after what they answer; they fail when the store does"
)]
impl Orchestrator {
    /// A trigger by its id.
    pub async fn find_trigger(&self, actor: &Actor, id: Uuid) -> Result<Option<TriggerView>, StoreError> {
        let row = event_trigger::Entity::find_by_id(id)
            .filter(event_trigger::Column::Namespace.eq(&*actor.namespace))
            .one(self.reads().store.read())
            .await
            .map_err(failed_to("read a trigger"))?;
        row.map(trigger_from_row).transpose()
    }

    /// Triggers by their ids.
    pub async fn triggers_by_id(
        &self,
        actor: &Actor,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, TriggerView>, StoreError> {
        let rows = event_trigger::Entity::find()
            .filter(event_trigger::Column::Namespace.eq(&*actor.namespace))
            .filter(event_trigger::Column::Id.is_in(ids.iter().copied()))
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("read triggers"))?;
        rows.into_iter()
            .map(|row| Ok((row.id, trigger_from_row(row)?)))
            .collect()
    }

    /// A trigger by its key.
    pub async fn find_trigger_by_key(
        &self,
        actor: &Actor,
        key: &str,
    ) -> Result<Option<TriggerView>, StoreError> {
        let row = event_trigger::Entity::find()
            .filter(event_trigger::Column::Namespace.eq(&*actor.namespace))
            .filter(event_trigger::Column::Key.eq(key))
            .one(self.reads().store.read())
            .await
            .map_err(failed_to("read a trigger"))?;
        row.map(trigger_from_row).transpose()
    }

    /// Triggers by key; of one workflow when it is named.
    pub async fn list_triggers(
        &self,
        actor: &Actor,
        workflow: Option<&str>,
        page: PageRequest<String>,
    ) -> Result<Page<TriggerView>, StoreError> {
        let limit = page.first.clamp(1, PAGE_MAX) as usize;
        let mut rows = event_trigger::Entity::find()
            .filter(event_trigger::Column::Namespace.eq(&*actor.namespace))
            .order_by_asc(event_trigger::Column::Key)
            .limit(limit as u64 + 1);
        if let Some(key) = workflow {
            rows = rows.filter(event_trigger::Column::WorkflowKey.eq(key));
        }
        let has_previous = page.after.is_some();
        if let Some(after) = page.after {
            rows = rows.filter(event_trigger::Column::Key.gt(after));
        }
        let rows = rows
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list triggers"))?;
        pages(rows, limit, has_previous, trigger_from_row)
    }
}

pub(super) fn trigger_from_row(row: event_trigger::Model) -> Result<TriggerView, StoreError> {
    let id = row.id;
    let bad = |what: &str| corrupt("event_trigger", format!("{what} of {id}"));
    let kind = kind_of(row.kind).ok_or_else(|| bad("kind"))?;
    Ok(TriggerView {
        id,
        origin: origin_of(row.origin).ok_or_else(|| bad("origin"))?,
        rule: json("event_trigger", id, "rule", &row.rule)?,
        kind,
        key: row.key,
        workflow_id: WorkflowId(row.workflow_id),
        workflow_key: row.workflow_key,
        is_enabled: row.is_enabled,
        is_paused: row.is_paused,
        pause_reason: row.pause_reason,
        paused_by: row.paused_by,
        secret_generation: row.secret_generation,
        has_secret: kind == TriggerKind::Webhook && row.secret_key.is_some(),
        previous_until: row.previous_until.map(Timestamp),
        created_at: Timestamp(row.created_at),
        created_by: row.created_by,
        updated_at: Timestamp(row.updated_at),
    })
}
