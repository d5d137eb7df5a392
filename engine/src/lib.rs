//! The pure core of Runnel: what a workflow file means and how a run advances.
//!
//! Guarantees: no clock, no randomness, no IO, no async. Same input, same output; time and entropy come in as
//! [`Moment`]. `runtime` is the only caller that stores what is decided here; `cli` and `api` use the file half
//! ([`source`], [`definition`]) for validation and conversion.

pub mod definition;
pub mod diagnostic;
pub mod explain;
pub mod expr;
pub mod gate;
pub mod ids;
pub mod inputs;
pub mod layout;
pub mod plan;
pub mod run;
pub mod schedule;
mod schema;
pub mod source;
pub mod time;
pub mod trigger;

pub use definition::Workflow;
pub use diagnostic::{Diagnostic, Severity};
pub use ids::{RunId, TaskIx, WorkflowId, WorkflowVersionId};
pub use plan::Plan;
pub use time::{Moment, Timestamp};
