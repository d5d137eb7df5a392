//! Dead letters: what failed for good and waits for a person; and which run a run repeats.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer_null, pk_uuid, small_integer, string, text, text_null, uuid_null,
};
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(dead_letter()).await?;
        for statement in STATEMENTS {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DROP INDEX run_rerun_of").await?;
        db.execute_unprepared("ALTER TABLE run DROP COLUMN rerun_of")
            .await?;
        manager
            .drop_table(Table::drop().table("dead_letter").to_owned())
            .await
    }
}

const STATEMENTS: &[&str] = &[
    // ids ascend with time, so that the list is walked by them
    "CREATE INDEX dead_letter_list ON dead_letter (namespace, id)",
    "CREATE INDEX dead_letter_group ON dead_letter (namespace, fingerprint, id)",
    // one letter an attempt and kind, however often it is kept
    "CREATE UNIQUE INDEX dead_letter_attempt ON dead_letter (run_id, ix, attempt, kind) WHERE run_id IS NOT NULL",
    // text, because nothing is joined by it and a nullable id cannot be bound in an array
    "ALTER TABLE run ADD COLUMN rerun_of TEXT",
    "CREATE INDEX run_rerun_of ON run (rerun_of) WHERE rerun_of IS NOT NULL",
];

/// The id is derived from what the letter is about, so that nothing is kept twice.
fn dead_letter() -> TableCreateStatement {
    Table::create()
        .table("dead_letter")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(small_integer("kind"))
        .col(small_integer("status"))
        .col(big_integer("at"))
        .col(text_null("workflow"))
        .col(uuid_null("run_id"))
        .col(integer_null("ix"))
        .col(text_null("task"))
        .col(integer_null("attempt"))
        .col(text_null("queue"))
        .col(text("category"))
        .col(text("code"))
        .col(text("summary"))
        .col(text("failure"))
        .col(text_null("payload"))
        .col(text("fingerprint"))
        .col(big_integer_null("resolved_at"))
        .col(text_null("resolved_by"))
        .col(text_null("reason"))
        .to_owned()
}
