//! The store on both databases: what `Store::tx` promises, and the library defaults that would break it.

#![expect(clippy::expect_used, reason = "a test that cannot be set up panics")]

mod postgres;
mod sqlite;
mod temporary_postgres;

use std::path::Path;
use std::sync::Arc;

use runnel_runtime::clock::SeededEntropy;
use runnel_runtime::{DatabaseConfig, Schema, Store, StoreError};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

fn sqlite_config(dir: &Path) -> DatabaseConfig {
    DatabaseConfig {
        url: format!("sqlite://{}/runnel.db?mode=rwc", dir.display()),
        connections: 4,
        is_sqlite_relaxed: false,
    }
}

async fn open(config: &DatabaseConfig) -> Store {
    Store::open(config, Arc::new(SeededEntropy::new(1)), Schema::Migrate)
        .await
        .expect("the store opens")
}

/// The number in the first column of the first row.
async fn number(db: &impl ConnectionTrait, store: &Store, sql: &str) -> Result<i64, StoreError> {
    let statement = store.backend().statement(sql, []);
    let row = db
        .query_one_raw(statement)
        .await
        .map_err(|source| StoreError::Statement {
            action: "count",
            source,
        })?;
    Ok(row.expect("one row").try_get_by_index(0).expect("a number"))
}

async fn run_sql(tx: &DatabaseTransaction, sql: &str) -> Result<(), StoreError> {
    let statement = Statement::from_string(tx.get_database_backend(), sql);
    tx.execute_raw(statement)
        .await
        .map_err(|source| StoreError::Statement {
            action: "write",
            source,
        })?;
    Ok(())
}

/// Creates a table `counter` with one row at zero.
async fn with_counter(store: &Store) {
    store
        .tx("make a counter", |tx| {
            Box::pin(async move {
                run_sql(tx, "CREATE TABLE counter (value BIGINT NOT NULL)").await?;
                run_sql(tx, "INSERT INTO counter VALUES (0)").await
            })
        })
        .await
        .expect("the counter is made");
}

/// Reads, then writes what was read plus one: lost updates and upgrade deadlocks show at once.
async fn increment(store: &Store) -> Result<(), StoreError> {
    let handle = store.clone();
    let lock = store.backend().pick(" FOR UPDATE", "");
    store
        .tx("increment", move |tx| {
            let handle = handle.clone();
            Box::pin(async move {
                let value = number(tx, &handle, &format!("SELECT value FROM counter{lock}")).await?;
                run_sql(tx, &format!("UPDATE counter SET value = {}", value + 1)).await
            })
        })
        .await
}

/// Number of migrations that this program knows.
fn migrations() -> usize {
    <runnel_migration::Migrator as sea_orm_migration::MigratorTrait>::migrations().len()
}
