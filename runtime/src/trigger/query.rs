//! Reads of triggers.

use std::collections::HashMap;

use runnel_engine::trigger::TriggerKind;
use runnel_engine::{Timestamp, WorkflowId};
use runnel_entity::event_trigger;
use uuid::Uuid;

use super::view::TriggerView;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::schedule::outcome::kind_of;
use crate::schedule::query::origin_of;
use crate::schedule::stored;
use crate::view::convert::{corrupt, json};
use crate::view::{Page, PageRequest};

#[expect(
    clippy::missing_errors_doc,
    reason = "named after what they answer; they fail when the store does"
)]
impl Orchestrator {
    /// A trigger by its id.
    pub async fn find_trigger(&self, actor: &Actor, id: Uuid) -> Result<Option<TriggerView>, StoreError> {
        let store = &self.reads().store;
        let row =
            stored::find::<event_trigger::Entity>(store, "read a trigger", &actor.namespace, id).await?;
        row.map(trigger_from_row).transpose()
    }

    /// Triggers by their ids.
    pub async fn triggers_by_id(
        &self,
        actor: &Actor,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, TriggerView>, StoreError> {
        let store = &self.reads().store;
        let rows = stored::find_all::<event_trigger::Entity>(store, "read triggers", &actor.namespace, ids);
        let rows = rows.await?.into_iter();
        rows.map(|row| Ok((row.id, trigger_from_row(row)?))).collect()
    }

    /// A trigger by its key.
    pub async fn find_trigger_by_key(
        &self,
        actor: &Actor,
        key: &str,
    ) -> Result<Option<TriggerView>, StoreError> {
        let store = &self.reads().store;
        let row =
            stored::find_by_key::<event_trigger::Entity>(store, "read a trigger", &actor.namespace, key)
                .await?;
        row.map(trigger_from_row).transpose()
    }

    /// Triggers by key; of one workflow when it is named.
    pub async fn list_triggers(
        &self,
        actor: &Actor,
        workflow: Option<&str>,
        page: PageRequest<String>,
    ) -> Result<Page<TriggerView>, StoreError> {
        let (store, whose) = (&self.reads().store, (&*actor.namespace, workflow));
        stored::list::<event_trigger::Entity, _>(store, "list triggers", whose, page, trigger_from_row).await
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
