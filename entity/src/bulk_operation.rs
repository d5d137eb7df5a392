//! Operations on many runs.

use sea_orm::entity::prelude::*;

/// One operation; its progress is in its items.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk_operation")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// What is done to each run, as `CANCEL`.
    pub action: String,
    /// JSON object: what the action needs beside the run.
    pub parameters: String,
    /// Actor.
    pub created_by: String,
    /// Why, as given.
    pub reason: Option<String>,
    /// Unique in the namespace.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the request, to tell a replay from a conflict.
    pub request_hash: Option<String>,
    /// Number of items.
    pub total: i32,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// First item begun.
    pub started_at: Option<i64>,
    /// Every item is decided.
    pub finished_at: Option<i64>,
    /// Until then nobody else works on it.
    pub leased_until: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
