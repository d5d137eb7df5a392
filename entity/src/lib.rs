//! Runnel's rows as stored, one module a table. No rules: statuses are numbers here and mean something only in `runtime`.
//!
//! Times are microseconds since the epoch (UTC) in `BIGINT` columns, the same on both databases; JSON is `TEXT`, so that nothing
//! parses what nobody reads and any valid JSON (also `\u0000`) can be stored.

pub mod audit;
pub mod backfill;
pub mod bulk_item;
pub mod bulk_operation;
pub mod dead_letter;
pub mod errand;
pub mod event;
pub mod event_trigger;
pub mod idempotency;
pub mod inbound_event;
pub mod namespace;
pub mod outbox;
pub mod run;
pub mod run_removal;
pub mod schedule;
pub mod secret;
pub mod task;
pub mod task_log;
pub mod trigger_outcome;
pub mod wait;
pub mod worker;
pub mod workflow;
pub mod workflow_version;
