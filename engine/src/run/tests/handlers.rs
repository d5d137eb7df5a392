//! Handler tasks: after the main graph, without changing the outcome.

use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{CancelMode, Input, RunStatus, TaskStatus};

fn with_handlers() -> crate::Workflow {
    let mut definition = workflow(vec![root("a"), task("b", &["a"])]);
    definition.on_failure = vec![root("page")];
    definition.on_success = vec![root("cheer")];
    definition.finally = vec![root("clean"), task("report", &["clean"])];
    definition
}

#[test]
fn after_a_success_on_success_and_finally_run() {
    let mut run = Driver::started(with_handlers());
    run.succeed("a");
    run.dispatched();
    run.succeed("b");
    assert_eq!(run.dispatched(), ["cheer", "clean"]);
    assert_eq!(run.status("page"), TaskStatus::Skipped);
    assert_eq!(run.run_status(), RunStatus::Running);
    run.succeed("cheer");
    run.succeed("clean");
    run.succeed("report");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn after_a_failure_on_failure_runs_and_a_failing_handler_changes_nothing() {
    let mut definition = with_handlers();
    definition.on_failure[0].input = serde_json::json!("${{ run.status }}: ${{ tasks.a.error.code }}");
    let mut run = Driver::started(definition);
    run.dispatched();
    run.fail("a");
    assert_eq!(run.dispatched(), ["page", "clean"]);
    assert_eq!(
        run.state.tasks[run.ix("page").at()].input.as_deref(),
        Some(r#""FAILED: BROKEN""#)
    );
    run.fail("page");
    run.fail("clean");
    assert_eq!(run.status("report"), TaskStatus::Skipped);
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().message, "a: it failed");
}

#[test]
fn finally_runs_after_a_graceful_cancel_but_not_after_cancel_now() {
    for (mode, want) in [
        (CancelMode::Graceful, RunStatus::Cancelling),
        (CancelMode::Now, RunStatus::Cancelled),
    ] {
        let mut run = Driver::started(with_handlers());
        run.feed(Input::CancelRequested {
            mode,
            actor: "me".into(),
            reason: None,
        });
        assert_eq!(run.run_status(), want);
        if mode == CancelMode::Graceful {
            run.succeed("clean");
            run.succeed("report");
        }
        assert_eq!(run.run_status(), RunStatus::Cancelled);
    }
}

#[test]
fn a_reopened_run_runs_its_handlers_again() {
    let mut run = Driver::started(with_handlers());
    run.fail("a");
    for key in ["page", "clean", "report"] {
        run.succeed(key);
    }
    assert_eq!(run.run_status(), RunStatus::Failed);
    let task = run.ix("a");
    run.feed(Input::TaskRetryRequested {
        task,
        actor: "me".into(),
    });
    run.succeed("a");
    run.dispatched();
    run.succeed("b");
    assert_eq!(run.dispatched(), ["cheer", "clean"]);
    for key in ["cheer", "clean", "report"] {
        run.succeed(key);
    }
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}
