//! Events in: stored once, matched with the triggers of their type, and what that starts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use runnel_engine::Timestamp;
use runnel_engine::trigger::{EVENT_BYTES_MAX, Evaluated, TriggerFacts, TriggerKind, evaluate};
use runnel_entity::{event_trigger, inbound_event, trigger_outcome};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::NotSet, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter,
};
use serde_json::Value;

use super::error::EventError;
use super::query::trigger_from_row;
use super::view::{EventReceipt, InboundEvent, TriggerView};
use super::{EVENTS_MAX, hook};
use crate::actor::Actor;
use crate::audit;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::schedule::outcome::{self, Owner};
use crate::schedule::{OutcomeStatus, OutcomeView, StartOrder, fire};
use crate::store::{Backend, failed_to};

/// Longest attribute of an event, in bytes.
const ATTRIBUTE_BYTES_MAX: usize = 1_024;

impl Orchestrator {
    /// Reads an event from its JSON form: an object with the attributes of CloudEvents 1.0. An id that is missing is made.
    ///
    /// # Errors
    /// One sentence.
    pub fn read_event(&self, event: Value) -> Result<InboundEvent, String> {
        let now = self.clock().now();
        let Value::Object(mut event) = event else {
            return Err("an event is an object".to_owned());
        };
        let version = event.entry("specversion").or_insert_with(|| Value::from("1.0"));
        if version.as_str() != Some("1.0") {
            return Err("`specversion` must be \"1.0\"".to_owned());
        }
        event
            .entry("id")
            .or_insert_with(|| Value::from(self.entropy().uuid(now).to_string()));
        let text = |name: &str| match event.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{name}` must be a text")),
        };
        let required = |name: &str| text(name)?.ok_or_else(|| format!("`{name}` is missing"));
        let time = match text("time")? {
            Some(time) => {
                Some(runnel_engine::schedule::parse_time(&time).map_err(|why| format!("`time`: {why}"))?)
            }
            None => None,
        };
        Ok(InboundEvent {
            id: required("id")?,
            source: required("source")?,
            event_type: required("type")?,
            subject: text("subject")?,
            time,
            received_at: now,
            event: Value::Object(event),
        })
    }

    /// Takes events: accepted means committed, and what they start is ordered in the same transaction. An event that came
    /// before, by source and id, starts nothing.
    ///
    /// # Errors
    /// An event does not fit, there are too many, or the store fails. Nothing is taken then.
    pub async fn publish_events(
        &self,
        actor: &Actor,
        events: Vec<InboundEvent>,
    ) -> Result<Vec<EventReceipt>, EventError> {
        if events.len() > EVENTS_MAX {
            return Err(EventError::TooMany {
                actual: events.len(),
                limit: EVENTS_MAX,
            });
        }
        for (index, event) in events.iter().enumerate() {
            check(event).map_err(|message| EventError::Invalid { index, message })?;
        }
        let orchestrator = self.clone();
        let namespace = Arc::clone(&actor.namespace);
        // in a task of its own: a sender that hangs up cannot leave a half of it undone
        let done = tokio::spawn(audit::inherit(async move {
            take(&orchestrator, &namespace, events).await
        }));
        let done = done.await.map_err(|_| StoreError::Aborted {
            action: "take events",
        })?;
        Ok(done?)
    }
}

fn check(event: &InboundEvent) -> Result<(), String> {
    for (name, value) in [
        ("id", &event.id),
        ("source", &event.source),
        ("type", &event.event_type),
    ] {
        if value.is_empty() {
            return Err(format!("`{name}` is missing"));
        }
        if value.len() > ATTRIBUTE_BYTES_MAX {
            return Err(format!("`{name}` is longer than {ATTRIBUTE_BYTES_MAX} bytes"));
        }
        if value.contains('\0') {
            return Err(format!("`{name}` has the character U+0000"));
        }
    }
    let bytes = event.event.to_string().len();
    if bytes > EVENT_BYTES_MAX {
        return Err(format!(
            "it has {bytes} bytes, more than the limit of {EVENT_BYTES_MAX}"
        ));
    }
    Ok(())
}

/// Matched once, before the transaction: rules do not change what they say.
#[derive(Debug, Clone)]
struct Matched {
    event: InboundEvent,
    rows: Vec<(trigger_outcome::Model, Option<RateGuard>)>,
}

/// The allowance that a start takes from its trigger.
#[derive(Debug, Clone)]
pub(super) struct RateGuard {
    pub trigger: uuid::Uuid,
    pub each_us: i64,
    pub period_us: i64,
    pub limit: String,
}

async fn take(
    orchestrator: &Orchestrator,
    namespace: &Arc<str>,
    events: Vec<InboundEvent>,
) -> Result<Vec<EventReceipt>, StoreError> {
    let triggers = triggers_of(orchestrator, namespace, &events).await?;
    let matched: Vec<Matched> = events
        .into_iter()
        .map(|event| {
            let about = triggers
                .iter()
                .filter(|trigger| trigger.rule.event.as_deref() == Some(&event.event_type));
            let rows = about
                .map(|trigger| apply(orchestrator, namespace, trigger, &event, TriggerKind::Event, None));
            let rows = rows.collect::<Result<_, StoreError>>()?;
            Ok(Matched { event, rows })
        })
        .collect::<Result<_, StoreError>>()?;
    let (work, space) = (Arc::new(matched), Arc::clone(namespace));
    let (shared, backend) = (Arc::clone(&work), orchestrator.reads().store.backend());
    let stored = orchestrator
        .reads()
        .store
        .tx("take events", move |tx| {
            let (matched, namespace) = (Arc::clone(&shared), Arc::clone(&space));
            Box::pin(async move { store(tx, backend, &namespace, &matched).await })
        })
        .await?;
    for (at, matched) in work.iter().enumerate() {
        if !stored.duplicates.contains(&at) {
            hook::on_event_committed(orchestrator, namespace, &matched.event);
        }
    }
    let orders: Vec<_> = stored
        .rows
        .iter()
        .flatten()
        .filter(|row| row.due_at.is_some())
        .cloned()
        .collect();
    let ended = fire::run(orchestrator, orders).await?;
    let ended: HashMap<_, _> = ended.into_iter().map(|end| (end.id, end)).collect();
    let mut receipts = Vec::with_capacity(work.len());
    for (at, (matched, rows)) in work.iter().zip(stored.rows).enumerate() {
        let outcomes = rows
            .into_iter()
            .map(|row| finished(row, &ended))
            .collect::<Result<_, _>>()?;
        receipts.push(EventReceipt {
            source: matched.event.source.clone(),
            id: matched.event.id.clone(),
            is_duplicate: stored.duplicates.contains(&at),
            outcomes,
        });
    }
    Ok(receipts)
}

/// An outcome as it is after its start.
pub(super) fn finished(
    mut row: trigger_outcome::Model,
    ended: &HashMap<uuid::Uuid, fire::Ended>,
) -> Result<OutcomeView, StoreError> {
    if let Some(end) = ended.get(&row.id) {
        row.status = end.status.code();
        row.run_id = end.run.map(|run| run.0);
        row.reason = end.reason.map(str::to_owned);
        row.detail = end.detail.clone();
    }
    outcome::from_row(row)
}

async fn triggers_of(
    orchestrator: &Orchestrator,
    namespace: &str,
    events: &[InboundEvent],
) -> Result<Vec<TriggerView>, StoreError> {
    let types: HashSet<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    let rows = event_trigger::Entity::find()
        .filter(event_trigger::Column::Namespace.eq(namespace))
        .filter(event_trigger::Column::EventType.is_in(types))
        .filter(event_trigger::Column::IsEnabled.eq(true))
        .filter(event_trigger::Column::IsPaused.eq(false))
        .all(orchestrator.reads().store.read())
        .await
        .map_err(failed_to("find the triggers of events"))?;
    rows.into_iter().map(trigger_from_row).collect()
}

/// What an event does to a trigger, as the row of its outcome. `delivery` is the dedupe key of a webhook.
pub(super) fn apply(
    orchestrator: &Orchestrator,
    namespace: &str,
    trigger: &TriggerView,
    event: &InboundEvent,
    kind: TriggerKind,
    delivery: Option<&str>,
) -> Result<(trigger_outcome::Model, Option<RateGuard>), StoreError> {
    let now = orchestrator.clock().now();
    let owner = Owner {
        id: trigger.id,
        key: trigger.key.clone(),
        namespace: namespace.to_owned(),
        kind,
        now,
    };
    let id = orchestrator.entropy().uuid(now);
    let scheduled_at = now.to_rfc3339();
    let facts = TriggerFacts {
        workflow: &trigger.workflow_key,
        vars: orchestrator.vars(),
        scheduled_at: &scheduled_at,
        now,
    };
    let with_event = |row: trigger_outcome::Model| trigger_outcome::Model {
        event_source: Some(event.source.clone()),
        event_id: Some(event.id.clone()),
        ..row
    };
    let (inputs, dedupe) = match evaluate(&trigger.rule, &event.event, &facts) {
        Evaluated::Start { inputs, dedupe } => (inputs, dedupe),
        Evaluated::Filtered(why) => {
            let row = trigger_outcome::Model {
                reason: Some("NO_MATCH".to_owned()),
                detail: outcome::detail(&why),
                ..owner.outcome(id, OutcomeStatus::Filtered)
            };
            return Ok((with_event(row), None));
        }
        Evaluated::Rejected(why) => {
            let row = trigger_outcome::Model {
                reason: Some("INPUT_INVALID".to_owned()),
                detail: outcome::detail(&why),
                ..owner.outcome(id, OutcomeStatus::Rejected)
            };
            return Ok((with_event(row), None));
        }
    };
    let key = match (dedupe, delivery) {
        (Some(dedupe), _) => format!("trigger/{}/{dedupe}", trigger.id),
        (None, Some(delivery)) => format!("trigger/{}/{delivery}", trigger.id),
        // the event itself is taken once; the key only names the run
        (None, None) => format!("trigger/{}/{id}", trigger.id),
    };
    let order = StartOrder {
        workflow: trigger.workflow_key.clone(),
        version: None,
        inputs,
        priority: None,
        tags: Vec::new(),
        key,
        scheduled_at: None,
    };
    let guard = trigger.rule.rate_limit.map(|rate| RateGuard {
        trigger: trigger.id,
        each_us: rate.each_us(),
        period_us: rate.period_us(),
        limit: rate.to_string(),
    });
    // started by this process right after the commit; the loop takes it up when that did not happen
    let row = trigger_outcome::Model {
        due_at: Some(now.after(fire::LEASE).0),
        ..owner.order(id, &order)?
    };
    Ok((with_event(row), guard))
}

struct Stored {
    /// Positions of events that had come before.
    duplicates: HashSet<usize>,
    /// Outcomes by event.
    rows: Vec<Vec<trigger_outcome::Model>>,
}

/// Three statements, and one for each start under a rate limit.
async fn store(
    tx: &DatabaseTransaction,
    backend: Backend,
    namespace: &Arc<str>,
    matched: &[Matched],
) -> Result<Stored, StoreError> {
    let is_new = insert(tx, namespace, matched).await?;
    let mut seen = HashSet::new();
    let mut stored = Stored {
        duplicates: HashSet::new(),
        rows: Vec::with_capacity(matched.len()),
    };
    for (at, one) in matched.iter().enumerate() {
        let name = (one.event.source.clone(), one.event.id.clone());
        // twice in one request: the first is the event
        let is_first = seen.insert(name.clone()) && is_new.contains(&name);
        let mut rows = Vec::with_capacity(one.rows.len());
        for (row, guard) in &one.rows {
            rows.push(if is_first {
                within_rate(tx, backend, row.clone(), guard.as_ref()).await?
            } else {
                deduped(row.clone())
            });
        }
        if !is_first {
            stored.duplicates.insert(at);
        }
        stored.rows.push(rows);
    }
    outcome::insert(tx, stored.rows.iter().flatten().cloned().collect()).await?;
    Ok(stored)
}

fn deduped(row: trigger_outcome::Model) -> trigger_outcome::Model {
    trigger_outcome::Model {
        status: OutcomeStatus::Deduped.code(),
        reason: Some("EVENT_EXISTS".to_owned()),
        detail: outcome::detail("the event had come before"),
        request: None,
        is_open: false,
        due_at: None,
        ..row
    }
}

/// Takes from the allowance of the trigger, which is one number: the moment up to which it is spent (GCRA). The row lock
/// of the update orders those who race.
pub(super) async fn within_rate(
    tx: &DatabaseTransaction,
    backend: Backend,
    row: trigger_outcome::Model,
    guard: Option<&RateGuard>,
) -> Result<trigger_outcome::Model, StoreError> {
    let Some(guard) = guard.filter(|_| row.due_at.is_some()) else {
        return Ok(row);
    };
    let now = row.created_at;
    let spent = format!(
        "CASE WHEN rate_tat > {now} THEN rate_tat ELSE {now} END + {}",
        guard.each_us
    );
    let sql = format!(
        "UPDATE event_trigger SET rate_tat = {spent} WHERE id = {} AND {spent} <= {}",
        backend.pick("$1", "?1"),
        now.saturating_add(guard.period_us)
    );
    let done = tx
        .execute_raw(backend.statement(sql, [guard.trigger.into()]))
        .await
        .map_err(failed_to("take from a rate limit"))?;
    if done.rows_affected() > 0 {
        return Ok(row);
    }
    Ok(trigger_outcome::Model {
        status: OutcomeStatus::RateLimited.code(),
        reason: Some("RATE_LIMIT".to_owned()),
        detail: outcome::detail(&format!("the limit is {}", guard.limit)),
        request: None,
        is_open: false,
        due_at: None,
        ..row
    })
}

/// Inserts what has not come before; answers which that was, by source and id.
async fn insert(
    tx: &DatabaseTransaction,
    namespace: &Arc<str>,
    matched: &[Matched],
) -> Result<HashSet<(String, String)>, StoreError> {
    let failed = failed_to("store events");
    if matched.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = matched.iter().map(|one| {
        let event = &one.event;
        let row = inbound_event::Model {
            position: 0,
            namespace: namespace.to_string(),
            source: event.source.clone(),
            event_id: event.id.clone(),
            event_type: event.event_type.clone(),
            subject: event.subject.clone(),
            time: event.time.map(|at: Timestamp| at.0),
            received_at: event.received_at.0,
            event: event.event.to_string(),
        };
        inbound_event::ActiveModel {
            position: NotSet,
            ..row.into_active_model()
        }
    });
    let unless_there = OnConflict::columns([
        inbound_event::Column::Namespace,
        inbound_event::Column::Source,
        inbound_event::Column::EventId,
    ])
    .do_nothing()
    .to_owned();
    let inserted = inbound_event::Entity::insert_many(rows)
        .on_conflict(unless_there)
        .exec_with_returning(tx)
        .await;
    let inserted = match inserted {
        // every one had come before
        Err(sea_orm::DbErr::RecordNotInserted) => Vec::new(),
        inserted => inserted.map_err(failed)?,
    };
    Ok(inserted
        .into_iter()
        .map(|row| (row.source, row.event_id))
        .collect())
}
