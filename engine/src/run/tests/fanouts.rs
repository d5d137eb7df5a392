//! `for_each`: windows, tolerance, order of outputs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::TaskIx;
use crate::definition::{ForEach, Task, Tolerate};
use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{CancelMode, Input, Outcome, RunStatus, TaskStatus};

fn fanout(items: Value) -> Task {
    let for_each = ForEach {
        items,
        key: None,
        max_parallel: None,
        tolerate: Tolerate::Count(0),
        ..ForEach::default()
    };
    Task {
        for_each: Some(for_each),
        input: json!({"x": "${{ each.item }}", "i": "${{ each.index }}"}),
        ..root("f")
    }
}

fn limited(items: Value, max_parallel: u32, tolerate: Tolerate) -> Task {
    let mut task = fanout(items);
    task.for_each = task.for_each.map(|each| ForEach {
        max_parallel: Some(max_parallel),
        tolerate,
        ..each
    });
    task
}

fn output(run: &Driver) -> Value {
    serde_json::from_str(run.state.tasks[0].output.as_deref().unwrap()).unwrap()
}

#[test]
fn items_run_in_their_window_and_outputs_keep_the_order() {
    let mut run = Driver::started(workflow(vec![
        limited(json!(["a", "b", "c"]), 2, Tolerate::Count(0)),
        task("z", &["f"]),
    ]));
    assert_eq!(run.status("f"), TaskStatus::Waiting);
    assert_eq!(run.dispatched(), ["f[0]", "f[1]"]);
    assert_eq!(run.state.tasks[2].input.as_deref(), Some(r#"{"x":"a","i":0}"#));
    run.succeed_with("f[1]", json!(1));
    assert_eq!(run.dispatched(), ["f[2]"]);
    run.succeed_with("f[2]", json!(2));
    run.succeed_with("f[0]", json!(0));
    assert_eq!(output(&run), json!([0, 1, 2]));
    assert_eq!(run.dispatched(), ["z"]);
}

#[test]
fn no_items_succeed_with_an_empty_list() {
    let mut run = Driver::started(workflow(vec![fanout(json!([]))]));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(output(&run), json!([]));
    assert!(run.dispatched().is_empty());
}

#[test]
fn items_that_are_no_list_fail_the_task() {
    let run = Driver::started(workflow(vec![fanout(json!("${{ 5 }}"))]));
    assert_eq!(run.state.error.as_ref().unwrap().code, "ITEMS");
}

#[test]
fn tolerated_failures_leave_a_hole_and_flag_the_run() {
    let mut run = Driver::started(workflow(vec![limited(
        json!([1, 2, 3, 4]),
        4,
        Tolerate::Percent(25.0),
    )]));
    run.fail("f[2]");
    for key in ["f[0]", "f[1]", "f[3]"] {
        run.succeed_with(key, json!(key));
    }
    assert_eq!(output(&run), json!(["f[0]", "f[1]", null, "f[3]"]));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(run.state.has_tolerated_failures);
}

#[test]
fn too_many_failures_fail_the_task_and_cancel_the_rest() {
    let mut run = Driver::started(workflow(vec![limited(
        json!([1, 2, 3, 4, 5]),
        3,
        Tolerate::Count(1),
    )]));
    run.fail("f[0]");
    run.fail("f[1]");
    assert_eq!(run.status("f"), TaskStatus::Failed);
    assert_eq!(
        (run.status("f[2]"), run.status("f[3]")),
        (TaskStatus::Cancelled, TaskStatus::Cancelled)
    );
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().code, "ITEMS_FAILED");
}

#[test]
fn items_retry_on_their_own() {
    let mut f = fanout(json!([1, 2]));
    f.retry.limit = 1;
    let mut run = Driver::started(workflow(vec![f]));
    run.fail("f[0]");
    assert_eq!(run.status("f[0]"), TaskStatus::RetryWait);
    run.succeed("f[1]");
    run.tick_after(Duration::from_secs(1));
    run.succeed("f[0]");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn items_are_addressable_by_their_key() {
    let mut f = fanout(json!([{"id": "x"}, {"id": "y"}]));
    f.for_each = f.for_each.map(|each| ForEach {
        key: Some("${{ each.item.id }}".into()),
        ..each
    });
    let mut run = Driver::started(workflow(vec![f]));
    run.succeed("f[y]");
    assert_eq!(run.status("f[x]"), TaskStatus::Queued);
}

#[test]
fn a_condition_that_reads_each_is_per_item() {
    let mut f = fanout(json!([1, 2, 3]));
    f.condition = Some("each.item != 2".into());
    let mut run = Driver::started(workflow(vec![f]));
    assert_eq!(run.status("f[1]"), TaskStatus::Skipped);
    run.succeed_with("f[0]", json!(1));
    run.succeed_with("f[2]", json!(3));
    assert_eq!(output(&run), json!([1, null, 3]));
}

#[test]
fn the_last_item_ends_the_fanout_also_while_paused() {
    let mut run = Driver::started(workflow(vec![fanout(json!([1]))]));
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    });
    run.succeed("f[0]");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_fanout_of_a_handler_that_fails_cancels_its_items() {
    let mut definition = workflow(vec![]);
    definition.finally = vec![fanout(json!([1, 2]))];
    let mut run = Driver::started(definition);
    run.fail("f[0]");
    assert_eq!(run.status("f[1]"), TaskStatus::Cancelled);
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn complete_within_ends_a_fanout_with_its_items() {
    let mut f = fanout(json!([1, 2]));
    f.complete_within = Some(Duration::from_secs(5));
    let mut run = Driver::started(workflow(vec![f]));
    run.tick_after(Duration::from_secs(5));
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert_eq!(run.status("f"), TaskStatus::TimedOut);
}

#[test]
fn pause_holds_new_items_and_resume_goes_on() {
    let mut run = Driver::started(workflow(vec![limited(json!([1, 2]), 1, Tolerate::Count(0))]));
    run.feed(Input::PauseRequested {
        actor: "me".into(),
        reason: None,
    });
    run.dispatched();
    run.succeed("f[0]");
    assert!(run.dispatched().is_empty());
    run.feed(Input::ResumeRequested { actor: "me".into() });
    assert_eq!(run.dispatched(), ["f[1]"]);
}

#[test]
fn a_graceful_cancel_waits_for_running_items() {
    let mut run = Driver::started(workflow(vec![fanout(json!([1, 2]))]));
    run.begin("f[0]");
    run.feed(Input::CancelRequested {
        mode: CancelMode::Graceful,
        actor: "me".into(),
        reason: None,
    });
    assert_eq!(
        (run.status("f"), run.status("f[1]")),
        (TaskStatus::Waiting, TaskStatus::Cancelled)
    );
    run.succeed("f[0]");
    assert_eq!(
        (run.status("f"), run.run_status()),
        (TaskStatus::Cancelled, RunStatus::Cancelled)
    );
}

#[test]
fn a_retried_fanout_keeps_its_good_items() {
    let mut run = Driver::started(workflow(vec![limited(json!([1, 2, 3]), 1, Tolerate::Count(0))]));
    run.restores = true;
    run.succeed_with("f[0]", json!("kept"));
    run.fail("f[1]");
    assert_eq!(run.run_status(), RunStatus::Failed);
    run.dispatched();
    let outcome = run.feed(Input::TaskRetryRequested {
        task: TaskIx(0),
        actor: "me".into(),
    });
    assert_eq!(outcome, Outcome::Applied);
    assert_eq!(run.dispatched(), ["f[1]"]);
    run.succeed_with("f[1]", json!(2));
    run.succeed_with("f[2]", json!(3));
    assert_eq!(output(&run), json!(["kept", 2, 3]));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn an_item_can_be_retried_while_its_fanout_waits() {
    let mut run = Driver::started(workflow(vec![limited(json!([1, 2]), 2, Tolerate::Count(1))]));
    run.fail("f[0]");
    let task = run.ix("f[0]");
    assert_eq!(
        run.feed(Input::TaskRetryRequested {
            task,
            actor: "me".into()
        }),
        Outcome::Applied
    );
    run.succeed("f[0]");
    run.succeed("f[1]");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(!run.state.has_tolerated_failures);
}

#[test]
fn a_skipped_fanout_takes_its_items_along() {
    let mut run = Driver::started(workflow(vec![fanout(json!([1, 2])), root("other")]));
    run.feed(Input::TaskSkipRequested {
        task: run.ix("f"),
        actor: "me".into(),
        reason: None,
    });
    assert_eq!(
        (run.status("f"), run.status("f[1]")),
        (TaskStatus::Skipped, TaskStatus::Cancelled)
    );
}
