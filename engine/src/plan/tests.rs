//! Order, depth and adjacency of plans.

use serde_json::json;

use super::{Plan, PlanError, Section};
use crate::run::testkit::{root, task, workflow};

#[test]
fn tasks_are_in_topological_order_with_ties_in_file_order() {
    let plan = Plan::build(workflow(vec![
        task("d", &["b", "c"]),
        task("c", &["a"]),
        task("b", &["a"]),
        root("a"),
    ]))
    .unwrap();
    let keys: Vec<_> = plan
        .section_tasks(Section::Main)
        .map(|ix| plan.task(ix).key.clone())
        .collect();
    assert_eq!(keys, ["a", "c", "b", "d"]);
    let d = plan.find("d").unwrap();
    assert_eq!(plan.depth(d), 2);
    assert_eq!(plan.critical_path_depth(), 3);
    assert_eq!(plan.upstreams(d).len(), 2);
    assert_eq!(plan.downstreams(plan.find("a").unwrap()), plan.upstreams(d));
    assert_eq!(plan.find("nope"), None);
}

#[test]
fn a_cycle_is_named_in_order() {
    let error = Plan::build(workflow(vec![
        root("x"),
        task("a", &["c", "x"]),
        task("b", &["a"]),
        task("c", &["b"]),
    ]));
    let Err(PlanError::Cycle(path)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(path.len(), 4);
    assert_eq!(path.first(), path.last());
    let at = path.iter().position(|key| key == "a").unwrap();
    assert_eq!(path[(at + 1) % 3], "b");
}

#[test]
fn an_unknown_upstream_is_named() {
    let error = Plan::build(workflow(vec![task("a", &["nope"])])).unwrap_err();
    assert_eq!(error.to_string(), "task `a` needs `nope`, which does not exist");
}

#[test]
fn an_expression_that_does_not_compile_is_named() {
    let mut bad = root("a");
    bad.input = json!({"url": "${{ 1 + }}"});
    assert!(
        Plan::build(workflow(vec![bad]))
            .unwrap_err()
            .to_string()
            .contains("`a`")
    );
}

#[test]
fn only_outputs_that_something_reads_are_kept() {
    let mut reader = task("c", &["a", "b"]);
    reader.input = json!("${{ tasks.a.output.x }} ${{ tasks.b.status }}");
    let plan = Plan::build(workflow(vec![root("a"), root("b"), reader])).unwrap();
    let read = ["a", "b", "c"].map(|key| plan.is_output_read(plan.find(key).unwrap()));
    assert_eq!(read, [true, false, false]);
}

#[test]
fn ten_thousand_tasks_in_a_chain_build() {
    let tasks = (0..10_000)
        .map(|n| {
            task(
                &format!("t{n}"),
                &if n == 0 {
                    vec![]
                } else {
                    vec![format!("t{}", n - 1)]
                },
            )
        })
        .collect();
    let plan = Plan::build(workflow(tasks)).unwrap();
    assert_eq!(plan.critical_path_depth(), 10_000);
}
