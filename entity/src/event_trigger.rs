//! What starts a workflow by an event or a webhook.

use sea_orm::entity::prelude::*;

/// What starts a workflow by an event or a webhook.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event_trigger")]
pub struct Model {
    /// UUIDv7; the address of a webhook.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// Unique in the namespace.
    pub key: String,
    /// The workflow.
    pub workflow_id: Uuid,
    /// Its key.
    pub workflow_key: String,
    /// Who made it: 0 API, 1 a workflow file.
    pub origin: i16,
    /// What it is in the file, the same from version to version.
    pub slot: Option<String>,
    /// Kind of trigger: 3 event, 4 webhook.
    pub kind: i16,
    /// CloudEvents type; null for a webhook.
    pub event_type: Option<String>,
    /// JSON of `engine::trigger::EventRule`.
    pub rule: String,
    /// Whether the file turns it on.
    pub is_enabled: bool,
    /// Whether an operator paused it.
    pub is_paused: bool,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Rate limit: the moment up to which the allowance is spent.
    pub rate_tat: i64,
    /// Key that the secret is derived from; null: it has no secret yet.
    pub secret_key: Option<String>,
    /// Which secret it is.
    pub secret_generation: i32,
    /// The same of the secret before.
    pub previous_key: Option<String>,
    /// The same of the secret before.
    pub previous_generation: i32,
    /// Until when the secret before is accepted.
    pub previous_until: Option<i64>,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Who made it.
    pub created_by: String,
    /// When it was changed last.
    pub updated_at: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
