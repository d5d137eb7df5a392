//! What an orchestrator is started with.

use std::sync::Arc;
use std::time::Duration;

use runnel_queue::{TaskQueue, TokenKeys};
use serde_json::{Map, Value};

use crate::clock::{Clock, Entropy};
use crate::payload::PayloadConfig;
use crate::secret::SecretKeys;

/// How long rows of the audit log are kept where nobody says otherwise.
pub const AUDIT_KEPT: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Days for which ended runs are kept where nobody says otherwise.
pub const RUNS_KEPT_DAYS: u32 = 90;

/// Most days of a retention; 0 stands for ever.
pub const KEPT_DAYS_MAX: u32 = 36_500;

/// Where the rows are.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `sqlite://path?mode=rwc` or `postgres://…`.
    pub url: String,
    /// Connections of the pool (PostgreSQL), or readers beside the one writer (SQLite).
    pub connections: u32,
    /// SQLite only: `synchronous=NORMAL` instead of `FULL`; the last commits may be lost when power fails.
    pub is_sqlite_relaxed: bool,
}

/// Everything an [`crate::Orchestrator`] needs.
#[derive(Clone)]
pub struct Config {
    /// The database.
    pub database: DatabaseConfig,
    /// The queue of tasks and completions.
    pub queue: Arc<dyn TaskQueue>,
    /// Keys of completion tokens.
    pub token_keys: TokenKeys,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and randomness.
    pub entropy: Arc<dyn Entropy>,
    /// `vars.X` of expressions.
    pub vars: Arc<Map<String, Value>>,
    /// Appliers; each owns a slice of the runs. 2 by default.
    pub appliers: usize,
    /// Most inputs of one transaction. 300 by default.
    pub batch_max: usize,
    /// Most messages out per task queue. 10,000 by default.
    pub outstanding_max: usize,
    /// Longest sleep of the waker, the relay and the doorbell poll. 5 s by default.
    pub poll_interval: Duration,
    /// Where large values go.
    pub payloads: PayloadConfig,
    /// Keys that stored secrets are sealed with, the one for new ones first; `None`: secrets cannot be stored.
    pub secret_keys: Option<SecretKeys>,
    /// Address under which others reach the API, for callbacks; that of the first server when `None`.
    pub public_url: Option<String>,
    /// How long rows of the audit log are kept.
    pub audit_kept: Duration,
    /// Days for which ended runs of a namespace are kept that says nothing else; 0: for ever.
    pub runs_kept_days: u32,
    /// Task types that need no registration because a built-in worker runs beside this orchestrator.
    pub local_types: Vec<String>,
}
