//! When a task is tried again, when it is given up, and what is kept then.

use std::time::Duration;

use serde_json::json;

use crate::definition::{OnExhausted, Task};
use crate::run::testkit::{Driver, failure, retry, root, task, workflow};
use crate::run::{Category, Command, Input, RecordKind, RunStatus, TaskFailure, TaskStatus};

fn resume(run: &mut Driver) {
    run.feed(Input::ResumeRequested { actor: "me".into() });
}

fn unsteady(limit: u32) -> Task {
    Task {
        retry: retry(limit),
        ..root("a")
    }
}

#[test]
fn a_condition_decides_which_failures_are_retried() {
    for (when, want) in [
        ("error.code == 'BUSY' && task.retries < 1", TaskStatus::RetryWait),
        ("error.code != 'BUSY'", TaskStatus::Failed),
        ("task.attempt > 1", TaskStatus::Failed),
        ("inputs.again", TaskStatus::RetryWait),
    ] {
        let mut a = unsteady(3);
        a.retry.when = Some(when.to_owned());
        let mut run = Driver::with_inputs(workflow(vec![a]), json!({"again": true}));
        run.start();
        run.fail_with("a", failure("BUSY"));
        assert_eq!(run.status("a"), want, "{when}");
    }
}

#[test]
fn a_condition_that_fails_itself_fails_the_task_with_its_cause() {
    let mut a = unsteady(3);
    a.retry.when = Some("error.details.nothing.here".to_owned());
    let mut run = Driver::started(workflow(vec![a]));
    run.fail("a");
    let error = run.state.tasks[0].error.clone().unwrap();
    assert_eq!(error.category, Category::Expression);
    assert_eq!(error.details.unwrap()["cause"]["code"], "BROKEN");
}

#[test]
fn no_retry_begins_after_the_budget_is_spent() {
    let mut a = unsteady(100);
    a.retry.budget = Some(Duration::from_secs(5));
    let mut run = Driver::started(workflow(vec![a]));
    for _ in 0..5 {
        run.fail("a");
        assert_eq!(run.status("a"), TaskStatus::RetryWait);
        run.tick_after(Duration::from_secs(1));
    }
    run.fail("a");
    assert_eq!(run.status("a"), TaskStatus::Failed);
}

#[test]
fn a_loss_that_a_worker_reports_is_covered_by_both_of_its_names() {
    for name in ["lost", "worker_lost"] {
        let mut a = unsteady(1);
        a.retry.on = vec![name.to_owned()];
        let mut run = Driver::started(workflow(vec![a]));
        run.fail_with("a", TaskFailure::new(Category::Lost, "LOST", "gone", true));
        assert_eq!(run.status("a"), TaskStatus::RetryWait, "{name}");
    }
}

#[test]
fn an_exhausted_task_may_pause_the_run_and_is_tried_anew_with_a_fresh_budget() {
    let mut a = unsteady(1);
    a.on_exhausted = OnExhausted::Pause;
    a.complete_within = Some(Duration::from_secs(60));
    let mut run = Driver::started(workflow(vec![a, task("b", &["a"])]));
    for _ in 0..3 {
        run.fail("a");
        run.tick_after(Duration::from_secs(1));
        run.fail("a");
        assert_eq!((run.status("a"), run.state.is_paused), (TaskStatus::Ready, true));
        assert_eq!(run.run_status(), RunStatus::Running);
        let paused = run
            .records
            .iter()
            .rfind(|r| r.kind == RecordKind::RunPaused)
            .unwrap();
        assert_eq!(
            (paused.actor.as_deref(), paused.reason.as_deref()),
            (Some("runnel"), Some("RETRIES_EXHAUSTED"))
        );
        run.tick_after(Duration::from_secs(3_600));
        assert_eq!(run.status("a"), TaskStatus::Ready, "a pause has no time limit");
        resume(&mut run);
        assert_eq!(run.status("a"), TaskStatus::Queued);
        assert_eq!(run.state.tasks[0].retries, 0);
    }
    run.succeed("a");
    run.succeed("b");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn what_is_not_retryable_and_what_took_too_long_is_exhausted_as_well() {
    let exhausted = |cause: fn(&mut Driver)| {
        let mut a = unsteady(5);
        a.on_exhausted = OnExhausted::Pause;
        a.max_losses = 0;
        a.start_within = Some(Duration::from_secs(30));
        a.complete_within = Some(Duration::from_secs(60));
        let mut run = Driver::started(workflow(vec![a]));
        cause(&mut run);
        assert_eq!((run.status("a"), run.state.is_paused), (TaskStatus::Ready, true));
        resume(&mut run);
        assert_eq!(run.status("a"), TaskStatus::Queued);
    };
    exhausted(|run| {
        run.fail_with("a", TaskFailure::new(Category::Input, "BAD", "bad", false));
    });
    exhausted(|run| {
        run.tick_after(Duration::from_secs(30));
    });
    exhausted(|run| {
        run.begin("a");
        run.tick_after(Duration::from_secs(60));
    });
    exhausted(|run| {
        let task = run.ix("a");
        run.feed(Input::AttemptLost {
            task,
            attempt: 1,
            reason: "GONE".into(),
        });
    });
}

#[test]
fn a_dead_letter_is_kept_of_the_last_attempt_only() {
    let mut a = unsteady(1);
    a.on_exhausted = OnExhausted::DeadLetter;
    let mut run = Driver::started(workflow(vec![a]));
    run.fail("a");
    assert!(
        !run.commands
            .iter()
            .any(|c| matches!(c, Command::DeadLetter { .. }))
    );
    run.tick_after(Duration::from_secs(1));
    run.fail("a");
    let task = run.ix("a");
    assert!(run.commands.contains(&Command::DeadLetter { task, attempt: 2 }));
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn a_message_that_cannot_be_sent_is_always_kept() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.fail_with(
        "a",
        TaskFailure::new(Category::Input, "MESSAGE_TOO_LARGE", "too large", false),
    );
    let task = run.ix("a");
    assert!(run.commands.contains(&Command::DeadLetter { task, attempt: 1 }));
}

#[test]
fn the_timeout_of_an_attempt_is_retryable() {
    let mut a = unsteady(1);
    a.timeout = Some(Duration::from_secs(5));
    let mut run = Driver::started(workflow(vec![a]));
    run.begin("a");
    run.tick_after(Duration::from_secs(15));
    assert_eq!(run.status("a"), TaskStatus::RetryWait);
}

#[test]
fn start_within_limits_the_wait_in_the_queue_of_each_attempt() {
    let mut a = unsteady(1);
    a.start_within = Some(Duration::from_secs(5));
    let mut run = Driver::started(workflow(vec![a]));
    run.begin("a");
    run.tick_after(Duration::from_secs(20));
    run.fail("a");
    run.tick_after(Duration::from_secs(1));
    assert_eq!(run.status("a"), TaskStatus::Queued);
    run.tick_after(Duration::from_secs(5));
    assert_eq!(run.status("a"), TaskStatus::TimedOut);
    assert_eq!(run.state.tasks[0].error.as_ref().unwrap().code, "START_WITHIN");
}

#[test]
fn complete_within_spans_retries() {
    let mut a = unsteady(100);
    a.complete_within = Some(Duration::from_secs(10));
    let mut run = Driver::started(workflow(vec![a]));
    for _ in 0..9 {
        run.fail("a");
        run.tick_after(Duration::from_secs(1));
        assert_eq!(run.status("a"), TaskStatus::Queued);
    }
    run.tick_after(Duration::from_secs(1));
    assert_eq!(run.status("a"), TaskStatus::TimedOut);
    assert_eq!(run.state.tasks[0].error.as_ref().unwrap().code, "COMPLETE_WITHIN");
}

#[test]
fn a_gap_between_heartbeats_loses_the_attempt() {
    let mut a = root("a");
    a.heartbeat = Some(Duration::from_secs(10));
    let mut run = Driver::started(workflow(vec![a]));
    let task = run.ix("a");
    let beat = Input::Heartbeat {
        task,
        attempt: 1,
        worker: "w1".into(),
        progress: None,
        checkpoint: None,
    };
    run.feed(beat.clone());
    for _ in 0..10 {
        run.tick_after(Duration::from_secs(9));
        run.feed(beat.clone());
    }
    assert_eq!(
        (run.status("a"), run.state.tasks[0].attempt),
        (TaskStatus::Running, 1)
    );
    run.tick_after(Duration::from_secs(10));
    assert_eq!(
        (run.status("a"), run.state.tasks[0].attempt),
        (TaskStatus::Queued, 2)
    );
    assert_eq!((run.state.tasks[0].losses, run.state.tasks[0].retries), (1, 0));
}
