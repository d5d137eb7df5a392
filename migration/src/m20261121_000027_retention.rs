//! Retention of finished runs: what a namespace says of it, and the runs whose rows are being deleted.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table};
use sea_orm_migration::schema::{integer_null, pk_uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // 0: for ever; NULL: as the server says
        let namespace = Table::alter()
            .table("namespace")
            .add_column(integer_null("runs_kept_days"))
            .to_owned();
        manager.alter_table(namespace).await?;
        let removal = Table::create()
            .table("run_removal")
            .col(pk_uuid("run_id"))
            .to_owned();
        manager.create_table(removal).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .drop_table(Table::drop().table("run_removal").to_owned())
            .await?;
        let namespace = Table::alter()
            .table("namespace")
            .drop_column("runs_kept_days")
            .to_owned();
        manager.alter_table(namespace).await
    }
}
