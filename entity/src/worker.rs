//! A worker that has reported.

use sea_orm::entity::prelude::*;

/// A worker that has reported.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "worker")]
pub struct Model {
    /// Name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Task queue it receives from.
    pub queue: String,
    /// JSON list of the task types it runs.
    pub types: String,
    /// Attempts at once.
    pub slots: i32,
    /// First report.
    pub started_at: i64,
    /// Last report.
    pub seen_at: i64,
    /// It said goodbye.
    pub left_at: Option<i64>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
