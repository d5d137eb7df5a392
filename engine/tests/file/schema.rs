//! The published JSON Schema and the reader agree.

use std::collections::BTreeSet;

use runnel_engine::source::{Format, read};
use serde_json::Value;

use crate::dialects::samples;
use crate::support::with_task;

const SCHEMA: &str = include_str!("../../../docs/workflow.v1.schema.json");

fn schema() -> Value {
    let Ok(schema) = serde_json::from_str(SCHEMA) else {
        panic!("the schema is no JSON")
    };
    schema
}

/// The keys that the reader names when it refuses an unknown one.
fn known_keys(text: &str) -> BTreeSet<String> {
    let reading = read(text, Format::Auto);
    let help = reading
        .diagnostics
        .iter()
        .find_map(|d| d.help.as_ref()?.strip_prefix("known keys here: "));
    help.unwrap_or_default().split(", ").map(str::to_owned).collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys().cloned())
        .collect()
}

#[test]
fn the_schema_has_the_keys_of_the_reader() {
    let schema = schema();
    assert_eq!(
        properties(&schema["properties"]),
        known_keys("id: a\nzzzzzzzz: 1\ntasks: { t: { run: x } }")
    );
    let task = &schema["definitions"]["task"]["properties"];
    assert_eq!(properties(task), known_keys(&with_task("run: x\nzzzzzzzz: 1")));
    let retry = &schema["definitions"]["retry"]["oneOf"][1]["properties"];
    assert_eq!(
        properties(retry),
        known_keys(&with_task("run: x\nretry: { zzzzzzzz: 1 }"))
    );
    let for_each = &task["for_each"]["oneOf"][2]["properties"];
    assert_eq!(
        properties(for_each),
        known_keys(&with_task("run: x\nfor_each: { items: [], zzzzzzzz: 1 }"))
    );
    let defaults = &schema["properties"]["defaults"]["properties"];
    assert_eq!(
        properties(defaults),
        known_keys("id: a\ndefaults: { zzzzzzzz: 1 }\ntasks: { t: { run: x } }")
    );
}

#[test]
fn every_v1_sample_and_every_conversion_satisfies_the_schema() {
    let Ok(validator) = jsonschema::draft7::new(&schema()) else {
        panic!("the schema is no JSON Schema")
    };
    for (path, text) in samples() {
        let v1 = read(&text, Format::Auto).converted.unwrap_or(text);
        let value: Value = match serde_saphyr::from_str(&v1) {
            Ok(value) => value,
            Err(error) => panic!("{}: {error}\n{v1}", path.display()),
        };
        let problems: Vec<String> = validator
            .iter_errors(&value)
            .map(|e| format!("{} {e}", e.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{}: {problems:#?}\n{v1}", path.display());
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let Ok(validator) = jsonschema::draft7::new(&schema()) else {
        panic!("the schema is no JSON Schema")
    };
    for text in [
        "id: a",
        "id: A\ntasks: { t: { run: x } }",
        "id: a\ntasks: {}",
        "id: a\ntasks: { my-task: { run: x } }",
        "id: a\ntasks: { t: { run: x, type: http } }",
        "id: a\ntasks: { t: { name: x } }",
        "id: a\ntasks: { t: { run: x, timeout: 5 } }",
        "id: a\ntasks: { t: { run: x, timeout: 30m1h } }",
        "id: a\ntasks: { t: { run: x, retry: -1 } }",
        "id: a\ntasks: { t: { run: x, nedes: y } }",
        "id: a\ntasks: { t: { run: x, trigger_rule: some } }",
    ] {
        let Ok(value) = serde_saphyr::from_str::<Value>(text) else {
            panic!("{text}")
        };
        assert!(!validator.is_valid(&value), "{text}");
        assert!(read(text, Format::Auto).workflow.is_none(), "{text}");
    }
}
