//! Checks of the database's schema for the commands that must not change it.

use std::sync::Arc;

use runnel_runtime::{DatabaseConfig, Schema, Store, SystemEntropy};

use crate::exit::Failure;
use crate::host::store_failed;

/// Opens the database without changing it, and fails when its schema is not the one of this program.
pub async fn open_current(database: &DatabaseConfig) -> Result<Store, Failure> {
    Store::open(database, Arc::new(SystemEntropy), Schema::Require)
        .await
        .map_err(|error| store_failed(error).hint("bring the schema up to date with `runnel migrate`"))
}

/// Fails when the schema is not the one of this program.
pub async fn require_current(database: &DatabaseConfig) -> Result<(), Failure> {
    open_current(database).await?.close().await;
    Ok(())
}
