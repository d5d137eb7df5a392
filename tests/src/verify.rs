//! The check that every scenario ends with: the product's own verification of a database.

use runnel_runtime::{DatabaseConfig, verify};

use crate::process;

/// Fails with the report when an invariant is broken.
///
/// # Errors
/// An invariant is broken, or the database cannot be read.
pub async fn assert_sound(database_url: &str) -> anyhow::Result<()> {
    let config = DatabaseConfig {
        url: database_url.to_owned(),
        connections: 2,
        is_sqlite_relaxed: false,
    };
    let report = verify(&config, None).await?;
    anyhow::ensure!(report.is_sound(), "broken invariants: {report:#?}");
    Ok(())
}

/// The same through the command, as an operator would.
///
/// # Errors
/// An invariant is broken, or the program is not built.
pub async fn assert_command_finds_nothing(database_url: &str) -> anyhow::Result<()> {
    let program = crate::programs::runnel()?;
    let ended = process::finish(process::command(
        &program,
        &["verify", "--database-url", database_url],
    ))
    .await?;
    anyhow::ensure!(
        ended.status.success(),
        "runnel verify: {}\n{}{}",
        ended.status,
        ended.stdout,
        ended.stderr
    );
    Ok(())
}
