//! What somebody did, or was refused.

use sea_orm::entity::prelude::*;

/// One mutation.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    /// UUIDv7: ascends with time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Where.
    pub namespace: String,
    /// Microseconds since the epoch.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// Name of the mutation.
    pub action: String,
    /// Type of what it acted on, as `run`.
    pub target_type: Option<String>,
    /// Which one.
    pub target_id: Option<String>,
    /// Why, as given.
    pub reason: Option<String>,
    /// Request that it came with.
    pub request_id: Option<String>,
    /// `OK`, `REFUSED` or `FAILED`.
    pub outcome: String,
    /// Code of a refusal or failure.
    pub code: Option<String>,
    /// JSON object: the state before, where it is known.
    pub state_before: Option<String>,
    /// JSON object: the state after, where it is known.
    pub state_after: Option<String>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
