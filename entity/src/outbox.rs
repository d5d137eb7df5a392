//! A message that must still be sent.

use sea_orm::entity::prelude::*;

/// A message that must still be sent.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Ascending.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The run.
    pub run_id: Uuid,
    /// The task.
    pub ix: i32,
    /// The attempt.
    pub attempt: i32,
    /// Task queue.
    pub queue: String,
    /// Task type, so that the relay can hold what no worker runs.
    pub kind: String,
    /// 0–100, higher first.
    pub priority: i16,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// The relay that holds the message in memory sends it before this moment; others leave it alone until then.
    pub leased_until: i64,
    /// Namespace of the run: those of a queue take turns.
    pub namespace: String,
    /// Place in the order of the namespace: smaller goes first.
    pub rank: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
