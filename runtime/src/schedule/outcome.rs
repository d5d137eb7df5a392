//! Outcome rows: how they are made and what they order.

use runnel_engine::trigger::TriggerKind;
use runnel_engine::{RunId, Timestamp};
use runnel_entity::trigger_outcome;
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::view::{OutcomeStatus, OutcomeView};
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::convert::corrupt;

/// Longest sentence that is kept with an outcome, in characters.
const DETAIL_CHARS_MAX: usize = 1_000;

/// What is to be started: kept with the outcome until it was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StartOrder {
    pub workflow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Key of the run.
    pub key: String,
    /// `run.scheduled_at`, on the clock of the schedule's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_at: Option<String>,
}

/// Whom an outcome belongs to, and when it was made.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub id: Uuid,
    pub key: String,
    pub namespace: String,
    pub kind: TriggerKind,
    pub now: Timestamp,
}

impl Owner {
    /// An outcome of this owner with nothing to do.
    pub(crate) fn outcome(&self, id: Uuid, status: OutcomeStatus) -> trigger_outcome::Model {
        trigger_outcome::Model {
            id,
            namespace: self.namespace.clone(),
            owner_id: self.id,
            owner_key: self.key.clone(),
            backfill_id: None,
            kind: kind_code(self.kind),
            status: status.code(),
            reason: None,
            detail: None,
            nominal_at: None,
            event_source: None,
            event_id: None,
            run_id: None,
            request: None,
            is_open: false,
            due_at: None,
            attempts: 0,
            created_at: self.now.0,
            updated_at: self.now.0,
        }
    }

    /// An outcome whose run is to be started now.
    pub(crate) fn order(&self, id: Uuid, order: &StartOrder) -> Result<trigger_outcome::Model, StoreError> {
        Ok(trigger_outcome::Model {
            request: Some(order_text(order)?),
            is_open: true,
            due_at: Some(self.now.0),
            ..self.outcome(id, OutcomeStatus::Starting)
        })
    }
}

/// JSON text of an order.
pub(crate) fn order_text(order: &StartOrder) -> Result<String, StoreError> {
    serde_json::to_string(order).map_err(|error| corrupt("trigger_outcome", error.to_string()))
}

/// A sentence that fits.
pub(crate) fn detail(text: &str) -> Option<String> {
    Some(
        text.chars()
            .filter(|c| *c != '\0')
            .take(DETAIL_CHARS_MAX)
            .collect(),
    )
}

/// Inserts outcomes: one statement.
pub(crate) async fn insert<C: ConnectionTrait>(
    db: &C,
    rows: Vec<trigger_outcome::Model>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    trigger_outcome::Entity::insert_many(rows.into_iter().map(IntoActiveModel::into_active_model))
        .exec_without_returning(db)
        .await
        .map_err(failed_to("save trigger outcomes"))?;
    Ok(())
}

/// As stored.
pub(crate) fn kind_code(kind: TriggerKind) -> i16 {
    match kind {
        TriggerKind::Schedule => 0,
        TriggerKind::Manual => 1,
        TriggerKind::Backfill => 2,
        TriggerKind::Event => 3,
        TriggerKind::Webhook => 4,
    }
}

/// From the stored number.
pub(crate) fn kind_of(code: i16) -> Option<TriggerKind> {
    [
        TriggerKind::Schedule,
        TriggerKind::Manual,
        TriggerKind::Backfill,
        TriggerKind::Event,
        TriggerKind::Webhook,
    ]
    .into_iter()
    .find(|kind| kind_code(*kind) == code)
}

/// From a row.
pub(crate) fn from_row(row: trigger_outcome::Model) -> Result<OutcomeView, StoreError> {
    let bad = |what: &str| corrupt("trigger_outcome", format!("{what} of {}", row.id));
    Ok(OutcomeView {
        kind: kind_of(row.kind).ok_or_else(|| bad("kind"))?,
        status: OutcomeStatus::from_code(row.status).ok_or_else(|| bad("status"))?,
        id: row.id,
        owner: row.owner_id,
        owner_key: row.owner_key,
        backfill: row.backfill_id,
        reason: row.reason,
        detail: row.detail,
        nominal_at: row.nominal_at.map(Timestamp),
        event_source: row.event_source,
        event_id: row.event_id,
        run: row.run_id.map(RunId),
        created_at: Timestamp(row.created_at),
        updated_at: Timestamp(row.updated_at),
    })
}
