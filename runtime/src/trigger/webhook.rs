//! Deliveries to webhooks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use runnel_engine::Timestamp;
use runnel_engine::trigger::TriggerKind;
use runnel_entity::{event_trigger, trigger_outcome};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::HookError;
use super::event::{apply, finished, within_rate};
use super::query::trigger_from_row;
use super::secret::{self, SecretRef, Signed};
use super::view::InboundEvent;
use crate::audit;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::schedule::outcome::{self, Owner, kind_code};
use crate::schedule::{OutcomeStatus, OutcomeView, fire};
use crate::store::failed_to;

/// Longest delivery id: it is part of the key of a run.
const DELIVERY_BYTES_MAX: usize = 128;

/// Refused deliveries that are written down in a minute, by this process: who has no secret must not fill the database.
const REFUSALS_A_MINUTE: u32 = 60;

/// One delivery, as its headers and body say.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `webhook-id`: the same for each delivery of one message.
    pub id: String,
    /// `webhook-timestamp`: seconds since the epoch.
    pub timestamp: String,
    /// `webhook-signature`: one or more of `v1,<base64>`.
    pub signatures: String,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

/// Counts refusals in the current minute.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    minute: AtomicI64,
    count: AtomicU32,
}

impl Refusals {
    fn may_be_written(&self, now: Timestamp) -> bool {
        let minute = now.0.div_euclid(60_000_000);
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            self.count.store(0, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed) < REFUSALS_A_MINUTE
    }
}

impl Orchestrator {
    /// Takes a delivery. The same delivery again answers what the first one did.
    ///
    /// # Errors
    /// See [`HookError`].
    pub async fn receive_webhook(&self, id: Uuid, delivery: Delivery) -> Result<OutcomeView, HookError> {
        let row = event_trigger::Entity::find_by_id(id)
            .one(self.reads().store.read())
            .await
            .map_err(failed_to("read a webhook"))?;
        let row = row.filter(|row| row.kind == kind_code(TriggerKind::Webhook) && row.is_enabled);
        let row = row.ok_or(HookError::Unknown)?;
        if let Err(why) = self.check_signature(&row, &delivery) {
            self.refuse(&row, &delivery, why).await?;
            return Err(HookError::Unsigned);
        }
        let orchestrator = self.clone();
        let taken = tokio::spawn(audit::inherit(async move {
            take(&orchestrator, row, &delivery).await
        }));
        let (outcome, limit) = taken.await.map_err(|_| StoreError::Aborted {
            action: "take a delivery",
        })??;
        match (outcome.status, limit) {
            (OutcomeStatus::RateLimited, Some(limit)) => Err(HookError::RateLimited { limit }),
            _ => Ok(outcome),
        }
    }

    fn check_signature(&self, row: &event_trigger::Model, delivery: &Delivery) -> Result<(), &'static str> {
        if delivery.id.is_empty()
            || delivery.id.len() > DELIVERY_BYTES_MAX
            || !delivery.id.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err("`webhook-id` is missing or too long");
        }
        let now = self.clock().now();
        let signed = Signed {
            id: &delivery.id,
            timestamp: &delivery.timestamp,
            signatures: &delivery.signatures,
            body: &delivery.body,
        };
        let current = row.secret_key.as_deref().map(|key| (key, row.secret_generation));
        let previous = row
            .previous_key
            .as_deref()
            .filter(|_| row.previous_until.is_some_and(|until| now.0 < until))
            .map(|key| (key, row.previous_generation));
        if current.is_none() {
            return Err("the webhook has no secret yet");
        }
        let keys = &self.shell().token_keys;
        let is_valid = [current, previous]
            .into_iter()
            .flatten()
            .any(|(key, generation)| {
                let secret = SecretRef {
                    webhook: row.id,
                    key,
                    generation,
                };
                secret::verify(keys, secret, &signed, now)
            });
        if is_valid {
            Ok(())
        } else {
            Err("the signature or its time does not fit")
        }
    }

    async fn refuse(
        &self,
        row: &event_trigger::Model,
        delivery: &Delivery,
        why: &'static str,
    ) -> Result<(), StoreError> {
        let now = self.clock().now();
        metrics::counter!("runnel_webhook_refusals_total").increment(1);
        if !self.shell().refusals.may_be_written(now) {
            return Ok(());
        }
        let delivery_id: String = delivery
            .id
            .chars()
            .filter(char::is_ascii_graphic)
            .take(DELIVERY_BYTES_MAX)
            .collect();
        let refused = trigger_outcome::Model {
            reason: Some("SIGNATURE".to_owned()),
            detail: outcome::detail(why),
            event_id: Some(delivery_id).filter(|id| !id.is_empty()),
            ..owner(row, now).outcome(self.entropy().uuid(now), OutcomeStatus::Rejected)
        };
        self.reads()
            .store
            .tx("save a refused delivery", move |tx| {
                let refused = refused.clone();
                Box::pin(async move { outcome::insert(tx, vec![refused]).await })
            })
            .await
    }
}

fn owner(row: &event_trigger::Model, now: Timestamp) -> Owner {
    Owner {
        id: row.id,
        key: row.key.clone(),
        namespace: row.namespace.clone(),
        kind: TriggerKind::Webhook,
        now,
    }
}

async fn take(
    orchestrator: &Orchestrator,
    row: event_trigger::Model,
    delivery: &Delivery,
) -> Result<(OutcomeView, Option<String>), StoreError> {
    let now = orchestrator.clock().now();
    let namespace = row.namespace.clone();
    let paused = row.is_paused.then(|| trigger_outcome::Model {
        reason: Some("PAUSED".to_owned()),
        detail: outcome::detail("the trigger is paused"),
        event_id: Some(delivery.id.clone()),
        ..owner(&row, now).outcome(orchestrator.entropy().uuid(now), OutcomeStatus::Filtered)
    });
    let trigger = trigger_from_row(row)?;
    let event = event_of(trigger.id, delivery, now);
    let (made, guard) = match paused {
        Some(paused) => (paused, None),
        None => apply(
            orchestrator,
            &namespace,
            &trigger,
            &event,
            TriggerKind::Webhook,
            Some(&delivery.id),
        )?,
    };
    let limit = guard.as_ref().map(|guard| guard.limit.clone());
    let backend = orchestrator.reads().store.backend();
    let work = Arc::new((made, guard));
    let stored = orchestrator
        .reads()
        .store
        .tx("take a delivery", move |tx| {
            let work = Arc::clone(&work);
            Box::pin(async move {
                let (made, guard) = &*work;
                let row = within_rate(tx, backend, made.clone(), guard.as_ref()).await?;
                outcome::insert(tx, vec![row.clone()]).await?;
                Ok(row)
            })
        })
        .await?;
    let orders = Some(stored.clone()).filter(|row| row.due_at.is_some());
    let ended = fire::run(orchestrator, orders.into_iter().collect()).await?;
    let ended: HashMap<_, _> = ended.into_iter().map(|end| (end.id, end)).collect();
    Ok((finished(stored, &ended)?, limit))
}

/// A delivery as expressions read it: the attributes of CloudEvents, the body as data.
fn event_of(webhook: Uuid, delivery: &Delivery, now: Timestamp) -> InboundEvent {
    let data = serde_json::from_slice(&delivery.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&delivery.body).into_owned()));
    let source = format!("/hooks/{webhook}");
    let event = json!({
        "specversion": "1.0",
        "id": delivery.id,
        "source": source,
        "type": "webhook",
        "time": now.to_rfc3339(),
        "data": data,
    });
    InboundEvent {
        id: delivery.id.clone(),
        source,
        event_type: "webhook".to_owned(),
        subject: None,
        time: Some(now),
        received_at: now,
        event,
    }
}
