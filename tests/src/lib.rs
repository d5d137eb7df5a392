//! What the integration suite is driven with: private services, in-process clusters, processes, clients and origins.
//!
//! A harness, not product code. Nothing here waits for a length of time: a wait ends with what it waits for, and its limit
//! only turns a hang into a failure.

pub mod programs;
pub mod services;
