//! Log lines of an attempt, one row per reported chunk.

use sea_orm::entity::prelude::*;

/// Log lines of an attempt, one row per reported chunk.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_log")]
pub struct Model {
    /// Ascending; the cursor of a log.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The run.
    pub run_id: Uuid,
    /// The task.
    pub ix: i32,
    /// The attempt.
    pub attempt: i32,
    /// Hash of the chunk as it was reported; unique within the attempt.
    pub digest: String,
    /// Number of stored lines.
    pub line_count: i32,
    /// JSON list of {at_us, stream, text}.
    pub lines: String,
    /// Microseconds since the epoch.
    pub created_at: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
