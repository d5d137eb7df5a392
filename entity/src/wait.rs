//! A task that waits for something from outside: an event, a signal, a decision or a callback.

use sea_orm::entity::prelude::*;

/// A task that waits for something from outside. The row is there exactly as long as the task waits.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wait")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// `engine::TaskIx`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ix: i32,
    /// The attempt that waits.
    pub attempt: i32,
    /// Of the run.
    pub namespace: String,
    /// 0 event, 1 signal, 2 approval, 3 callback.
    pub kind: i16,
    /// Type of the event, or name of the signal.
    pub subject: Option<String>,
    /// When the wait began.
    pub since: i64,
    /// Events that came from this moment on are looked at.
    pub look_back_from: Option<i64>,
    /// 1 until they have been.
    pub must_look_back: i16,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
