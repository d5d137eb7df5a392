//! What this release does not run is refused or warned of, never silently ignored.

use runnel_engine::Severity;
use runnel_engine::source::{Dialect, Format, read};

use crate::support::{accepted, error_codes, list, with_task};

const EXAMPLES: &[(&str, &str)] = &[
    ("1-etl-fanout.yaml", include_str!("../data/1-etl-fanout.yaml")),
    ("2-order-saga.yaml", include_str!("../data/2-order-saga.yaml")),
    ("3-hello-shell.yaml", include_str!("../data/3-hello-shell.yaml")),
];

#[test]
fn the_examples_of_the_format_have_no_other_problem_than_features() {
    for (name, text) in EXAMPLES {
        let reading = read(text, Format::Auto);
        assert_eq!(reading.dialect, Dialect::V1);
        let others: Vec<String> = list(&reading)
            .into_iter()
            .filter(|line| !line.starts_with("runnel::feature::"))
            .collect();
        assert!(others.is_empty(), "{name}: {others:#?}");
    }
    assert_eq!(accepted(EXAMPLES[2].1).tasks.len(), 4);
}

#[test]
fn unsupported_features_are_refused_with_help() {
    for task in [
        "run: x\nimage: alpine",
        "type: pass\ninput: { a: \"${{ event.data }}\" }",
    ] {
        let reading = read(&with_task(task), Format::Auto);
        assert_eq!(
            error_codes(&with_task(task)),
            ["runnel::feature::unsupported"],
            "{task}: {:?}",
            list(&reading)
        );
        assert!(reading.diagnostics.iter().all(|d| d.help.is_some()), "{task}");
    }
}

#[test]
fn unsupported_features_are_checked_all_the_same() {
    for (task, code) in [
        ("run: x\nrate_limit: { key: a }", "runnel::schema::missing"),
        ("run: x\ncircuit: { window: 5 }", "runnel::schema::duration"),
    ] {
        let codes = error_codes(&with_task(task));
        assert!(codes.iter().any(|found| found == code), "{task}: {codes:?}");
    }
}

#[test]
fn handlers_are_tasks_that_read_the_main_graph() {
    let workflow = accepted(
        "id: a
tasks: { t: { run: x } }
on_failure: { page: { run: y, env: { E: \"${{ tasks.t.error }}\" } }, after: { run: z, needs: page } }
on_success: { done: { run: y } }
finally: { audit: { run: y } }
",
    );
    assert_eq!(
        (
            workflow.on_failure.len(),
            workflow.on_success.len(),
            workflow.finally.len()
        ),
        (2, 1, 1)
    );
    assert_eq!(
        error_codes("id: a\ntasks: { t: { run: x } }\nfinally: { t: { run: x } }\n"),
        ["runnel::dag::duplicate_task"]
    );
    assert_eq!(
        error_codes("id: a\ntasks: { t: { run: x } }\nfinally: { u: { run: x, needs: t } }\n"),
        ["runnel::dag::unknown_upstream"]
    );
}

#[test]
fn inactive_features_are_warnings_and_are_kept() {
    let text =
        "id: a\ntriggers: [ { schedule: '0 2 * * *' } ]\ntasks:\n  t: { run: x, resources: { cpu: 1 } }\n";
    let reading = read(text, Format::Auto);
    assert_eq!(reading.diagnostics.len(), 1, "{:?}", list(&reading));
    assert!(
        reading
            .diagnostics
            .iter()
            .all(|d| d.severity == Severity::Warning && d.code == "runnel::feature::inactive")
    );
    let workflow = accepted(text);
    assert!(workflow.extra.contains_key("triggers") && workflow.tasks[0].extra.contains_key("resources"));
}

#[test]
fn gates_are_read_with_their_defaults() {
    let task = "run: x\nconcurrency: 3\nrate_limit: { key: api, limit: 50/m }\ncircuit: { key: api }\ncache: { ttl: 1h }";
    let workflow = accepted(&with_task(task));
    let Some(task) = workflow.tasks.iter().find(|task| task.key == "subject") else {
        panic!("{workflow:?}")
    };
    let (Some(group), Some(rate), Some(circuit), Some(cache)) =
        (&task.concurrency, &task.rate_limit, &task.circuit, &task.cache)
    else {
        panic!("{task:?}")
    };
    assert_eq!((group.limit, group.group.as_deref()), (3, None));
    assert_eq!((rate.count, rate.per.as_secs()), (50, 60));
    assert_eq!(
        (
            circuit.failures,
            circuit.window.as_secs(),
            circuit.cooldown.as_secs()
        ),
        (5, 60, 30)
    );
    assert_eq!((cache.ttl.as_secs(), cache.key.as_deref()), (3_600, None));
    let runs = accepted(
        "id: a\nconcurrency: { group: \"g-${{ inputs.n }}\", limit: 1, on_conflict: cancel_running }\ninputs: { n: { type: integer } }\ntasks: { t: { run: x } }\n",
    );
    assert!(runs.concurrency.is_some());
}

#[test]
fn gates_with_problems_are_refused_at_their_place() {
    for (task, code) in [
        ("run: x\nconcurrency: 0", "runnel::schema::range"),
        ("run: x\nconcurrency: { group: a }", "runnel::schema::missing"),
        (
            "run: x\nconcurrency: { limit: 1, on_conflict: cancel_running }",
            "runnel::schema::choice",
        ),
        (
            "run: x\nconcurrency: { limit: 1, on_conflict: skipp }",
            "runnel::schema::choice",
        ),
        (
            "run: x\nconcurrency: { limit: 1, group: '' }",
            "runnel::schema::length",
        ),
        ("run: x\nrate_limit: { key: a }", "runnel::schema::missing"),
        (
            "run: x\nrate_limit: { key: a, limit: fast }",
            "runnel::schema::rate",
        ),
        (
            "run: x\nrate_limit: { key: a, limit: 0/s }",
            "runnel::schema::rate",
        ),
        ("run: x\ncircuit: { failures: 3 }", "runnel::schema::missing"),
        (
            "run: x\ncircuit: { key: a, window: 30h }",
            "runnel::schema::range",
        ),
        ("run: x\ncache: { key: a }", "runnel::schema::missing"),
        ("run: x\ncache: { ttl: 0s }", "runnel::schema::duration"),
        (
            "run: x\ncache: { ttl: 1h, key: \"${{ secrets.s }}\" }",
            "runnel::expr::secret",
        ),
        (
            "run: x\nconcurrency: { limit: 1, group: \"${{ nope.x }}\" }",
            "runnel::expr::context",
        ),
    ] {
        assert_eq!(error_codes(&with_task(task)), [code], "{task}");
    }
}
