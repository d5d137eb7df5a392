//! Payloads outside the rows, stored secrets, progress and checkpoints.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::schema::{big_integer, string, text, text_null, uuid};
use sea_orm_migration::sea_orm::ConnectionTrait;

/// See the module.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [payload(), payload_use(), secret()] {
            manager.create_table(table).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        // one column a statement: SQLite knows no more
        for column in ["progress", "checkpoint"] {
            let altered = Table::alter()
                .table("task")
                .add_column(text_null(column))
                .to_owned();
            manager.alter_table(altered).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["checkpoint", "progress"] {
            let altered = Table::alter().table("task").drop_column(column).to_owned();
            manager.alter_table(altered).await?;
        }
        for table in ["secret", "payload_use", "payload"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

const INDEXES: &[&str] = &[
    // the collector of garbage takes the oldest first
    "CREATE INDEX payload_used ON payload (used_at)",
    // a run that is deleted takes its uses along
    "CREATE INDEX payload_use_run ON payload_use (run_id)",
];

/// One row a value in the payload store, by the hash of its bytes.
fn payload() -> TableCreateStatement {
    Table::create()
        .table("payload")
        .col(string("sha256").primary_key())
        .col(big_integer("bytes"))
        .col(big_integer("used_at"))
        .to_owned()
}

/// Which runs refer to which values; written in the transaction that writes the reference.
fn payload_use() -> TableCreateStatement {
    Table::create()
        .table("payload_use")
        .col(string("sha256"))
        .col(uuid("run_id"))
        .primary_key(Index::create().col("sha256").col("run_id"))
        .to_owned()
}

/// `value` is sealed: nothing in the database opens it.
fn secret() -> TableCreateStatement {
    Table::create()
        .table("secret")
        .col(string("namespace"))
        .col(string("name"))
        .col(string("key_id"))
        .col(text("value"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .col(text("updated_by"))
        .primary_key(Index::create().col("namespace").col("name"))
        .to_owned()
}
