//! Finds the kept results that refer to a value in the payload store: its collector asks before it deletes.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager};
use sea_orm_migration::sea_orm::ConnectionTrait;

/// See the module.
#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // partial: small results are too long for an index, and nobody looks for them by their text
        let index =
            "CREATE INDEX result_cache_payload ON result_cache (output) WHERE output LIKE '@payload:%'";
        manager.get_connection().execute_unprepared(index).await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .get_connection()
            .execute_unprepared("DROP INDEX result_cache_payload")
            .await
            .map(drop)
    }
}
