//! Runs of operations on many runs.

use sea_orm::entity::prelude::*;

/// One run of one operation.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bulk_item")]
pub struct Model {
    /// The operation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub operation_id: Uuid,
    /// From 1, newest run first.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    /// The run.
    pub run_id: Uuid,
    /// 0 not decided, 1 done, 2 failed.
    pub outcome: i16,
    /// Code of a failure.
    pub code: Option<String>,
    /// One sentence about a failure.
    pub message: Option<String>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
