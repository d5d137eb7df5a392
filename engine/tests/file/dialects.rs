//! The dialects of other systems: recognised by shape, converted, and shown as v1.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runnel_engine::definition::{Jitter, Task};
use runnel_engine::source::{Dialect, Format, read};
use serde_json::{Value, json};

use crate::support::{accepted, error_codes, has_error, list};

/// Every sample file: its path and its text.
pub fn samples() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "../examples/dialects/actions",
        "../examples/dialects/commands",
        "../examples/dialects/nodes",
        "tests/data",
    ];
    let mut samples = Vec::new();
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
            panic!("no folder {folder}")
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            let Ok(text) = std::fs::read_to_string(&path) else {
                panic!("cannot read {}", path.display())
            };
            samples.push((path, text));
        }
    }
    samples.sort();
    samples
}

fn task(text: &str, key: &str) -> Task {
    let workflow = accepted(text);
    workflow
        .tasks
        .into_iter()
        .find(|task| task.key == key)
        .unwrap_or_else(|| panic!("no task {key}"))
}

fn action(task: &str) -> String {
    format!(
        r#"{{"name": "W", "tasks": [{{"name": "up", "action_type": "shell_command", "action_payload": {{"command": "true"}}}}, {task}]}}"#
    )
}

fn nodes(nodes: &str) -> String {
    format!(
        r#"{{"name": "W", "dag": {{"nodes": [{{"id": "start", "handler": "input", "config": {{"n": 1}}}}, {nodes}]}}}}"#
    )
}

#[test]
fn each_sample_is_recognised_and_its_conversion_gives_the_same_workflow() {
    let mut converted = 0;
    for (path, text) in samples() {
        let expected = match path.to_string_lossy().as_ref() {
            p if p.contains("actions") => Dialect::Actions,
            p if p.contains("commands") => Dialect::Commands,
            p if p.contains("nodes") => Dialect::Nodes,
            _ => continue,
        };
        let reading = read(&text, Format::Auto);
        assert_eq!(reading.dialect, expected, "{}", path.display());
        let workflow = reading
            .workflow
            .as_ref()
            .unwrap_or_else(|| panic!("{}: {:#?}", path.display(), list(&reading)));
        let v1 = reading.converted.clone().unwrap();
        let again = read(&v1, Format::Yaml);
        assert!(
            again.diagnostics.is_empty(),
            "{}: {:#?}\n{v1}",
            path.display(),
            list(&again)
        );
        assert_eq!((again.dialect, again.converted.as_ref()), (Dialect::V1, None));
        assert_eq!(again.workflow.as_ref(), Some(workflow), "{}", path.display());
        let plan = runnel_engine::Plan::build(workflow.clone());
        assert!(
            plan.is_ok_and(|plan| plan.len() == workflow.tasks.len()),
            "{}",
            path.display()
        );
        assert_eq!(workflow.extra.get("additional_inputs"), Some(&json!(true)));
        converted += 1;
    }
    assert!(converted >= 16, "only {converted} samples were found");
}

#[test]
fn a_problem_is_shown_where_the_author_wrote_it() {
    let text = "name: W\ndag:\n  nodes:\n    - { id: start, handler: input }\n    - { id: end, handler: output, dependencies: [strat], config: { a: \"{{ other.x }}\" } }\n";
    let reading = read(text, Format::Auto);
    let places: Vec<_> = reading
        .diagnostics
        .iter()
        .map(|d| (d.code.as_str(), d.span.map(|s| (s.line, s.column))))
        .collect();
    assert_eq!(
        places,
        [
            ("runnel::dag::unknown_upstream", Some((5, 50))),
            ("runnel::expr::unknown_task", Some((5, 71)))
        ],
        "{:?}",
        list(&reading)
    );
    assert_eq!(
        reading.diagnostics[0].help.as_deref(),
        Some("did you mean `start`?")
    );
    assert!(reading.converted.is_some_and(|v1| v1.contains("needs: [strat]")));
}

#[test]
fn unknown_fields_are_named_in_warnings() {
    let text = r#"{"name": "W", "owner": "x", "dag": {"edges": [], "nodes": [{"id": "a", "handler": "call_external_service",
        "color": "red", "config": {"url": "http://127.0.0.1:9", "verify": false}}]}}"#;
    let reading = read(text, Format::Auto);
    let paths: Vec<&str> = reading.diagnostics.iter().map(|d| d.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "owner",
            "dag.edges",
            "dag.nodes[0].color",
            "dag.nodes[0].config.verify"
        ]
    );
    assert!(
        !has_error(&reading)
            && reading
                .diagnostics
                .iter()
                .all(|d| d.code == "runnel::convert::unknown_field")
    );
}

#[test]
fn names_become_legal_and_references_follow() {
    let workflow = accepted(&nodes(
        r#"{"id": "a-b", "handler": "input"}, {"id": "a.b", "handler": "input"}, {"id": "a_b", "handler": "input"},
           {"id": "9", "handler": "output", "dependencies": ["a-b", "a.b", "a_b"],
            "config": {"one": "{{ a-b.x }}", "two": "{{ a.b.x }}", "three": "{{ a_b.x }}"}}"#,
    ));
    let keys: Vec<(&str, &str)> = workflow
        .tasks
        .iter()
        .map(|task| (task.key.as_str(), task.name.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            ("start", "start"),
            ("a_b_2", "a-b"),
            ("a_b_3", "a.b"),
            ("a_b", "a_b"),
            ("_9", "9")
        ]
    );
    let expected = json!({"one": "${{ tasks.a_b_2.output.x }}", "two": "${{ tasks.a_b_3.output.x }}", "three": "${{ tasks.a_b.output.x }}"});
    assert_eq!(workflow.tasks[4].input, expected);
}

#[test]
fn duplicate_and_missing_ids_are_refused() {
    assert_eq!(
        error_codes(&nodes(r#"{"id": "start", "handler": "input"}"#)),
        ["runnel::convert::duplicate_id"]
    );
    assert_eq!(
        error_codes(&nodes(r#"{"handler": "input"}"#)),
        ["runnel::convert::missing"]
    );
    assert_eq!(
        error_codes(&nodes(r#"{"id": "x"}"#)),
        ["runnel::convert::missing"]
    );
    assert_eq!(
        error_codes(&nodes(r#"{"id": 5, "handler": "input"}"#)),
        ["runnel::convert::type"]
    );
    assert_eq!(
        error_codes(&nodes(
            r#"{"id": "x", "handler": "input", "dependencies": ["x"]}"#
        )),
        ["runnel::dag::self_edge"]
    );
    assert_eq!(
        error_codes(r#"{"name": "W", "dag": {"nodes": []}}"#),
        ["runnel::schema::empty"]
    );
    assert_eq!(
        error_codes(r#"{"name": "W", "dag": {"nodes": 5}}"#),
        ["runnel::convert::type", "runnel::schema::empty"]
    );
    assert_eq!(
        error_codes(&action(
            r#"{"name": "up", "action_type": "sleep", "action_payload": {"duration": 1}}"#
        )),
        ["runnel::convert::duplicate_id"]
    );
    assert_eq!(
        error_codes(r#"{"dag": {"nodes": [{"id": "a", "handler": "input"}]}}"#),
        ["runnel::convert::missing"]
    );
}

#[test]
fn templates_keep_their_paths() {
    for (template, expected) in [
        ("{{ start }}", "${{ tasks.start.output }}"),
        ("{{start.path.0.key}}", "${{ tasks.start.output.path[0].key }}"),
        (
            "{{ start.odd-key.in }}",
            "${{ tasks.start.output[\"odd-key\"][\"in\"] }}",
        ),
        ("{{ params.x }}", "${{ inputs.x }}"),
        (
            "a {{ start.n }} b {{ params.x }}",
            "a ${{ tasks.start.output.n }} b ${{ inputs.x }}",
        ),
        ("no template { } $", "no template { } $"),
    ] {
        let text = nodes(&format!(
            r#"{{"id": "x", "handler": "output", "dependencies": ["start"], "config": {{"v": "{template}"}}}}"#
        ));
        assert_eq!(task(&text, "x").input["v"], expected);
    }
    let bad = nodes(
        r#"{"id": "x", "handler": "output", "dependencies": ["start"], "config": {"v": "{{ start.n | upper }}"}}"#,
    );
    assert_eq!(error_codes(&bad), ["runnel::convert::template"]);
}

#[test]
fn decisions_become_eval() {
    for (operator, function) in [
        ("==", "loose_eq"),
        ("!=", "loose_ne"),
        (">", "loose_gt"),
        ("<", "loose_lt"),
        (">=", "loose_ge"),
        ("<=", "loose_le"),
    ] {
        let config = json!({"value_a": "{{ start.n }}", "operator": operator, "value_b": 1.5});
        let text = nodes(&format!(
            r#"{{"id": "x", "handler": "decision", "dependencies": ["start"], "config": {config}}}"#
        ));
        let task = task(&text, "x");
        assert_eq!(
            (task.kind.as_str(), &task.input),
            (
                "eval",
                &json!({"result": format!("${{{{ {function}(tasks.start.output.n, 1.5) }}}}")})
            )
        );
    }
    let config = json!({"value_a": 1, "operator": "=~", "value_b": 2});
    let bad = nodes(&format!(
        r#"{{"id": "x", "handler": "decision", "config": {config}}}"#
    ));
    assert_eq!(error_codes(&bad), ["runnel::convert::operator"]);
}

#[test]
fn conditions_become_cel() {
    for (condition, expected) in [
        ("{{ start.n }} == True", "loose_eq(tasks.start.output.n, true)"),
        (
            "{{ start.n }} != 'a b'",
            "loose_ne(tasks.start.output.n, \"a b\")",
        ),
        ("{{ start.n }}==yes", "loose_eq(tasks.start.output.n, \"yes\")"),
        (
            "v-{{ start.n }} == v-1",
            "loose_eq(\"v-\" + text(tasks.start.output.n), \"v-1\")",
        ),
        ("{{ start.n }}", "truthy(tasks.start.output.n)"),
        ("True", "truthy(true)"),
        ("None == {{ params.x }}", "loose_eq(null, inputs.x)"),
    ] {
        let text = nodes(&format!(
            r#"{{"id": "x", "handler": "output", "dependencies": ["start"], "condition": {}}}"#,
            json!(condition)
        ));
        assert_eq!(task(&text, "x").condition.as_deref(), Some(expected));
    }
    let two = nodes(
        r#"{"id": "x", "handler": "output", "dependencies": ["start"], "condition": "{{ start.n }} == 1 == 2"}"#,
    );
    assert_eq!(error_codes(&two), ["runnel::convert::condition"]);
}

#[test]
fn a_condition_stands_without_dependencies_too() {
    assert_eq!(
        task(
            &nodes(r#"{"id": "x", "handler": "output", "condition": "False"}"#),
            "x"
        )
        .condition
        .as_deref(),
        Some("truthy(false)")
    );
}

#[test]
fn inputs_and_outputs_become_pass() {
    let workflow = accepted(&nodes(
        r#"{"id": "plain", "handler": "input"}, {"id": "end", "handler": "output", "dependencies": ["start", "plain"]},
           {"id": "own", "handler": "output", "dependencies": ["start"], "config": {"v": "{{ start.n }}"}}"#,
    ));
    let inputs: Vec<&Value> = workflow.tasks.iter().map(|task| &task.input).collect();
    assert_eq!(inputs[0], "${{ merge({\"n\": 1}, inputs) }}");
    assert_eq!(inputs[1], "${{ inputs }}");
    assert_eq!(
        inputs[2],
        &json!({"start": "${{ tasks.start.output }}", "plain": "${{ tasks.plain.output }}"})
    );
    assert_eq!(inputs[3], &json!({"v": "${{ tasks.start.output.n }}"}));
    assert!(workflow.tasks.iter().all(|task| task.kind == "pass"));
}

#[test]
fn a_configuration_too_long_for_an_expression_becomes_a_task() {
    let config = json!({"text": "x".repeat(5_000), "from": "{{ start.n }}"});
    let text = nodes(&format!(
        r#"{{"id": "big", "handler": "input", "dependencies": ["start"], "condition": "True", "config": {config}}}"#
    ));
    let inner = task(&text, "big__config");
    assert_eq!(
        (inner.needs.len(), inner.condition.as_deref()),
        (1, Some("truthy(true)"))
    );
    assert_eq!(inner.input["from"], "${{ tasks.start.output.n }}");
    let outer = task(&text, "big");
    assert_eq!(
        (outer.needs[0].task.as_str(), &outer.input),
        (
            "big__config",
            &json!("${{ merge(tasks.big__config.output, inputs) }}")
        )
    );
}

#[test]
fn calls_become_http_and_llm_with_two_retries() {
    let call = r#"{"id": "x", "handler": "call_external_service", "dependencies": ["start"], "timeout_seconds": 2.5,
        "config": {"url": "http://127.0.0.1:9/{{ start.n }}", "method": "POST", "headers": {"a": "b"}, "body": {"n": "{{ start.n }}"}, "simulate_failure": true}}"#;
    let http = task(&nodes(call), "x");
    assert_eq!(
        (http.kind.as_str(), http.retry.limit, http.timeout),
        ("http", 2, Some(Duration::from_millis(2_500)))
    );
    let expected = json!({"url": "http://127.0.0.1:9/${{ tasks.start.output.n }}", "method": "POST", "headers": {"a": "b"},
        "json": {"n": "${{ tasks.start.output.n }}"}, "alias_body": "data", "simulate_failure": true});
    assert_eq!(http.input, expected);
    for handler in ["call_llm", "call_llm_service"] {
        let text = nodes(&format!(
            r#"{{"id": "x", "handler": "{handler}", "config": {{"prompt": "p", "model": "m", "temperature": 0.5, "max_tokens": 9}}}}"#
        ));
        let llm = task(&text, "x");
        assert_eq!((llm.kind.as_str(), llm.retry.limit), ("llm", 2));
        assert_eq!(
            llm.input,
            json!({"prompt": "p", "model": "m", "temperature": 0.5, "max_tokens": 9})
        );
    }
    let custom = task(
        &nodes(r#"{"id": "x", "handler": "resize", "config": {"w": 1}}"#),
        "x",
    );
    assert_eq!(
        (custom.kind.as_str(), custom.retry.limit, custom.input),
        ("resize", 0, json!({"w": 1}))
    );
}

#[test]
fn a_body_of_text_stays_text() {
    let body = |body: Value| {
        let config = json!({"url": "http://127.0.0.1:9", "body": body});
        let text = nodes(&format!(
            r#"{{"id": "x", "handler": "call_external_service", "dependencies": ["start"], "config": {config}}}"#
        ));
        task(&text, "x").input
    };
    assert_eq!(
        body(json!("hello {{ start.n }}"))["body"],
        "hello ${{ tasks.start.output.n }}"
    );
    assert_eq!(body(json!("{{ start }}"))["json"], "${{ tasks.start.output }}");
    assert_eq!(body(json!([1]))["json"], json!([1]));
}

#[test]
fn retry_policies_of_nodes() {
    let retry = |policy: Value| {
        let text = nodes(&format!(
            r#"{{"id": "x", "handler": "call_llm", "config": {{"prompt": "p"}}, "retry_policy": {policy}}}"#
        ));
        task(&text, "x").retry
    };
    let retry_3 = retry(
        json!({"max_attempts": 3, "initial_backoff_seconds": 0.5, "backoff_multiplier": 3, "max_backoff_seconds": 10}),
    );
    assert_eq!(
        (retry_3.limit, retry_3.delay, retry_3.factor, retry_3.max_delay),
        (2, Duration::from_millis(500), 3.0, Duration::from_secs(10))
    );
    assert_eq!(retry(json!({"max_attempts": 1})).limit, 0);
    let zero = nodes(r#"{"id": "x", "handler": "input", "retry_policy": {"max_attempts": 0}}"#);
    assert_eq!(error_codes(&zero), ["runnel::convert::type"]);
}

#[test]
fn branches_meet_again_after_a_skip_unless_they_read_it() {
    let text = nodes(
        r#"{"id": "a", "handler": "output", "dependencies": ["start"], "condition": "False", "config": {"x": 1}},
           {"id": "join", "handler": "output", "dependencies": ["start", "a"], "config": {"y": 1}},
           {"id": "reads", "handler": "output", "dependencies": ["a"], "config": {"y": "{{ a.x }}"}},
           {"id": "after", "handler": "output", "dependencies": ["reads", "join"], "config": {"y": 1}}"#,
    );
    let skipped = |key: &str| {
        task(&text, key)
            .needs
            .iter()
            .map(|need| need.accepts.skipped)
            .collect::<Vec<_>>()
    };
    assert_eq!(skipped("join"), [false, true]);
    assert_eq!(skipped("reads"), [false]);
    assert_eq!(skipped("after"), [true, false]);
}

#[test]
fn actions_map_field_by_field() {
    let http = task(
        &action(
            r#"{"name": "x", "action_type": "http_request", "dependencies": ["up"], "timeout_seconds": 30,
        "action_payload": {"url": "http://127.0.0.1:9/${var:p}", "headers": {"a": "Bearer ${secret:t}"}, "body_from_task": "up"},
        "retry_policy": {"max_retries": 5, "initial_delay": 0.5, "max_delay": 30, "backoff_multiplier": 2.5, "jitter": false, "backoff": "linear"}}"#,
        ),
        "x",
    );
    assert_eq!(
        http.input,
        json!({"url": "http://127.0.0.1:9/${{ vars.p }}", "headers": {"a": "Bearer ${{ secrets.t }}"}, "json": "${{ tasks.up.output }}"})
    );
    assert_eq!(
        (http.retry.limit, http.retry.jitter, http.timeout),
        (5, Jitter::None, Some(Duration::from_secs(30)))
    );

    let python = task(
        &action(
            r#"{"name": "x", "action_type": "python_script", "action_payload": {"script": "a.py", "size": "${var:n}"}}"#,
        ),
        "x",
    );
    assert_eq!(
        (python.kind.as_str(), python.input),
        (
            "python",
            json!({"script": "a.py", "args": {"size": "${{ vars.n }}"}})
        )
    );

    let python = task(
        &action(
            r#"{"name": "x", "action_type": "python_script", "action_payload": {"script": "print('n is ${var:n}', {{up.exit_code}})"}}"#,
        )
        .replace(r#""name": "x","#, r#""name": "x", "dependencies": ["up"],"#),
        "x",
    );
    assert_eq!(
        python.input,
        json!({
            "script": r#"print(('n is ' + str(inputs["VAR_N"]) + ''), inputs["UP_EXIT_CODE"])"#,
            "args": { "VAR_N": "${{ vars.n }}", "UP_EXIT_CODE": "${{ tasks.up.output.exit_code }}" },
        })
    );
    assert_eq!(
        error_codes(&action(
            r#"{"name": "x", "action_type": "python_script", "action_payload": {"script": "jobs/${var:n}.py"}}"#
        )),
        ["runnel::convert::template"]
    );

    for payload in [r#"{"duration": 0.2}"#, r#"{"seconds": 0.2}"#] {
        let sleep = task(
            &action(&format!(
                r#"{{"name": "x", "action_type": "sleep", "action_payload": {payload}}}"#
            )),
            "x",
        );
        assert_eq!(
            (sleep.kind.as_str(), sleep.input),
            ("wait", json!({"for": "200ms"}))
        );
    }
    let custom = task(
        &action(r#"{"name": "x", "action_type": "reduce", "action_payload": {"how": "sum"}}"#),
        "x",
    );
    assert_eq!(
        (custom.kind.as_str(), custom.input),
        ("reduce", json!({"how": "sum"}))
    );
}

#[test]
fn a_command_takes_its_templates_through_the_environment() {
    let shell = task(
        &action(
            r#"{"name": "x", "action_type": "shell_command", "action_payload":
        {"command": "echo ${var:a} ${secret:a} ${var:a} ${HOME} $x", "env": {"B": "${var:b}"}}}"#,
        ),
        "x",
    );
    assert_eq!(
        shell.input,
        json!({"run": "echo ${VAR_A} ${SECRET_A} ${VAR_A} ${HOME} $x"})
    );
    assert_eq!(
        json!(shell.env),
        json!({"B": "${{ vars.b }}", "VAR_A": "${{ vars.a }}", "SECRET_A": "${{ secrets.a }}"})
    );
}

#[test]
fn a_map_becomes_for_each() {
    let map = |items: &str| {
        action(&format!(
            r#"{{"name": "x", "action_type": "map", "dependencies": ["up"], "action_payload": {{{items},
        "task_template": {{"action_type": "http_request", "action_payload": {{"url": "http://127.0.0.1:9/{{{{item.id}}}}/{{{{ index }}}}"}}, "timeout_seconds": 5}}}}}}"#
        ))
    };
    let task_of = |items: &str| task(&map(items), "x");
    let x = task_of(r#""items": [{"id": 1}]"#);
    assert_eq!(
        x.for_each.map(|for_each| for_each.items),
        Some(json!([{"id": 1}]))
    );
    assert_eq!(
        (x.input, x.timeout),
        (
            json!({"url": "http://127.0.0.1:9/${{ each.item.id }}/${{ each.index }}"}),
            Some(Duration::from_secs(5))
        )
    );
    let from_task = task_of(r#""items_from_task": "up""#)
        .for_each
        .map(|for_each| for_each.items);
    assert_eq!(from_task, Some(json!("${{ tasks.up.output }}")));
}

#[test]
fn commands_map_field_by_field() {
    let text = r#"{"id": "S", "tasks": {
        "a": {"command": "echo A", "retries": 1, "retry_delay_seconds": 3, "timeout_seconds": 30, "metadata": {"k": "v"}},
        "b": {"id": "b", "name": "Bee", "callable": "pkg.module.attr", "metadata": {"m": "${{ x }}"}, "dependencies": ["a"]},
        "c": {"callable": "pkg.module:attr"}}}"#;
    let workflow = accepted(text);
    assert_eq!(workflow.id, "s");
    let [a, b, c] = workflow.tasks.as_slice() else {
        panic!("{:?}", workflow.tasks)
    };
    assert_eq!(
        (a.kind.as_str(), &a.input, json!(a.metadata)),
        ("shell", &json!({"run": "echo A"}), json!({"k": "v"}))
    );
    assert_eq!(
        (a.retry.limit, a.retry.delay, a.timeout),
        (1, Duration::from_secs(3), Some(Duration::from_secs(30)))
    );
    assert_eq!((b.name.as_str(), b.needs[0].task.as_str()), ("Bee", "a"));
    assert_eq!(
        b.input,
        json!({"callable": "pkg.module:attr", "args": {"m": "$${{ x }}"}})
    );
    assert_eq!(c.input, json!({"callable": "pkg.module:attr"}));
    assert_eq!(
        error_codes(r#"{"id": "s", "tasks": {"a": {"command": "x"}, "b": {"name": "neither"}}}"#),
        ["runnel::convert::missing"]
    );
}

#[test]
fn the_key_wins_over_a_different_id() {
    let text = r#"{"id": "s", "tasks": {"a": {"id": "z", "command": "x"}, "b": {"command": "y", "dependencies": ["z"]}}}"#;
    let reading = read(text, Format::Auto);
    assert_eq!(reading.diagnostics[0].code, "runnel::convert::id_differs");
    assert_eq!(accepted(text).tasks[1].needs[0].task, "a");
}

#[test]
fn a_v1_file_is_never_taken_for_another_dialect() {
    for text in [
        "id: a\ntasks: { t: { run: x, metadata: { command: y } } }",
        "id: a\ntasks: { t: { run: x, command: y } }",
        "id: a\ntasks: [ { run: x } ]",
    ] {
        assert_eq!(read(text, Format::Auto).dialect, Dialect::V1);
    }
}
