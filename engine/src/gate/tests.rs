//! The gates as a specification: limits that are never passed, orders that are kept, breakers that close again.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::definition::OnConflict;
use crate::run::{Category, TaskFailure};
use crate::{RunId, Timestamp};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

fn ticket(n: u32) -> Ticket {
    Ticket {
        run: RunId(Uuid::from_u128(u128::from(n))),
        ix: 0,
        attempt: 1,
    }
}

fn policy() -> BreakerPolicy {
    BreakerPolicy {
        failures: 3,
        window: SECOND * 10,
        cooldown: SECOND * 30,
    }
}

fn waiting(n: u32, rank: i64, request: GateRequest) -> Waiting {
    Waiting {
        ticket: ticket(n),
        namespace: "default".to_owned(),
        rank,
        request,
        is_cached: false,
    }
}

fn group(name: &str, limit: u32) -> GateRequest {
    grouped(name, limit, OnConflict::Queue)
}

fn grouped(name: &str, limit: u32, on_conflict: OnConflict) -> GateRequest {
    GateRequest {
        group: Some(GroupRequest {
            name: name.to_owned(),
            limit,
            on_conflict,
        }),
        ..GateRequest::default()
    }
}

fn rated(key: &str, count: u32) -> GateRequest {
    GateRequest {
        rate: Some(RateRequest {
            key: key.to_owned(),
            count,
            per: SECOND * 60,
        }),
        ..GateRequest::default()
    }
}

fn broken(key: &str) -> GateRequest {
    GateRequest {
        circuit: Some(CircuitRequest {
            key: key.to_owned(),
            policy: policy(),
        }),
        ..GateRequest::default()
    }
}

fn admitted(decided: &Decided) -> Vec<u128> {
    let is_in = |(ticket, decision): &(Ticket, Decision)| {
        (*decision == Decision::Admitted).then_some(ticket.run.0.as_u128())
    };
    decided.decisions.iter().filter_map(is_in).collect()
}

#[test]
fn a_higher_priority_goes_first_and_waiting_makes_up_for_it() {
    assert!(rank(at(0), 60) < rank(at(0), 50));
    assert!(rank(at(0), 50) < rank(at(1), 50), "the older goes first");
    assert!(rank(at(59), 10) > rank(at(60), 20), "10 points are a minute");
    assert!(rank(at(0), 0) < rank(at(601), 100), "nothing starves");
    assert!(rank(at(0), 0) > rank(at(599), 100));
}

#[test]
fn a_group_admits_as_many_as_its_limit_in_order() {
    let mut facts = Facts::default();
    let all: Vec<Waiting> = (0..5)
        .map(|n| waiting(n, i64::from(10 - n), group("g", 2)))
        .collect();
    let decided = decide(&all, &mut facts, at(0));
    assert_eq!(admitted(&decided), [4, 3]);
    assert_eq!(decided.decisions[2].1, Decision::Blocked(Blocked::Concurrency));
    assert_eq!(decided.next_at, None, "only a release helps");
}

#[test]
fn nobody_shares_a_group_with_more_than_its_own_limit_allows() {
    let mut facts = Facts::default();
    // the first holds with a limit of 1: a newcomer with 5 must wait
    assert_eq!(
        admitted(&decide(&[waiting(1, 0, group("g", 1))], &mut facts, at(0))),
        [1]
    );
    assert!(admitted(&decide(&[waiting(2, 0, group("g", 5))], &mut facts, at(0))).is_empty());
    // and what has a small limit is not passed for ever by those with a large one
    let mut facts = Facts::default();
    decide(&[waiting(1, 0, group("g", 5))], &mut facts, at(0));
    let both = [waiting(2, 1, group("g", 1)), waiting(3, 2, group("g", 5))];
    assert!(admitted(&decide(&both, &mut facts, at(0))).is_empty());
}

#[test]
fn what_one_gate_holds_does_not_hold_those_that_do_not_need_it() {
    let mut facts = Facts::default();
    let both = GateRequest {
        rate: rated("r", 1).rate,
        ..group("g", 1)
    };
    decide(&[waiting(1, 0, rated("r", 1))], &mut facts, at(0));
    let decided = decide(
        &[waiting(2, 0, both), waiting(3, 1, group("g", 1))],
        &mut facts,
        at(0),
    );
    assert_eq!(
        admitted(&decided),
        [3],
        "the empty rate does not reserve the group"
    );
    assert_eq!(decided.decisions[0].1, Decision::Blocked(Blocked::Rate(at(60))));
    assert_eq!(decided.next_at, Some(at(60)));
}

#[test]
fn a_full_group_turns_away_or_displaces_as_it_is_asked() {
    let mut facts = Facts::default();
    decide(&[waiting(1, 0, group("g", 1))], &mut facts, at(0));
    let skip = decide(
        &[waiting(2, 0, grouped("g", 1, OnConflict::Skip))],
        &mut facts,
        at(0),
    );
    assert_eq!(skip.decisions[0].1, Decision::Turned);
    for held in facts.groups.values_mut() {
        held.oldest = vec![ticket(1).run];
    }
    let displace = grouped("g", 1, OnConflict::CancelRunning);
    let decided = decide(&[waiting(3, 0, displace)], &mut facts, at(0));
    assert_eq!(decided.decisions[0].1, Decision::Blocked(Blocked::Concurrency));
    assert_eq!(decided.displaced.into_iter().collect::<Vec<_>>(), [ticket(1).run]);
}

#[test]
fn a_kept_result_needs_no_gate() {
    let mut facts = Facts::default();
    decide(&[waiting(1, 0, group("g", 1))], &mut facts, at(0));
    let mut one = waiting(2, 0, group("g", 1));
    one.is_cached = true;
    assert_eq!(decide(&[one], &mut facts, at(0)).decisions[0].1, Decision::Cached);
}

#[test]
fn namespaces_do_not_share_gates() {
    let mut facts = Facts::default();
    let mut other = waiting(2, 0, group("g", 1));
    other.namespace = "elsewhere".to_owned();
    let decided = decide(&[waiting(1, 0, group("g", 1)), other], &mut facts, at(0));
    assert_eq!(admitted(&decided).len(), 2);
}

#[test]
fn a_fresh_rate_limit_gives_its_burst_and_then_its_pace() {
    let limit = RateRequest {
        key: "r".to_owned(),
        count: 60,
        per: SECOND * 60,
    };
    let mut state = RateState::default();
    for n in 0..60 {
        assert_eq!(refusal_ends_at(state, &limit, at(0)), at(0), "start {n}");
        state = state.after_start(&limit, at(0));
    }
    assert_eq!(refusal_ends_at(state, &limit, at(0)), at(1));
    assert_eq!(refusal_ends_at(state, &limit, at(1)), at(1));
    assert_eq!(
        refusal_ends_at(state.after_start(&limit, at(1)), &limit, at(1)),
        at(2)
    );
    assert_eq!(refusal_ends_at(state, &limit, at(500)), at(500));
}

#[test]
fn a_breaker_opens_probes_and_closes() {
    let mut breaker = Breaker::default();
    for n in 0..3 {
        assert_eq!(breaker.permit(at(n)), Permit::Pass);
        breaker.pass(ticket(0), policy(), at(n));
        breaker.judge(ticket(0), Some(false), at(n));
    }
    assert_eq!(breaker.permit(at(3)), Permit::NotBefore(at(32)));
    breaker.judge(ticket(0), Some(true), at(4));
    assert_eq!(
        breaker.permit(at(5)),
        Permit::NotBefore(at(32)),
        "an old success closes nothing"
    );
    assert_eq!(breaker.permit(at(32)), Permit::Probe);
    breaker.pass(ticket(7), policy(), at(32));
    assert_eq!(breaker.permit(at(33)), Permit::AfterProbe);
    breaker.judge(ticket(1), Some(true), at(34));
    assert_eq!(
        breaker.permit(at(34)),
        Permit::AfterProbe,
        "only the probe decides"
    );
    breaker.judge(ticket(7), Some(false), at(35));
    assert_eq!(breaker.permit(at(36)), Permit::NotBefore(at(65)));
    breaker.pass(ticket(8), policy(), at(65));
    breaker.judge(ticket(8), None, at(66));
    assert_eq!(
        breaker.permit(at(66)),
        Permit::Probe,
        "a lost probe makes room for the next"
    );
    breaker.pass(ticket(9), policy(), at(66));
    breaker.judge(ticket(9), Some(true), at(67));
    assert_eq!(breaker.phase, BreakerPhase::default());
}

#[test]
fn failures_outside_the_window_do_not_open_a_breaker() {
    let mut breaker = Breaker::default();
    breaker.pass(ticket(0), policy(), at(0));
    for n in 0..20 {
        breaker.judge(ticket(0), Some(false), at(n * 6));
        assert_eq!(breaker.permit(at(n * 6)), Permit::Pass);
    }
}

#[test]
fn an_open_breaker_lets_exactly_one_of_many_through_after_its_cooldown() {
    let mut facts = Facts::default();
    let key = broken("c").keys("default").remove(0);
    let mut breaker = Breaker::default();
    breaker.pass(ticket(0), policy(), at(0));
    for _ in 0..3 {
        breaker.judge(ticket(0), Some(false), at(0));
    }
    facts.breakers.insert(key, breaker);
    let all: Vec<Waiting> = (1..9).map(|n| waiting(n, i64::from(n), broken("c"))).collect();
    let early = decide(&all, &mut facts, at(29));
    assert!(admitted(&early).is_empty());
    assert_eq!(early.next_at, Some(at(30)));
    assert_eq!(admitted(&decide(&all, &mut facts, at(30))), [1]);
    assert!(admitted(&decide(&all[1..], &mut facts, at(31))).is_empty());
}

#[test]
fn failures_of_the_request_say_nothing_about_the_other_side() {
    let counts = |category, retryable| counts_as_failure(&TaskFailure::new(category, "X", "", retryable));
    for category in [
        Category::Timeout,
        Category::RateLimited,
        Category::Unavailable,
        Category::Internal,
    ] {
        assert!(counts(category, false), "{category:?}");
    }
    for category in [
        Category::Lost,
        Category::Expression,
        Category::Input,
        Category::Unauthorised,
    ] {
        assert!(!counts(category, true), "{category:?}");
    }
    assert!(counts(Category::User, true) && !counts(Category::User, false));
}

#[test]
fn a_namespace_with_a_long_backlog_does_not_keep_another_waiting() {
    let mut candidates: Vec<(&str, i64)> = (0..1_000).map(|n| ("large", n)).collect();
    candidates.extend((0..3).map(|n| ("small", 5_000 + n)));
    let chosen: Vec<&str> = deal(&candidates, &BTreeMap::new(), 8)
        .into_iter()
        .map(|at| candidates[at].0)
        .collect();
    assert_eq!(
        chosen,
        [
            "large", "small", "large", "small", "large", "small", "large", "large"
        ]
    );
}

#[test]
fn who_has_less_comes_first_however_few_places_are_dealt() {
    let candidates = [("large", 0), ("small", 9)];
    for (has, expected) in [(0, "small"), (4, "small"), (5, "large"), (9, "large")] {
        let held = BTreeMap::from([("large", 5), ("small", has)]);
        assert_eq!(
            candidates[deal(&candidates, &held, 1)[0]].0,
            expected,
            "small has {has}"
        );
    }
}

proptest! {
    #[test]
    fn a_deal_gives_every_place_and_takes_each_namespace_in_its_order(
        candidates in prop::collection::vec((0_u8..4, 0_i64..20), 0..40),
        places in 0_usize..50,
    ) {
        let chosen = deal(&candidates, &BTreeMap::new(), places);
        prop_assert_eq!(chosen.len(), places.min(candidates.len()));
        let mut last: BTreeMap<u8, i64> = BTreeMap::new();
        let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
        for at in &chosen {
            let (namespace, order) = candidates[*at];
            prop_assert!(last.insert(namespace, order).is_none_or(|before| before <= order));
            *counts.entry(namespace).or_default() += 1;
        }
        // who got less than another has nothing left
        for (namespace, count) in &counts {
            let has = |n: u8| candidates.iter().filter(|(other, _)| *other == n).count();
            for other in 0..4 {
                let got = counts.get(&other).copied().unwrap_or(0);
                prop_assert!(got + 1 >= *count || got == has(other), "{namespace} {other}");
            }
        }
    }

    /// Random arrivals, releases and passes by whoever comes: no holder ever sees more than its limit, and nothing that fits
    /// waits.
    #[test]
    fn limits_hold_and_no_place_stays_empty(
        steps in prop::collection::vec((0_u8..3, 0_u8..2, 1_u32..4, 0_u8..3), 1..80),
    ) {
        let mut held: BTreeMap<Ticket, (u8, u32)> = BTreeMap::new();
        let mut queue: Vec<Waiting> = Vec::new();
        for (n, (action, name, limit, _)) in steps.into_iter().enumerate() {
            let n = u32::try_from(n).unwrap_or(0);
            match action {
                0 | 1 => queue.push(waiting(n, i64::from(n), group(&name.to_string(), limit))),
                _ => {
                    if let Some(first) = held.keys().next().copied() {
                        held.remove(&first);
                    }
                }
            }
            let mut facts = Facts::default();
            for (name, limit) in held.values() {
                let key = group(&name.to_string(), 1).keys("default").remove(0);
                let entry = facts.groups.entry(key).or_default();
                entry.holders += 1;
                entry.smallest_limit = Some(entry.smallest_limit.map_or(*limit, |other| other.min(*limit)));
            }
            let decided = decide(&queue, &mut facts, at(0));
            for (ticket, decision) in &decided.decisions {
                let place = queue.iter().position(|one| one.ticket == *ticket).unwrap();
                if *decision == Decision::Admitted {
                    let one = queue.remove(place);
                    let asked = one.request.group.unwrap();
                    held.insert(*ticket, (asked.name.parse().unwrap(), asked.limit));
                }
            }
            for name in 0..2_u8 {
                let limits: Vec<u32> = held.values().filter(|(n, _)| *n == name).map(|(_, l)| *l).collect();
                let count = u32::try_from(limits.len()).unwrap();
                prop_assert!(limits.iter().all(|limit| count <= *limit), "{limits:?}");
                let first = queue.iter().find(|one| {
                    one.request.group.as_ref().is_some_and(|group| group.name == name.to_string())
                });
                if let Some(first) = first {
                    let own = first.request.group.as_ref().unwrap().limit;
                    let room = limits.iter().copied().min().unwrap_or(own).min(own);
                    prop_assert!(count >= room, "the first waits beside an empty place");
                }
            }
        }
    }

    /// Over any stretch, a rate gives at most its burst and what its pace gives back.
    #[test]
    fn a_rate_is_never_passed(count in 1_u32..20, gaps in prop::collection::vec(0_i64..20_000_000, 1..200)) {
        let limit = RateRequest { key: "r".to_owned(), count, per: SECOND * 60 };
        let mut state = RateState::default();
        let mut now = 0_i64;
        let mut starts: Vec<i64> = Vec::new();
        for gap in gaps {
            now += gap;
            if refusal_ends_at(state, &limit, Timestamp(now)).0 <= now {
                state = state.after_start(&limit, Timestamp(now));
                starts.push(now);
            }
        }
        for (first, from) in starts.iter().enumerate() {
            for (last, until) in starts.iter().enumerate().skip(first) {
                let allowed = i64::from(count) + (until - from) * i64::from(count) / 60_000_000 + 1;
                prop_assert!((last - first + 1) as i64 <= allowed);
            }
        }
    }

    /// Whatever verdicts come, from whom and when: at most one probe is out, and an open breaker always lets one pass later.
    #[test]
    fn a_breaker_never_stays_shut(steps in prop::collection::vec((0_u32..6, 0_u8..4, 0_i64..40), 1..120)) {
        let mut breaker = Breaker::default();
        let mut now = 0;
        let mut out: Vec<u32> = Vec::new();
        for (n, action, gap) in steps {
            now += gap;
            match action {
                0 if matches!(breaker.permit(at(now)), Permit::Pass | Permit::Probe) && !out.contains(&n) => {
                    breaker.pass(ticket(n), policy(), at(now));
                    out.push(n);
                }
                0 => {}
                verdict if out.contains(&n) => {
                    out.retain(|other| *other != n);
                    breaker.judge(ticket(n), [None, Some(true), Some(false)][usize::from(verdict) - 1], at(now));
                }
                _ => {}
            }
            match &breaker.phase {
                BreakerPhase::HalfOpen { probe, .. } => {
                    prop_assert!(out.iter().any(|n| ticket(*n) == *probe), "the probe is out");
                }
                BreakerPhase::Open { probe_at, .. } => prop_assert!(*probe_at <= at(now).after(SECOND * 30)),
                BreakerPhase::Closed { failures } => prop_assert!(failures.len() < 3),
            }
        }
    }
}
