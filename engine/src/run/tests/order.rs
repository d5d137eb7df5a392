//! Order and choice: needs, join, if, skipping, continue_on_error, fail_fast, outputs.

use serde_json::json;

use crate::definition::{Accepts, Join, Need};
use crate::run::testkit::{Driver, root, task, workflow};
use crate::run::{RecordKind, RunStatus, TaskStatus};

fn accepts(succeeded: bool, failed: bool, skipped: bool) -> Accepts {
    Accepts {
        succeeded,
        failed,
        skipped,
        cancelled: false,
    }
}

#[test]
fn a_diamond_starts_its_join_exactly_once() {
    let mut run = Driver::started(workflow(vec![
        root("a"),
        task("b", &["a"]),
        task("c", &["a"]),
        task("d", &["b", "c"]),
    ]));
    assert_eq!(run.dispatched(), ["a"]);
    run.succeed("a");
    assert_eq!(run.dispatched(), ["b", "c"]);
    run.succeed("c");
    assert_eq!(run.dispatched(), Vec::<String>::new());
    run.succeed("b");
    run.succeed("b");
    run.succeed("c");
    assert_eq!(run.dispatched(), ["d"]);
    run.succeed("d");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(run.state.wake_at, None);
}

#[test]
fn an_empty_workflow_succeeds_at_once() {
    assert_eq!(
        Driver::started(workflow(vec![])).run_status(),
        RunStatus::Succeeded
    );
}

#[test]
fn a_failure_skips_what_cannot_run_and_lets_other_branches_run() {
    let tasks = vec![
        root("a"),
        task("b", &["a"]),
        task("c", &["b"]),
        root("x"),
        task("y", &["x"]),
    ];
    let mut run = Driver::started(workflow(tasks));
    run.fail("a");
    assert_eq!(
        (run.status("b"), run.status("c")),
        (TaskStatus::Skipped, TaskStatus::Skipped)
    );
    assert_eq!(run.run_status(), RunStatus::Running);
    run.succeed("x");
    run.succeed("y");
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().message, "a: it failed");
}

#[test]
fn fail_fast_cancels_the_rest() {
    let mut definition = workflow(vec![root("a"), root("b"), task("c", &["b"])]);
    definition.fail_fast = true;
    let mut run = Driver::started(definition);
    run.begin("b");
    run.commands.clear();
    run.fail("a");
    assert_eq!(
        (run.status("b"), run.status("c")),
        (TaskStatus::Cancelled, TaskStatus::Cancelled)
    );
    assert_eq!(run.commands.len(), 1, "the running attempt is told");
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn a_false_condition_skips_the_task_and_a_skipped_upstream_skips_the_next() {
    let mut b = task("b", &["a"]);
    b.condition = Some("tasks.a.output.go".into());
    let mut d = task("d", &["b"]);
    d.needs[0].accepts = accepts(true, false, true);
    let mut run = Driver::started(workflow(vec![root("a"), b, task("c", &["b"]), d]));
    run.succeed_with("a", json!({"go": false}));
    assert_eq!(
        (run.status("b"), run.status("c")),
        (TaskStatus::Skipped, TaskStatus::Skipped)
    );
    assert_eq!(
        run.status("d"),
        TaskStatus::Queued,
        "an edge that accepts skipped is satisfied"
    );
    run.succeed("d");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_condition_that_fails_fails_the_task_with_category_expression() {
    let mut b = task("b", &["a"]);
    b.condition = Some("tasks.a.output.nope".into());
    let mut run = Driver::started(workflow(vec![root("a"), b]));
    run.succeed("a");
    assert_eq!(run.status("b"), TaskStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().code, "EXPRESSION");
    assert_eq!(run.run_status(), RunStatus::Failed);
}

#[test]
fn edges_are_judged_one_by_one_and_never_transitively() {
    let mut on_error = task("on_error", &["b"]);
    on_error.needs[0].accepts = accepts(false, true, false);
    let mut always = task("always", &["b"]);
    always.needs[0].accepts = accepts(true, true, true);
    let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"]), on_error, always]));
    run.fail("a");
    assert_eq!(run.status("b"), TaskStatus::Skipped);
    assert_eq!(
        run.status("on_error"),
        TaskStatus::Skipped,
        "b did not fail, a did"
    );
    assert_eq!(run.status("always"), TaskStatus::Queued);
}

#[test]
fn join_any_starts_with_the_first_and_is_skipped_when_none_can_come() {
    let mut any = task("any", &["a", "b"]);
    any.join = Join::Any;
    let mut run = Driver::started(workflow(vec![root("a"), root("b"), any.clone()]));
    run.fail("a");
    assert_eq!(run.status("any"), TaskStatus::Blocked);
    run.succeed("b");
    assert_eq!(run.status("any"), TaskStatus::Queued);

    let mut run = Driver::started(workflow(vec![root("a"), root("b"), any]));
    run.fail("a");
    run.fail("b");
    assert_eq!(run.status("any"), TaskStatus::Skipped);
}

#[test]
fn join_at_least_counts_satisfied_edges() {
    let mut two = task("two", &["a", "b", "c"]);
    two.join = Join::AtLeast(2);
    let mut run = Driver::started(workflow(vec![root("a"), root("b"), root("c"), two.clone()]));
    run.succeed("a");
    assert_eq!(run.status("two"), TaskStatus::Blocked);
    run.succeed("c");
    assert_eq!(run.status("two"), TaskStatus::Queued);

    let mut run = Driver::started(workflow(vec![root("a"), root("b"), root("c"), two]));
    run.fail("a");
    run.fail("b");
    assert_eq!(run.status("two"), TaskStatus::Skipped, "one left is not two");
}

#[test]
fn continue_on_error_satisfies_edges_and_flags_the_run() {
    let mut a = root("a");
    a.continue_on_error = true;
    let mut on_error = task("on_error", &["a"]);
    on_error.needs[0] = Need {
        task: "a".into(),
        accepts: accepts(false, true, false),
    };
    let mut run = Driver::started(workflow(vec![a, task("b", &["a"]), on_error]));
    run.fail("a");
    assert_eq!(
        (run.status("b"), run.status("on_error")),
        (TaskStatus::Queued, TaskStatus::Queued)
    );
    run.succeed("b");
    run.succeed("on_error");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert!(run.state.has_tolerated_failures);
    assert_eq!(run.status("a"), TaskStatus::Failed);
}

#[test]
fn inputs_are_resolved_at_dispatch_and_outputs_at_the_end() {
    let mut b = task("b", &["a"]);
    b.input = json!({"url": "${{ inputs.base }}/${{ tasks.a.output.id }}", "n": "${{ tasks.a.output.id }}"});
    let mut definition = workflow(vec![root("a"), b]);
    let outputs =
        json!({"sum": "${{ tasks.a.output.id + tasks.b.output.n }}", "status": "${{ tasks.b.status }}"});
    definition.outputs = outputs.as_object().unwrap().clone();
    let mut run = Driver::with_inputs(definition, json!({"base": "http://x"}));
    run.start();
    run.succeed_with("a", json!({"id": 7}));
    let input = run.state.tasks[run.ix("b").at()].input.clone().unwrap();
    assert_eq!(&*input, r#"{"url":"http://x/7","n":7}"#);
    run.succeed_with("b", json!({"n": 3}));
    assert_eq!(
        run.state.outputs.as_deref(),
        Some(r#"{"sum":10,"status":"SUCCEEDED"}"#)
    );
}

#[test]
fn an_output_that_cannot_be_evaluated_fails_the_run() {
    let mut definition = workflow(vec![root("a")]);
    definition
        .outputs
        .insert("x".into(), json!("${{ tasks.a.output.nope }}"));
    let mut run = Driver::started(definition);
    run.succeed("a");
    assert_eq!(run.run_status(), RunStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().code, "EXPRESSION");
    assert_eq!(run.records.last().unwrap().kind, RecordKind::RunFailed);
}

#[test]
fn an_expression_error_at_dispatch_fails_the_task_without_retry() {
    let mut b = task("b", &["a"]);
    b.input = json!("${{ tasks.a.output.missing.deep }}");
    b.retry.limit = 5;
    let mut run = Driver::started(workflow(vec![root("a"), b]));
    run.succeed("a");
    assert_eq!(run.status("b"), TaskStatus::Failed);
    assert_eq!(run.dispatched(), ["a"]);
}

#[test]
fn a_shell_script_is_never_interpolated() {
    let mut a = root("a");
    a.kind = "shell".into();
    a.input = json!({"run": "echo ${{ inputs.evil }}"});
    let run = Driver::started(workflow(vec![a]));
    let input = run.state.tasks[0].input.clone().unwrap();
    assert_eq!(&*input, r#"{"run":"echo ${{ inputs.evil }}"}"#);
}

#[test]
fn pass_and_eval_run_inside_the_engine() {
    let mut a = root("a");
    a.kind = "pass".into();
    a.input = json!({"x": 1});
    let mut b = task("b", &["a"]);
    b.kind = "eval".into();
    b.input = json!({"result": "${{ tasks.a.output.x == 1 }}"});
    let mut run = Driver::started(workflow(vec![a, b]));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
    assert_eq!(run.dispatched(), Vec::<String>::new());
    assert_eq!(run.state.tasks[1].output.as_deref(), Some(r#"{"result":true}"#));
}
