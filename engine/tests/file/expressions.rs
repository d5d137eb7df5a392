//! Expressions of a file: where they may stand, what they may read, and where a fault is shown.

use runnel_engine::source::{Format, read};

use crate::support::{accepted, error_codes, list, with_task};

#[test]
fn a_condition_is_cel_with_or_without_its_braces() {
    let condition = |text: &str| {
        accepted(&with_task(&format!("run: x\nneeds: before\nif: {text}")))
            .tasks
            .remove(1)
            .condition
    };
    let expected = Some("tasks.before.output.exit_code == 0".to_owned());
    assert_eq!(
        condition("\"${{ tasks.before.output.exit_code == 0 }}\""),
        expected
    );
    assert_eq!(condition("tasks.before.output.exit_code == 0"), expected);
    assert_eq!(condition("true"), None);
    assert_eq!(condition("false"), Some("false".to_owned()));
}

#[test]
fn bad_cel_is_shown_at_its_character() {
    let place = |task: &str| {
        let reading = read(&with_task(task), Format::Auto);
        let first = reading
            .diagnostics
            .first()
            .map(|d| (d.code.clone(), d.span.map(|span| (span.line, span.column))));
        first.unwrap_or_else(|| panic!("{:?}", list(&reading)))
    };
    let (code, at) = place("type: pass\ninput:\n  a: \"text ${{ inputs.a + }} text\"");
    assert_eq!(
        (code.as_str(), at.map(|at| at.0)),
        ("runnel::expr::syntax", Some(7))
    );
    let (_, plain) = place("run: x\nif: inputs.a == = 2");
    let (_, quoted) = place("run: x\nif: 'inputs.a == = 2'");
    let (_, block) = place("run: x\nif: |\n  true &&\n  inputs.a == = 2");
    assert_eq!(plain.map(|at| at.0), Some(6));
    assert_eq!(quoted, plain.map(|(line, column)| (line, column + 1)));
    assert_eq!(block.map(|at| at.0), Some(8));
}

#[test]
fn run_is_never_interpolated() {
    let reading = read(&with_task("run: echo \"${{ inputs.name }}\""), Format::Auto);
    assert_eq!(reading.diagnostics[0].code, "runnel::task::interpolated_run");
    assert_eq!(
        reading.diagnostics[0]
            .span
            .map(|span| (span.line, span.column, span.length)),
        Some((5, 16, 18))
    );
    assert!(
        reading.diagnostics[0]
            .help
            .as_ref()
            .is_some_and(|help| help.contains("env"))
    );
    assert_eq!(
        error_codes(&with_task(
            "type: shell\ninput: { run: 'echo ${{ inputs.name }}' }"
        )),
        ["runnel::task::interpolated_run"]
    );
    for input in [
        "script: 'print(\"${{ inputs.name }}\")'",
        "script: 'jobs/${{ inputs.name }}.py'",
        "callable: '${{ inputs.name }}'",
    ] {
        let text = with_task(&format!("type: python\ninput: {{ {input} }}"));
        assert_eq!(error_codes(&text), ["runnel::task::interpolated_run"], "{input}");
    }
    accepted(&with_task(
        "type: python\ninput: { script: 'print(inputs[\"name\"])', args: { name: '${{ inputs.name }}' } }",
    ));
    accepted(&with_task(
        "run: echo \"$NAME ${NAME}\"\nenv: { NAME: \"${{ inputs.name }}\" }",
    ));
}

#[test]
fn secrets_are_for_env_and_input_only() {
    accepted(&with_task("run: x\nenv: { TOKEN: \"${{ secrets.TOKEN }}\" }"));
    accepted(&with_task(
        "type: http\ninput: { url: x, headers: { authorization: \"Bearer ${{ secrets.TOKEN }}\" } }",
    ));
    for task in [
        "run: x\nif: \"${{ secrets.TOKEN == 'x' }}\"",
        "run: x\nidempotency_key: \"${{ secrets.TOKEN }}\"",
        "run: x\nfor_each: \"${{ [secrets.TOKEN] }}\"",
    ] {
        assert_eq!(error_codes(&with_task(task)), ["runnel::expr::secret"], "{task}");
    }
    let outputs = "id: a\ntasks: { t: { run: x } }\noutputs: { leak: \"${{ secrets.TOKEN }}\" }\n";
    assert_eq!(error_codes(outputs), ["runnel::expr::secret"]);
}

#[test]
fn unknown_contexts_get_a_suggestion() {
    let reading = read(
        &with_task("type: pass\ninput: { a: \"${{ input.x }}\" }"),
        Format::Auto,
    );
    assert_eq!(reading.diagnostics[0].code, "runnel::expr::context");
    assert_eq!(
        reading.diagnostics[0].help.as_deref(),
        Some("did you mean `inputs`?")
    );
}

#[test]
fn each_needs_a_fan_out() {
    assert_eq!(
        error_codes(&with_task("run: x\nenv: { A: \"${{ each.item }}\" }")),
        ["runnel::expr::context"]
    );
    accepted(&with_task(
        "run: x\nfor_each: [1]\nenv: { A: \"${{ each.item }} ${{ each.index }} ${{ each.key }}\" }",
    ));
    accepted(&with_task("run: x\nfor_each: [1]\nif: each.item == 1"));
}

#[test]
fn a_pass_may_be_one_expression() {
    assert_eq!(
        accepted(&with_task("type: pass\ninput: \"${{ inputs }}\"")).tasks[1].input,
        "${{ inputs }}"
    );
    assert_eq!(
        error_codes(&with_task("type: http\ninput: \"${{ inputs }}\"")),
        ["runnel::schema::type"]
    );
}
