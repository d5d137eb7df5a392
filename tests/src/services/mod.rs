//! The services that tests run against, each private, on a free port of the loopback address, and gone afterwards.
//!
//! `test-services run` starts them once for a whole test run and hands their addresses down in the environment. A test
//! that is started without it starts its own. Either way a [`reaper::Reaper`] stops a service whose owner was killed.

pub mod ministack;
pub mod postgres;
pub mod reaper;

use std::sync::OnceLock;

use anyhow::Context as _;

use ministack::Ministack;
use postgres::{Durability, PrivatePostgres};

/// Address of the PostgreSQL cluster's maintenance database.
pub const POSTGRES_URL_VARIABLE: &str = "RUNNEL_TEST_POSTGRES_URL";
/// Address of the SQS emulator.
pub const SQS_ENDPOINT_VARIABLE: &str = "RUNNEL_TEST_SQS_ENDPOINT";

/// The address of PostgreSQL: the given one, else that of a cluster of this process.
///
/// # Errors
/// There is no PostgreSQL on this machine, or it does not start.
pub fn postgres_url() -> anyhow::Result<String> {
    static OWN: OnceLock<PrivatePostgres> = OnceLock::new();
    if let Ok(url) = std::env::var(POSTGRES_URL_VARIABLE) {
        return Ok(url);
    }
    if let Some(running) = OWN.get() {
        return Ok(running.url("postgres"));
    }
    let started = PrivatePostgres::start(Durability::None).context("starting a private PostgreSQL")?;
    Ok(OWN.get_or_init(|| started).url("postgres"))
}

/// The address of the SQS emulator: the given one, else that of an emulator of this process.
///
/// # Errors
/// The emulator is not installed, or does not start.
pub fn sqs_endpoint() -> anyhow::Result<String> {
    static OWN: OnceLock<Ministack> = OnceLock::new();
    if let Ok(endpoint) = std::env::var(SQS_ENDPOINT_VARIABLE) {
        return Ok(endpoint);
    }
    if let Some(running) = OWN.get() {
        return Ok(running.endpoint());
    }
    let started = Ministack::start().context("starting the SQS emulator")?;
    Ok(OWN.get_or_init(|| started).endpoint())
}

/// A port of the loopback address that nobody listens on now.
///
/// # Errors
/// The machine has none left.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}
