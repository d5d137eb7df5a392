//! Matrices, batches, keys of items, and limits that change while a fan-out runs.

use serde_json::{Value, json};

use crate::definition::{Axis, ForEach, Matrix, Task, Tolerate};
use crate::run::testkit::{Driver, root, workflow};
use crate::run::{Input, Outcome, RecordKind, RunStatus, TaskStatus};

fn list(items: Value) -> Task {
    let for_each = ForEach {
        items,
        ..ForEach::default()
    };
    Task {
        for_each: Some(for_each),
        input: json!("${{ each.item }}"),
        ..root("f")
    }
}

fn keyed(items: Value, key: &str) -> Task {
    let mut task = list(items);
    task.for_each = task.for_each.map(|each| ForEach {
        key: Some(key.into()),
        ..each
    });
    task
}

fn batched(items: Value, batch: u32) -> Task {
    let mut task = list(items);
    task.for_each = task.for_each.map(|each| ForEach {
        batch: Some(batch),
        ..each
    });
    task
}

fn matrix(axes: &[(&str, Value)], include: Vec<Value>, exclude: Vec<Value>) -> Task {
    let axes = axes.iter().map(|(name, values)| Axis {
        name: (*name).into(),
        values: values.clone(),
    });
    Task {
        matrix: Some(Matrix {
            axes: axes.collect(),
            include,
            exclude,
            ..Matrix::default()
        }),
        input: json!({"item": "${{ each.item }}", "matrix": "${{ matrix }}"}),
        ..root("m")
    }
}

fn output(run: &Driver) -> Value {
    serde_json::from_str(run.state.tasks[0].output.as_deref().unwrap()).unwrap()
}

fn input(run: &Driver, key: &str) -> Value {
    serde_json::from_str(run.state.tasks[run.ix(key).at()].input.as_deref().unwrap()).unwrap()
}

fn change(run: &mut Driver, key: &str, max_parallel: Option<u32>, tolerate: Option<Tolerate>) -> Outcome {
    let task = run.ix(key);
    run.feed(Input::FanoutLimitsChanged {
        task,
        max_parallel,
        tolerate,
        actor: "me".into(),
    })
}

#[test]
fn a_batch_is_one_item_and_the_last_may_be_shorter() {
    let mut run = Driver::started(workflow(vec![batched(json!([1, 2, 3, 4, 5]), 2)]));
    assert_eq!(run.dispatched(), ["f[0]", "f[1]", "f[2]"]);
    assert_eq!(input(&run, "f[0]"), json!([1, 2]));
    assert_eq!(input(&run, "f[2]"), json!([5]));
    for (key, out) in [("f[2]", "c"), ("f[0]", "a"), ("f[1]", "b")] {
        run.succeed_with(key, json!(out));
    }
    assert_eq!(output(&run), json!(["a", "b", "c"]));
}

#[test]
fn batches_of_nothing_are_nothing() {
    let run = Driver::started(workflow(vec![batched(json!([]), 3)]));
    assert_eq!(output(&run), json!([]));
}

#[test]
fn a_matrix_is_the_product_in_the_order_of_its_axes() {
    let mut run = Driver::started(workflow(vec![matrix(
        &[("region", json!(["eu", "us"])), ("model", json!(["gbm", "mlp"]))],
        vec![],
        vec![],
    )]));
    assert_eq!(
        run.dispatched(),
        ["m[eu-gbm]", "m[eu-mlp]", "m[us-gbm]", "m[us-mlp]"]
    );
    let combination = json!({"region": "eu", "model": "mlp"});
    assert_eq!(
        input(&run, "m[eu-mlp]"),
        json!({"item": combination, "matrix": combination})
    );
}

#[test]
fn what_is_excluded_has_all_of_the_values() {
    let mut run = Driver::started(workflow(vec![matrix(
        &[("a", json!([1, 2])), ("b", json!(["x", "y"]))],
        vec![],
        vec![json!({"a": 1, "b": "y"}), json!({"a": 2})],
    )]));
    assert_eq!(run.dispatched(), ["m[1-x]"]);
}

#[test]
fn what_is_included_extends_combinations_or_is_one_more() {
    let mut run = Driver::started(workflow(vec![matrix(
        &[("a", json!([1, 2]))],
        vec![
            json!({"a": 2, "fast": true}),
            json!({"a": 3}),
            json!({"tag": "t"}),
        ],
        vec![],
    )]));
    assert_eq!(run.dispatched(), ["m[1-t]", "m[2-true-t]", "m[3]"]);
    assert_eq!(
        input(&run, "m[2-true-t]")["matrix"],
        json!({"a": 2, "fast": true, "tag": "t"})
    );
}

#[test]
fn an_empty_axis_gives_no_combination() {
    let run = Driver::started(workflow(vec![matrix(&[("a", json!([]))], vec![], vec![])]));
    assert_eq!(output(&run), json!([]));
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn a_matrix_without_axes_is_what_it_includes() {
    let mut run = Driver::started(workflow(vec![matrix(&[], vec![json!({"a": 1})], vec![])]));
    assert_eq!(run.dispatched(), ["m[1]"]);
}

#[test]
fn too_many_combinations_fail_the_task() {
    let axis: Vec<u32> = (0..101).collect();
    let run = Driver::started(workflow(vec![matrix(
        &[("a", json!(axis)), ("b", json!(axis))],
        vec![],
        vec![],
    )]));
    let error = run.state.error.clone().unwrap();
    assert_eq!(error.code, "ITEMS");
    assert!(
        error.message.contains("10201") && error.message.contains("10000"),
        "{}",
        error.message
    );
}

#[test]
fn an_axis_that_is_no_list_is_named() {
    let run = Driver::started(workflow(vec![matrix(
        &[("a", json!("${{ 5 }}"))],
        vec![],
        vec![],
    )]));
    assert!(
        run.state
            .error
            .as_ref()
            .unwrap()
            .message
            .contains("`matrix.a` is not a list")
    );
}

#[test]
fn two_items_with_one_key_fail_before_any_begins() {
    for task in [
        keyed(
            json!([{"id": "x"}, {"id": "y"}, {"id": "x"}]),
            "${{ each.item.id }}",
        ),
        matrix(&[("a", json!([1, 1]))], vec![], vec![]),
    ] {
        let mut run = Driver::started(workflow(vec![task]));
        let error = run.state.error.clone().unwrap();
        assert_eq!(error.code, "ITEM_KEY");
        assert!(error.message.contains("the same key"), "{}", error.message);
        assert!(run.dispatched().is_empty());
    }
}

#[test]
fn a_key_has_a_bounded_length() {
    for key in ["", "${{ each.item }}"] {
        let long = "x".repeat(201);
        let run = Driver::started(workflow(vec![keyed(json!([long]), key)]));
        assert_eq!(run.state.error.as_ref().unwrap().code, "ITEM_KEY", "{key}");
    }
}

#[test]
fn a_condition_that_reads_the_matrix_is_per_combination() {
    let mut task = matrix(&[("a", json!([1, 2]))], vec![], vec![]);
    task.condition = Some("matrix.a == 2".into());
    let mut run = Driver::started(workflow(vec![task]));
    assert_eq!(run.status("m[1]"), TaskStatus::Skipped);
    run.succeed_with("m[2]", json!(2));
    assert_eq!(output(&run), json!([null, 2]));
}

#[test]
fn a_wider_limit_starts_more_and_a_narrower_one_lets_run_what_runs() {
    let mut task = list(json!([0, 1, 2, 3, 4, 5]));
    task.for_each = task.for_each.map(|each| ForEach {
        max_parallel: Some(1),
        ..each
    });
    let mut run = Driver::started(workflow(vec![task]));
    run.restores = true;
    assert_eq!(run.dispatched(), ["f[0]"]);
    assert_eq!(change(&mut run, "f", Some(3), None), Outcome::Applied);
    assert_eq!(run.dispatched(), ["f[1]", "f[2]"]);
    let last = run.records.last().unwrap();
    assert_eq!(
        run.records[run.records.len() - 3].kind,
        RecordKind::FanoutLimitsChanged
    );
    assert_eq!(last.kind, RecordKind::TaskQueued);
    change(&mut run, "f", Some(1), None);
    run.succeed("f[0]");
    run.succeed("f[1]");
    assert!(run.dispatched().is_empty());
    run.succeed("f[2]");
    assert_eq!(run.dispatched(), ["f[3]"]);
}

#[test]
fn a_limit_above_the_window_is_kept() {
    let items: Vec<u32> = (0..1_500).collect();
    let mut run = Driver::started(workflow(vec![list(json!(items))]));
    assert_eq!(run.dispatched().len(), 1_000);
    change(&mut run, "f", Some(1_200), None);
    assert_eq!(run.dispatched().len(), 200);
}

#[test]
fn less_tolerance_than_failures_ends_the_fanout_at_once() {
    let mut task = list(json!([0, 1, 2]));
    task.for_each = task.for_each.map(|each| ForEach {
        tolerate: Tolerate::Count(2),
        ..each
    });
    let mut run = Driver::started(workflow(vec![task]));
    run.fail("f[0]");
    assert_eq!(run.status("f"), TaskStatus::Waiting);
    assert_eq!(
        change(&mut run, "f", None, Some(Tolerate::Percent(0.0))),
        Outcome::Applied
    );
    assert_eq!(run.status("f"), TaskStatus::Failed);
    assert_eq!(run.status("f[2]"), TaskStatus::Cancelled);
}

#[test]
fn more_tolerance_lets_a_fanout_succeed() {
    let mut run = Driver::started(workflow(vec![list(json!([0, 1]))]));
    change(&mut run, "f", None, Some(Tolerate::Count(1)));
    run.fail("f[0]");
    run.succeed("f[1]");
    assert_eq!(run.run_status(), RunStatus::Succeeded);
}

#[test]
fn limits_are_changed_where_there_are_some_and_once() {
    let mut run = Driver::started(workflow(vec![list(json!([0])), root("plain")]));
    for key in ["plain", "f[0]"] {
        assert!(
            matches!(change(&mut run, key, Some(2), None), Outcome::Refused(_)),
            "{key}"
        );
    }
    assert_eq!(change(&mut run, "f", Some(2), None), Outcome::Applied);
    assert!(matches!(
        change(&mut run, "f", Some(2), None),
        Outcome::Ignored(_)
    ));
    run.succeed("f[0]");
    assert!(matches!(
        change(&mut run, "f", Some(3), None),
        Outcome::Refused(_)
    ));
}
