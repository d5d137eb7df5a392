//! What became of one moment of a schedule, or of one event for one trigger.

use sea_orm::entity::prelude::*;

/// What became of one moment of a schedule, or of one event for one trigger.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trigger_outcome")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// The schedule or the trigger.
    pub owner_id: Uuid,
    /// Its key.
    pub owner_key: String,
    /// The backfill that it belongs to.
    pub backfill_id: Option<Uuid>,
    /// Kind of trigger.
    pub kind: i16,
    /// What became of it.
    pub status: i16,
    /// Why, as an UPPER_SNAKE word.
    pub reason: Option<String>,
    /// Why, as a sentence.
    pub detail: Option<String>,
    /// Nominal time of a schedule.
    pub nominal_at: Option<i64>,
    /// CloudEvents source.
    pub event_source: Option<String>,
    /// CloudEvents id, or the delivery id of a webhook.
    pub event_id: Option<String>,
    /// The run.
    pub run_id: Option<Uuid>,
    /// JSON of the start, while it is still to be done.
    pub request: Option<String>,
    /// Whether it or its run may still go on.
    pub is_open: bool,
    /// When the start is due (again); null: nothing is to be done.
    pub due_at: Option<i64>,
    /// How often the start was tried.
    pub attempts: i32,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// When it was changed last.
    pub updated_at: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
