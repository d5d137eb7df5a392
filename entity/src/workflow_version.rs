//! An immutable version of a workflow.

use sea_orm::entity::prelude::*;

/// An immutable version of a workflow.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_version")]
pub struct Model {
    /// UUIDv7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The workflow; (workflow_id, number) and (workflow_id, hash) are unique.
    pub workflow_id: Uuid,
    /// From 1.
    pub number: i32,
    /// SHA-256 of the definition, hex.
    pub hash: String,
    /// JSON of `engine::Workflow`.
    pub definition: String,
    /// v1 text as published or as converted.
    pub source: String,
    /// Dialect the file was written in.
    pub dialect: String,
    /// Static tasks.
    pub task_count: i32,
    /// Microseconds since the epoch.
    pub created_at: i64,
    /// Actor.
    pub created_by: String,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
