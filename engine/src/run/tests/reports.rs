//! Reports of workers: fences, redelivery, losses, retries.

use std::time::Duration;

use crate::run::testkit::{Driver, failure, root, task, workflow};
use crate::run::{Category, Input, Outcome, RecordKind, RunStatus, Stale, TaskFailure, TaskStatus};
use crate::{TaskIx, Timestamp};

fn with_retries(limit: u32) -> Driver {
    let mut a = root("a");
    a.retry.limit = limit;
    Driver::started(workflow(vec![a, task("b", &["a"])]))
}

fn kinds(run: &Driver) -> Vec<RecordKind> {
    run.records.iter().map(|record| record.kind).collect()
}

#[test]
fn a_short_attempt_is_only_reported_at_its_end_and_its_start_enters_the_history() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.succeed("a");
    use RecordKind::{RunCreated, RunStarted, RunSucceeded, TaskQueued, TaskStarted, TaskSucceeded};
    assert_eq!(
        kinds(&run),
        [
            RunCreated,
            RunStarted,
            TaskQueued,
            TaskStarted,
            TaskSucceeded,
            RunSucceeded
        ]
    );
}

#[test]
fn a_failed_attempt_is_retried_after_its_delay_with_the_next_number() {
    let mut run = with_retries(1);
    run.fail("a");
    assert_eq!(run.status("a"), TaskStatus::RetryWait);
    assert_eq!(run.state.wake_at, Some(run.now.after(Duration::from_secs(1))));
    assert_eq!(run.feed(Input::Tick), Outcome::Ignored(Stale::NothingDue));
    run.tick_after(Duration::from_secs(1));
    assert_eq!(
        (run.status("a"), run.state.tasks[0].attempt),
        (TaskStatus::Queued, 2)
    );
    run.fail("a");
    assert_eq!(run.status("a"), TaskStatus::Failed);
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn only_retryable_failures_that_the_policy_covers_are_retried() {
    let mut run = with_retries(3);
    run.fail_with(
        "a",
        TaskFailure {
            retryable: false,
            ..failure("X")
        },
    );
    assert_eq!(run.status("a"), TaskStatus::Failed);

    let mut a = root("a");
    a.retry.limit = 3;
    a.retry.on = vec!["unavailable".into(), "5xx".into()];
    a.retry.not_on = vec!["http_501".into()];
    for (code, want) in [
        ("HTTP_503", TaskStatus::RetryWait),
        ("HTTP_501", TaskStatus::Failed),
        ("Y", TaskStatus::Failed),
    ] {
        let mut run = Driver::started(workflow(vec![a.clone()]));
        run.fail_with("a", failure(code));
        assert_eq!(run.status("a"), want, "{code}");
    }
}

#[test]
fn retry_after_of_the_other_side_is_honoured() {
    let mut run = with_retries(1);
    run.fail_with(
        "a",
        TaskFailure {
            retry_after_ms: Some(90_000),
            ..failure("HTTP_429")
        },
    );
    assert_eq!(run.state.wake_at, Some(run.now.after(Duration::from_secs(90))));
}

#[test]
fn a_late_result_of_an_old_attempt_is_ignored_and_noted_a_few_times() {
    let mut run = with_retries(1);
    run.fail("a");
    run.tick_after(Duration::from_secs(1));
    let late = |run: &Driver| Input::AttemptSucceeded {
        task: TaskIx(0),
        attempt: 1,
        output: "1".into(),
        timings: run.timings(),
    };
    for _ in 0..10 {
        let input = late(&run);
        assert_eq!(run.feed(input), Outcome::Ignored(Stale::OldAttempt));
    }
    assert_eq!(
        kinds(&run)
            .iter()
            .filter(|kind| **kind == RecordKind::LateReport)
            .count(),
        3
    );
    assert_eq!(run.status("a"), TaskStatus::Queued);
}

#[test]
fn a_report_while_the_retry_waits_is_stale() {
    let mut run = with_retries(1);
    run.fail("a");
    assert_eq!(run.succeed("a"), Outcome::Ignored(Stale::OldAttempt));
}

#[test]
fn the_first_valid_report_wins() {
    let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"])]));
    assert_eq!(run.succeed("a"), Outcome::Applied);
    assert_eq!(run.fail("a"), Outcome::Ignored(Stale::TaskIsTerminal));
    assert_eq!(run.status("b"), TaskStatus::Queued);
}

#[test]
fn reports_of_unknown_tasks_and_attempts_change_nothing() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    for (ix, attempt) in [(9, 1), (u32::MAX, 1), (0, 0), (0, 2), (0, u32::MAX)] {
        let task = TaskIx(ix);
        let timings = run.timings();
        let inputs = [
            Input::AttemptStarted {
                task,
                attempt,
                worker: "w".into(),
                at: Timestamp(0),
            },
            Input::Heartbeat {
                task,
                attempt,
                worker: "w".into(),
                progress: None,
                checkpoint: None,
            },
            Input::AttemptSucceeded {
                task,
                attempt,
                output: "1".into(),
                timings: timings.clone(),
            },
            Input::AttemptFailed {
                task,
                attempt,
                failure: failure("X"),
                timings,
            },
            Input::AttemptLost {
                task,
                attempt,
                reason: "X".into(),
            },
        ];
        for input in inputs {
            assert_eq!(run.feed(input), Outcome::Ignored(Stale::OldAttempt));
        }
    }
    for input in [
        Input::TaskRetryRequested {
            task: TaskIx(9),
            actor: "me".into(),
        },
        Input::TaskSkipRequested {
            task: TaskIx(9),
            actor: "me".into(),
            reason: None,
        },
    ] {
        assert!(matches!(run.feed(input), Outcome::Refused(_)));
    }
}

#[test]
fn a_redelivered_start_updates_the_worker_and_says_so() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.begin("a");
    assert_eq!(run.begin("a"), Outcome::Ignored(Stale::AlreadyInForce));
    let now = run.now;
    run.feed(Input::AttemptStarted {
        task: TaskIx(0),
        attempt: 1,
        worker: "w2".into(),
        at: now,
    });
    assert_eq!(run.state.tasks[0].worker.as_deref(), Some("w2"));
    assert_eq!(run.records.last().unwrap().reason.as_deref(), Some("REDELIVERED"));
}

#[test]
fn a_lost_worker_costs_no_retry_but_not_for_ever() {
    let mut a = root("a");
    a.max_losses = 2;
    let mut run = Driver::started(workflow(vec![a]));
    for attempt in 1..=3 {
        assert_eq!(run.state.tasks[0].attempt, attempt);
        run.feed(Input::AttemptLost {
            task: TaskIx(0),
            attempt,
            reason: "DRAINED".into(),
        });
    }
    assert_eq!(run.status("a"), TaskStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().category, Category::Lost);
    assert_eq!(run.dispatched().len(), 3);
}

#[test]
fn a_heartbeat_of_a_queued_attempt_says_that_it_runs() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.feed(Input::Heartbeat {
        task: TaskIx(0),
        attempt: 1,
        worker: "w1".into(),
        progress: None,
        checkpoint: None,
    });
    assert_eq!(run.status("a"), TaskStatus::Running);
}

#[test]
fn a_worker_whose_clock_is_off_does_not_shorten_its_lease() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.now = run.now.after(Duration::from_secs(300));
    run.feed(Input::AttemptStarted {
        task: TaskIx(0),
        attempt: 1,
        worker: "w1".into(),
        at: Timestamp(0),
    });
    assert_eq!(run.state.tasks[0].started_at, Some(run.now));
    assert_eq!(run.feed(Input::Tick), Outcome::Ignored(Stale::NothingDue));
}

#[test]
fn simulated_failures_go_through_the_retries() {
    let mut a = root("a");
    a.kind = "pass".into();
    a.input = serde_json::json!({"simulate_failure": true});
    a.retry.limit = 1;
    let mut run = Driver::started(workflow(vec![a]));
    assert_eq!(run.status("a"), TaskStatus::RetryWait);
    run.tick_after(Duration::from_secs(1));
    assert_eq!(run.state.error.as_ref().unwrap().code, "SIMULATED");
    assert_eq!(run.state.tasks[0].attempt, 2);
}
