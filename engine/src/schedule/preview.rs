//! The next nominal times for people: on the wall clock, with what daylight saving does to them.

use chrono::{DateTime, Utc};

use super::calendar::Calendar;
use super::wall::{self, Local};
use crate::time::Timestamp;

/// Most nominal times of one preview.
pub const PREVIEW_MAX: usize = 200;

/// What daylight saving does to a nominal time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DstMark {
    /// Clocks went forward since the nominal time before: the offset is larger.
    AfterForward,
    /// Clocks went back since the nominal time before: the offset is smaller.
    AfterBack,
    /// The wall-clock time of the pattern does not exist that day; this is the first moment after the gap.
    Gap,
    /// The wall-clock time exists twice that day; this is the first.
    Overlap,
}

/// One nominal time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The moment.
    pub at: Timestamp,
    /// The wall clock of the zone with its offset, RFC 3339.
    pub local: String,
    /// What daylight saving does to it.
    pub mark: Option<DstMark>,
}

/// The nominal times after a moment, at most [`PREVIEW_MAX`].
#[must_use]
pub fn preview(calendar: &Calendar, after: Timestamp, count: usize) -> Vec<Preview> {
    let zone = calendar.zone();
    let moment = |at: Timestamp| DateTime::<Utc>::from_timestamp_micros(at.0).unwrap_or_default();
    let mut offset = wall::offset_seconds(zone, moment(after));
    let mut previews = Vec::new();
    for at in calendar.between(after, Timestamp(i64::MAX), count.min(PREVIEW_MAX)) {
        let time = moment(at);
        let now = wall::offset_seconds(zone, time);
        let mark = match calendar.local_kind(at) {
            Local::Gap => Some(DstMark::Gap),
            Local::Twice => Some(DstMark::Overlap),
            Local::Once if now > offset => Some(DstMark::AfterForward),
            Local::Once if now < offset => Some(DstMark::AfterBack),
            Local::Once => None,
        };
        offset = now;
        previews.push(Preview {
            at,
            local: calendar.local_text(at),
            mark,
        });
    }
    previews
}
