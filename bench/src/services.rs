//! The private PostgreSQL and the SQS emulator of the test harness, without the rest of the harness.

#[path = "../../tests/src/services/ministack.rs"]
#[expect(dead_code, reason = "the tests also kill it")]
pub mod ministack;
#[path = "../../tests/src/services/postgres.rs"]
pub mod postgres;
#[path = "../../tests/src/services/reaper.rs"]
pub mod reaper;

/// A port of the loopback address that nobody listens on now.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?
        .local_addr()?
        .port())
}
