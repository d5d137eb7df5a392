//! Each status has its reason, and no time is lost.

use std::time::Duration;

use super::*;
use crate::definition::ForEach;
use crate::gate::{Breaker, BreakerPolicy, RateState};
use crate::gate::{BreakerPhase, CircuitRequest, GateRequest, GroupRequest, RateRequest};
use crate::run::testkit::{Driver, retry, root, task, workflow};
use crate::run::{Pause, RunStatus, TaskStatus};
use crate::{Plan, TaskIx, Timestamp};

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000)
}

fn running() -> RunFacts {
    RunFacts {
        status: RunStatus::Running,
        is_paused: false,
        pause: None,
        outcome: None,
    }
}

fn facts(status: TaskStatus) -> TaskFacts {
    TaskFacts {
        template: TaskIx(0),
        is_item: false,
        status,
        attempt: 1,
        wake_at: Some(at(9)),
        ready_at: None,
        queued_at: Some(at(5)),
        input: None,
        child: None,
        upstreams: Vec::new(),
        gate: None,
        queue: QueueFacts::default(),
    }
}

fn plan() -> Plan {
    Plan::build(workflow(vec![root("a"), task("b", &["a"])])).unwrap()
}

#[test]
fn every_unfinished_status_but_running_has_a_reason() {
    let plan = plan();
    for code in 0..16 {
        let Some(status) = TaskStatus::from_code(code) else {
            continue;
        };
        let found = task_blockers(&plan, &running(), &facts(status), at(6));
        let is_expected = !status.is_terminal() && status != TaskStatus::Running;
        assert_eq!(!found.is_empty(), is_expected, "{status:?}: {found:?}");
    }
}

#[test]
fn a_blocked_task_names_the_upstreams_that_have_not_ended() {
    let upstream = |key: &str, status| UpstreamFact {
        key: key.to_owned(),
        status,
    };
    let mut blocked = facts(TaskStatus::Blocked);
    blocked.upstreams = vec![
        upstream("x", TaskStatus::Succeeded),
        upstream("y", TaskStatus::Running),
    ];
    let found = task_blockers(&plan(), &running(), &blocked, at(0));
    let tasks = vec![upstream("y", TaskStatus::Running)];
    assert_eq!(found, [Blocker::Upstream { tasks }]);
}

#[test]
fn a_pause_says_who_paused() {
    let pause = Pause {
        by: "ann".to_owned(),
        at: at(1),
        reason: Some("look".to_owned()),
    };
    let run = RunFacts {
        is_paused: true,
        pause: Some(pause.clone()),
        ..running()
    };
    let found = task_blockers(&plan(), &run, &facts(TaskStatus::Ready), at(2));
    assert_eq!(found, [Blocker::Paused { pause: Some(pause) }]);
    assert!(
        task_blockers(&plan(), &run, &facts(TaskStatus::Queued), at(2))
            .iter()
            .all(|blocker| !matches!(blocker, Blocker::Paused { .. })),
        "what is out runs in spite of it"
    );
}

#[test]
fn gates_say_what_is_full_used_up_or_open() {
    let request = GateRequest {
        group: Some(GroupRequest {
            name: "g".to_owned(),
            limit: 3,
            on_conflict: crate::definition::OnConflict::Queue,
        }),
        rate: Some(RateRequest {
            key: "r".to_owned(),
            count: 1,
            per: SECOND * 60,
        }),
        circuit: Some(CircuitRequest {
            key: "c".to_owned(),
            policy: BreakerPolicy {
                failures: 1,
                window: SECOND,
                cooldown: SECOND,
            },
        }),
        cache: None,
    };
    let mut gate = GateFacts {
        request,
        position: 4,
        group: GroupFacts {
            held: 2,
            smallest_limit: Some(2),
            holders: Vec::new(),
        },
        rate: RateState { full_at: at(60) },
        breaker: Breaker {
            phase: BreakerPhase::Open {
                since: at(0),
                probe_at: at(30),
                failures: 7,
            },
            policy: None,
        },
    };
    let found = gate_blockers(&gate, at(1));
    assert_eq!(
        found,
        [
            Blocker::Concurrency {
                group: "g".to_owned(),
                limit: 2,
                held: 2,
                holders: Vec::new(),
                position: 4
            },
            Blocker::Circuit {
                key: "c".to_owned(),
                probe_at: Some(at(30)),
                failures: 7
            },
            Blocker::RateLimit {
                key: "r".to_owned(),
                at: at(60),
                position: 4
            },
        ]
    );
    gate.group.held = 1;
    assert!(gate_blockers(&gate, at(100)).is_empty(), "all will let it pass");
}

#[test]
fn a_ready_task_that_nothing_holds_is_on_its_way() {
    let found = task_blockers(&plan(), &running(), &facts(TaskStatus::Ready), at(100));
    assert!(matches!(found[..], [Blocker::Queued { .. }]));
}

#[test]
fn the_time_of_a_task_divides_without_a_rest() {
    let mut run = Driver::started(workflow(vec![
        root("a"),
        crate::definition::Task {
            retry: retry(1),
            ..task("b", &["a"])
        },
    ]));
    let begin = run.now;
    run.now = run.now.after(SECOND);
    run.begin("a");
    run.now = run.now.after(SECOND * 2);
    run.succeed("a");
    run.now = run.now.after(SECOND * 3);
    run.begin("b");
    run.now = run.now.after(SECOND * 4);
    run.fail("b");
    run.tick_after(SECOND * 5);
    run.now = run.now.after(SECOND * 6);
    run.begin("b");
    run.now = run.now.after(SECOND * 7);
    run.succeed("b");
    let mut watch = Stopwatch::default();
    run.records.iter().for_each(|record| watch.read(record));
    let spent = watch.stop(run.now.after(SECOND * 100));
    let b = spent[&run.ix("b")];
    let expected = TimeSpent {
        blocked: SECOND * 3,
        waiting_for_slot: Duration::ZERO,
        queued: SECOND * 9,
        running: SECOND * 11,
        retry_wait: SECOND * 5,
        waiting: Duration::ZERO,
    };
    assert_eq!(b, expected);
    assert_eq!(b.total(), run.now.since(begin));
}

#[test]
fn the_time_of_an_item_begins_with_its_fan_out() {
    let mut run = Driver::started(workflow(vec![
        root("a"),
        crate::definition::Task {
            for_each: Some(ForEach {
                items: serde_json::json!([1, 2]),
                max_parallel: Some(1),
                ..ForEach::default()
            }),
            ..task("each", &["a"])
        },
    ]));
    run.now = run.now.after(SECOND * 50);
    run.succeed("a");
    run.now = run.now.after(SECOND * 2);
    run.succeed("each[0]");
    run.now = run.now.after(SECOND * 3);
    run.succeed("each[1]");
    let mut watch = Stopwatch::default();
    run.records.iter().for_each(|record| watch.read(record));
    let spent = watch.stop(run.now);
    assert_eq!(spent[&run.ix("each[0]")].blocked, Duration::ZERO);
    assert_eq!(spent[&run.ix("each[1]")].blocked, SECOND * 2);
    assert_eq!(spent[&run.ix("each")].waiting, SECOND * 5);
    assert_eq!(spent[&run.ix("each")].blocked, SECOND * 50);
}
