//! Nominal times of a schedule in a range of the past, made up for.

use sea_orm::entity::prelude::*;

/// Nominal times of a schedule in a range of the past, made up for.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "backfill")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// The schedule.
    pub schedule_id: Uuid,
    /// Begin of the range.
    pub from_at: i64,
    /// End of the range, not part of it.
    pub until_at: i64,
    /// Everything up to here has been begun.
    pub cursor: i64,
    /// Most runs at once.
    pub max_parallel: i32,
    /// Nominal times in the range.
    pub total: i32,
    /// Those begun so far.
    pub begun: i32,
    /// 0 running, 1 done, 2 cancelled.
    pub status: i16,
    /// When to look at it next.
    pub next_at: Option<i64>,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Who asked for it.
    pub created_by: String,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
