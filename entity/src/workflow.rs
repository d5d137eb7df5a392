//! A workflow: the sequence of its versions under one key.

use sea_orm::entity::prelude::*;

/// A workflow: the sequence of its versions under one key.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// `id` of the file; unique in the namespace.
    pub key: String,
    /// Display name of the latest version.
    pub name: String,
    /// Number of the newest version.
    pub latest_version: i32,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// When the newest version was published.
    pub updated_at: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
