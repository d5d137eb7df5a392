//! A namespace: the tenant of workflows and runs.

use sea_orm::entity::prelude::*;

/// A namespace: the tenant of workflows and runs.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "namespace")]
pub struct Model {
    /// Name, as `default`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Days for which ended runs are kept: 0 for ever, NULL as the server says.
    pub runs_kept_days: Option<i32>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
