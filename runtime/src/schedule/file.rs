//! The `triggers:` of a published file become rows, in the transaction that publishes it.
//!
//! A trigger is the same from version to version by its slot: its row stays, and with it what an operator paused, its
//! cursor, and the secret of a webhook. What the file no longer has goes.

use std::collections::BTreeMap;

use runnel_engine::schedule::Calendar;
use runnel_engine::trigger::{FileTrigger, FileTriggerKind, TriggerKind, of_workflow};
use runnel_engine::{Timestamp, Workflow};
use runnel_entity::{event_trigger, schedule, workflow};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter,
};
use uuid::Uuid;

use super::admin::{delete_in, first_look};
use super::check::text;
use super::outcome::kind_code;
use super::view::Origin;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::convert::corrupt;

/// The triggers of a file, with ids for those that turn out to be new.
#[derive(Debug, Clone)]
pub(crate) struct FileTriggers {
    triggers: Vec<(Uuid, FileTrigger)>,
    actor: String,
    now: Timestamp,
}

impl FileTriggers {
    /// Those of a workflow.
    pub(crate) fn new(
        workflow: &Workflow,
        actor: &str,
        now: Timestamp,
        id: impl Fn() -> Uuid,
    ) -> Result<Self, StoreError> {
        let triggers = of_workflow(workflow)
            .map_err(|problem| corrupt("workflow_version", format!("triggers: {problem}")))?;
        Ok(Self {
            triggers: triggers.into_iter().map(|trigger| (id(), trigger)).collect(),
            actor: actor.to_owned(),
            now,
        })
    }

    /// Brings the rows of a workflow to what its latest version says. Two reads, and nothing else for a workflow that
    /// neither has nor had triggers.
    pub(crate) async fn save(
        &self,
        tx: &DatabaseTransaction,
        workflow: &workflow::Model,
    ) -> Result<(), StoreError> {
        let failed = failed_to("save the triggers of a workflow");
        let schedules = schedule::Entity::find()
            .filter(schedule::Column::WorkflowId.eq(workflow.id))
            .filter(schedule::Column::Origin.eq(Origin::File as i16))
            .all(tx)
            .await
            .map_err(failed)?;
        let mut schedules: BTreeMap<String, schedule::Model> =
            schedules.into_iter().map(|row| (row.key.clone(), row)).collect();
        let triggers = event_trigger::Entity::find()
            .filter(event_trigger::Column::WorkflowId.eq(workflow.id))
            .filter(event_trigger::Column::Origin.eq(Origin::File as i16))
            .all(tx)
            .await
            .map_err(failed)?;
        let mut triggers: BTreeMap<String, event_trigger::Model> =
            triggers.into_iter().map(|row| (row.key.clone(), row)).collect();
        for (id, trigger) in &self.triggers {
            let key = format!("{}/{}", workflow.key, trigger.slot);
            match &trigger.kind {
                FileTriggerKind::Schedule { .. } => {
                    let found = schedules.remove(&key);
                    self.save_schedule(tx, workflow, *id, key, trigger, found).await?;
                }
                FileTriggerKind::Event(_) | FileTriggerKind::Webhook(_) => {
                    let found = triggers.remove(&key);
                    self.save_trigger(tx, workflow, *id, key, trigger, found).await?;
                }
            }
        }
        let gone: Vec<Uuid> = schedules.into_values().map(|row| row.id).collect();
        if !gone.is_empty() {
            delete_in(tx, &gone).await?;
        }
        let gone: Vec<Uuid> = triggers.into_values().map(|row| row.id).collect();
        if !gone.is_empty() {
            event_trigger::Entity::delete_many()
                .filter(event_trigger::Column::Id.is_in(gone))
                .exec(tx)
                .await
                .map_err(failed)?;
        }
        Ok(())
    }

    async fn save_schedule(
        &self,
        tx: &DatabaseTransaction,
        workflow: &workflow::Model,
        id: Uuid,
        key: String,
        trigger: &FileTrigger,
        found: Option<schedule::Model>,
    ) -> Result<(), StoreError> {
        let FileTriggerKind::Schedule { spec, policy, inputs } = &trigger.kind else {
            return Ok(());
        };
        let failed = failed_to("save the schedules of a workflow");
        let calendar = Calendar::new(spec)
            .map_err(|problem| corrupt("workflow_version", format!("schedule {key}: {problem}")))?;
        let now = self.now;
        let fresh = schedule::Model {
            id,
            namespace: workflow.namespace.clone(),
            key,
            workflow_id: workflow.id,
            workflow_key: workflow.key.clone(),
            version: None,
            origin: Origin::File as i16,
            slot: Some(trigger.slot.clone()),
            spec: text(spec)?,
            policy: text(policy)?,
            inputs: text(inputs)?,
            priority: -1,
            tags: "[]".to_owned(),
            is_enabled: trigger.is_enabled,
            is_paused: false,
            pause_reason: None,
            paused_by: None,
            cursor: now.0,
            next_at: first_look(&calendar, id, now).filter(|_| trigger.is_enabled),
            buffered: "[]".to_owned(),
            failures: 0,
            revision: 1,
            created_at: now.0,
            created_by: self.actor.clone(),
            updated_at: now.0,
        };
        let Some(old) = found else {
            schedule::Entity::insert(fresh.into_active_model())
                .exec_without_returning(tx)
                .await
                .map_err(failed)?;
            return Ok(());
        };
        match changed(&old, fresh, &calendar) {
            Some(update) => update.update(tx).await.map(drop).map_err(failed),
            None => Ok(()),
        }
    }

    async fn save_trigger(
        &self,
        tx: &DatabaseTransaction,
        workflow: &workflow::Model,
        id: Uuid,
        key: String,
        trigger: &FileTrigger,
        found: Option<event_trigger::Model>,
    ) -> Result<(), StoreError> {
        let (kind, rule) = match &trigger.kind {
            FileTriggerKind::Event(rule) => (TriggerKind::Event, rule),
            FileTriggerKind::Webhook(rule) => (TriggerKind::Webhook, rule),
            FileTriggerKind::Schedule { .. } => return Ok(()),
        };
        let failed = failed_to("save the triggers of a workflow");
        let (now, rule_text) = (self.now, text(rule)?);
        let Some(old) = found else {
            let fresh = event_trigger::Model {
                id,
                namespace: workflow.namespace.clone(),
                key,
                workflow_id: workflow.id,
                workflow_key: workflow.key.clone(),
                origin: Origin::File as i16,
                slot: Some(trigger.slot.clone()),
                kind: kind_code(kind),
                event_type: rule.event.clone(),
                rule: rule_text,
                is_enabled: trigger.is_enabled,
                is_paused: false,
                pause_reason: None,
                paused_by: None,
                rate_tat: 0,
                secret_key: None,
                secret_generation: 0,
                previous_key: None,
                previous_generation: 0,
                previous_until: None,
                created_at: now.0,
                created_by: self.actor.clone(),
                updated_at: now.0,
            };
            event_trigger::Entity::insert(fresh.into_active_model())
                .exec_without_returning(tx)
                .await
                .map_err(failed)?;
            return Ok(());
        };
        let is_same =
            old.rule == rule_text && old.is_enabled == trigger.is_enabled && old.kind == kind_code(kind);
        if is_same {
            return Ok(());
        }
        let update = event_trigger::ActiveModel {
            id: Set(old.id),
            kind: Set(kind_code(kind)),
            event_type: Set(rule.event.clone()),
            rule: Set(rule_text),
            is_enabled: Set(trigger.is_enabled),
            updated_at: Set(now.0),
            ..Default::default()
        };
        update.update(tx).await.map_err(failed)?;
        Ok(())
    }
}

/// What of a schedule that is there changes; `None` when nothing does.
fn changed(
    old: &schedule::Model,
    fresh: schedule::Model,
    calendar: &Calendar,
) -> Option<schedule::ActiveModel> {
    let is_same = old.spec == fresh.spec
        && old.policy == fresh.policy
        && old.inputs == fresh.inputs
        && old.is_enabled == fresh.is_enabled;
    if is_same {
        return None;
    }
    // new times, and those of a schedule that was off, count from now on
    let is_moved = old.spec != fresh.spec || !old.is_enabled;
    let cursor = if is_moved { fresh.cursor } else { old.cursor };
    let is_active = fresh.is_enabled && !old.is_paused;
    let next = if old.buffered == "[]" {
        first_look(calendar, old.id, Timestamp(cursor))
    } else {
        Some(fresh.updated_at)
    };
    Some(schedule::ActiveModel {
        id: Set(old.id),
        spec: Set(fresh.spec),
        policy: Set(fresh.policy),
        inputs: Set(fresh.inputs),
        is_enabled: Set(fresh.is_enabled),
        cursor: Set(cursor),
        next_at: Set(next.filter(|_| is_active)),
        revision: Set(old.revision + 1),
        updated_at: Set(fresh.updated_at),
        ..Default::default()
    })
}
