//! An event that came in. Kept for a while for tasks that look back.

use sea_orm::entity::prelude::*;

/// An event that came in. Kept for a while for tasks that look back.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inbound_event")]
pub struct Model {
    /// Order of arrival.
    #[sea_orm(primary_key)]
    pub position: i64,
    /// Owner.
    pub namespace: String,
    /// CloudEvents source.
    pub source: String,
    /// CloudEvents id; unique with the source.
    pub event_id: String,
    /// CloudEvents type.
    pub event_type: String,
    /// CloudEvents subject.
    pub subject: Option<String>,
    /// CloudEvents time, in microseconds since the epoch.
    pub time: Option<i64>,
    /// When it came in.
    pub received_at: i64,
    /// JSON object: the whole event with its data.
    pub event: String,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
