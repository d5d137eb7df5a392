//! Moments at which a workflow is started.

use sea_orm::entity::prelude::*;

/// Moments at which a workflow is started.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Owner.
    pub namespace: String,
    /// Unique in the namespace.
    pub key: String,
    /// The workflow.
    pub workflow_id: Uuid,
    /// Its key.
    pub workflow_key: String,
    /// Number of the version that is started; the newest when null.
    pub version: Option<i32>,
    /// Who made it: 0 API, 1 a workflow file, 2 a delayed start.
    pub origin: i16,
    /// What it is in the file, the same from version to version.
    pub slot: Option<String>,
    /// JSON of `engine::schedule::Spec`.
    pub spec: String,
    /// JSON of `engine::schedule::Policy`.
    pub policy: String,
    /// JSON object: templates of the inputs.
    pub inputs: String,
    /// 0–100; -1: the workflow's.
    pub priority: i16,
    /// JSON list of strings.
    pub tags: String,
    /// Whether the file turns it on.
    pub is_enabled: bool,
    /// Whether an operator, or a row of failures, paused it.
    pub is_paused: bool,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// Everything up to here has been decided upon.
    pub cursor: i64,
    /// When to look at it next; null: never by itself.
    pub next_at: Option<i64>,
    /// JSON list: nominal times that wait for a run to end.
    pub buffered: String,
    /// Runs in a row that did not succeed.
    pub failures: i32,
    /// Raised by one by each change of an operator.
    pub revision: i64,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Who made it.
    pub created_by: String,
    /// When it was changed last.
    pub updated_at: i64,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
