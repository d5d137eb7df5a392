//! The graph of a file: upstreams, edges, cycles, joins, and reads of ancestors.

use std::collections::BTreeSet;

use crate::support::{accepted, error_codes, list};
use proptest::prelude::*;
use runnel_engine::definition::{Accepts, Join};
use runnel_engine::source::{Format, read};

fn needs(text: &str) -> runnel_engine::definition::Task {
    accepted(&format!(
        "id: a\ntasks:\n  x: {{ run: x }}\n  y: {{ run: y }}\n  z: {{ run: z, {text} }}\n"
    ))
    .tasks
    .remove(2)
}

#[test]
fn needs_has_three_forms() {
    let keys = |text: &str| {
        needs(text)
            .needs
            .into_iter()
            .map(|need| need.task)
            .collect::<Vec<_>>()
    };
    assert_eq!(keys("needs: x"), ["x"]);
    assert_eq!(keys("needs: [y, x]"), ["y", "x"]);
    assert_eq!(keys("depends_on: [x]"), ["x"]);
    assert_eq!(keys("dependencies: [x, y]"), ["x", "y"]);
    assert!(keys("needs: []").is_empty());

    let task = needs("needs: { x: [succeeded, skipped], y: done }");
    let (succeeded, skipped) = (true, true);
    assert_eq!(
        task.needs[0].accepts,
        Accepts {
            succeeded,
            skipped,
            ..Accepts::default()
        }
    );
    assert_eq!(
        task.needs[1].accepts,
        Accepts {
            succeeded,
            skipped,
            failed: true,
            cancelled: true
        }
    );
}

#[test]
fn trigger_rules_are_sugar_for_needs_and_join() {
    let status = |text: &str| match text {
        "s" => Accepts {
            succeeded: true,
            ..Accepts::default()
        },
        "f" => Accepts {
            failed: true,
            ..Accepts::default()
        },
        "s-" => Accepts {
            succeeded: true,
            skipped: true,
            ..Accepts::default()
        },
        "sfc" => Accepts {
            succeeded: true,
            failed: true,
            cancelled: true,
            skipped: false,
        },
        _ => Accepts {
            succeeded: true,
            failed: true,
            skipped: true,
            cancelled: true,
        },
    };
    for (rule, accepts, join) in [
        ("all_success", "s", Join::All),
        ("all_failed", "f", Join::All),
        ("all_done", "*", Join::All),
        ("one_success", "s", Join::Any),
        ("one_failed", "f", Join::Any),
        ("none_failed", "s-", Join::All),
        ("none_skipped", "sfc", Join::All),
        ("always", "*", Join::All),
    ] {
        let task = needs(&format!("needs: [x, y], trigger_rule: {rule}"));
        assert_eq!(task.join, join, "{rule}");
        assert!(
            task.needs.iter().all(|need| need.accepts == status(accepts)),
            "{rule}: {:?}",
            task.needs
        );
    }
}

#[test]
fn join_is_all_any_or_a_number_that_can_be_met() {
    assert_eq!(needs("needs: [x, y], join: any").join, Join::Any);
    assert_eq!(needs("needs: [x, y], join: 2").join, Join::AtLeast(2));
    for (join, code) in [
        ("3", "runnel::dag::join"),
        ("0", "runnel::schema::range"),
        ("most", "runnel::schema::choice"),
    ] {
        let text = format!(
            "id: a\ntasks:\n  x: {{ run: x }}\n  y: {{ run: y }}\n  z: {{ run: z, needs: [x, y], join: {join} }}\n"
        );
        assert_eq!(error_codes(&text), [code], "{join}");
    }
}

#[test]
fn unknown_upstreams_get_a_suggestion() {
    let reading = read(
        "id: a\ntasks:\n  extract: { run: x }\n  transform:\n    needs: [extrct]\n    run: x\n",
        Format::Auto,
    );
    assert_eq!(
        list(&reading),
        [
            "runnel::dag::unknown_upstream 5:13 tasks.transform.needs[0]: task `transform` needs `extrct`, which does not exist \
             (did you mean `extract`?)"
        ]
    );
}

#[test]
fn self_edges_and_duplicate_edges_are_refused() {
    assert_eq!(
        error_codes("id: a\ntasks: { x: { run: x, needs: [x] } }"),
        ["runnel::dag::self_edge"]
    );
    assert_eq!(
        error_codes("id: a\ntasks: { x: { run: x }, y: { run: y, needs: [x, x] } }"),
        ["runnel::dag::duplicate_upstream"]
    );
}

#[test]
fn a_cycle_is_named_whole_with_a_label_per_edge() {
    let text = "id: a\ntasks:\n  first: { run: x }\n  extract: { run: x, needs: [first, report] }\n  report: { run: x, needs: load }\n  load: { run: x, needs: [extract, first] }\n";
    let reading = read(text, Format::Auto);
    assert_eq!(reading.diagnostics.len(), 1, "{:?}", list(&reading));
    let cycle = &reading.diagnostics[0];
    assert_eq!(
        cycle.message,
        "dependency cycle: extract → report → load → extract"
    );
    let labels: Vec<_> = cycle
        .labels
        .iter()
        .map(|label| (label.span.line, label.text.as_str()))
        .collect();
    assert_eq!(
        labels,
        [
            (4, "`extract` waits for `report`"),
            (5, "`report` waits for `load`"),
            (6, "`load` waits for `extract`")
        ]
    );
}

#[test]
fn every_separate_cycle_is_reported() {
    let text = "id: a\ntasks:\n  a: { run: x, needs: b }\n  b: { run: x, needs: a }\n  c: { run: x, needs: [d, a] }\n  d: { run: x, needs: c }\n  e: { run: x, needs: [a, c] }\n";
    assert_eq!(error_codes(text), ["runnel::dag::cycle", "runnel::dag::cycle"]);
}

#[test]
fn a_cycle_of_a_thousand_is_one_problem() {
    let tasks: String = (0..1_000)
        .map(|i| format!("  t{i}: {{ run: x, needs: [t{}] }}\n", (i + 1) % 1_000))
        .collect();
    let reading = read(&format!("id: a\ntasks:\n{tasks}"), Format::Auto);
    assert_eq!(reading.diagnostics.len(), 1);
    assert_eq!(reading.diagnostics[0].labels.len(), 1_000);
    assert_eq!(reading.diagnostics[0].message.matches('→').count(), 1_000);
}

#[test]
fn a_read_of_a_task_that_is_no_ancestor_is_refused() {
    let text = |needs: &str, read: &str| {
        format!(
            "id: a\ntasks:\n  x: {{ run: x }}\n  y: {{ run: y, needs: x }}\n  z: {{ run: z, {needs} env: {{ V: \"${{{{ tasks.{read}.output }}}}\" }} }}\n"
        )
    };
    accepted(&text("needs: y,", "x"));
    let reading = read(&text("needs: x,", "y"), Format::Auto);
    assert_eq!(reading.diagnostics[0].code, "runnel::expr::not_an_ancestor");
    assert_eq!(
        reading.diagnostics[0].help.as_deref(),
        Some("add it to needs: `needs: [y]`")
    );
    assert_eq!(error_codes(&text("", "x")), ["runnel::expr::not_an_ancestor"]);
    assert_eq!(error_codes(&text("", "z")), ["runnel::expr::not_an_ancestor"]);
    assert_eq!(error_codes(&text("", "xx")), ["runnel::expr::unknown_task"]);
}

#[test]
fn outputs_read_any_task_and_the_start_reads_none() {
    accepted("id: a\ntasks: { x: { run: x } }\noutputs: { v: \"${{ tasks.x.output }}\" }\n");
    assert_eq!(
        error_codes("id: a\ntasks: { x: { run: x } }\noutputs: { v: \"${{ tasks.y.output }}\" }\n"),
        ["runnel::expr::unknown_task"]
    );
    assert_eq!(
        error_codes("id: a\nenv: { V: \"${{ tasks.x.output }}\" }\ntasks: { x: { run: x } }\n"),
        ["runnel::expr::not_an_ancestor"]
    );
}

#[test]
fn limits_of_tasks_and_edges() {
    let file = |tasks: usize, needs: &dyn Fn(usize) -> String| -> String {
        let tasks: String = (0..tasks)
            .map(|i| format!("  t{i}: {{ run: x, needs: [{}] }}\n", needs(i)))
            .collect();
        format!("id: a\ntasks:\n{tasks}")
    };
    assert_eq!(accepted(&file(10_000, &|_| String::new())).tasks.len(), 10_000);
    assert_eq!(
        error_codes(&file(10_001, &|_| String::new())),
        ["runnel::dag::too_many_tasks"]
    );
    let every_earlier = |i: usize| (0..i).map(|j| format!("t{j}")).collect::<Vec<_>>().join(",");
    assert_eq!(
        error_codes(&file(318, &every_earlier)),
        ["runnel::dag::too_many_edges"]
    );
    assert_eq!(error_codes("id: a\ntasks: {}\n"), ["runnel::schema::empty"]);
}

proptest! {
    /// Every task may need any earlier one; the file gives the same edges back, in whatever order the tasks stand.
    #[test]
    fn a_random_graph_keeps_its_edges(
        edges in prop::collection::btree_set((1..40_usize, 0..39_usize), 0..200),
        order in Just((0..40).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let edges: BTreeSet<(usize, usize)> = edges.into_iter().filter(|(down, up)| up < down).collect();
        let mut text = "id: random\ntasks:\n".to_owned();
        for task in order {
            let needs: Vec<String> = edges.iter().filter(|(down, _)| *down == task).map(|(_, up)| format!("t{up}")).collect();
            text.push_str(&format!("  t{task}: {{ run: x, needs: [{}] }}\n", needs.join(", ")));
        }
        let workflow = accepted(&text);
        let number = |key: &str| key[1..].parse::<usize>().unwrap();
        let read: BTreeSet<(usize, usize)> = workflow
            .tasks
            .iter()
            .flat_map(|task| task.needs.iter().map(|need| (number(&task.key), number(&need.task))))
            .collect();
        prop_assert_eq!(read, edges);
    }
}
