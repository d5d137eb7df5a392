//! What people do with triggers.

use std::time::Duration;

use runnel_engine::expr::{Expr, Template};
use runnel_engine::trigger::{EventRule, TriggerKind};
use runnel_entity::event_trigger;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde_json::Value;
use uuid::Uuid;

use super::query::trigger_from_row;
use super::secret::{self, SecretRef};
use super::view::{NewWebhook, TriggerView, WebhookSecret};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::schedule::outcome::kind_code;
use crate::schedule::stored::{insert_unless_there, lock};
use crate::schedule::{Origin, ScheduleError, admin_text, check_key};
use crate::store::failed_to;
use crate::view::convert::corrupt;

/// How long the secret before is accepted when nothing else is said.
pub const ROTATION_OVERLAP: Duration = Duration::from_secs(24 * 3_600);

/// Longest such time.
pub const ROTATION_OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

impl Orchestrator {
    /// Makes a webhook and its first secret, which is shown now and never again. The same again answers the webhook that
    /// is there, without a secret.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub async fn create_webhook(
        &self,
        actor: &Actor,
        new: NewWebhook,
    ) -> Result<(TriggerView, Option<WebhookSecret>), ScheduleError> {
        check_key(&new.key)?;
        check_rule(&new.rule)?;
        let version = self.schedulable(actor, &new.workflow, None).await?;
        let now = self.clock().now();
        let id = self.entropy().uuid(now);
        let row = event_trigger::Model {
            id,
            namespace: actor.namespace.to_string(),
            key: new.key,
            workflow_id: version.workflow_id.0,
            workflow_key: version.key.to_string(),
            origin: Origin::Api as i16,
            slot: None,
            kind: kind_code(TriggerKind::Webhook),
            event_type: None,
            rule: admin_text(&new.rule)?,
            is_enabled: true,
            is_paused: false,
            pause_reason: None,
            paused_by: None,
            rate_tat: 0,
            secret_key: Some(self.shell().token_keys.signing_id().to_owned()),
            secret_generation: 1,
            previous_key: None,
            previous_generation: 0,
            previous_until: None,
            created_at: now.0,
            created_by: actor.name.to_string(),
            updated_at: now.0,
        };
        let store = &self.reads().store;
        let stored =
            insert_unless_there::<event_trigger::Entity>(store, "save a webhook", row.clone()).await?;
        let is_new = stored.id == id;
        if !is_new && (stored.rule != row.rule || stored.workflow_key != row.workflow_key) {
            return Err(ScheduleError::KeyTaken { key: row.key });
        }
        let secret = if is_new { self.secret_of(&stored)? } else { None };
        Ok((trigger_from_row(stored)?, secret))
    }

    /// Gives a webhook a new secret, which is shown now and never again; the one before is accepted for a while.
    ///
    /// # Errors
    /// There is no such webhook, it has another generation than the caller believes, the time is too long, or the store fails.
    pub async fn rotate_webhook_secret(
        &self,
        actor: &Actor,
        id: Uuid,
        overlap: Option<Duration>,
        expected_generation: Option<i32>,
    ) -> Result<(TriggerView, WebhookSecret), ScheduleError> {
        let overlap = overlap.unwrap_or(ROTATION_OVERLAP);
        if overlap > ROTATION_OVERLAP_MAX {
            let message = format!(
                "the overlap is longer than {} days",
                ROTATION_OVERLAP_MAX.as_secs() / 86_400
            );
            return Err(ScheduleError::invalid("overlap", message));
        }
        let found = self.find_trigger(actor, id).await?;
        let found = found.filter(|found| found.kind == TriggerKind::Webhook);
        let generation = found.ok_or(ScheduleError::UnknownTrigger)?.secret_generation;
        if expected_generation.is_some_and(|expected| expected != generation) {
            return Err(ScheduleError::RevisionConflict {
                current: i64::from(generation),
            });
        }
        let now = self.clock().now();
        let key = self.shell().token_keys.signing_id().to_owned();
        let stored = self
            .change_trigger(actor, id, move |row| {
                // two who rotate at once make one new secret
                if row.secret_generation != generation || row.kind != kind_code(TriggerKind::Webhook) {
                    return None;
                }
                Some(event_trigger::ActiveModel {
                    id: Set(row.id),
                    secret_key: Set(Some(key.clone())),
                    secret_generation: Set(row.secret_generation.saturating_add(1)),
                    previous_key: Set(row.secret_key.clone()),
                    previous_generation: Set(row.secret_generation),
                    previous_until: Set(row.secret_key.as_ref().map(|_| now.after(overlap).0)),
                    updated_at: Set(now.0),
                    ..Default::default()
                })
            })
            .await?;
        let secret = self.secret_of(&stored)?;
        let secret = secret.ok_or_else(|| corrupt("event_trigger", format!("{id} has no secret")))?;
        Ok((trigger_from_row(stored)?, secret))
    }

    /// Pauses a trigger: what comes meanwhile starts nothing. A paused one stays as it is.
    ///
    /// # Errors
    /// It does not exist, or the store fails.
    pub async fn pause_trigger(
        &self,
        actor: &Actor,
        id: Uuid,
        reason: Option<String>,
    ) -> Result<TriggerView, ScheduleError> {
        let (now, name) = (self.clock().now(), actor.name.to_string());
        let stored = self
            .change_trigger(actor, id, move |row| {
                (!row.is_paused).then(|| event_trigger::ActiveModel {
                    id: Set(row.id),
                    is_paused: Set(true),
                    pause_reason: Set(reason.clone()),
                    paused_by: Set(Some(name.clone())),
                    updated_at: Set(now.0),
                    ..Default::default()
                })
            })
            .await?;
        Ok(trigger_from_row(stored)?)
    }

    /// Resumes a trigger.
    ///
    /// # Errors
    /// It does not exist, or the store fails.
    pub async fn resume_trigger(&self, actor: &Actor, id: Uuid) -> Result<TriggerView, ScheduleError> {
        let now = self.clock().now();
        let stored = self
            .change_trigger(actor, id, move |row| {
                row.is_paused.then(|| event_trigger::ActiveModel {
                    id: Set(row.id),
                    is_paused: Set(false),
                    pause_reason: Set(None),
                    paused_by: Set(None),
                    updated_at: Set(now.0),
                    ..Default::default()
                })
            })
            .await?;
        Ok(trigger_from_row(stored)?)
    }

    /// Deletes a webhook. Deleting what is not there is no error.
    ///
    /// # Errors
    /// It is part of a workflow file, or the store fails.
    pub async fn delete_trigger(&self, actor: &Actor, id: Uuid) -> Result<bool, ScheduleError> {
        let Some(found) = self.find_trigger(actor, id).await? else {
            return Ok(false);
        };
        if found.origin == Origin::File {
            return Err(ScheduleError::OwnedByFile { key: found.key });
        }
        self.reads()
            .store
            .tx("delete a trigger", move |tx| {
                Box::pin(async move {
                    event_trigger::Entity::delete_by_id(id)
                        .exec(tx)
                        .await
                        .map_err(failed_to("delete a trigger"))?;
                    Ok(())
                })
            })
            .await?;
        Ok(true)
    }

    fn secret_of(&self, row: &event_trigger::Model) -> Result<Option<WebhookSecret>, StoreError> {
        let Some(key) = row.secret_key.as_deref() else {
            return Ok(None);
        };
        let secret = SecretRef {
            webhook: row.id,
            key,
            generation: row.secret_generation,
        };
        Ok(secret::reveal(&self.shell().token_keys, secret))
    }

    /// Changes a trigger under its lock; `None` leaves it. Who names a trigger of another kind learns that there is none.
    async fn change_trigger(
        &self,
        actor: &Actor,
        id: Uuid,
        change: impl Fn(&event_trigger::Model) -> Option<event_trigger::ActiveModel> + Send + Sync + 'static,
    ) -> Result<event_trigger::Model, ScheduleError> {
        let namespace = actor.namespace.to_string();
        let change = std::sync::Arc::new(change);
        let stored = self
            .reads()
            .store
            .tx("change a trigger", move |tx| {
                let (namespace, change) = (namespace.clone(), std::sync::Arc::clone(&change));
                Box::pin(async move {
                    let action = "change a trigger";
                    let found = lock::<event_trigger::Entity>(tx, action, &namespace, id).await?;
                    let Some(found) = found else { return Ok(None) };
                    match change(&found) {
                        Some(update) => update.update(tx).await.map(Some).map_err(failed_to(action)),
                        None => Ok(Some(found)),
                    }
                })
            })
            .await?;
        stored.ok_or(ScheduleError::UnknownTrigger)
    }
}

/// Refuses now what would be refused at each delivery.
fn check_rule(rule: &EventRule) -> Result<(), ScheduleError> {
    let invalid = |field: &'static str, message: String| Err(ScheduleError::invalid(field, message));
    if let Some(condition) = &rule.condition
        && let Err(error) = Expr::compile(condition)
    {
        return invalid("match", format!("`match` does not compile: {}", error.message));
    }
    let inputs = Value::Object(rule.inputs.clone());
    if let Err(errors) = Template::compile(&inputs) {
        let (place, error) = &errors[0];
        return invalid(
            "inputs",
            format!("`inputs{place}` does not compile: {}", error.message),
        );
    }
    if let Some(dedupe) = &rule.dedupe
        && let Err(errors) = Template::compile(&Value::String(dedupe.clone()))
    {
        return invalid(
            "dedupe",
            format!("`dedupe` does not compile: {}", errors[0].1.message),
        );
    }
    Ok(())
}
