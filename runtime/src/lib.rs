//! The orchestrator's shell: everything between the pure engine and the outside.
//!
//! One direction of data: requests and reports → [`Orchestrator`] → appliers (one transaction a batch) → outbox → relay → queue,
//! and committed records → [`feed`] → subscribers. Statuses are decided in `engine` alone; the database refuses surprises.

pub mod actor;
mod announcer;
mod apply;
pub mod audit;
pub mod bulk;
mod child;
pub mod clock;
pub mod config;
mod consumer;
mod control;
pub mod dead_letters;
pub mod diagnose;
pub mod error;
pub mod fanout;
pub mod feed;
pub mod gate;
pub mod idempotency;
pub mod inputs;
mod intake;
mod log;
mod measure;
mod message;
mod meters;
pub mod namespace;
pub mod orchestrator;
pub mod payload;
pub mod query;
mod recovery;
mod registry;
mod relay;
pub mod rerun;
pub mod retention;
pub mod schedule;
pub mod secret;
pub mod start;
pub mod store;
mod trace;
pub mod trigger;
mod unwanted;
pub mod verify;
pub mod view;
pub mod wait;
mod waker;
pub mod workflows;

pub use actor::Actor;
#[doc(hidden)]
pub use apply::offline;
pub use clock::{Clock, Entropy, SystemClock, SystemEntropy};
pub use config::{Config, DatabaseConfig};
pub use error::{OperateError, PublishError, StartError, StoreError};
pub use meters::{WATCHED_MAX, describe_metrics, watch_workflows};
pub use orchestrator::{OnConflict, Orchestrator, PublishRequest, Published, StartRequest, StartedRun};
pub use payload::{PayloadConfig, PayloadPreview};
pub use secret::SecretKeys;
pub use store::{Backend, Schema, Store, migrate};
pub use verify::{Problem, Repair, RepairReport, VerifyReport, repair, verify};

#[cfg(test)]
#[path = "../tests/store/temporary_postgres.rs"]
mod temporary_postgres;
