//! What people do with schedules.

use runnel_engine::Timestamp;
use runnel_engine::schedule::{Calendar, due_at};
use runnel_engine::trigger::{TriggerFacts, TriggerKind, render_inputs};
use runnel_entity::{schedule, trigger_outcome};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, ModelTrait,
    QueryFilter, QuerySelect,
};
use uuid::Uuid;

use super::check::{check, check_key, check_start, text};
use super::error::ScheduleError;
use super::fire;
use super::outcome::{self, Owner, StartOrder};
use super::query::schedule_from_row;
use super::stored::{insert_unless_there, lock};
use super::view::{NewSchedule, Origin, OutcomeView, SchedulePatch, ScheduleView};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::start::IDEMPOTENCY_KEY_BYTES_MAX;
use crate::store::failed_to;
use crate::view::convert::corrupt;

impl Orchestrator {
    /// Makes a schedule. The same again answers the one that is there.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub async fn create_schedule(
        &self,
        actor: &Actor,
        new: NewSchedule,
    ) -> Result<(ScheduleView, bool), ScheduleError> {
        check_key(&new.key)?;
        let calendar = check(&new.spec, &new.policy)?;
        check_start(&new.inputs, &new.tags)?;
        let version = self.schedulable(actor, &new.workflow, new.version).await?;
        self.check_inputs(&version, &new.inputs)?;
        let now = self.clock().now();
        let id = self.entropy().uuid(now);
        let row = schedule::Model {
            id,
            namespace: actor.namespace.to_string(),
            key: new.key,
            workflow_id: version.workflow_id.0,
            workflow_key: version.key.to_string(),
            version: new.version,
            origin: Origin::Api as i16,
            slot: None,
            spec: text(&new.spec)?,
            policy: text(&new.policy)?,
            inputs: text(&new.inputs)?,
            priority: new.priority.map_or(-1, i16::from),
            tags: text(&new.tags)?,
            is_enabled: true,
            is_paused: new.is_paused,
            pause_reason: None,
            paused_by: new.is_paused.then(|| actor.name.to_string()),
            cursor: now.0,
            next_at: first_look(&calendar, id, now).filter(|_| !new.is_paused),
            buffered: "[]".to_owned(),
            failures: 0,
            revision: 1,
            created_at: now.0,
            created_by: actor.name.to_string(),
            updated_at: now.0,
        };
        let (stored, is_new) = self.insert_schedule(row.clone()).await?;
        let is_same = stored.spec == row.spec
            && stored.policy == row.policy
            && stored.inputs == row.inputs
            && stored.workflow_key == row.workflow_key
            && stored.version == row.version
            && stored.tags == row.tags
            && stored.priority == row.priority;
        if !is_new && !is_same {
            return Err(ScheduleError::KeyTaken { key: row.key });
        }
        Ok((schedule_from_row(stored)?, is_new))
    }

    /// Inserts the row unless its key is there; answers what is there.
    pub(super) async fn insert_schedule(
        &self,
        row: schedule::Model,
    ) -> Result<(schedule::Model, bool), StoreError> {
        let id = row.id;
        let store = &self.reads().store;
        let stored = insert_unless_there::<schedule::Entity>(store, "save a schedule", row).await?;
        self.schedule_bell().ring();
        let is_new = stored.id == id;
        Ok((stored, is_new))
    }

    /// Changes a schedule. New times count from now on.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub async fn update_schedule(
        &self,
        actor: &Actor,
        id: Uuid,
        patch: SchedulePatch,
    ) -> Result<ScheduleView, ScheduleError> {
        let found = self.find_schedule(actor, id).await?;
        let found = found.ok_or(ScheduleError::UnknownSchedule)?;
        if found.origin == Origin::File {
            return Err(ScheduleError::OwnedByFile { key: found.key });
        }
        if patch
            .expected_revision
            .is_some_and(|expected| expected != found.revision)
        {
            return Err(ScheduleError::RevisionConflict {
                current: found.revision,
            });
        }
        let is_moved = patch.spec.as_ref().is_some_and(|spec| *spec != found.spec);
        let new = ScheduleView {
            spec: patch.spec.unwrap_or(found.spec),
            policy: patch.policy.unwrap_or(found.policy),
            inputs: patch.inputs.unwrap_or(found.inputs),
            version: patch.version.unwrap_or(found.version),
            priority: patch.priority.unwrap_or(found.priority),
            tags: patch.tags.unwrap_or(found.tags),
            ..found
        };
        let calendar = check(&new.spec, &new.policy)?;
        check_start(&new.inputs, &new.tags)?;
        let version = self.schedulable(actor, &new.workflow_key, new.version).await?;
        self.check_inputs(&version, &new.inputs)?;
        let now = self.clock().now();
        let mut update = schedule::ActiveModel {
            id: Set(id),
            spec: Set(text(&new.spec)?),
            policy: Set(text(&new.policy)?),
            inputs: Set(text(&new.inputs)?),
            version: Set(new.version),
            priority: Set(new.priority.map_or(-1, i16::from)),
            tags: Set(text(&new.tags)?),
            updated_at: Set(now.0),
            ..Default::default()
        };
        if is_moved {
            update.cursor = Set(now.0);
        }
        let cursor = if is_moved { now } else { new.cursor };
        if new.is_active() {
            let next = first_look(&calendar, id, cursor);
            // what waits is looked at now: the policy may have changed
            update.next_at = Set(if new.buffered.is_empty() {
                next
            } else {
                Some(now.0)
            });
        }
        self.change(actor, id, Some(new.revision), update).await
    }

    /// Deletes a schedule; its runs go on. Deleting what is not there is no error.
    ///
    /// # Errors
    /// It is part of a workflow file, or the store fails.
    pub async fn delete_schedule(&self, actor: &Actor, id: Uuid) -> Result<bool, ScheduleError> {
        let Some(found) = self.find_schedule(actor, id).await? else {
            return Ok(false);
        };
        if found.origin == Origin::File {
            return Err(ScheduleError::OwnedByFile { key: found.key });
        }
        self.reads()
            .store
            .tx("delete a schedule", move |tx| {
                Box::pin(async move { delete_in(tx, &[id]).await })
            })
            .await?;
        Ok(true)
    }

    /// Pauses a schedule: what comes meanwhile is not made up for. A paused one stays as it is.
    ///
    /// # Errors
    /// It does not exist, or the store fails.
    pub async fn pause_schedule(
        &self,
        actor: &Actor,
        id: Uuid,
        reason: Option<String>,
    ) -> Result<ScheduleView, ScheduleError> {
        let found = self.find_schedule(actor, id).await?;
        let found = found.ok_or(ScheduleError::UnknownSchedule)?;
        if found.is_paused {
            return Ok(found);
        }
        let update = schedule::ActiveModel {
            id: Set(id),
            is_paused: Set(true),
            pause_reason: Set(reason),
            paused_by: Set(Some(actor.name.to_string())),
            next_at: Set(None),
            updated_at: Set(self.clock().now().0),
            ..Default::default()
        };
        self.change(actor, id, None, update).await
    }

    /// Resumes a schedule from now on. What waited when it was paused goes on; the count of failures begins again.
    ///
    /// # Errors
    /// It does not exist, or the store fails.
    pub async fn resume_schedule(&self, actor: &Actor, id: Uuid) -> Result<ScheduleView, ScheduleError> {
        let found = self.find_schedule(actor, id).await?;
        let found = found.ok_or(ScheduleError::UnknownSchedule)?;
        if !found.is_paused {
            return Ok(found);
        }
        let calendar = calendar_of(&found)?;
        let now = self.clock().now();
        let next = first_look(&calendar, id, now);
        let next = if found.buffered.is_empty() {
            next
        } else {
            Some(now.0)
        };
        let update = schedule::ActiveModel {
            id: Set(id),
            is_paused: Set(false),
            pause_reason: Set(None),
            paused_by: Set(None),
            failures: Set(0),
            cursor: Set(now.0),
            next_at: Set(next.filter(|_| found.is_enabled)),
            updated_at: Set(now.0),
            ..Default::default()
        };
        let resumed = self.change(actor, id, None, update).await?;
        self.schedule_bell().ring();
        Ok(resumed)
    }

    /// Starts the workflow of a schedule now, beside its times and whatever its policy. Answers the outcome.
    ///
    /// # Errors
    /// It does not exist, the inputs do not fit, or the store fails.
    pub async fn trigger_schedule(
        &self,
        actor: &Actor,
        id: Uuid,
        idempotency_key: Option<String>,
    ) -> Result<OutcomeView, ScheduleError> {
        let found = self.find_schedule(actor, id).await?;
        let found = found.ok_or(ScheduleError::UnknownSchedule)?;
        if idempotency_key
            .as_ref()
            .is_some_and(|key| key.len() > IDEMPOTENCY_KEY_BYTES_MAX / 2)
        {
            let message = format!("the key is longer than {} bytes", IDEMPOTENCY_KEY_BYTES_MAX / 2);
            return Err(ScheduleError::invalid("idempotencyKey", message));
        }
        let now = self.clock().now();
        let scheduled_at = calendar_of(&found)?.local_text(now);
        let facts = TriggerFacts {
            workflow: &found.workflow_key,
            vars: self.vars(),
            scheduled_at: &scheduled_at,
            now,
        };
        let inputs = render_inputs(&found.inputs, &facts)
            .map_err(|message| ScheduleError::invalid("inputs", message))?;
        let outcome = self.entropy().uuid(now);
        let order = StartOrder {
            workflow: found.workflow_key.clone(),
            version: found.version,
            inputs,
            priority: found.priority,
            tags: found.tags.clone(),
            key: match &idempotency_key {
                Some(key) => format!("schedule/{id}/now/{key}"),
                None => format!("schedule/{id}/now/{outcome}"),
            },
            scheduled_at: Some(scheduled_at),
        };
        let owner = Owner {
            id,
            key: found.key,
            namespace: actor.namespace.to_string(),
            kind: TriggerKind::Manual,
            now,
        };
        let row = trigger_outcome::Model {
            due_at: Some(now.after(fire::LEASE).0),
            ..owner.order(outcome, &order)?
        };
        self.order_now(actor, row).await
    }

    /// Commits an order and does it at once; should this process die in between, the loop of any replica does it.
    async fn order_now(
        &self,
        actor: &Actor,
        row: trigger_outcome::Model,
    ) -> Result<OutcomeView, ScheduleError> {
        let id = row.id;
        let insert = row.clone();
        self.reads()
            .store
            .tx("order a start", move |tx| {
                let insert = insert.clone();
                Box::pin(async move { outcome::insert(tx, vec![insert]).await })
            })
            .await?;
        fire::run(self, vec![row]).await?;
        let done = self.find_outcome(actor, id).await?;
        Ok(done.ok_or_else(|| corrupt("trigger_outcome", format!("{id} is gone")))?)
    }

    /// Saves a change under the row's lock, so that it does not meet a look of the loop half-way.
    async fn change(
        &self,
        actor: &Actor,
        id: Uuid,
        revision: Option<i64>,
        update: schedule::ActiveModel,
    ) -> Result<ScheduleView, ScheduleError> {
        let namespace = actor.namespace.to_string();
        let changed = self
            .reads()
            .store
            .tx("change a schedule", move |tx| {
                let (namespace, mut update) = (namespace.clone(), update.clone());
                Box::pin(async move {
                    let action = "change a schedule";
                    let found = lock::<schedule::Entity>(tx, action, &namespace, id).await?;
                    let Some(found) = found else {
                        return Ok(Err(ScheduleError::UnknownSchedule));
                    };
                    if revision.is_some_and(|revision| revision != found.revision) {
                        return Ok(Err(ScheduleError::RevisionConflict {
                            current: found.revision,
                        }));
                    }
                    update.revision = Set(found.revision + 1);
                    Ok(Ok(update.update(tx).await.map_err(failed_to(action))?))
                })
            })
            .await??;
        self.schedule_bell().ring();
        Ok(schedule_from_row(changed)?)
    }
}

/// When to look at a schedule first: its next time with its jitter.
pub(super) fn first_look(calendar: &Calendar, id: Uuid, after: Timestamp) -> Option<i64> {
    calendar
        .next_after(after)
        .map(|nominal| due_at(calendar, id, nominal).0)
}

fn calendar_of(schedule: &ScheduleView) -> Result<Calendar, StoreError> {
    Calendar::new(&schedule.spec)
        .map_err(|problem| corrupt("schedule", format!("spec of {}: {problem}", schedule.id)))
}

/// Deletes schedules and what of them has not begun.
pub(crate) async fn delete_in(tx: &DatabaseTransaction, ids: &[Uuid]) -> Result<(), StoreError> {
    let failed = failed_to("delete schedules");
    let rows = schedule::Entity::find()
        .filter(schedule::Column::Id.is_in(ids.iter().copied()))
        .lock_exclusive()
        .all(tx)
        .await
        .map_err(failed)?;
    trigger_outcome::Entity::update_many()
        .col_expr(
            trigger_outcome::Column::Status,
            sea_orm::sea_query::Expr::value(super::OutcomeStatus::Skipped.code()),
        )
        .col_expr(
            trigger_outcome::Column::Reason,
            sea_orm::sea_query::Expr::value("SCHEDULE_DELETED"),
        )
        .col_expr(
            trigger_outcome::Column::IsOpen,
            sea_orm::sea_query::Expr::value(false),
        )
        .filter(trigger_outcome::Column::OwnerId.is_in(ids.iter().copied()))
        .filter(trigger_outcome::Column::Status.eq(super::OutcomeStatus::Buffered.code()))
        .exec(tx)
        .await
        .map_err(failed)?;
    for row in rows {
        row.delete(tx).await.map_err(failed)?;
    }
    Ok(())
}
