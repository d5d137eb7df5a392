//! The check that every scenario ends with: the product's own `runnel verify`.

use crate::process;

/// Fails with the report when an invariant is broken.
///
/// # Errors
/// An invariant is broken, or the program is not built.
pub async fn assert_clean(database_url: &str) -> anyhow::Result<()> {
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
