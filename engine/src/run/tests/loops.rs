//! `repeat`: rounds, their attempts and retries, what they read, and what ends them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::definition::{ForEach, Repeat, Task};
use crate::run::testkit::{Driver, retry, root, task, workflow};
use crate::run::{CancelMode, Command, Input, Outcome, RecordKind, RunStatus, TaskStatus, dispatch_payload};
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
