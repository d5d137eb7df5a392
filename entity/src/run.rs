//! One execution of a workflow version.

use sea_orm::entity::prelude::*;

/// One execution of a workflow version.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "run")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// The workflow.
    pub workflow_id: Uuid,
    /// The pinned version.
    pub workflow_version_id: Uuid,
    /// Its number.
    pub workflow_version: i32,
    /// `engine::RunStatus`.
    pub status: i16,
    /// Nothing new starts while set.
    pub is_paused: bool,
    /// Raised by one at each save; validates caches and guards writes.
    pub version: i64,
    /// Sequence number of the next event.
    pub next_seq: i64,
    /// Earliest moment at which something is due.
    pub wake_at: Option<i64>,
    /// 0–100.
    pub priority: i16,
    /// Unique in the namespace.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the start request, to tell a replay from a conflict.
    pub request_hash: Option<String>,
    /// JSON object.
    pub inputs: String,
    /// JSON object: the configured variables at the start.
    pub vars: String,
    /// JSON object.
    pub outputs: Option<String>,
    /// JSON of `engine::TaskFailure`.
    pub error: Option<String>,
    /// JSON list of strings.
    pub tags: String,
    /// JSON of `engine::Counts`.
    pub counts: String,
    /// A failure was tolerated.
    pub has_tolerated_failures: bool,
    /// JSON of `engine::RunExtra`.
    pub extra: String,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Actor.
    pub created_by: String,
    /// First task ready.
    pub started_at: Option<i64>,
    /// Terminal.
    pub finished_at: Option<i64>,
    /// The run that started this one.
    pub parent_run_id: Option<Uuid>,
    /// Its task.
    pub parent_ix: Option<i32>,
    /// The attempt of that task.
    pub parent_attempt: Option<i32>,
    /// The first run above; none when there is no parent.
    pub root_run_id: Option<Uuid>,
    /// How many runs are above.
    pub depth: i32,
    /// Id of the run that this one repeats.
    pub rerun_of: Option<String>,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
