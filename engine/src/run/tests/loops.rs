//! `repeat`: rounds, their attempts and retries, what they read, and what ends them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::{Concurrency, ForEach, OnConflict, Repeat, Task};
use crate::run::testkit::{Driver, retry, root, task, workflow};
use crate::run::{
    CancelMode, Command, GateCommand, GateInput, Input, Outcome, RecordKind, RunStatus, TaskStatus,
    WaitCommand, WaitInput, dispatch_payload,
};
use crate::{Moment, TaskIx};

const EVERY: Duration = Duration::from_secs(10);

fn looped(until: Option<&str>, max: u32, every: Duration) -> Task {
    Task {
        repeat: Some(Repeat {
            until: until.map(str::to_owned),
            max,
            every,
        }),
        input: json!({"round": "${{ each.index }}", "previous": "${{ each.previous }}"}),
        ..root("l")
    }
}

fn input(run: &Driver, key: &str) -> Value {
    serde_json::from_str(run.state.tasks[run.ix(key).at()].input.as_deref().unwrap()).unwrap()
}

fn output(run: &Driver, key: &str) -> Value {
    serde_json::from_str(run.state.tasks[run.ix(key).at()].output.as_deref().unwrap()).unwrap()
}

#[test]
fn rounds_go_on_until_the_condition_holds_and_read_the_one_before() {
    let mut run = Driver::started(workflow(vec![
        looped(Some("each.previous.n >= 2 && each.index == 1"), 9, EVERY),
        task("z", &["l"]),
    ]));
    run.restores = true;
    assert_eq!(input(&run, "l"), json!({"round": 0, "previous": null}));
    run.succeed_with("l", json!({"n": 1}));
    assert_eq!(run.status("l"), TaskStatus::Waiting);
    assert_eq!(run.state.wake_at, Some(run.now.after(EVERY)));
    assert_eq!(run.records.last().unwrap().kind, RecordKind::TaskRepeated);
    run.tick_after(EVERY);
    assert_eq!(input(&run, "l"), json!({"round": 1, "previous": {"n": 1}}));
    assert_eq!(run.state.tasks[0].attempt, 2);
    run.dispatched();
    run.succeed_with("l", json!({"n": 2}));
    assert_eq!(output(&run, "l"), json!({"n": 2}));
    assert_eq!(run.dispatched(), ["z"]);
}

#[test]
fn a_loop_that_is_skipped_between_its_rounds_keeps_no_output() {
    let mut run = Driver::started(workflow(vec![looped(None, 3, EVERY)]));
    run.succeed_with("l", json!({"n": 1}));
    assert_eq!(run.status("l"), TaskStatus::Waiting);
    run.feed(Input::TaskSkipRequested {
        task: run.ix("l"),
        actor: "operator".into(),
        reason: None,
    });
    assert_eq!(run.status("l"), TaskStatus::Skipped);
    assert_eq!(run.state.tasks[0].output, None);
}

#[test]
fn a_condition_that_never_holds_fails_at_the_limit() {
    let mut run = Driver::started(workflow(vec![looped(Some("false"), 2, Duration::ZERO)]));
    run.succeed("l");
    assert_eq!(run.status("l"), TaskStatus::Queued);
    run.succeed("l");
    let error = run.state.tasks[0].error.clone().unwrap();
    assert_eq!((error.code.as_str(), error.retryable), ("REPEAT_LIMIT", false));
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn without_a_condition_the_last_round_is_the_result() {
    let mut run = Driver::started(workflow(vec![looped(None, 3, Duration::ZERO)]));
    for n in 0..3 {
        run.succeed_with("l", json!(n));
    }
    assert_eq!(
        (run.run_status(), output(&run, "l")),
        (RunStatus::Succeeded, json!(2))
    );
}

#[test]
fn every_round_has_its_own_retries_and_key_for_side_effects() {
    let mut looped = looped(None, 2, Duration::ZERO);
    looped.retry = retry(1);
    let mut run = Driver::started(workflow(vec![looped]));
    let mut keys = Vec::new();
    for _ in 0..2 {
        run.fail("l");
        assert_eq!(run.status("l"), TaskStatus::RetryWait);
        run.tick_after(Duration::from_secs(1));
        let moment = Moment {
            now: run.now,
            entropy: 1,
        };
        keys.push(
            dispatch_payload(&run.plan, &run.state, TaskIx(0), &moment)
                .unwrap()
                .idempotency_key,
        );
        run.succeed("l");
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_round_that_fails_for_good_ends_the_loop() {
    let mut run = Driver::started(workflow(vec![looped(None, 5, EVERY)]));
    run.succeed("l");
    run.tick_after(EVERY);
    run.fail("l");
    assert_eq!(run.status("l"), TaskStatus::Failed);
}

#[test]
fn a_report_of_an_earlier_round_is_late() {
    let mut run = Driver::started(workflow(vec![looped(None, 5, Duration::ZERO)]));
    run.succeed("l");
    let timings = run.timings();
    let late = Input::AttemptSucceeded {
        task: TaskIx(0),
        attempt: 1,
        output: "1".into(),
        timings,
    };
    assert!(matches!(run.feed(late), Outcome::Ignored(_)));
}

#[test]
fn rounds_without_a_worker_need_no_stack() {
    let mut inline = looped(None, 10_000, Duration::ZERO);
    inline.kind = "pass".into();
    inline.input = json!("${{ each.index }}");
    let mut run = Driver::started(workflow(vec![inline]));
    for _ in 0..9_999 {
        assert_eq!(run.status("l"), TaskStatus::Waiting);
        run.records.clear();
        run.commands.clear();
        run.state.next_seq = 1;
        // the driver compares history and rows of whole runs only
        crate::run::advance(
            &run.plan,
            &mut run.state,
            &Input::Tick,
            &Moment {
                now: run.now,
                entropy: 1,
            },
            &mut crate::run::Effects::default(),
        );
    }
    assert_eq!(
        (run.run_status(), output(&run, "l")),
        (RunStatus::Succeeded, json!(9_999))
    );
}

#[test]
fn a_timer_can_repeat() {
    let mut timer = looped(None, 2, EVERY);
    timer.kind = "wait".into();
    timer.input = json!({"for": "5s"});
    let mut run = Driver::started(workflow(vec![timer]));
    run.restores = true;
    for by in [5, 10, 5] {
        assert_eq!(run.run_status(), RunStatus::Running);
        run.tick_after(Duration::from_secs(by));
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn items_repeat_on_their_own() {
    let mut items = looped(Some("each.round + each.item >= 2"), 3, Duration::ZERO);
    items.for_each = Some(ForEach {
        items: json!([1, 2]),
        ..ForEach::default()
    });
    items.input = json!(["${{ each.item }}", "${{ each.index }}", "${{ each.round }}"]);
    let mut run = Driver::started(workflow(vec![items]));
    run.restores = true;
    assert_eq!(input(&run, "l[1]"), json!([2, 1, 0]));
    run.succeed_with("l[1]", json!("b"));
    assert_eq!(run.status("l[1]"), TaskStatus::Succeeded);
    run.succeed_with("l[0]", json!("first"));
    assert_eq!(input(&run, "l[0]"), json!([1, 0, 1]));
    run.succeed_with("l[0]", json!("a"));
    assert_eq!(output(&run, "l"), json!(["a", "b"]));
}

#[test]
fn the_pause_between_rounds_holds_nothing_and_obeys_a_paused_run() {
    let mut run = Driver::started(workflow(vec![looped(None, 2, EVERY)]));
    run.succeed("l");
    run.dispatched();
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    });
    run.tick_after(EVERY);
    assert_eq!(run.status("l"), TaskStatus::Ready);
    run.feed(Input::ResumeRequested { actor: "me".into() });
    assert_eq!(run.dispatched(), ["l"]);
}

#[test]
fn a_cancelled_run_begins_no_further_round() {
    for mode in [CancelMode::Graceful, CancelMode::Now] {
        let mut run = Driver::started(workflow(vec![looped(None, 5, EVERY), root("other")]));
        run.succeed("l");
        run.begin("other");
        run.feed(Input::CancelRequested {
            mode,
            actor: "me".into(),
            reason: None,
        });
        assert_eq!(run.status("l"), TaskStatus::Cancelled, "{mode:?}");
    }
    let mut run = Driver::started(workflow(vec![looped(None, 5, EVERY)]));
    run.begin("l");
    run.feed(Input::CancelRequested {
        mode: CancelMode::Graceful,
        actor: "me".into(),
        reason: None,
    });
    run.succeed("l");
    assert_eq!(run.run_status(), RunStatus::Cancelled);
}

#[test]
fn a_retried_loop_begins_with_its_first_round() {
    let mut run = Driver::started(workflow(vec![looped(Some("false"), 2, Duration::ZERO)]));
    run.restores = true;
    run.succeed("l");
    run.succeed("l");
    run.feed(Input::TaskRetryRequested {
        task: TaskIx(0),
        actor: "me".into(),
    });
    assert_eq!(input(&run, "l"), json!({"round": 0, "previous": null}));
    assert!(matches!(
        run.commands.last(),
        Some(Command::Dispatch { attempt: 3, .. })
    ));
}

#[test]
fn a_condition_that_is_no_condition_fails_the_task() {
    let mut run = Driver::started(workflow(vec![looped(Some("each.previous"), 2, EVERY)]));
    run.succeed_with("l", json!(5));
    assert_eq!(run.state.tasks[0].error.as_ref().unwrap().code, "EXPRESSION");
}

#[test]
fn complete_within_spans_all_rounds() {
    let mut bounded = looped(None, 9, EVERY);
    bounded.complete_within = Some(Duration::from_secs(15));
    let mut run = Driver::started(workflow(vec![bounded]));
    run.succeed("l");
    run.tick_after(EVERY);
    run.succeed("l");
    run.tick_after(Duration::from_secs(5));
    assert_eq!(run.status("l"), TaskStatus::TimedOut);
}

/// A loop whose rounds end by what comes from outside; between two of them it waits for nobody.
fn outside(kind: &str, input: Value, is_called_back: bool, every: Duration) -> Driver {
    let mut run = Driver::new(workflow(vec![Task {
        kind: kind.into(),
        input,
        callback: is_called_back,
        ..looped(None, 3, every)
    }]));
    run.restores = true;
    run.start();
    run
}

/// The waits that the run has begun and ended since the last call: `true` for a begin.
fn waits(run: &mut Driver) -> Vec<bool> {
    let commands = std::mem::take(&mut run.commands);
    let begins = commands.into_iter().filter_map(|command| match command {
        Command::Wait(command) => Some(matches!(command, WaitCommand::Begin { .. })),
        _ => None,
    });
    begins.collect()
}

#[test]
fn a_callback_token_is_good_for_one_round_and_its_wait_ends_with_it() {
    for every in [EVERY, Duration::ZERO] {
        let mut run = outside("work", json!({}), true, every);
        let answer = |run: &mut Driver| {
            run.feed(Input::Wait(WaitInput::Callback {
                task: TaskIx(0),
                attempt: 1,
                result: Ok("1".into()),
                actor: "holder".into(),
            }))
        };
        run.succeed("l");
        assert_eq!(waits(&mut run), [true]);
        assert_eq!(answer(&mut run), Outcome::Applied);
        assert_eq!(waits(&mut run), [false], "the wait is over, pause or no pause");
        assert!(matches!(answer(&mut run), Outcome::Refused(_)));
        let rounds = run
            .records
            .iter()
            .filter(|record| record.kind == RecordKind::TaskRepeated);
        assert_eq!(rounds.count(), 1);
    }
}

#[test]
fn a_loop_that_pauses_takes_no_signal_and_no_vote() {
    let mut run = outside("wait", json!({"signal": "s"}), false, EVERY);
    let signal = |run: &mut Driver| {
        run.feed(Input::Wait(WaitInput::Signal {
            name: "s".into(),
            data: "{}".into(),
            actor: "me".into(),
            id: None,
        }))
    };
    signal(&mut run);
    assert_eq!(waits(&mut run), [true, false]);
    signal(&mut run);
    assert_eq!(run.state.extra.signals.len(), 1, "it is kept for the next round");
    run.tick_after(EVERY);
    assert_eq!(run.state.extra.signals.len(), 0);
    assert_eq!(run.state.tasks[0].attempt, 2);

    let mut run = outside("approval", json!({"message": "?"}), false, EVERY);
    let vote = |run: &mut Driver, name: &str| {
        run.feed(Input::Wait(WaitInput::Decision {
            task: TaskIx(0),
            is_approved: true,
            form: None,
            note: None,
            actor: name.into(),
            groups: Vec::new(),
        }))
    };
    assert_eq!(vote(&mut run, "ann"), Outcome::Applied);
    assert_eq!(waits(&mut run), [true, false]);
    assert!(matches!(vote(&mut run, "bob"), Outcome::Refused(_)));
    run.tick_after(EVERY);
    assert_eq!(vote(&mut run, "ann"), Outcome::Applied, "each round asks anew");
}

#[test]
fn a_place_belongs_to_a_round_and_is_free_while_the_loop_pauses() {
    let mut run = Driver::started(workflow(vec![Task {
        concurrency: Some(Concurrency {
            group: None,
            limit: 1,
            on_conflict: OnConflict::Queue,
        }),
        ..looped(None, 2, EVERY)
    }]));
    run.restores = true;
    run.feed(Input::Gate(GateInput::Admitted {
        task: TaskIx(0),
        attempt: 1,
    }));
    run.commands.clear();
    run.succeed("l");
    let releases = run
        .commands
        .iter()
        .filter(|command| matches!(command, Command::Gate(GateCommand::Release { attempt: 1, .. })));
    assert_eq!(releases.count(), 1);
    run.tick_after(EVERY);
    run.feed(Input::Gate(GateInput::Admitted {
        task: TaskIx(0),
        attempt: 2,
    }));
    run.succeed("l");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}
