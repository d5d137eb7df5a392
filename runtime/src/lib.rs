//! The orchestrator's shell: everything between the pure engine and the outside.
//!
//! One direction of data: requests and reports → [`Orchestrator`] → appliers (one transaction a batch) → outbox → relay → queue,
//! and committed records → [`feed`] → subscribers. Statuses are decided in `engine` alone; the database refuses surprises.

pub mod actor;
pub mod clock;
pub mod config;
pub mod error;
pub mod feed;
pub mod orchestrator;
pub mod query;
pub mod store;
pub mod view;
pub mod workflows;

pub use actor::Actor;
pub use clock::{Clock, Entropy, SystemClock, SystemEntropy};
pub use config::{Config, DatabaseConfig};
pub use error::{OperateError, PublishError, StartError, StoreError};
pub use orchestrator::{Orchestrator, PublishRequest, Published, StartRequest, StartedRun};
pub use store::{Backend, Schema, Store, migrate};
