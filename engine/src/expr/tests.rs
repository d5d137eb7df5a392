//! What expressions and templates mean, and that hostile ones are refused instead of aborting the process.

use serde_json::{Value, json};

use super::{Expr, Reach, Template};

fn eval(text: &str, scope: &Value) -> Value {
    Expr::compile(text)
        .and_then(|e| e.eval(scope))
        .unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn render(source: Value, scope: &Value) -> Value {
    Template::compile(&source).unwrap().render(scope).unwrap()
}

#[test]
fn json_integers_mix_with_literals() {
    let scope = json!({"inputs": {"x": 1, "f": 1.5, "big": 18_446_744_073_709_551_615_u64}});
    assert_eq!(eval("inputs.x + 1", &scope), json!(2));
    assert_eq!(eval("inputs.x == 1", &scope), json!(true));
    assert_eq!(eval("double(inputs.x) * inputs.f", &scope), json!(1.5));
    assert_eq!(eval("inputs.x > 0.5", &scope), json!(true));
    assert_eq!(eval("inputs.big", &scope), json!(18_446_744_073_709_551_615_u64));
}

#[test]
fn standard_functions_work() {
    let scope = json!({"inputs": {"a": [1, 2, 3], "s": "a,b", "m": {"k": "v"}}});
    for (text, want) in [
        ("size(inputs.a)", json!(3)),
        ("inputs.a.map(x, x * 2)", json!([2, 4, 6])),
        ("inputs.a.filter(x, x > 1).size()", json!(2)),
        (
            "inputs.a.exists(x, x == 3) && inputs.a.all(x, x > 0)",
            json!(true),
        ),
        ("has(inputs.m.k) && !has(inputs.nope)", json!(true)),
        ("string(12) + string(1.5)", json!("121.5")),
        ("int('7') + int(2.9)", json!(9)),
        ("double('1.5')", json!(1.5)),
        ("type(1) == int", json!(true)),
        ("inputs.s.split(',')", json!(["a", "b"])),
        ("['x', 'y'].join('-')", json!("x-y")),
        ("' A '.trim().lowerAscii()", json!("a")),
        ("inputs.s.matches('^a')", json!(true)),
        ("'a' in inputs.m ? 1 : 2", json!(2)),
        ("timestamp('2026-01-01T00:00:00Z').getFullYear()", json!(2026)),
        ("'%s!'.format(['x'])", json!("x!")),
    ] {
        assert_eq!(eval(text, &scope), want, "{text}");
    }
}

#[test]
fn loose_comparisons_are_by_number_when_both_sides_are_numbers() {
    let scope = json!({"inputs": {"n": "10", "t": "True", "z": null}});
    for (text, want) in [
        ("loose_eq(inputs.n, 10)", true),
        ("loose_eq('yes', 'yes')", true),
        ("loose_eq(inputs.t, true)", true),
        ("loose_ne(inputs.t, false)", true),
        ("loose_lt('9', inputs.n)", true),
        ("loose_lt('b', 'a')", false),
        ("loose_le(1, 1.0)", true),
        ("loose_gt(2, '10')", false),
        ("loose_ge('10', 2)", true),
        (
            "truthy(inputs.z) || truthy('') || truthy('False') || truthy(0) || truthy([])",
            false,
        ),
        ("truthy('no') && truthy(1) && truthy({'a': 1})", true),
    ] {
        assert_eq!(eval(text, &scope), json!(want), "{text}");
    }
}

#[test]
fn merge_joins_maps_and_text_renders_anything() {
    assert_eq!(
        eval("merge({'a': 1, 'b': 1}, {'b': 2})", &json!({})),
        json!({"a": 1, "b": 2})
    );
    assert_eq!(
        eval("text([1]) + text(null) + text(true)", &json!({})),
        json!("[1]true")
    );
    assert!(Expr::compile("merge(1, {})").unwrap().eval(&json!({})).is_err());
}

#[test]
fn keys_of_results_are_sorted_so_that_the_same_scope_gives_the_same_text() {
    let text = eval("{'z': 1, 'a': 2, 'm': 3}", &json!({})).to_string();
    assert_eq!(text, r#"{"a":2,"m":3,"z":1}"#);
}

#[test]
fn references_are_known_before_evaluation() {
    let text = "tasks.a.output.x > 1 && tasks['b'].status == 'FAILED' && secrets.TOKEN != '' && inputs.list[inputs.i].map(r, r.tasks + vars.k)[0] == each.item";
    let found = Expr::compile(text).unwrap().references().clone();
    let names = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(",");
    assert_eq!(names(&found.tasks), "a,b");
    assert_eq!(names(&found.outputs), "a");
    assert_eq!(names(&found.secrets), "TOKEN");
    assert_eq!(names(&found.roots), "each,inputs,secrets,tasks,vars");
    let Some(Reach::Members(inputs)) = found.reach.get("inputs") else {
        panic!("{found:?}")
    };
    assert_eq!(names(inputs), "i,list");
}

#[test]
fn tasks_and_secrets_need_a_literal_name() {
    for text in [
        "tasks",
        "tasks[inputs.x].output",
        "size(secrets)",
        "[1].map(tasks, tasks)",
        "'a' in tasks",
    ] {
        assert!(Expr::compile(text).is_err(), "{text}");
    }
    assert!(
        Expr::compile("has(tasks.a.output.x)")
            .unwrap()
            .references()
            .tasks
            .contains("a")
    );
}

#[test]
fn secrets_evaluate_to_marks() {
    assert_eq!(
        render(json!("Bearer ${{ secrets.T }}"), &json!({})),
        json!("Bearer ‹secret:T:›")
    );
}

#[test]
fn unknown_functions_are_refused_at_compile_time() {
    assert_eq!(
        Expr::compile("shout('x')").unwrap_err().message,
        "there is no function `shout`"
    );
}

#[test]
fn parse_errors_carry_their_place() {
    let error = Expr::compile("inputs.a +\n  + * 2").unwrap_err();
    assert!(error.offset >= 11, "{error:?}");
    assert!(!error.message.is_empty());
}

#[test]
fn errors_at_run_time_name_what_is_missing() {
    let error = Expr::compile("inputs.a.b")
        .unwrap()
        .eval(&json!({"inputs": {"a": {}}}))
        .unwrap_err();
    assert_eq!(error.message, "there is no `b`");
    assert!(
        Expr::compile("1 / inputs.z")
            .unwrap()
            .eval(&json!({"inputs": {"z": 0}}))
            .is_err()
    );
}

#[test]
fn a_string_that_is_one_expression_keeps_its_type() {
    let scope = json!({"inputs": {"n": 5, "o": {"k": [1, null]}, "s": "x"}});
    assert_eq!(render(json!("${{ inputs.n }}"), &scope), json!(5));
    assert_eq!(render(json!("${{inputs.o}}"), &scope), json!({"k": [1, null]}));
    assert_eq!(render(json!(" ${{ inputs.n }}"), &scope), json!(" 5"));
    assert_eq!(
        render(
            json!("n=${{ inputs.n }} o=${{ inputs.o }} z=${{ null }} ${{ inputs.s }}"),
            &scope
        ),
        json!(r#"n=5 o={"k":[1,null]} z= x"#)
    );
}

#[test]
fn templates_nest_and_maps_may_end_in_double_braces() {
    let scope = json!({"inputs": {"n": 1}});
    assert_eq!(
        render(
            json!({"a": ["${{ {'x': {'y': inputs.n}} }}", 2], "b": "}} ${{ '}}' }}"}),
            &scope
        ),
        json!({"a": [{"x": {"y": 1}}, 2], "b": "}} }}"})
    );
}

#[test]
fn escaped_openings_and_plain_values_are_left_alone() {
    assert_eq!(
        render(json!("$${{ x }} ${HOME} {{ y }}"), &json!({})),
        json!("${{ x }} ${HOME} {{ y }}")
    );
    assert!(
        Template::compile(&json!({"a": [1, "{{ x }}"]}))
            .unwrap()
            .is_constant()
    );
    assert!(!Template::compile(&json!("${{ 1 }}")).unwrap().is_constant());
}

#[test]
fn data_is_never_parsed_again() {
    let scope = json!({"inputs": {"evil": "${{ secrets.T }}"}});
    assert_eq!(
        render(json!("${{ inputs.evil }} ${{ inputs.evil }}"), &scope),
        json!("${{ secrets.T }} ${{ secrets.T }}")
    );
}

#[test]
fn all_errors_of_a_template_are_reported_with_pointers() {
    let errors = Template::compile(&json!({"a/b": ["ok", "x ${{ 1 + }}"], "c": "${{ 1"})).unwrap_err();
    let places: Vec<_> = errors.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(places, ["/a~1b/1", "/c"]);
    assert!(errors[0].1.offset >= 5, "{errors:?}");
}

#[test]
fn hostile_expressions_are_refused_or_survive_a_small_stack() {
    let chains: [(&str, &str, &str); 13] = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("{1:", "1", "}"),
        ("true ? 1 : ", "1", ""),
        ("size(", "'a'", ")"),
        ("", "inputs", ".a"),
        ("1+", "1", ""),
        ("", "inputs", "[0]"),
        ("true && ", "true", ""),
        ("1 in ", "[1]", ""),
        ("'a'+", "'a'", ""),
    ];
    for (open, middle, close) in chains {
        for times in [20, 32, 80, 120, 250, 500, 1000, 20_000] {
            let text = open.repeat(times) + middle + &close.repeat(times);
            // 2 MiB, as a tokio worker and a test thread have
            let outcome = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
                if let Ok(expr) = Expr::compile(&text) {
                    let _ = expr.eval(&json!({"inputs": {"a": 1}}));
                }
            });
            outcome.unwrap().join().unwrap();
        }
    }
}

#[test]
fn loops_and_results_are_bounded() {
    assert!(Expr::compile("[1].map(a, [1].map(b, [1].map(c, 1)))").is_err());
    let long: Vec<u32> = (0..2000).collect();
    let nested = Expr::compile("inputs.l.map(a, inputs.l.map(b, a * b).size()).size()").unwrap();
    assert!(
        nested
            .eval(&json!({"inputs": {"l": long}}))
            .unwrap_err()
            .message
            .contains("too many steps")
    );
    let text = "x".repeat(300_000);
    let grown = Expr::compile("inputs.s + inputs.s + inputs.s + inputs.s").unwrap();
    assert!(
        grown
            .eval(&json!({"inputs": {"s": text}}))
            .unwrap_err()
            .message
            .contains("larger than allowed")
    );
    let many = Template::compile(&json!([
        "${{ inputs.s }}",
        "${{ inputs.s }}",
        "${{ inputs.s }}",
        "${{ inputs.s }}"
    ]))
    .unwrap();
    assert!(
        many.render(&json!({"inputs": {"s": "x".repeat(300_000)}}))
            .is_err()
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-z0-9\\[\\](){}.,'\"+*/<>=!?:& |_\n\u{e9}$-]{0,80}", any_text in ".{0,60}") {
        let scope = json!({"inputs": {"a": 1}, "each": [1, "x"]});
        for text in [text, any_text] {
            match Expr::compile(&text) {
                Ok(expr) => drop(expr.eval(&scope)),
                Err(error) => assert!(error.offset <= text.len(), "{error:?}"),
            }
            if let Ok(template) = Template::compile(&json!(format!("a ${{{{ {text} }}}} b"))) {
                let _ = template.render(&scope);
            }
        }
    }
}
