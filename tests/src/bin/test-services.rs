//! `test-services run [--no-build] <command…>`: starts PostgreSQL and the SQS emulator, builds the programs that tests
//! start, runs the command with their addresses in its environment, stops everything and ends with the command's status.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use runnel_tests::programs;
use runnel_tests::services::ministack::Ministack;
use runnel_tests::services::postgres::{Durability, PrivatePostgres};
use runnel_tests::services::{POSTGRES_URL_VARIABLE, SQS_ENDPOINT_VARIABLE};

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next().is_none_or(|verb| verb != "run") {
        bail!("usage: test-services run [--no-build] <command…>");
    }
    let is_built = arguments.next_if(|argument| argument == "--no-build").is_some();
    let program = arguments
        .next()
        .context("usage: test-services run [--no-build] <command…>")?;
    if !is_built {
        programs::build()?;
    }
    let postgres = PrivatePostgres::start(Durability::None)?;
    let queue = Ministack::start()?;
    let status = Command::new(&program)
        .args(arguments)
        .env(POSTGRES_URL_VARIABLE, postgres.url("postgres"))
        .env(SQS_ENDPOINT_VARIABLE, queue.endpoint())
        .status()
        .with_context(|| format!("running {}", program.to_string_lossy()))?;
    drop((postgres, queue));
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}
