//! Finds the runs that did not succeed, which are few among many: the first question of whoever opens the dashboard.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::ConnectionTrait;

/// See the module.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // 10 is success, and what ended otherwise comes after it; a run that succeeds never enters this index
        let index = "CREATE INDEX run_failed ON run (namespace, created_at, id) WHERE status > 10";
        manager.get_connection().execute_unprepared(index).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared("DROP INDEX run_failed")
            .await
            .map(drop)
    }
}
