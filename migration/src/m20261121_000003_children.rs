//! Child runs: a run knows the task that started it, and `errand` holds what is to be done between a run and its children.

use sea_orm_migration::prelude::{
    ColumnDef, DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::schema::{big_integer, integer, integer_null, small_integer, uuid, uuid_null};
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in run_columns() {
            // one column a statement: SQLite knows no other form
            let table = Table::alter().table("run").add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        manager.create_table(errand()).await?;
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("errand").to_owned())
            .await?;
        manager
            .get_connection()
            .execute_unprepared("DROP INDEX run_parent")
            .await?;
        for column in [
            "depth",
            "root_run_id",
            "parent_attempt",
            "parent_ix",
            "parent_run_id",
        ] {
            let table = Table::alter().table("run").drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}

const INDEXES: &[&str] = &[
    // at most one child an attempt; the children of a run, and of each of its tasks, are found by it
    "CREATE UNIQUE INDEX run_parent ON run (parent_run_id, parent_ix, parent_attempt) WHERE parent_run_id IS NOT NULL",
    "CREATE INDEX errand_due ON errand (leased_until)",
];

/// `depth` counts the runs above; `root_run_id` is the first of them.
fn run_columns() -> Vec<ColumnDef> {
    vec![
        uuid_null("parent_run_id"),
        integer_null("parent_ix"),
        integer_null("parent_attempt"),
        uuid_null("root_run_id"),
        integer("depth").default(0).to_owned(),
    ]
}

/// `kind`: 0 start the child of this attempt, 1 cancel it gracefully, 2 cancel it now, 3 tell the parent that this run has ended
/// (`ix` and `attempt` are 0).
fn errand() -> TableCreateStatement {
    Table::create()
        .table("errand")
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(integer("attempt"))
        .col(small_integer("kind"))
        .col(big_integer("created_at"))
        .col(big_integer("leased_until"))
        .primary_key(Index::create().col("run_id").col("ix").col("attempt").col("kind"))
        .to_owned()
}
