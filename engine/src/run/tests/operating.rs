//! What operators do: cancel, pause, resume, retry, skip.

use std::time::Duration;

use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{CancelMode, Command, Input, Outcome, RecordKind, RunStatus, Stale, TaskStatus};

fn cancel(run: &mut Driver, mode: CancelMode) -> Outcome {
    run.feed(Input::CancelRequested {
        mode,
        actor: "me".into(),
        reason: None,
    })
}

fn retry(run: &mut Driver, key: &str) -> Outcome {
    let task = run.ix(key);
    run.feed(Input::TaskRetryRequested {
        task,
        actor: "me".into(),
    })
}

fn skip(run: &mut Driver, key: &str) -> Outcome {
    let task = run.ix(key);
    run.feed(Input::TaskSkipRequested {
        task,
        actor: "me".into(),
        reason: None,
    })
}

fn pause(run: &mut Driver) -> Outcome {
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    })
}

fn resume(run: &mut Driver) -> Outcome {
    run.feed(Input::ResumeRequested { actor: "me".into() })
}

#[test]
fn a_graceful_cancel_lets_running_attempts_finish_and_starts_nothing() {
    let mut run = Driver::started(workflow(vec![root("a"), root("b"), task("c", &["a"])]));
    run.begin("a");
    run.dispatched();
    assert_eq!(cancel(&mut run, CancelMode::Graceful), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Cancelling);
    assert_eq!(
        (run.status("a"), run.status("b")),
        (TaskStatus::Running, TaskStatus::Cancelled)
    );
    assert!(run.commands.contains(&Command::Stop {
        task: run.ix("a"),
        attempt: 1
    }));
    assert_eq!(
        cancel(&mut run, CancelMode::Graceful),
        Outcome::Ignored(Stale::AlreadyInForce)
    );
    run.succeed("a");
    assert_eq!(
        (run.status("a"), run.status("c")),
        (TaskStatus::Succeeded, TaskStatus::Cancelled)
    );
    assert_eq!(run.run_status(), RunStatus::Cancelled);
    assert!(run.dispatched().is_empty());
}

#[test]
fn a_graceful_cancel_ends_with_its_grace() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.begin("a");
    cancel(&mut run, CancelMode::Graceful);
    assert_eq!(run.state.wake_at, Some(run.now.after(Duration::from_secs(30))));
    run.tick_after(Duration::from_secs(30));
    assert_eq!(run.run_status(), RunStatus::Cancelled);
    assert_eq!(run.succeed("a"), Outcome::Ignored(Stale::RunIsTerminal));
}

#[test]
fn a_failure_during_a_graceful_cancel_is_not_retried() {
    let mut a = root("a");
    a.retry.limit = 5;
    let mut run = Driver::started(workflow(vec![a]));
    run.begin("a");
    cancel(&mut run, CancelMode::Graceful);
    run.fail("a");
    assert_eq!(run.status("a"), TaskStatus::Cancelled);
    assert_eq!(run.run_status(), RunStatus::Cancelled);
}

#[test]
fn cancel_now_ends_the_run_at_once() {
    let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"])]));
    run.begin("a");
    cancel(&mut run, CancelMode::Graceful);
    assert_eq!(cancel(&mut run, CancelMode::Now), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Cancelled);
    assert_eq!(run.state.counts.cancelled, 2);
}

#[test]
fn a_run_that_has_not_started_can_be_cancelled() {
    let mut run = Driver::new(workflow(vec![root("a")]));
    cancel(&mut run, CancelMode::Graceful);
    assert_eq!(run.run_status(), RunStatus::Cancelled);
    assert!(run.dispatched().is_empty());
}

#[test]
fn a_paused_run_dispatches_nothing_and_takes_completions() {
    let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"]), task("c", &["b"])]));
    run.dispatched();
    assert_eq!(pause(&mut run), Outcome::Applied);
    assert_eq!(pause(&mut run), Outcome::Ignored(Stale::AlreadyInForce));
    run.succeed("a");
    assert_eq!(run.status("b"), TaskStatus::Ready);
    assert!(run.dispatched().is_empty());
    assert_eq!(resume(&mut run), Outcome::Applied);
    assert_eq!(run.dispatched(), ["b"]);
    assert_eq!(resume(&mut run), Outcome::Ignored(Stale::AlreadyInForce));
}

#[test]
fn a_retry_that_falls_due_while_paused_waits_for_the_resume() {
    let mut a = root("a");
    a.retry.limit = 1;
    let mut run = Driver::started(workflow(vec![a]));
    run.fail("a");
    pause(&mut run);
    run.tick_after(Duration::from_secs(1));
    assert_eq!(run.status("a"), TaskStatus::Ready);
    resume(&mut run);
    assert_eq!(
        (run.status("a"), run.state.tasks[0].attempt),
        (TaskStatus::Queued, 2)
    );
}

#[test]
fn a_run_paused_before_its_start_waits_for_the_resume() {
    let mut run = Driver::new(workflow(vec![root("a")]));
    pause(&mut run);
    run.start();
    assert_eq!(run.status("a"), TaskStatus::Ready);
    resume(&mut run);
    assert_eq!(run.dispatched(), ["a"]);
}

#[test]
fn a_retry_of_a_failed_task_reopens_the_run_with_what_was_skipped() {
    let tasks = vec![root("a"), task("b", &["a"]), task("c", &["b"]), root("x")];
    let mut run = Driver::started(workflow(tasks));
    run.succeed("x");
    run.fail("a");
    assert_eq!(run.run_status(), RunStatus::Failed);
    run.dispatched();
    assert_eq!(retry(&mut run, "a"), Outcome::Applied);
    assert_eq!(run.run_status(), RunStatus::Running);
    assert_eq!((run.state.error.as_ref(), run.state.finished_at), (None, None));
    assert_eq!(run.dispatched(), ["a"]);
    assert_eq!(
        run.state.tasks[run.ix("a").at()].attempt,
        2,
        "attempts go on, so that late reports stay fenced"
    );
    assert_eq!(
        (run.status("b"), run.status("x")),
        (TaskStatus::Blocked, TaskStatus::Succeeded)
    );
    for key in ["a", "b", "c"] {
        run.succeed(key);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(
        run.records
            .iter()
            .any(|record| record.kind == RecordKind::RunReopened)
    );
}

#[test]
fn a_retry_after_fail_fast_brings_back_what_was_cancelled() {
    let mut definition = workflow(vec![root("a"), root("b"), task("c", &["a", "b"])]);
    definition.fail_fast = true;
    let mut run = Driver::started(definition);
    run.fail("a");
    run.dispatched();
    retry(&mut run, "a");
    assert_eq!(run.dispatched(), ["a", "b"]);
    run.succeed("a");
    run.succeed("b");
    run.succeed("c");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_retry_in_a_running_run_leaves_other_failures_alone() {
    let mut run = Driver::started(workflow(vec![
        root("a"),
        root("b"),
        root("c"),
        task("d", &["a", "b"]),
    ]));
    run.fail("a");
    run.fail("b");
    retry(&mut run, "a");
    assert_eq!(run.status("d"), TaskStatus::Skipped, "b has still failed");
    assert_eq!(run.state.error.as_ref().unwrap().message, "b: it failed");
    retry(&mut run, "b");
    for key in ["a", "b", "c", "d"] {
        run.succeed(key);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn the_timeout_of_a_reopened_run_counts_from_the_reopening() {
    let mut definition = workflow(vec![root("a")]);
    definition.timeout = Some(Duration::from_secs(60));
    let mut run = Driver::started(definition);
    run.fail("a");
    run.now = run.now.after(Duration::from_secs(1_000));
    retry(&mut run, "a");
    assert_eq!(run.feed(Input::Tick), Outcome::Ignored(Stale::NothingDue));
    run.tick_after(Duration::from_secs(60));
    assert_eq!(run.run_status(), RunStatus::TimedOut);
}

#[test]
fn what_did_not_fail_cannot_be_retried() {
    let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"])]));
    for key in ["a", "b"] {
        assert!(matches!(retry(&mut run, key), Outcome::Refused(refusal) if refusal.allowed == ["taskSkip"]));
    }
    run.succeed("a");
    assert!(matches!(retry(&mut run, "a"), Outcome::Refused(_)));
}

#[test]
fn a_skip_by_an_operator_ends_the_task_and_skips_what_needs_it() {
    let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"]), root("c")]));
    run.begin("a");
    run.commands.clear();
    assert_eq!(skip(&mut run, "a"), Outcome::Applied);
    assert_eq!(
        run.commands,
        [Command::Stop {
            task: run.ix("a"),
            attempt: 1
        }]
    );
    assert_eq!(run.status("b"), TaskStatus::Skipped);
    assert_eq!(run.succeed("a"), Outcome::Ignored(Stale::TaskIsTerminal));
    assert!(matches!(skip(&mut run, "a"), Outcome::Refused(_)));
    run.succeed("c");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn terminal_runs_absorb_everything_but_a_retry() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.succeed("a");
    let before = run.state.clone();
    for mode in [CancelMode::Graceful, CancelMode::Now] {
        assert_eq!(cancel(&mut run, mode), Outcome::Ignored(Stale::RunIsTerminal));
    }
    assert_eq!(pause(&mut run), Outcome::Ignored(Stale::RunIsTerminal));
    assert_eq!(resume(&mut run), Outcome::Ignored(Stale::RunIsTerminal));
    assert_eq!(skip(&mut run, "a"), Outcome::Ignored(Stale::RunIsTerminal));
    assert_eq!(run.feed(Input::Tick), Outcome::Ignored(Stale::RunIsTerminal));
    assert_eq!(run.state, before);
}
