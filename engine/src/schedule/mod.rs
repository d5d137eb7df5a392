//! Schedules: at which moments a workflow is due, and what becomes of each of them.
//!
//! Pure, as everything here: the time comes in. Guarantees: the same calendar gives the same nominal times on every
//! machine; a nominal time is decided upon once, because the cursor only moves forward, also when the clock steps back;
//! the work of one decision is bounded, however long nobody looked.
//!
//! A **nominal time** is the moment that the calendar says. It names the run (`schedule/<id>/<nominal time>`); the jitter
//! moves only the moment at which the run is started.
//!
//! Wall-clock patterns and daylight saving, made explicit here and not left to the library:
//!
//! | the pattern's time | what happens |
//! | --- | --- |
//! | does not exist that day (clocks go forward) | fires once, at the first moment that exists (`gap: next_valid`) |
//! | exists twice that day (clocks go back) | fires once, at the first of the two (`overlap: first`) |
//! | the hour field is `*` | follows elapsed time: every hour that really passes, the repeated one included |

mod calendar;
mod decide;
mod preview;
mod wall;

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use calendar::Calendar;
pub use decide::{Decision, Missed, Situation, SkipReason, Verdict, decide, due_at};
pub use preview::{DstMark, PREVIEW_MAX, Preview, preview};

/// Shortest interval of `every`; more often than that is a loop, not a schedule.
pub const EVERY_MIN: Duration = Duration::from_secs(1);
/// Longest jitter.
pub const JITTER_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Window of the catch-up when none is given.
pub const WINDOW: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Longest window of the catch-up.
pub const WINDOW_MAX: Duration = Duration::from_secs(366 * 24 * 3_600);
/// Missed times that `all` makes up for when no limit is given; the newest are kept.
pub const CATCH_UP_LIMIT: u32 = 100;
/// Most missed times that `all` may make up for.
pub const CATCH_UP_LIMIT_MAX: u32 = 1_000;
/// Nominal times that wait for the run before them; further ones are skipped.
pub const BUFFER_MAX: usize = 100;
/// A nominal time is on time for so long; past it, it was missed and the catch-up decides.
pub const ON_TIME: Duration = Duration::from_secs(60);

/// The moments of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum When {
    /// A cron pattern of 5 or 6 fields (with seconds) on the wall clock of a zone.
    Cron {
        /// The pattern, as written.
        expression: String,
        /// IANA name of the zone.
        timezone: String,
    },
    /// Every so often, counted from an anchor; daylight saving changes nothing.
    Every {
        /// Milliseconds between two nominal times.
        every_ms: u64,
        /// One of the nominal times.
        anchor: Timestamp,
    },
    /// Once.
    At {
        /// The only nominal time.
        at: Timestamp,
    },
}

/// The moments of a schedule, with their bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The moments.
    pub when: When,
    /// No nominal time before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// No nominal time at or after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Timestamp>,
    /// Starts are spread over this many milliseconds after the nominal time, each by the same amount on every replica.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_ms: u64,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What happens to a nominal time while a run of the same schedule goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// It waits for the end of the run, if no other waits already.
    BufferOne,
    /// It waits for its turn, up to [`BUFFER_MAX`].
    BufferAll,
    /// The run is cancelled; the newest nominal time starts when it has ended.
    CancelOther,
    /// It starts beside the run.
    Allow,
}

/// What happens to nominal times that nobody looked at in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are skipped.
    None,
    /// The newest one starts, unless one is on time.
    #[default]
    Latest,
    /// Those within the window start, oldest first, up to the limit.
    All,
}

/// How a schedule treats its nominal times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// While a run goes on.
    pub overlap: Overlap,
    /// After a time in which nobody looked.
    pub catch_up: CatchUp,
    /// How far back the catch-up looks, in milliseconds.
    pub window_ms: u64,
    /// Most nominal times that `all` makes up for.
    pub limit: u32,
    /// Pauses after so many runs in a row that did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_after: Option<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            overlap: Overlap::default(),
            catch_up: CatchUp::default(),
            window_ms: u64::try_from(WINDOW.as_millis()).unwrap_or(u64::MAX),
            limit: CATCH_UP_LIMIT,
            pause_after: None,
        }
    }
}

/// Reads RFC 3339; `Err` says in one sentence what is wrong.
///
/// # Errors
/// The text is no RFC 3339 time.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    chrono::DateTime::parse_from_rfc3339(text.trim())
        .map(|time| Timestamp(time.timestamp_micros()))
        .map_err(|_| {
            let shown: String = text.chars().take(40).collect();
            format!("`{shown}` is not a time such as 2026-01-31T09:30:00Z")
        })
}

/// A nominal time as it stands in the key of its run: RFC 3339 in UTC, to the second where it is one.
#[must_use]
pub fn nominal_text(nominal: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp_micros(nominal.0).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}
