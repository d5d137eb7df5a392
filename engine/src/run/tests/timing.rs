//! The alarm clock: timers, timeouts, leases, repeated dispatch.

use std::time::Duration;

use serde_json::json;

use crate::TaskIx;
use crate::definition::Task;
use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{Input, Outcome, RunStatus, Stale, TaskStatus};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn wait(input: serde_json::Value) -> Task {
    Task {
        kind: "wait".into(),
        input,
        ..root("a")
    }
}

#[test]
fn a_wait_takes_no_worker_and_ends_with_its_timer() {
    let mut run = Driver::started(workflow(vec![wait(json!({"for": "90s"})), task("b", &["a"])]));
    assert_eq!(run.status("a"), TaskStatus::Waiting);
    assert_eq!(run.tick_after(seconds(89)), Outcome::Ignored(Stale::NothingDue));
    run.tick_after(seconds(1));
    assert_eq!(run.status("a"), TaskStatus::Succeeded);
    assert_eq!(run.dispatched(), ["b"]);
}

#[test]
fn an_alarm_that_was_stored_too_early_is_set_right_by_its_tick() {
    let mut run = Driver::started(workflow(vec![wait(json!({"for": "90s"}))]));
    let due = run.state.wake_at;
    run.state.wake_at = Some(run.now.after(seconds(60)));
    assert_eq!(run.tick_after(seconds(60)), Outcome::Applied);
    assert_eq!((run.status("a"), run.state.wake_at), (TaskStatus::Waiting, due));
    run.tick_after(seconds(30));
    assert_eq!(run.status("a"), TaskStatus::Succeeded);
}

#[test]
fn a_wait_until_a_moment_that_has_passed_ends_with_the_next_tick() {
    let mut run = Driver::started(workflow(vec![wait(json!({"until": "1970-01-01T00:00:01Z"}))]));
    run.feed(Input::Tick);
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_wait_that_cannot_be_read_fails_with_category_input() {
    for input in [
        json!({}),
        json!({"for": "soon"}),
        json!({"for": "400d"}),
        json!({"until": 5}),
        json!({"event": ""}),
    ] {
        let run = Driver::started(workflow(vec![wait(input)]));
        assert_eq!(run.state.error.as_ref().unwrap().code, "INPUT");
    }
}

#[test]
fn an_attempt_past_its_timeout_is_stopped_and_retried() {
    let mut a = Task {
        timeout: Some(seconds(5)),
        ..root("a")
    };
    a.retry.limit = 1;
    let mut run = Driver::started(workflow(vec![a]));
    run.begin("a");
    run.commands.clear();
    assert_eq!(run.tick_after(seconds(14)), Outcome::Ignored(Stale::NothingDue));
    run.tick_after(seconds(1));
    assert_eq!(run.status("a"), TaskStatus::RetryWait);
    assert_eq!(run.commands.len(), 1);
    run.tick_after(seconds(1));
    run.begin("a");
    run.tick_after(seconds(15));
    assert_eq!(run.status("a"), TaskStatus::TimedOut);
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn a_task_that_no_worker_takes_in_time_times_out() {
    let mut run = Driver::started(workflow(vec![Task {
        start_within: Some(seconds(30)),
        ..root("a")
    }]));
    run.tick_after(seconds(30));
    assert_eq!(run.status("a"), TaskStatus::TimedOut);
    assert_eq!(run.state.error.as_ref().unwrap().code, "START_WITHIN");
}

#[test]
fn complete_within_spans_retries() {
    let mut a = Task {
        complete_within: Some(seconds(10)),
        ..root("a")
    };
    a.retry.limit = 100;
    a.retry.delay = seconds(8);
    let mut run = Driver::started(workflow(vec![a]));
    run.fail("a");
    run.tick_after(seconds(8));
    run.fail("a");
    assert_eq!(run.status("a"), TaskStatus::RetryWait);
    run.tick_after(seconds(2));
    assert_eq!(run.status("a"), TaskStatus::TimedOut);
}

#[test]
fn a_running_attempt_without_a_sign_of_life_is_lost() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.begin("a");
    run.tick_after(seconds(50));
    run.feed(Input::Heartbeat {
        task: TaskIx(0),
        attempt: 1,
        worker: "w1".into(),
        progress: None,
        checkpoint: None,
    });
    assert_eq!(run.tick_after(seconds(59)), Outcome::Ignored(Stale::NothingDue));
    run.tick_after(seconds(1));
    assert_eq!(
        (run.status("a"), run.state.tasks[0].attempt),
        (TaskStatus::Queued, 2)
    );
    assert_eq!(run.state.tasks[0].losses, 1);
}

#[test]
fn an_outage_of_the_orchestrator_does_not_cost_the_attempts_that_it_did_not_hear() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    run.begin("a");
    run.tick_after(seconds(3_600));
    assert_eq!(
        (run.status("a"), run.state.tasks[0].losses),
        (TaskStatus::Running, 0)
    );
    run.tick_after(seconds(60));
    assert_eq!(
        (run.status("a"), run.state.tasks[0].losses),
        (TaskStatus::Queued, 1)
    );
}

#[test]
fn a_gap_longer_than_the_own_heartbeat_setting_is_a_loss() {
    let mut run = Driver::started(workflow(vec![Task {
        heartbeat: Some(seconds(20)),
        ..root("a")
    }]));
    run.begin("a");
    run.feed(Input::Heartbeat {
        task: TaskIx(0),
        attempt: 1,
        worker: "w1".into(),
        progress: None,
        checkpoint: None,
    });
    run.tick_after(seconds(20));
    assert_eq!(run.state.tasks[0].losses, 1);
}

#[test]
fn a_message_of_which_nothing_is_heard_is_sent_again_at_growing_intervals() {
    let mut run = Driver::started(workflow(vec![root("a")]));
    assert_eq!(run.dispatched(), ["a"]);
    for minutes in [10, 20, 40] {
        assert_eq!(
            run.tick_after(seconds(minutes * 60 - 1)),
            Outcome::Ignored(Stale::NothingDue)
        );
        run.tick_after(seconds(1));
        assert_eq!(run.dispatched(), ["a"], "after {minutes} minutes more");
    }
    assert_eq!(run.state.tasks[0].attempt, 1);
}

#[test]
fn the_timeout_of_the_workflow_ends_the_run() {
    let mut definition = workflow(vec![root("a"), root("b"), task("c", &["a"])]);
    definition.timeout = Some(seconds(60));
    let mut run = Driver::started(definition);
    run.succeed("a");
    run.tick_after(seconds(60));
    assert_eq!(run.run_status(), RunStatus::TimedOut);
    assert_eq!(
        (run.status("b"), run.status("c")),
        (TaskStatus::Cancelled, TaskStatus::Cancelled)
    );
    assert_eq!(run.succeed("b"), Outcome::Ignored(Stale::RunIsTerminal));
}
