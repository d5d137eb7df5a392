//! The built programs: the product, the one with crash points compiled in, the Lambda function, and the example of a worker.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

/// The product.
///
/// # Errors
/// It was not built.
pub fn runnel() -> anyhow::Result<PathBuf> {
    find("RUNNEL_TEST_BINARY", "runnel")
}

/// The product with the feature `faults`: it kills itself at the point that `RUNNEL_CRASH_AT` names.
///
/// # Errors
/// It was not built.
pub fn runnel_with_faults() -> anyhow::Result<PathBuf> {
    find("RUNNEL_TEST_BINARY_WITH_FAULTS", "runnel-with-faults")
}

/// The program of the Lambda function with the built-in task types.
///
/// # Errors
/// It was not built.
pub fn bootstrap() -> anyhow::Result<PathBuf> {
    find("RUNNEL_TEST_BOOTSTRAP", "bootstrap")
}

/// The example of a worker with task types of its own.
///
/// # Errors
/// It was not built.
pub fn example_worker() -> anyhow::Result<PathBuf> {
    find("RUNNEL_TEST_EXAMPLE_WORKER", "example-worker")
}

/// Python, with the packages that the tests install.
#[must_use]
pub fn python() -> PathBuf {
    workspace().join(".tools/venv/bin/python")
}

/// Builds all, with the cargo and the target directory of the caller.
///
/// # Errors
/// A build failed.
pub fn build() -> anyhow::Result<()> {
    let directory = directory()?;
    // the second build replaces the first one's program, so that one is kept under its own name
    cargo_build(&["--features", "faults"])?;
    std::fs::rename(directory.join("runnel"), directory.join("runnel-with-faults"))
        .context("keeping the program")?;
    cargo_build(&[])
}

fn cargo_build(arguments: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args([
            "build",
            "--quiet",
            "-p",
            "runnel-cli",
            "-p",
            "runnel-worker",
            "-p",
            "runnel-example-worker",
            "--bins",
        ])
        .args(arguments);
    let status = command
        .current_dir(workspace())
        .status()
        .context("running cargo")?;
    if !status.success() {
        bail!("cargo build of the programs {} failed", arguments.join(" "));
    }
    Ok(())
}

fn find(variable: &str, name: &str) -> anyhow::Result<PathBuf> {
    if let Some(given) = std::env::var_os(variable) {
        return Ok(PathBuf::from(given));
    }
    let program = directory()?.join(name);
    if !program.exists() {
        bail!(
            "{} does not exist: run `make test`, or `cargo run -p runnel-tests --bin test-services -- run true`",
            program.display()
        );
    }
    Ok(program)
}

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// Where cargo puts programs: beside `deps`, in which test binaries are.
fn directory() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let directory = own.parent().context("this program has no directory")?;
    let is_deps = directory.file_name().is_some_and(|name| name == "deps");
    Ok(if is_deps {
        directory.parent().unwrap_or(directory)
    } else {
        directory
    }
    .to_owned())
}
