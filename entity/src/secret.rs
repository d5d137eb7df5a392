//! A stored secret. Its value is sealed; nothing in the database opens it.

use sea_orm::entity::prelude::*;

/// A stored secret. Its value is sealed; nothing in the database opens it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "secret")]
pub struct Model {
    /// Namespace.
    #[sea_orm(primary_key, auto_increment = false)]
    pub namespace: String,
    /// Name, as in `secrets.NAME`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The key it is sealed with.
    pub key_id: String,
    /// Nonce and sealed bytes, in base64.
    pub value: String,
    /// First set.
    pub created_at: i64,
    /// Last set.
    pub updated_at: i64,
    /// Who set it last.
    pub updated_by: String,
}

/// No relations: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
