//! Answers kept for requests that are repeated under the same key.

use sea_orm::entity::prelude::*;

/// One key.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// Owner.
    #[sea_orm(primary_key, auto_increment = false)]
    pub namespace: String,
    /// As the caller gave it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// SHA-256 of the request, to tell a replay from a conflict.
    pub request_hash: String,
    /// JSON of the answer; null while the request is at work.
    pub answer: Option<String>,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Until then nobody else begins the same request.
    pub leased_until: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
