//! Statements on the database of a test, for what no API shows.

use anyhow::Context as _;
use sea_orm::{ConnectionTrait as _, Database, Statement};

/// Executes a statement.
///
/// # Errors
/// The database refuses.
pub async fn execute(url: &str, sql: &str) -> anyhow::Result<()> {
    let db = Database::connect(url).await?;
    db.execute_unprepared(sql).await?;
    Ok(db.close().await?)
}

/// The one number that a query answers.
///
/// # Errors
/// The database refuses, or answers something else.
pub async fn number(url: &str, sql: &str) -> anyhow::Result<i64> {
    let db = Database::connect(url).await?;
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?.context("a row")?;
    let number = row.try_get_by_index(0)?;
    db.close().await?;
    Ok(number)
}
