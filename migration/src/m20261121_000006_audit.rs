//! What operators did (`audit`), answers kept for repeated requests (`idempotency`), and operations on many runs (`bulk_*`).

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, pk_uuid, small_integer, string, text, text_null, uuid,
};
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [audit(), idempotency(), bulk_operation(), bulk_item()] {
            manager.create_table(table).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["bulk_item", "bulk_operation", "idempotency", "audit"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

const INDEXES: &[&str] = &[
    // ids ascend with time, so that the log is walked by them
    "CREATE INDEX audit_log ON audit (namespace, id)",
    "CREATE INDEX audit_target ON audit (namespace, target_id, id)",
    "CREATE INDEX idempotency_age ON idempotency (created_at)",
    "CREATE UNIQUE INDEX bulk_operation_key ON bulk_operation (namespace, idempotency_key) \
     WHERE idempotency_key IS NOT NULL",
    // operations that are not done, for the loop that works on them
    "CREATE INDEX bulk_operation_open ON bulk_operation (leased_until) WHERE finished_at IS NULL",
    "CREATE INDEX bulk_operation_list ON bulk_operation (namespace, id)",
    "CREATE INDEX bulk_item_open ON bulk_item (operation_id, seq) WHERE outcome = 0",
];

fn audit() -> TableCreateStatement {
    Table::create()
        .table("audit")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(big_integer("at"))
        .col(text("actor"))
        .col(text("action"))
        .col(text_null("target_type"))
        .col(text_null("target_id"))
        .col(text_null("reason"))
        .col(text_null("request_id"))
        .col(text("outcome"))
        .col(text_null("code"))
        .col(text_null("state_before"))
        .col(text_null("state_after"))
        .to_owned()
}

fn idempotency() -> TableCreateStatement {
    Table::create()
        .table("idempotency")
        .col(string("namespace"))
        .col(string("idempotency_key"))
        .col(text("request_hash"))
        .col(text_null("answer"))
        .col(big_integer("created_at"))
        .col(big_integer("leased_until"))
        .primary_key(Index::create().col("namespace").col("idempotency_key"))
        .to_owned()
}

fn bulk_operation() -> TableCreateStatement {
    Table::create()
        .table("bulk_operation")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(text("action"))
        .col(text("parameters"))
        .col(text("created_by"))
        .col(text_null("reason"))
        .col(text_null("idempotency_key"))
        .col(text_null("request_hash"))
        .col(integer("total"))
        .col(big_integer("created_at"))
        .col(big_integer_null("started_at"))
        .col(big_integer_null("finished_at"))
        .col(big_integer("leased_until"))
        .to_owned()
}

fn bulk_item() -> TableCreateStatement {
    Table::create()
        .table("bulk_item")
        .col(uuid("operation_id"))
        .col(integer("seq"))
        .col(uuid("run_id"))
        .col(small_integer("outcome"))
        .col(text_null("code"))
        .col(text_null("message"))
        .primary_key(Index::create().col("operation_id").col("seq"))
        .to_owned()
}
