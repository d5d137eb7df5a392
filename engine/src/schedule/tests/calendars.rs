//! Which moments a schedule has, above all where clocks change.

use proptest::prelude::*;

use super::super::preview::{DstMark, preview};
use super::super::{Calendar, Spec, When, nominal_text};
use super::{cron, cron_spec, every, spec, time};
use crate::time::Timestamp;

const MADRID: &str = "Europe/Madrid";
const NEW_YORK: &str = "America/New_York";

/// The first nominal times after a moment, in UTC.
fn next(calendar: &Calendar, after: &str, count: usize) -> Vec<String> {
    let times = calendar.between(time(after), Timestamp(i64::MAX), count);
    times.into_iter().map(nominal_text).collect()
}

/// The last nominal times until a moment, newest first, in UTC.
fn last(calendar: &Calendar, until: &str, count: usize) -> Vec<String> {
    let mut at = time(until);
    let mut times = Vec::new();
    while times.len() < count
        && let Some(nominal) = calendar.last_until(at)
    {
        times.push(nominal_text(nominal));
        at = Timestamp(nominal.0 - 1);
    }
    times
}

fn check(expression: &str, zone: &str, after: &str, expected: &[&str]) {
    let calendar = cron(expression, zone);
    assert_eq!(
        next(&calendar, after, expected.len()),
        expected,
        "{expression} in {zone}"
    );
    // the way back is the same way
    let until = expected.last().expect("a time");
    let mut back = last(&calendar, until, expected.len());
    back.reverse();
    assert_eq!(back, expected, "{expression} in {zone}, backwards");
}

// Europe/Madrid goes forward on 29 March 2026 (02:00 is 03:00) and back on 25 October 2026 (03:00 is 02:00).

#[test]
fn a_time_in_the_gap_fires_once_at_the_first_moment_after_it_in_madrid() {
    check(
        "30 2 * * *",
        MADRID,
        "2026-03-28T00:00:00Z",
        &[
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z",
        ],
    );
}

#[test]
fn several_times_in_the_gap_fire_once_together() {
    check(
        "0,15,30,45 2 * * *",
        MADRID,
        "2026-03-28T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:00:00Z",
            "2026-03-30T00:15:00Z",
        ],
    );
    check(
        "0 2,3 * * *",
        MADRID,
        "2026-03-28T12:00:00Z",
        &[
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:00:00Z",
            "2026-03-30T01:00:00Z",
        ],
    );
}

#[test]
fn a_time_that_comes_twice_fires_the_first_time_only_in_madrid() {
    check(
        "30 2 * * *",
        MADRID,
        "2026-10-24T00:00:00Z",
        &[
            "2026-10-24T00:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ],
    );
    check(
        "0,30 1-3 * * *",
        MADRID,
        "2026-10-24T22:59:00Z",
        &[
            "2026-10-24T23:00:00Z",
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T02:30:00Z",
        ],
    );
}

#[test]
fn every_half_hour_follows_elapsed_time_through_both_changes_in_madrid() {
    check(
        "*/30 * * * *",
        MADRID,
        "2026-03-29T00:00:00Z",
        &[
            "2026-03-29T00:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T01:30:00Z",
        ],
    );
    check(
        "*/30 * * * *",
        MADRID,
        "2026-10-24T23:45:00Z",
        &[
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z",
        ],
    );
}

// America/New_York goes forward on 8 March 2026 (02:00 is 03:00) and back on 1 November 2026 (02:00 is 01:00).

#[test]
fn a_time_in_the_gap_fires_once_at_the_first_moment_after_it_in_new_york() {
    check(
        "30 2 * * *",
        NEW_YORK,
        "2026-03-07T00:00:00Z",
        &[
            "2026-03-07T07:30:00Z",
            "2026-03-08T07:00:00Z",
            "2026-03-09T06:30:00Z",
        ],
    );
}

#[test]
fn a_time_that_comes_twice_fires_the_first_time_only_in_new_york() {
    check(
        "30 1 * * *",
        NEW_YORK,
        "2026-10-31T00:00:00Z",
        &[
            "2026-10-31T05:30:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-02T06:30:00Z",
        ],
    );
}

#[test]
fn every_hour_fires_in_the_repeated_hour_too_in_new_york() {
    check(
        "15 * * * *",
        NEW_YORK,
        "2026-11-01T05:00:00Z",
        &[
            "2026-11-01T05:15:00Z",
            "2026-11-01T06:15:00Z",
            "2026-11-01T07:15:00Z",
        ],
    );
}

#[test]
fn from_within_the_repeated_hour_the_times_of_the_first_one_have_passed() {
    let calendar = cron("0,20,40 2 * * *", MADRID);
    // 02:10 for the second time
    assert_eq!(
        next(&calendar, "2026-10-25T01:10:00Z", 1),
        ["2026-10-26T01:00:00Z"]
    );
    assert_eq!(
        last(&calendar, "2026-10-25T01:10:00Z", 1),
        ["2026-10-25T00:40:00Z"]
    );
    // 02:10 for the first time
    assert_eq!(
        last(&calendar, "2026-10-25T00:10:00Z", 1),
        ["2026-10-25T00:00:00Z"]
    );
}

#[test]
fn the_preview_marks_what_daylight_saving_does() {
    let shown = |expression: &str, zone: &str, after: &str| -> Vec<(String, Option<DstMark>)> {
        let previews = preview(&cron(expression, zone), time(after), 3);
        previews.into_iter().map(|p| (p.local, p.mark)).collect()
    };
    assert_eq!(
        shown("30 2 * * *", MADRID, "2026-03-28T00:00:00Z"),
        [
            ("2026-03-28T02:30:00+01:00".to_owned(), None),
            ("2026-03-29T03:00:00+02:00".to_owned(), Some(DstMark::Gap)),
            ("2026-03-30T02:30:00+02:00".to_owned(), None),
        ]
    );
    assert_eq!(
        shown("30 1 * * *", NEW_YORK, "2026-10-31T12:00:00Z"),
        [
            ("2026-11-01T01:30:00-04:00".to_owned(), Some(DstMark::Overlap)),
            ("2026-11-02T01:30:00-05:00".to_owned(), Some(DstMark::AfterBack)),
            ("2026-11-03T01:30:00-05:00".to_owned(), None),
        ]
    );
    assert_eq!(
        shown("0 12 * * *", MADRID, "2026-03-28T00:00:00Z")[1],
        (
            "2026-03-29T12:00:00+02:00".to_owned(),
            Some(DstMark::AfterForward)
        )
    );
}

#[test]
fn six_fields_have_seconds_first() {
    check(
        "*/20 0 0 1 1 *",
        "UTC",
        "2026-06-01T00:00:00Z",
        &[
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:20Z",
            "2027-01-01T00:00:40Z",
        ],
    );
}

#[test]
fn an_interval_counts_from_its_anchor_and_knows_no_daylight_saving() {
    let calendar = every(90 * 60, "2026-03-29T00:00:00Z");
    let expected = [
        "2026-03-28T22:30:00Z",
        "2026-03-29T00:00:00Z",
        "2026-03-29T01:30:00Z",
    ];
    assert_eq!(next(&calendar, "2026-03-28T21:00:00Z", 3), expected);
    assert_eq!(
        last(&calendar, "2026-03-29T02:59:59Z", 1),
        ["2026-03-29T01:30:00Z"]
    );
}

#[test]
fn a_one_off_comes_once() {
    let at = time("2026-05-01T10:00:00Z");
    let calendar = Calendar::new(&spec(When::At { at })).expect("a calendar");
    assert_eq!(calendar.next_after(time("2026-05-01T09:59:59Z")), Some(at));
    assert_eq!(calendar.next_after(at), None);
    assert_eq!(calendar.last_until(at), Some(at));
    assert_eq!(calendar.last_until(time("2026-05-01T09:59:59Z")), None);
}

#[test]
fn start_and_end_bound_the_times() {
    let bounded = Spec {
        start_at: Some(time("2026-05-01T00:00:00Z")),
        end_at: Some(time("2026-05-03T00:00:00Z")),
        ..cron_spec("0 0 * * *", "UTC")
    };
    let calendar = Calendar::new(&bounded).expect("a calendar");
    assert_eq!(
        next(&calendar, "2026-01-01T00:00:00Z", 5),
        ["2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"],
        "the end itself is not a time of the schedule"
    );
    assert_eq!(last(&calendar, "2027-01-01T00:00:00Z", 5).len(), 2);
}

#[test]
fn what_is_no_schedule_is_refused_with_a_reason() {
    let refused = |spec: &Spec| Calendar::new(spec).expect_err("refused");
    for (expression, zone, part) in [
        ("* * *", "UTC", "has 3 fields"),
        ("* * * * * * *", "UTC", "has 7 fields"),
        ("61 * * * *", "UTC", "is not a cron pattern"),
        ("0 0 30 2 *", "UTC", "never comes"),
        ("0 0 * * *", "Europe/Madird", "is not the name of a time zone"),
        ("", "UTC", "has 0 fields"),
    ] {
        let message = refused(&cron_spec(expression, zone));
        assert!(message.contains(part), "{expression}: {message}");
    }
    let anchor = Timestamp(0);
    assert!(
        refused(&spec(When::Every {
            every_ms: 999,
            anchor
        }))
        .contains("not between 1 s")
    );
    let reversed = Spec {
        start_at: Some(Timestamp(2)),
        end_at: Some(Timestamp(2)),
        ..cron_spec("0 0 * * *", "UTC")
    };
    assert!(refused(&reversed).contains("not after its start"));
    let shaky = Spec {
        jitter_ms: 25 * 3_600_000,
        ..cron_spec("0 0 * * *", "UTC")
    };
    assert!(refused(&shaky).contains("limit of 24 h"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Forward and backward agree, times only grow, and no wall-clock day has two runs of a daily pattern.
    #[test]
    fn the_way_back_is_the_way_forth(
        minute in 0..60_u32,
        hours in prop::sample::select(vec!["2", "*", "*/2", "1-3", "0,2"]),
        zone in prop::sample::select(vec![MADRID, NEW_YORK, "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
        start in 1_740_000_000_i64..1_800_000_000,
    ) {
        let calendar = cron(&format!("{minute} {hours} * * *"), zone);
        let mut at = Timestamp(start * 1_000_000 + 1);
        for _ in 0..12 {
            let next = calendar.next_after(at).expect("always a next one");
            prop_assert!(next > at);
            prop_assert_eq!(calendar.last_until(next), Some(next));
            let before = calendar.last_until(Timestamp(next.0 - 1)).expect("always one before");
            prop_assert!(before <= at, "{before:?} lies between {at:?} and {next:?}");
            at = next;
        }
    }
}
