//! One task of a run, or one item of a fan-out.

use sea_orm::entity::prelude::*;

/// One task of a run, or one item of a fan-out.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
pub struct Model {
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// `engine::TaskIx`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub ix: i32,
    /// Key, with `[item]` for an item.
    pub key: String,
    /// Static task it is, or is an item of.
    pub template: i32,
    /// JSON: {parent, index, key, value}.
    pub item: Option<String>,
    /// Task type.
    pub kind: String,
    /// Task queue.
    pub queue: String,
    /// `engine::TaskStatus`.
    pub status: i16,
    /// Current attempt.
    pub attempt: i32,
    /// Retries used.
    pub retries: i32,
    /// Losses so far.
    pub losses: i32,
    /// When it is next due.
    pub wake_at: Option<i64>,
    /// First eligible.
    pub ready_at: Option<i64>,
    /// Current attempt put into the outbox.
    pub queued_at: Option<i64>,
    /// Current attempt begun.
    pub started_at: Option<i64>,
    /// Last sign of life.
    pub heartbeat_at: Option<i64>,
    /// Terminal.
    pub finished_at: Option<i64>,
    /// Worker of the current attempt.
    pub worker: Option<String>,
    /// JSON.
    pub input: Option<String>,
    /// JSON.
    pub output: Option<String>,
    /// JSON of `engine::TaskFailure`.
    pub error: Option<String>,
    /// Engine-private JSON.
    pub extra: Option<String>,
    /// JSON: how far the current attempt is.
    pub progress: Option<String>,
    /// JSON: what the next attempt may go on from.
    pub checkpoint: Option<String>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
