//! The orchestrator from start to finish, on SQLite and, when `RUNNEL_TEST_POSTGRES_URL` names a server, on PostgreSQL.
//! Tests play the worker themselves, so that each decides what is reported, how often and in which order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod batches;
#[cfg(feature = "faults")]
mod crash;
mod delivery;
mod flow;
mod harness;
mod operations;
mod queues;
mod recovery;
mod starts;
mod time;
mod turns;
mod verified;
