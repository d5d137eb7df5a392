//! What tasks wait for: events, signals, approvals and callbacks.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, small_integer, string, text_null, uuid,
};
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(wait()).await?;
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("wait").to_owned()).await
    }
}

/// The kinds are those of `entity::wait`: 0 is an event, 2 an approval.
const INDEXES: &[&str] = &[
    // who waits for an event of this type
    "CREATE INDEX wait_event ON wait (namespace, subject, run_id, ix) WHERE kind = 0",
    // waits that have not been compared with the events before them
    "CREATE INDEX wait_look_back ON wait (run_id, ix) WHERE must_look_back = 1",
    "CREATE INDEX wait_inbox ON wait (namespace, since, run_id, ix) WHERE kind = 2",
];

fn wait() -> TableCreateStatement {
    Table::create()
        .table("wait")
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(integer("attempt"))
        .col(string("namespace"))
        .col(small_integer("kind"))
        .col(text_null("subject"))
        .col(big_integer("since"))
        .col(big_integer_null("look_back_from"))
        .col(small_integer("must_look_back"))
        .primary_key(Index::create().col("run_id").col("ix"))
        .to_owned()
}
