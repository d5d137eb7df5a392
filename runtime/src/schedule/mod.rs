//! Schedules at work: rows, the loop that looks at them, and what people do with them.
//!
//! Guarantees: a nominal time has at most one run, because its run has the key `schedule/<id>/<nominal time>`; a decision
//! is committed before anything comes of it, so that a crash between the two delays a start and never loses or repeats
//! one; any replica does any of this, and none leads. Which nominal time does what is decided in `engine`.
//!
//! What is to be started is an outcome row with `due_at` set: the outbox of starts. The loop claims such rows (by moving
//! `due_at` ahead, which is the lease), starts their runs, and writes down what came of it.

mod admin;
mod backfill;
mod bell;
mod check;
mod error;
pub(crate) mod file;
pub(crate) mod fire;
mod later;
mod looking;
pub(crate) mod outcome;
pub(crate) mod query;
pub(crate) mod stored;
mod sweep;
mod turn;
mod view;

pub(crate) use bell::ScheduleBell;
pub(crate) use check::{check_key, text as admin_text};
pub use error::ScheduleError;
pub use later::{DelayedStart, When as StartWhen};
pub(crate) use looking::{Scheduler, is_due};
pub(crate) use outcome::StartOrder;
pub use view::{
    BackfillRequest, BackfillStatus, BackfillView, NewSchedule, Origin, OutcomeFilter, OutcomeStatus,
    OutcomeView, SchedulePatch, ScheduleView,
};

use runnel_engine::Timestamp;
use runnel_engine::schedule::nominal_text;
use uuid::Uuid;

/// Longest key of a schedule or a trigger, in characters.
pub const KEY_CHARS_MAX: usize = 128;
/// Most nominal times of one backfill.
pub const BACKFILL_MAX: usize = 10_000;
/// Most runs of one backfill at once.
pub const BACKFILL_PARALLEL_MAX: u32 = 1_000;

/// The key of the run of a nominal time.
pub(crate) fn run_key(schedule: Uuid, nominal: Timestamp) -> String {
    format!("schedule/{schedule}/{}", nominal_text(nominal))
}
