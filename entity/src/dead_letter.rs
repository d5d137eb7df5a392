//! Something that failed for good and waits for a person.

use sea_orm::entity::prelude::*;

/// Something that failed for good and waits for a person.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letter")]
pub struct Model {
    /// UUIDv7 derived from what it is about.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// `runtime::dead_letters::Kind`.
    pub kind: i16,
    /// `runtime::dead_letters::Status`.
    pub status: i16,
    /// When it was kept; microseconds since the epoch.
    pub at: i64,
    /// Key of the workflow.
    pub workflow: Option<String>,
    /// The run.
    pub run_id: Option<Uuid>,
    /// Index of the task in the run.
    pub ix: Option<i32>,
    /// Key of the task.
    pub task: Option<String>,
    /// The attempt.
    pub attempt: Option<i32>,
    /// The task queue.
    pub queue: Option<String>,
    /// Category of the failure.
    pub category: String,
    /// Code of the failure.
    pub code: String,
    /// Begin of the message, the same for all of a group but for numbers.
    pub summary: String,
    /// JSON of `engine::TaskFailure`.
    pub failure: String,
    /// Resolved input of the task, or the text of the message; cut at a limit.
    pub payload: Option<String>,
    /// The same for failures of the same kind.
    pub fingerprint: String,
    /// When it was replayed or discarded.
    pub resolved_at: Option<i64>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
