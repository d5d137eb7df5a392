//! From the wall clock of a zone to moments and back.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// Longest change of a zone's offset that is looked for: whole days were skipped before (Samoa, 2011).
const CHANGE_HOURS_MAX: i64 = 26;

/// What a wall-clock time is in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    /// It exists once.
    Once,
    /// It does not exist; the first moment after the gap stands for it.
    Gap,
    /// It exists twice; the first stands for it.
    Twice,
}

/// The moment that a wall-clock time stands for.
pub(super) fn resolve(zone: Tz, wall: NaiveDateTime) -> (DateTime<Utc>, Local) {
    match zone.from_local_datetime(&wall) {
        LocalResult::Single(time) => (time.with_timezone(&Utc), Local::Once),
        LocalResult::Ambiguous(first, _) => (first.with_timezone(&Utc), Local::Twice),
        LocalResult::None => (end_of_gap(zone, wall), Local::Gap),
    }
}

/// The wall clock of the zone at a moment.
pub(super) fn local(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// Seconds that the zone is ahead of UTC at a moment.
pub(super) fn offset_seconds(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc())
        .fix()
        .local_minus_utc()
}

/// How far the wall clock was set back, when this moment is in the second of two equal hours; else zero.
pub(super) fn repeated(zone: Tz, at: DateTime<Utc>) -> TimeDelta {
    match zone.from_local_datetime(&local(zone, at)) {
        LocalResult::Ambiguous(first, second) if second.with_timezone(&Utc) <= at => second - first,
        LocalResult::Ambiguous(..) | LocalResult::Single(_) | LocalResult::None => TimeDelta::zero(),
    }
}

/// The first moment whose wall clock is at or past a time that the clock jumps over.
fn end_of_gap(zone: Tz, wall: NaiveDateTime) -> DateTime<Utc> {
    let around = |hours: i64| Utc.from_utc_datetime(&(wall + TimeDelta::hours(hours)));
    // the wall clock is before `wall` at the one end and past it at the other, whatever the zone
    let (mut before, mut after) = (around(-CHANGE_HOURS_MAX), around(CHANGE_HOURS_MAX));
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if local(zone, middle) < wall {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}
