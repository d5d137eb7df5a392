//! What becomes of nominal times: overlap, catch-up, jitter, pause, clocks that jump.

use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::super::decide::{Decision, Situation, SkipReason, Verdict, decide, due_at};
use super::super::{BUFFER_MAX, Calendar, CatchUp, Overlap, Policy, Spec, When};
use super::{cron_spec, every, spec, time};
use crate::time::Timestamp;

const ID: Uuid = Uuid::from_u128(7);
const MINUTE: i64 = 60_000_000;
const NOON: &str = "2026-06-01T12:00:00Z";

fn policy(overlap: Overlap, catch_up: CatchUp) -> Policy {
    Policy {
        overlap,
        catch_up,
        ..Policy::default()
    }
}

fn at(cursor: Timestamp) -> Situation {
    Situation {
        cursor,
        buffered: Vec::new(),
        open_runs: 0,
        failures: 0,
    }
}

fn minutes(n: i64) -> Timestamp {
    Timestamp(time(NOON).0 + n * MINUTE)
}

/// A schedule of every minute.
fn each_minute() -> Calendar {
    every(60, NOON)
}

fn fired(decision: &Decision) -> Vec<Timestamp> {
    let fired = decision
        .verdicts
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Fire);
    fired.map(|(nominal, _)| *nominal).collect()
}

#[test]
fn what_is_due_fires_once_and_the_cursor_moves_past_it() {
    let (calendar, policy) = (each_minute(), Policy::default());
    let first = decide(&calendar, &policy, ID, &at(minutes(0)), minutes(1));
    assert_eq!(first.verdicts, [(minutes(1), Verdict::Fire)]);
    assert_eq!((first.cursor, first.next_at), (minutes(1), Some(minutes(2))));
    let again = decide(&calendar, &policy, ID, &at(first.cursor), minutes(1));
    assert_eq!(again.verdicts, []);
    assert_eq!(again.next_at, Some(minutes(2)));
}

#[test]
fn nothing_is_due_before_its_time() {
    let decision = decide(
        &each_minute(),
        &Policy::default(),
        ID,
        &at(minutes(0)),
        Timestamp(minutes(1).0 - 1),
    );
    assert_eq!(decision.verdicts, []);
    assert_eq!(decision.cursor, minutes(0));
}

#[test]
fn a_clock_that_steps_back_fires_nothing_again() {
    let decision = decide(
        &each_minute(),
        &Policy::default(),
        ID,
        &at(minutes(10)),
        minutes(3),
    );
    assert_eq!(decision.verdicts, []);
    assert_eq!(
        (decision.cursor, decision.next_at),
        (minutes(10), Some(minutes(11)))
    );
}

#[test]
fn a_clock_that_jumps_ahead_is_an_absence_for_the_catch_up() {
    let ahead = minutes(60 * 24 * 365);
    for (catch_up, count) in [(CatchUp::None, 0), (CatchUp::Latest, 0), (CatchUp::All, 100)] {
        let policy = policy(Overlap::Allow, catch_up);
        let decision = decide(&each_minute(), &policy, ID, &at(minutes(0)), ahead);
        // the minute itself and the one before it are on time
        assert_eq!(fired(&decision).len(), count + 2, "{catch_up:?}");
        assert_eq!(fired(&decision).last(), Some(&ahead));
        let missed = decision.missed.expect("a year is missed");
        assert!(missed.is_more, "counted to a limit");
        assert_eq!(decision.cursor, ahead);
    }
}

#[test]
fn after_an_absence_none_skips_latest_makes_up_one_and_all_makes_up_each() {
    // noon of five days, looked at in the evening of the fifth
    let daily = Calendar::new(&cron_spec("0 12 * * *", "UTC")).expect("a calendar");
    let (from, now) = (time("2026-06-01T13:00:00Z"), time("2026-06-06T20:00:00Z"));
    let made_up = |catch_up: CatchUp| {
        let decision = decide(&daily, &policy(Overlap::Allow, catch_up), ID, &at(from), now);
        (
            fired(&decision).len(),
            decision.missed.map_or(0, |missed| missed.count),
        )
    };
    assert_eq!(made_up(CatchUp::None), (0, 5));
    assert_eq!(made_up(CatchUp::Latest), (1, 4));
    assert_eq!(made_up(CatchUp::All), (5, 0));
    let all = decide(&daily, &policy(Overlap::Allow, CatchUp::All), ID, &at(from), now);
    assert!(fired(&all).is_sorted(), "oldest first");
}

#[test]
fn the_catch_up_looks_no_further_back_than_its_window_and_its_limit() {
    let daily = Calendar::new(&cron_spec("0 12 * * *", "UTC")).expect("a calendar");
    let (from, now) = (time("2026-06-01T13:00:00Z"), time("2026-06-06T20:00:00Z"));
    let narrow = Policy {
        window_ms: 2 * 24 * 3_600_000,
        ..policy(Overlap::Allow, CatchUp::All)
    };
    let decision = decide(&daily, &narrow, ID, &at(from), now);
    assert_eq!(
        fired(&decision),
        [time("2026-06-05T12:00:00Z"), time("2026-06-06T12:00:00Z")]
    );
    let few = Policy {
        limit: 1,
        ..policy(Overlap::Allow, CatchUp::All)
    };
    assert_eq!(
        fired(&decide(&daily, &few, ID, &at(from), now)),
        [time("2026-06-06T12:00:00Z")]
    );
    let old = Policy {
        window_ms: 1_000,
        ..policy(Overlap::Allow, CatchUp::Latest)
    };
    assert_eq!(fired(&decide(&daily, &old, ID, &at(from), now)), []);
}

#[test]
fn while_a_run_goes_on_each_policy_does_its_own() {
    let busy = Situation {
        open_runs: 1,
        ..at(minutes(0))
    };
    let look = |overlap: Overlap, situation: &Situation, now: i64| {
        decide(
            &each_minute(),
            &policy(overlap, CatchUp::None),
            ID,
            situation,
            minutes(now),
        )
    };
    assert_eq!(
        look(Overlap::Skip, &busy, 1).verdicts,
        [(minutes(1), Verdict::Skip(SkipReason::Overlap))]
    );
    assert_eq!(
        look(Overlap::Allow, &busy, 1).verdicts,
        [(minutes(1), Verdict::Fire)]
    );
    let one = look(Overlap::BufferOne, &busy, 1);
    assert_eq!(one.verdicts, [(minutes(1), Verdict::Buffer)]);
    let full = Situation {
        cursor: one.cursor,
        buffered: one.buffered.clone(),
        ..busy.clone()
    };
    let second = look(Overlap::BufferOne, &full, 2);
    assert_eq!(
        second.verdicts,
        [(minutes(2), Verdict::Skip(SkipReason::BufferFull))]
    );
    assert_eq!(second.buffered, [minutes(1)]);
    assert_eq!(
        look(Overlap::BufferAll, &full, 2).buffered,
        [minutes(1), minutes(2)]
    );
}

#[test]
fn what_waited_starts_when_the_run_has_ended_one_at_a_time() {
    let waiting = Situation {
        cursor: minutes(2),
        buffered: vec![minutes(1), minutes(2)],
        ..at(minutes(2))
    };
    let now = Timestamp(minutes(2).0 + 5);
    let policy = policy(Overlap::BufferAll, CatchUp::None);
    let decision = decide(&each_minute(), &policy, ID, &waiting, now);
    assert_eq!(decision.verdicts, [(minutes(1), Verdict::Fire)]);
    assert_eq!(decision.buffered, [minutes(2)]);
    assert!(
        decision.next_at.is_some_and(|at| at < minutes(3)),
        "looked at again before the next time"
    );
    let still_busy = Situation {
        open_runs: 1,
        ..waiting
    };
    assert_eq!(decide(&each_minute(), &policy, ID, &still_busy, now).verdicts, []);
}

#[test]
fn cancel_other_keeps_the_newest_and_cancels_what_goes_on() {
    let busy = Situation {
        open_runs: 1,
        buffered: vec![minutes(1)],
        ..at(minutes(1))
    };
    let policy = policy(Overlap::CancelOther, CatchUp::None);
    let decision = decide(&each_minute(), &policy, ID, &busy, minutes(2));
    assert_eq!(
        decision.verdicts,
        [
            (minutes(1), Verdict::Skip(SkipReason::Replaced)),
            (minutes(2), Verdict::Buffer)
        ]
    );
    assert!(decision.cancels_open);
    let ended = Situation {
        open_runs: 0,
        buffered: decision.buffered,
        ..at(decision.cursor)
    };
    let decision = decide(&each_minute(), &policy, ID, &ended, minutes(2));
    assert_eq!(fired(&decision), [minutes(2)]);
    assert!(!decision.cancels_open);
}

#[test]
fn a_full_buffer_skips_and_says_so() {
    let policy = Policy {
        limit: 1_000,
        ..policy(Overlap::BufferAll, CatchUp::All)
    };
    let busy = Situation {
        open_runs: 1,
        ..at(minutes(0))
    };
    let decision = decide(&each_minute(), &policy, ID, &busy, minutes(150));
    assert_eq!(decision.buffered.len(), BUFFER_MAX);
    let skipped = decision
        .verdicts
        .iter()
        .filter(|(_, v)| *v == Verdict::Skip(SkipReason::BufferFull));
    assert_eq!(skipped.count(), 50);
}

#[test]
fn after_so_many_failures_in_a_row_the_schedule_is_paused_instead_of_fired() {
    let policy = Policy {
        pause_after: Some(3),
        ..Policy::default()
    };
    let failing = |failures| Situation {
        failures,
        ..at(minutes(0))
    };
    let go_on = decide(&each_minute(), &policy, ID, &failing(2), minutes(1));
    assert!(!go_on.pauses && fired(&go_on) == [minutes(1)]);
    let stop = decide(&each_minute(), &policy, ID, &failing(3), minutes(1));
    assert!(stop.pauses && stop.verdicts.is_empty());
    assert_eq!(stop.next_at, None);
}

#[test]
fn jitter_moves_the_start_and_not_the_nominal_time() {
    let jittered = Spec {
        jitter_ms: 30_000,
        ..spec(When::Every {
            every_ms: 60_000,
            anchor: time(NOON),
        })
    };
    let calendar = Calendar::new(&jittered).expect("a calendar");
    let due = due_at(&calendar, ID, minutes(1));
    assert!(due >= minutes(1) && due < Timestamp(minutes(1).0 + MINUTE / 2));
    assert_eq!(
        due,
        due_at(&calendar, ID, minutes(1)),
        "the same on every replica"
    );
    let spread: std::collections::BTreeSet<i64> = (1..20)
        .map(|n| due_at(&calendar, ID, minutes(n)).0 - minutes(n).0)
        .collect();
    assert!(spread.len() > 10, "spread: {spread:?}");
    let early = decide(
        &calendar,
        &Policy::default(),
        ID,
        &at(minutes(0)),
        Timestamp(due.0 - 1),
    );
    assert_eq!((early.verdicts.len(), early.next_at), (0, Some(due)));
    let on_time = decide(&calendar, &Policy::default(), ID, &at(minutes(0)), due);
    assert_eq!(fired(&on_time), [minutes(1)]);
}

#[test]
fn jitter_longer_than_the_interval_keeps_the_order() {
    let jittered = Spec {
        jitter_ms: 3_600_000,
        ..cron_spec("* * * * *", "UTC")
    };
    let calendar = Calendar::new(&jittered).expect("a calendar");
    for n in 0..50 {
        assert!(due_at(&calendar, ID, minutes(n)) < minutes(n + 1));
    }
}

#[test]
fn a_one_off_fires_late_within_its_window_and_then_never_again() {
    let moment = time(NOON);
    let calendar = Calendar::new(&spec(When::At { at: moment })).expect("a calendar");
    let later = moment.after(Duration::from_secs(3_600));
    let before = at(Timestamp(moment.0 - MINUTE));
    let decision = decide(&calendar, &Policy::default(), ID, &before, later);
    assert_eq!(fired(&decision), [moment]);
    assert_eq!(decision.next_at, None, "it has ended");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// However often, and with whatever clock, a schedule is looked at: no nominal time is decided twice.
    #[test]
    fn no_nominal_time_fires_twice(
        looks in prop::collection::vec((0..40_i64, 0..2_usize), 1..30),
        overlap in prop::sample::select(vec![
            Overlap::Skip, Overlap::BufferOne, Overlap::BufferAll, Overlap::CancelOther, Overlap::Allow,
        ]),
        catch_up in prop::sample::select(vec![CatchUp::None, CatchUp::Latest, CatchUp::All]),
    ) {
        let calendar = each_minute();
        let policy = policy(overlap, catch_up);
        let mut situation = at(minutes(0));
        let mut all = Vec::new();
        for (now, open_runs) in looks {
            situation.open_runs = open_runs;
            let decision = decide(&calendar, &policy, ID, &situation, minutes(now));
            prop_assert!(decision.cursor >= situation.cursor);
            all.extend(fired(&decision));
            if overlap != Overlap::Allow {
                prop_assert!(open_runs == 0 || fired(&decision).is_empty());
                prop_assert!(fired(&decision).len() <= 1);
            }
            situation.cursor = decision.cursor;
            situation.buffered = decision.buffered;
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), count);
    }
}
