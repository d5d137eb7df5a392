//! What the integration suite is driven with: private services, in-process clusters, processes, clients and origins.
//!
//! A harness, not product code. Nothing here waits for a length of time: a wait ends with what it waits for, and its limit
//! only turns a hang into a failure.

pub mod client;
pub mod clock;
pub mod cluster;
pub mod databases;
pub mod deployment;
pub mod fleet;
pub mod function;
pub mod origin;
pub mod otlp;
pub mod process;
pub mod programs;
pub mod scripted;
pub mod services;
pub mod socket;
pub mod sql;
pub mod stack;
pub mod statements;
pub mod supply;
pub mod verify;
