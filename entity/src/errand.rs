//! Something to be done between a run and its child runs.

use sea_orm::entity::prelude::*;

/// Something to be done between a run and its child runs; written with the change that asks for it, gone when it is done.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "errand")]
pub struct Model {
    /// The parent, or, for the notice of an end, the child.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// The parent's task; 0 for the notice of an end.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ix: i32,
    /// Its attempt; 0 for the notice of an end.
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i32,
    /// 0 start, 1 cancel gracefully, 2 cancel now, 3 notice of the end.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: i16,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Who holds it has until then.
    pub leased_until: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
