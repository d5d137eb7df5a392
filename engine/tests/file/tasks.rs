//! Fields of a workflow and its tasks: values, defaults, and what is refused.

use std::time::Duration;

use runnel_engine::definition::{Backoff, Jitter, Retry, Tolerate};
use runnel_engine::source::{Format, read};
use serde_json::json;

use crate::support::{accepted, error_codes, list, with_task};

#[test]
fn defaults_of_a_workflow() {
    let workflow = accepted("id: a\ntasks: { t: { run: x } }\n");
    assert_eq!(
        (workflow.name.as_str(), workflow.priority, workflow.fail_fast),
        ("a", 50, false)
    );
    assert_eq!(
        (workflow.timeout, workflow.cancel_grace),
        (None, Duration::from_secs(30))
    );
    let task = &workflow.tasks[0];
    assert_eq!(
        (task.name.as_str(), task.kind.as_str(), task.queue.as_str()),
        ("t", "shell", "default")
    );
    assert_eq!(
        (task.max_losses, task.priority, task.condition.as_ref()),
        (3, None, None)
    );
    assert_eq!(task.input, json!({"run": "x"}));
}

#[test]
fn retry_defaults_follow_the_type() {
    for (work, limit) in [
        ("run: x", 0),
        ("type: python, input: { script: x }", 0),
        ("type: http, input: { url: x }", 3),
        ("type: pass", 0),
        ("type: wait, input: { for: 1s }", 0),
    ] {
        let retry = accepted(&format!("id: a\ntasks: {{ t: {{ {work} }} }}\n"))
            .tasks
            .remove(0)
            .retry;
        let expected = Retry {
            limit,
            backoff: Backoff::Exponential,
            delay: Duration::from_secs(1),
            factor: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: Jitter::Full,
            on: vec![],
            not_on: vec![],
            ..Retry::default()
        };
        assert_eq!(retry, expected, "{work}");
    }
}

#[test]
fn defaults_are_merged_under_what_a_task_says() {
    let workflow = accepted(
        "id: a
defaults: { retry: { limit: 5, delay: 2s, backoff: linear }, timeout: 1m, queue: cpu, env: { A: 1, B: 1 }, max_losses: 1 }
tasks:
  plain: { run: x }
  own: { run: x, retry: { limit: 1 }, timeout: 5s, queue: gpu, env: { B: 2 }, max_losses: 7 }
  short: { run: x, retry: 2 }
  nap: { type: wait, input: { for: 1h } }
",
    );
    let retry = |i: usize| {
        (
            workflow.tasks[i].retry.limit,
            workflow.tasks[i].retry.delay.as_secs(),
            workflow.tasks[i].retry.backoff,
        )
    };
    assert_eq!(retry(0), (5, 2, Backoff::Linear));
    assert_eq!(retry(1), (1, 2, Backoff::Linear));
    assert_eq!(retry(2), (2, 2, Backoff::Linear));
    let fields = |i: usize| {
        let task = &workflow.tasks[i];
        (
            task.timeout.map(|t| t.as_secs()),
            task.queue.as_str(),
            json!(task.env),
            task.max_losses,
        )
    };
    assert_eq!(fields(0), (Some(60), "cpu", json!({"A": 1, "B": 1}), 1));
    assert_eq!(fields(1), (Some(5), "gpu", json!({"A": 1, "B": 2}), 7));
    // What takes no worker is neither retried nor timed out by the defaults.
    assert_eq!((retry(3).0, workflow.tasks[3].timeout), (0, None));
}

#[test]
fn a_long_first_delay_raises_the_ceiling() {
    let retry = accepted(&with_task("run: x\nretry: { limit: 1, delay: 5m }"))
        .tasks
        .remove(1)
        .retry;
    assert_eq!(retry.max_delay, Duration::from_secs(300));
}

#[test]
fn for_each_has_three_forms() {
    let for_each = |text: &str| {
        accepted(&with_task(&format!("run: x\nneeds: before\nfor_each: {text}")))
            .tasks
            .remove(1)
            .for_each
            .unwrap()
    };
    assert_eq!(for_each("[1, 2]").items, json!([1, 2]));
    assert_eq!(
        for_each("\"${{ tasks.before.output.list }}\"").items,
        json!("${{ tasks.before.output.list }}")
    );
    let full = for_each("{ items: [a], key: \"${{ each.item }}\", max_parallel: 3, tolerate: 2.5% }");
    assert_eq!(
        (full.key.as_deref(), full.max_parallel),
        (Some("${{ each.item }}"), Some(3))
    );
    assert_eq!(full.tolerate, Tolerate::Percent(2.5));
    assert_eq!(
        for_each("{ items: [a], tolerate: 4 }").tolerate,
        Tolerate::Count(4)
    );
}

#[test]
fn aliases_of_other_tools_are_accepted() {
    let task = accepted(&with_task("uses: http\nwith: { url: x }\ndepends_on: before"))
        .tasks
        .remove(1);
    assert_eq!(
        (task.kind.as_str(), task.input, task.needs.len()),
        ("http", json!({"url": "x"}), 1)
    );
    assert_eq!(
        error_codes(&with_task("run: x\nneeds: before\ndepends_on: before")),
        ["runnel::schema::conflict"]
    );
}

#[test]
fn what_a_task_may_not_say() {
    for (task, code) in [
        ("name: x", "runnel::schema::missing"),
        ("run: x\ntype: http", "runnel::schema::conflict"),
        ("run: ' '", "runnel::schema::empty"),
        ("run: [a]", "runnel::schema::type"),
        ("type: http", "runnel::task::input"),
        (
            "type: http\ninput: { url: x, json: {}, body: y }",
            "runnel::schema::conflict",
        ),
        (
            "type: python\ninput: { script: x, callable: y }",
            "runnel::schema::conflict",
        ),
        ("type: wait\ninput: { for: 5 }", "runnel::schema::duration"),
        ("type: wait\ninput: { until: tomorrow }", "runnel::schema::time"),
        ("type: wait\ninput: { fro: 5s }", "runnel::task::input"),
        ("type: 'two words'", "runnel::task::type"),
        ("type: pass\ninput: text", "runnel::schema::type"),
        ("run: x\ntimeout: 5", "runnel::schema::duration"),
        ("run: x\ntimeout: 5 parsecs", "runnel::schema::duration"),
        ("run: x\ntimeout: 0s", "runnel::schema::duration"),
        ("run: x\ntimeout: 367d", "runnel::schema::duration"),
        ("run: x\ntimeout: \"${{ inputs.t }}\"", "runnel::schema::duration"),
        ("run: x\nretry: -1", "runnel::schema::range"),
        ("run: x\nretry: 1001", "runnel::schema::range"),
        ("run: x\nretry: many", "runnel::schema::type"),
        (
            "run: x\nretry: { limit: 1, delay: 5s, max_delay: 1s }",
            "runnel::schema::range",
        ),
        ("run: x\nretry: { backoff: quadratic }", "runnel::schema::choice"),
        ("run: x\nretry: { factor: 0.5 }", "runnel::schema::range"),
        ("run: x\npriority: 101", "runnel::schema::range"),
        ("run: x\npriority: high", "runnel::schema::type"),
        ("run: x\ncontinue_on_error: yes", "runnel::schema::type"),
        ("run: x\nenv: { A: [1] }", "runnel::schema::type"),
        ("run: x\nenv: { A-B: 1 }", "runnel::schema::env"),
        ("run: x\nfor_each: 3", "runnel::schema::type"),
        ("run: x\nfor_each: { key: x }", "runnel::schema::missing"),
        (
            "run: x\nfor_each: { items: [], tolerate: 120% }",
            "runnel::schema::range",
        ),
        ("run: x\nmax_parallel: 3", "runnel::schema::conflict"),
        ("run: x\nneeds: { before: finished }", "runnel::schema::choice"),
        ("run: x\nneeds: { before: [] }", "runnel::schema::empty"),
        ("run: x\nneeds: 5", "runnel::schema::type"),
        ("run: x\ntrigger_rule: all_sucess", "runnel::schema::choice"),
        (
            "run: x\nneeds: { before: done }\ntrigger_rule: always",
            "runnel::schema::conflict",
        ),
        ("run: x\nqueue: ''", "runnel::schema::length"),
    ] {
        let codes = error_codes(&with_task(task));
        assert!(codes.iter().any(|found| found == code), "{task}: {codes:?}");
    }
}

#[test]
fn what_a_workflow_may_not_say() {
    for (text, code) in [
        ("id: a", "runnel::schema::missing"),
        ("tasks: { t: { run: x } }", "runnel::schema::missing"),
        ("id: My Workflow\ntasks: { t: { run: x } }", "runnel::schema::id"),
        ("id: 5\ntasks: { t: { run: x } }", "runnel::schema::type"),
        (
            "id: a\nversion: 2\ntasks: { t: { run: x } }",
            "runnel::schema::version",
        ),
        (
            "id: a\ntasks: { my-task: { run: x } }",
            "runnel::schema::task_key",
        ),
        ("id: a\ntasks: [ { name: t, run: x } ]", "runnel::schema::type"),
        ("id: a\ntasks: { t: hello }", "runnel::schema::type"),
        ("id: a\ntasks: { t: }", "runnel::schema::type"),
        (
            "id: a\nlabels: { team: [a] }\ntasks: { t: { run: x } }",
            "runnel::schema::type",
        ),
        (
            "id: a\ninputs: { n: 5 }\ntasks: { t: { run: x } }",
            "runnel::schema::type",
        ),
        (
            "id: a\ninputs: { n: { type: whole } }\ntasks: { t: { run: x } }",
            "runnel::schema::input",
        ),
        (
            "id: a\ninputs: { n: { type: integer, default: x } }\ntasks: { t: { run: x } }",
            "runnel::schema::input_default",
        ),
        (
            "id: a\ninputs: { n: { pattern: '(' } }\ntasks: { t: { run: x } }",
            "runnel::schema::input",
        ),
        (
            "id: a\ninputs: { n-m: {} }\ntasks: { t: { run: x } }",
            "runnel::schema::input",
        ),
    ] {
        let codes = error_codes(text);
        assert!(codes.iter().any(|found| found == code), "{text}: {codes:?}");
    }
}

#[test]
fn names_are_bounded() {
    let name = |length: usize| with_task(&format!("run: x\nname: {}", "n".repeat(length)));
    accepted(&name(128));
    assert_eq!(error_codes(&name(129)), ["runnel::schema::length"]);
    let key = |length: usize| format!("id: a\ntasks: {{ {}: {{ run: x }} }}", "k".repeat(length));
    accepted(&key(128));
    assert_eq!(error_codes(&key(129)), ["runnel::schema::task_key"]);
}

#[test]
fn the_input_of_a_task_is_bounded() {
    let text = |length: usize| with_task(&format!("type: pass\ninput: {{ blob: {} }}", "x".repeat(length)));
    accepted(&text(200_000));
    assert_eq!(error_codes(&text(262_144)), ["runnel::task::input_size"]);
}

#[test]
fn unknown_keys_get_a_suggestion_and_a_place() {
    let reading = read(&with_task("run: x\nretires: 3"), Format::Auto);
    assert_eq!(
        list(&reading)[0].split(" (known").next(),
        Some("runnel::schema::unknown_key 6:5 tasks.subject.retires: unknown key `retires`")
    );
    let reading = read(&with_task("run: x\ntimeuot: 3s"), Format::Auto);
    assert_eq!(
        reading.diagnostics[0].help.as_deref(),
        Some("did you mean `timeout`?")
    );
}

#[test]
fn all_problems_are_found_in_one_pass_and_in_order() {
    let text = "id: Bad Id
nmae: x
tasks:
  a: { run: \"echo ${{ inputs.x }}\", needs: [b] }
  b: { run: x, needs: [a], timeout: 5x }
  c: { type: http, needs: [d], if: \"${{ foo.bar }}\" }
";
    assert_eq!(
        error_codes(text),
        [
            "runnel::schema::id",
            "runnel::schema::unknown_key",
            "runnel::task::interpolated_run",
            "runnel::dag::cycle",
            "runnel::schema::duration",
            "runnel::task::input",
            "runnel::dag::unknown_upstream",
            "runnel::expr::context",
        ]
    );
}

#[test]
fn a_type_that_is_nearly_built_in_is_a_warning() {
    let reading = read(&with_task("type: htpp\ninput: { url: x }"), Format::Auto);
    assert!(reading.workflow.is_some());
    assert_eq!(reading.diagnostics[0].code, "runnel::task::custom_type");
    assert!(
        read(&with_task("type: resize_image"), Format::Auto)
            .diagnostics
            .is_empty()
    );
}

#[test]
fn functions_and_containers_are_checked_before_they_run() {
    for task in [
        "type: lambda\ninput: { function: stock, payload: { op: reserve }, qualifier: live, wait: false }",
        "type: lambda\ninput: { function: \"${{ vars.FUNCTION }}\", wait: \"${{ inputs.wait }}\" }",
        "type: container\ninput: { image: alpine, command: [sh, -c, date], env: { A: 1 }, resources: { cpu: 0.5, memory_mb: 64 } }",
    ] {
        let reading = read(&with_task(task), Format::Auto);
        let problems = list(&reading);
        assert!(
            problems
                .iter()
                .all(|line| !line.contains("feature") && !line.contains("schema")),
            "{task}: {problems:?}"
        );
    }
    for (task, code) in [
        ("type: lambda\ninput: {}", "runnel::task::input"),
        (
            "type: lambda\ninput: { function: f, wait: soon }",
            "runnel::schema::type",
        ),
        (
            "type: lambda\ninput: { function: f, paylod: 1 }",
            "runnel::schema::unknown_key",
        ),
        ("type: container\ninput: {}", "runnel::task::input"),
        (
            "type: container\ninput: { image: a, command: date }",
            "runnel::schema::type",
        ),
        (
            "type: container\ninput: { image: a, resources: { memory: 1 } }",
            "runnel::schema::unknown_key",
        ),
    ] {
        let codes = error_codes(&with_task(task));
        assert!(codes.iter().any(|found| found == code), "{task}: {codes:?}");
    }
}
