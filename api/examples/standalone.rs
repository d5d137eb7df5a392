//! The API over an embedded queue and a SQLite file, without a worker: what `eval`, `pass` and `wait` can do.
//!
//! `cargo run -p runnel-api --example standalone -- <directory> [token]` prints the address and serves until it is killed.

use std::sync::Arc;
use std::time::Duration;

use runnel_api::{ApiConfig, serve};
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_queue::{PayloadStore, TokenKey, TokenKeys};
use runnel_runtime::{Config, DatabaseConfig, Orchestrator, PayloadConfig, SystemClock, SystemEntropy};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("give a directory for the database")?;
    let api_token = arguments.next();
    let key = TokenKey {
        id: "example".to_owned(),
        secret: vec![7; 32],
    };
    let orchestrator = Orchestrator::start(Config {
        database: DatabaseConfig {
            url: format!("sqlite://{directory}/runnel.db?mode=rwc"),
            connections: 4,
            is_sqlite_relaxed: true,
        },
        queue: Arc::new(EmbeddedQueue::new(EmbeddedConfig::default())),
        token_keys: TokenKeys::new(vec![key]).ok_or("the key is too short")?,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        vars: Arc::default(),
        appliers: 2,
        batch_max: 300,
        outstanding_max: 10_000,
        poll_interval: Duration::from_secs(5),
        payloads: PayloadConfig::new(PayloadStore::in_memory()),
        secret_keys: None,
        public_url: None,
        audit_kept: runnel_runtime::config::AUDIT_KEPT,
        runs_kept_days: runnel_runtime::config::RUNS_KEPT_DAYS,
        local_types: Vec::new(),
    })
    .await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let config = ApiConfig {
        api_token,
        ..ApiConfig::default()
    };
    serve(orchestrator, config, listener, CancellationToken::new()).await?;
    Ok(())
}
