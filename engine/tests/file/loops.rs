//! Matrices, batches, loops, child runs and alerts as they are read from a file.

use std::time::Duration;

use runnel_engine::definition::{Axis, Tolerate};
use runnel_engine::source::{Format, read};
use serde_json::json;

use crate::support::{accepted, error_codes, list, with_task};

#[test]
fn the_axes_of_a_matrix_keep_their_order() {
    let workflow = accepted(&with_task(
        "matrix: { zone: [eu], arch: '${{ inputs }}', include: [{ zone: us }], exclude: [{ arch: x }], tolerate: 5% }\nmax_parallel: 3\nrun: x",
    ));
    let matrix = workflow.tasks[1].matrix.clone().unwrap();
    let names: Vec<&str> = matrix.axes.iter().map(|axis: &Axis| axis.name.as_str()).collect();
    assert_eq!(names, ["zone", "arch"]);
    assert_eq!(matrix.include, [json!({"zone": "us"})]);
    assert_eq!(
        (matrix.max_parallel, matrix.tolerate),
        (Some(3), Tolerate::Percent(5.0))
    );
}

#[test]
fn a_loop_is_read_with_its_condition_limit_and_pause() {
    let workflow = accepted(&with_task(
        "repeat: { until: 'each.previous.done', max: 3, every: 1m }\nrun: x\nenv: { ROUND: '${{ each.index }}' }",
    ));
    let repeat = workflow.tasks[1].repeat.clone().unwrap();
    assert_eq!(repeat.until.as_deref(), Some("each.previous.done"));
    assert_eq!((repeat.max, repeat.every), (3, Duration::from_secs(60)));
}

#[test]
fn alerts_are_times_of_a_run_and_of_a_task() {
    let workflow =
        accepted("id: a\nsla: { finish_within: 45m }\ntasks:\n  t: { run: x, sla: { start_within: 1m } }\n");
    assert_eq!(
        workflow.sla.unwrap().finish_within,
        Some(Duration::from_secs(2_700))
    );
    assert_eq!(
        workflow.tasks[0].sla.unwrap().start_within,
        Some(Duration::from_secs(60))
    );
}

#[test]
fn a_condition_may_read_the_item_it_decides_on() {
    accepted(&with_task("for_each: [1, 2]\nif: each.item > 1\nrun: x"));
    accepted(&with_task("matrix: { a: [1, 2] }\nif: matrix.a > 1\nrun: x"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn what_cannot_be_meant_is_refused() {
    for (task, code) in [
        ("run: x\nmatrix: 5", "runnel::schema::type"),
        ("run: x\nmatrix: {}", "runnel::schema::empty"),
        ("run: x\nmatrix: { a-b: [1] }", "runnel::schema::axis"),
        ("run: x\nmatrix: { a: 5 }", "runnel::schema::type"),
        ("run: x\nmatrix: { a: [1], include: [5] }", "runnel::schema::type"),
        (
            "run: x\nmatrix: { a: [1], tolerate: 101% }",
            "runnel::schema::range",
        ),
        (
            "run: x\nmatrix: { a: [1] }\nfor_each: [1]",
            "runnel::schema::conflict",
        ),
        ("run: x\nmax_parallel: 3", "runnel::schema::conflict"),
        ("run: x\nenv: { A: '${{ matrix.a }}' }", "runnel::expr::context"),
        (
            "for_each: [1]\nrun: x\nenv: { A: '${{ matrix.a }}' }",
            "runnel::expr::context",
        ),
        (
            "run: x\nfor_each: { items: [1], batch: 0 }",
            "runnel::schema::range",
        ),
        (
            "run: x\nrepeat: { untill: x, max: 2 }",
            "runnel::schema::unknown_key",
        ),
        ("run: x\nrepeat: { until: 'true' }", "runnel::schema::missing"),
        ("run: x\nrepeat: { max: 10001 }", "runnel::schema::range"),
        ("run: x\nrepeat: { max: 2, until: '1 +' }", "runnel::expr::syntax"),
        (
            "run: x\nrepeat: { max: 2 }\nif: each.index > 1",
            "runnel::expr::context",
        ),
        ("run: x\nsla: {}", "runnel::schema::empty"),
        ("run: x\nsla: { finish_within: 0s }", "runnel::schema::duration"),
        ("run: x\ntimeout: '${{ inputs.t }}'", "runnel::schema::duration"),
        ("type: workflow", "runnel::task::input"),
        ("type: workflow\ninput: { version: 2 }", "runnel::task::input"),
        (
            "type: workflow\ninput: { id: a, workflow: b }",
            "runnel::schema::conflict",
        ),
        (
            "type: workflow\ninput: { id: a, inptus: {} }",
            "runnel::schema::unknown_key",
        ),
        (
            "type: workflow\ninput: { id: a, version: newest }",
            "runnel::schema::choice",
        ),
        (
            "type: workflow\ninput: { id: a, version: 0 }",
            "runnel::schema::range",
        ),
        (
            "type: workflow\ninput: { id: a, wait: maybe }",
            "runnel::schema::type",
        ),
        (
            "type: workflow\ninput: { id: a, inputs: [1] }",
            "runnel::schema::type",
        ),
        (
            "type: workflow\ninput: { id: a, inputs: { k: '${{ secrets.K }}' } }",
            "runnel::expr::secret",
        ),
    ] {
        let text = with_task(task);
        assert_eq!(
            error_codes(&text),
            [code],
            "{task}: {:?}",
            list(&read(&text, Format::Auto))
        );
    }
}
