//! A stretch of a run's history: the records that one commit appended.

use sea_orm::entity::prelude::*;

/// A stretch of a run's history: the records that one commit appended.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Ascending with insertion, given by the database; with xid the cursor of the global feed.
    #[sea_orm(primary_key)]
    pub position: i64,
    /// The run; (run_id, first_seq) is unique.
    pub run_id: Uuid,
    /// Sequence number of the first record.
    pub first_seq: i64,
    /// Sequence number of the last record.
    pub last_seq: i64,
    /// PostgreSQL: with position the order of the global feed, so that it never skips a late commit; SQLite: 0. Both columns
    /// are filled by the database and never written.
    pub xid: i64,
    /// Owner.
    pub namespace: String,
    /// When the commit was decided.
    pub at: i64,
    /// JSON list of `engine::run::Record`.
    pub records: String,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
