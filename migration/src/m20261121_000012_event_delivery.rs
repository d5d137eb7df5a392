//! Which events have been offered to the tasks that wait for their type.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table};
use sea_orm_migration::schema::big_integer_null;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter()
            .table("inbound_event")
            .add_column(big_integer_null("delivered_at"))
            .to_owned();
        manager.alter_table(table).await?;
        let db = manager.get_connection();
        db.execute_unprepared(
            "CREATE INDEX inbound_event_undelivered ON inbound_event (position) WHERE delivered_at IS NULL",
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DROP INDEX inbound_event_undelivered")
            .await?;
        let table = Table::alter()
            .table("inbound_event")
            .drop_column("delivered_at")
            .to_owned();
        manager.alter_table(table).await
    }
}
