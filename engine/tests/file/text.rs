//! A workflow file as text: formats, sizes, nesting, and what is no workflow at all.

use crate::support::{accepted, error_codes, list};
use runnel_engine::Severity;
use runnel_engine::source::{Format, SOURCE_BYTES_MAX, read, read_bytes};

const HELLO: &str =
    "id: hello\ntasks:\n  build: { run: make build }\n  test: { run: make test, needs: build }\n";

#[test]
fn yaml_and_json_of_the_same_workflow_are_the_same() {
    let json = r#"{"id": "hello", "tasks": {"build": {"run": "make build"}, "test": {"run": "make test", "needs": ["build"]}}}"#;
    assert_eq!(accepted(HELLO), accepted(json));
}

#[test]
fn a_flow_mapping_of_yaml_is_not_mistaken_for_json() {
    assert_eq!(
        accepted("{ id: hello, tasks: { build: { run: make } } }").id,
        "hello"
    );
}

#[test]
fn json_indented_with_tabs_has_places() {
    let reading = read(
        "{\n\t\"id\": \"hello\",\n\t\"tasks\": {\n\t\t\"a\": {\"run\": \"x\", \"need\": []}\n\t}\n}",
        Format::Auto,
    );
    let place = reading.diagnostics[0]
        .span
        .map(|span| (span.line, span.column, span.length));
    assert_eq!(place, Some((4, 21, 6)), "{:?}", list(&reading));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(accepted(&format!("\u{feff}{HELLO}")).id, "hello");
    assert_eq!(
        accepted("\u{feff}{\"id\": \"hello\", \"tasks\": {\"a\": {\"run\": \"x\"}}}").id,
        "hello"
    );
}

#[test]
fn columns_count_characters_and_offsets_count_bytes() {
    let reading = read(
        "id: hello\ntasks: { a: { run: 'ü€😀', nope: 1 } }\n",
        Format::Yaml,
    );
    let span = reading.diagnostics[0]
        .span
        .map(|span| (span.line, span.column, span.offset, span.length));
    assert_eq!(span, Some((2, 27, 42, 4)), "{:?}", list(&reading));
}

#[test]
fn tabs_in_yaml_are_named() {
    let reading = read("id: hello\ntasks:\n\ta: { run: x }\n", Format::Auto);
    assert_eq!(
        list(&reading),
        [
            "runnel::file::tab 3:1 : a tab indents this line; YAML allows spaces only (replace the tab by spaces)"
        ]
    );
}

#[test]
fn what_is_no_workflow_is_refused() {
    for (text, code) in [
        ("", "runnel::file::empty"),
        (" \n\t\n", "runnel::file::empty"),
        ("\u{feff}", "runnel::file::empty"),
        ("hello", "runnel::file::not_a_workflow"),
        ("42", "runnel::file::not_a_workflow"),
        ("- a\n- b\n", "runnel::file::not_a_workflow"),
        ("[1, 2]", "runnel::file::not_a_workflow"),
        ("# only a comment\n", "runnel::file::empty"),
        ("id: a\n---\nid: b\n", "runnel::file::many_documents"),
        ("id: [a\n", "runnel::file::yaml_syntax"),
        ("{\"id\": \"a\",}", "runnel::schema::missing"),
        ("{\"id\": ", "runnel::file::json_syntax"),
        ("%YAML 1.2\n---\nid: a\n", "runnel::file::yaml_syntax"),
    ] {
        let codes = error_codes(text);
        assert_eq!(
            codes.first().map(String::as_str),
            Some(code),
            "{text:?} gives {codes:?}"
        );
    }
}

#[test]
fn json_faults_have_their_place() {
    for (text, place) in [
        ("{\"id\": \"a\",}", (1, 12)),
        ("{\n  \"id\" 1\n}", (2, 8)),
        ("{\"a\": tru}", (1, 7)),
        ("{\"a\": 01}", (1, 7)),
        ("{\"a\": \"x\\q\"}", (1, 7)),
        ("{\"a\": \"x", (1, 7)),
        ("{\"a\": 1} x", (1, 10)),
        ("{\"a\" : 1 \"b\"}", (1, 10)),
    ] {
        let reading = read(text, Format::Json);
        let found = reading.diagnostics[0].span.map(|span| (span.line, span.column));
        assert_eq!(found, Some(place), "{text} {:?}", list(&reading));
        assert_eq!(reading.diagnostics[0].code, "runnel::file::json_syntax");
    }
}

#[test]
fn deep_nesting_is_refused_in_every_notation() {
    let depth = 100_000;
    for text in [
        format!("id: a\ntasks: {}", "[".repeat(depth)),
        format!("id: a\ntasks: {}", "{a: ".repeat(depth)),
        "[".repeat(depth),
        "{\"a\":".repeat(depth),
        "- ".repeat(depth),
        "? ".repeat(depth),
        (0..1_300).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
        format!(
            "{{\"id\": \"a\", \"tasks\": {}{}}}",
            "[".repeat(65),
            "]".repeat(65)
        ),
    ] {
        for format in [Format::Auto, Format::Yaml] {
            let reading = read(&text, format);
            assert!(reading.workflow.is_none());
            assert_eq!(
                reading.diagnostics[0].code,
                "runnel::file::too_deep",
                "{:?}",
                list(&reading)
            );
        }
    }
    assert_eq!(
        read(&"[".repeat(depth), Format::Json).diagnostics[0].code,
        "runnel::file::too_deep"
    );
}

#[test]
fn a_large_file_is_refused_unread() {
    let text = format!("id: a\n# {}", "x".repeat(2 << 20));
    let reading = read(&text, Format::Auto);
    assert_eq!(reading.diagnostics[0].code, "runnel::file::too_large");
    assert!(
        reading.diagnostics[0]
            .message
            .contains(&SOURCE_BYTES_MAX.to_string())
    );
    assert_eq!(
        read_bytes(text.as_bytes(), Format::Auto).diagnostics,
        reading.diagnostics
    );
}

#[test]
fn invalid_utf8_is_named_with_its_place() {
    let reading = read_bytes(b"id: hello\nname: caf\xe9\n", Format::Auto);
    assert_eq!(reading.diagnostics[0].code, "runnel::file::not_utf8");
    assert!(
        reading.diagnostics[0].message.starts_with("line 2, column 10:"),
        "{:?}",
        list(&reading)
    );
    assert_eq!(
        read_bytes(HELLO.as_bytes(), Format::Auto).workflow,
        Some(accepted(HELLO))
    );
}

#[test]
fn every_duplicate_key_is_reported_with_the_first_one() {
    let yaml = "id: a\nid: b\ntasks:\n  t: { run: x, run: y }\n  t: { run: z }\n";
    let json = r#"{"id": "a", "id": "b", "tasks": {"t": {"run": "x", "run": "y"}, "t": {"run": "z"}}}"#;
    for text in [yaml, json] {
        let reading = read(text, Format::Auto);
        let paths: Vec<&str> = reading.diagnostics.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths, ["id", "tasks.t.run", "tasks.t"], "{:?}", list(&reading));
        assert!(
            reading
                .diagnostics
                .iter()
                .all(|d| d.code == "runnel::file::duplicate_key" && d.labels.len() == 1)
        );
    }
}

#[test]
fn aliases_are_copied_within_a_budget() {
    let workflow =
        accepted("id: a\ntasks:\n  one: { run: x, env: &env { A: b } }\n  two: { run: y, env: *env }\n");
    assert_eq!(workflow.tasks[0].env, workflow.tasks[1].env);

    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for letter in 'b'..='j' {
        let before = char::from(letter as u8 - 1);
        bomb.push_str(&format!(
            "{letter}: &{letter} [{}]\n",
            vec![format!("*{before}"); 9].join(", ")
        ));
    }
    assert_eq!(error_codes(&bomb), ["runnel::file::yaml_bomb"]);
    assert_eq!(error_codes("a: &a [*a]\n"), ["runnel::file::yaml_alias"]);
}

#[test]
fn yaml_words_stay_texts() {
    let workflow = accepted(
        "id: a\ntasks:\n  t: { run: x, env: { ON: on, YES: yes, N: 1e3, HEX: 0x10, V: 1.2.3, D: 2024-01-01 } }\n",
    );
    let env = serde_json::json!({"ON": "on", "YES": "yes", "N": 1000.0, "HEX": 16, "V": "1.2.3", "D": "2024-01-01"});
    assert_eq!(serde_json::Value::Object(workflow.tasks[0].env.clone()), env);
}

#[test]
fn tags_and_merge_keys_are_refused() {
    assert_eq!(
        error_codes("id: a\ntasks: { t: { run: !!binary eA== } }\n"),
        ["runnel::file::yaml_tag"]
    );
    assert_eq!(
        error_codes("id: a\ntasks: { t: { run: x, <<: { timeout: 5s } } }\n"),
        ["runnel::file::yaml_merge"]
    );
    assert_eq!(
        accepted("id: a\ntasks: { t: { run: x, env: { A: !!str 5 } } }\n").tasks[0].env["A"],
        "5"
    );
}

#[test]
fn diagnostics_are_bounded_and_the_rest_is_counted() {
    let tasks: String = (0..5_000)
        .map(|i| format!("  t{i}: {{ run: x, needs: [missing_{i}], bogus: 1 }}\n"))
        .collect();
    let reading = read(&format!("id: a\ntasks:\n{tasks}"), Format::Auto);
    assert_eq!(reading.diagnostics.len(), 1_001);
    let last = &reading.diagnostics[1_000];
    assert_eq!(
        (last.code.as_str(), last.severity),
        ("runnel::file::too_many_problems", Severity::Error)
    );
    assert!(last.message.starts_with("9000 more"), "{}", last.message);
}
