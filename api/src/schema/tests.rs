//! Rules about the schema as a whole.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{FieldDefinition, TypeDefinition, TypeKind, TypeSystemDefinition};
use async_graphql::{Request, Value};

use super::{builder, members, sdl};
use crate::auth::Viewer;
use crate::graphql::PAGE_SIZES;

fn types() -> Vec<TypeDefinition> {
    let document = parse_schema(sdl()).unwrap();
    let types = document
        .definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        });
    types.collect()
}

fn fields(definition: &TypeDefinition) -> Vec<&FieldDefinition> {
    match &definition.kind {
        TypeKind::Object(object) => object.fields.iter().map(|f| &f.node).collect(),
        TypeKind::Interface(interface) => interface.fields.iter().map(|f| &f.node).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn everything_has_a_description() {
    let mut bare = Vec::new();
    let mut check = |name: String, has: bool| {
        if !has {
            bare.push(name);
        }
    };
    for definition in types() {
        let of = definition.name.node.to_string();
        check(of.clone(), definition.description.is_some());
        for field in fields(&definition) {
            check(format!("{of}.{}", field.name.node), field.description.is_some());
            for argument in &field.arguments {
                let name = format!("{of}.{}({})", field.name.node, argument.node.name.node);
                check(name, argument.node.description.is_some());
            }
        }
        match &definition.kind {
            TypeKind::Enum(values) => values.values.iter().for_each(|value| {
                check(
                    format!("{of}.{}", value.node.value.node),
                    value.node.description.is_some(),
                );
            }),
            TypeKind::InputObject(input) => input.fields.iter().for_each(|field| {
                check(
                    format!("{of}.{}", field.node.name.node),
                    field.node.description.is_some(),
                );
            }),
            _ => {}
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");
}

#[test]
fn the_committed_schema_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if std::env::var_os("RUNNEL_UPDATE_SCHEMA").is_some() {
        std::fs::write(path, sdl()).unwrap();
        return;
    }
    assert!(
        committed == sdl(),
        "schema.graphql is stale: run the tests with RUNNEL_UPDATE_SCHEMA=1 and commit it"
    );
}

#[test]
fn the_cost_guard_knows_every_page_size() {
    let mut sizes = BTreeMap::new();
    for definition in types() {
        for field in fields(&definition) {
            for argument in field.arguments.iter().filter(|a| a.node.name.node == "first") {
                let Some(Value::Number(size)) = argument.node.default_value.as_ref().map(|v| &v.node) else {
                    panic!(
                        "{}.{} has no default page size",
                        definition.name.node, field.name.node
                    );
                };
                sizes.insert(field.name.node.to_string(), size.as_u64().unwrap());
            }
        }
    }
    let known: BTreeMap<_, _> = PAGE_SIZES
        .iter()
        .map(|(name, size)| ((*name).to_owned(), *size))
        .collect();
    assert_eq!(sizes, known);
}

#[test]
fn lists_with_pages_are_connections_and_every_connection_has_its_parts() {
    for definition in types().iter().filter(|d| d.name.node.ends_with("Connection")) {
        let names: Vec<_> = fields(definition)
            .iter()
            .map(|f| f.name.node.to_string())
            .collect();
        assert_eq!(
            names,
            ["edges", "nodes", "pageInfo", "totalCount"],
            "{}",
            definition.name.node
        );
    }
}

/// Mutations that may be repeated without a key: the second one finds its effect in force, or is refused by the state.
const IDEMPOTENT_BY_NATURE: &[&str] = &[
    // each voter has one vote, and a decided approval refuses another
    "approvalResolve",
    // a token is used once
    "callbackComplete",
    "callbackHeartbeat",
    "backfillCancel",
    // the same retention again changes nothing
    "namespaceUpdate",
    "runCancel",
    "runPause",
    "runResume",
    // the same again answers what is there, another one under its key is refused
    "scheduleCreate",
    "scheduleDelete",
    "schedulePause",
    "scheduleResume",
    "scheduleUpdate",
    // the last value stands, however often it is stored; and no answer holds it
    "secretDelete",
    "secretSet",
    // the same limits again change nothing
    "taskFanoutUpdate",
    // a task that runs again is not failed any more
    "taskRetry",
    "taskSkip",
    "triggerDelete",
    "triggerPause",
    "triggerResume",
    // the same again answers the webhook that is there; its secret is kept nowhere, so no answer may be either
    "webhookCreate",
    // guarded by `expectedGeneration`, for the same reason
    "webhookRotateSecret",
    // equal content is one version
    "workflowPublish",
    "workflowValidate",
];

#[test]
fn every_mutation_is_idempotent_or_takes_a_key_and_answers_as_all_do() {
    let types = types();
    let fields_of = |name: &str| {
        let found = types.iter().find(|definition| definition.name.node == name);
        found.map(fields).unwrap_or_default()
    };
    let inputs_of = |name: &str| -> Vec<String> {
        let found = types.iter().find(|definition| definition.name.node == name);
        match found.map(|definition| &definition.kind) {
            Some(TypeKind::InputObject(input)) => input
                .fields
                .iter()
                .map(|f| f.node.name.node.to_string())
                .collect(),
            _ => Vec::new(),
        }
    };
    let mut problems = Vec::new();
    for field in fields_of("Mutation") {
        let name = field.name.node.as_str();
        let [argument] = field.arguments.as_slice() else {
            problems.push(format!("{name} must have one argument, `input`"));
            continue;
        };
        let inputs = inputs_of(argument.node.ty.node.to_string().trim_end_matches('!'));
        let has = |wanted: &str| inputs.iter().any(|input| input == wanted);
        if !has("clientMutationId") {
            problems.push(format!("the input of {name} has no clientMutationId"));
        }
        if !has("idempotencyKey") && !IDEMPOTENT_BY_NATURE.contains(&name) {
            problems.push(format!(
                "{name} takes no idempotencyKey: add it (the rail of mutations does the rest), or say why it needs none"
            ));
        }
        let payload = fields_of(field.ty.node.to_string().trim_end_matches('!'));
        let answers = |wanted: &str| payload.iter().any(|field| field.name.node == wanted);
        if !answers("userErrors") || !answers("clientMutationId") {
            problems.push(format!(
                "the payload of {name} lacks userErrors or clientMutationId"
            ));
        }
        if has("idempotencyKey") && !answers("isReplay") {
            problems.push(format!("the payload of {name} has no isReplay"));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Times are `xAt`; the one moment that a record is about is only `at`, as of an event. The bounds of a filter are no names
/// of times but comparators, the same for every type of value.
fn is_name_of_a_time(of: &str, name: &str) -> bool {
    let is_comparator = of == "DateTimeFilter" && matches!(name, "gte" | "gt" | "lte" | "lt");
    name == "at" || name.ends_with("At") || is_comparator
}

#[test]
fn names_follow_the_rules() {
    let mut problems = Vec::new();
    for definition in types() {
        let of = definition.name.node.as_str();
        let scalars: Vec<(String, String)> = match &definition.kind {
            TypeKind::Object(_) | TypeKind::Interface(_) => fields(&definition)
                .iter()
                .map(|f| (f.name.node.to_string(), f.ty.node.to_string()))
                .collect(),
            TypeKind::InputObject(input) => input
                .fields
                .iter()
                .map(|f| (f.node.name.node.to_string(), f.node.ty.node.to_string()))
                .collect(),
            _ => Vec::new(),
        };
        for (name, ty) in scalars {
            let base = ty.trim_matches(|c| matches!(c, '!' | '[' | ']'));
            let is_input = matches!(definition.kind, TypeKind::InputObject(_));
            if base == "DateTime" && !is_name_of_a_time(of, &name) {
                problems.push(format!("{of}.{name} is a time and should end in `At`"));
            }
            let is_question = ["is", "has", "can"].iter().any(|word| {
                name.strip_prefix(word)
                    .is_some_and(|rest| rest.starts_with(char::is_uppercase))
            });
            if base == "Boolean" && !is_question && !is_input {
                problems.push(format!(
                    "{of}.{name} is true or false and should begin with is, has or can"
                ));
            }
            let is_number_of_time = ["Ms", "Seconds", "Millis", "Minutes"]
                .iter()
                .any(|unit| name.ends_with(unit));
            if matches!(base, "Int" | "Float") && is_number_of_time {
                problems.push(format!("{of}.{name} should be a Duration"));
            }
            if base.ends_with("Connection") && !name.ends_with('s') {
                problems.push(format!("{of}.{name} is a list and should be plural"));
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn nothing_of_the_last_release_disappears_without_a_word() {
    let read = |name: &str| {
        let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let (now, breaking) = (members::members(&sdl()), read("BREAKING.md"));
    let broken: Vec<String> = members::broken(&members::read(&read("schema.released.txt")), &now)
        .into_iter()
        .filter(|name| !breaking.contains(&format!("`{name}`")))
        .collect();
    assert!(
        broken.is_empty(),
        "gone, of another type or newly required since the last release, and not in BREAKING.md: {broken:#?}"
    );
}

/// A call of the root field with arguments that are right in form.
fn call(field: &FieldDefinition) -> String {
    let name = field.name.node.as_str();
    let arguments: Vec<_> = field
        .arguments
        .iter()
        .filter(|a| !a.node.ty.node.nullable && a.node.default_value.is_none())
        .map(|a| {
            let value = match (a.node.name.node.as_str(), name) {
                ("input", "runStart") => "{ workflow: \"w\" }",
                ("input", "workflowPublish" | "workflowValidate") => "{ source: \"id: a\" }",
                ("input", "approvalResolve") => "{ run: \"r\", task: \"t\", decision: APPROVE }",
                ("input", "callbackComplete" | "callbackHeartbeat") => "{ token: \"t\" }",
                ("input", "signalSend") => "{ run: \"r\", name: \"n\" }",
                ("input", "taskRetry" | "taskSkip") => "{ run: \"r\", task: \"t\" }",
                ("input", "taskOverride") => "{ run: \"r\", task: \"t\", result: SUCCEED }",
                ("input", "taskFanoutUpdate") => "{ run: \"r\", task: \"t\", maxParallel: 2 }",
                ("input", "deadLetterDiscard") => "{ ids: [\"d\"], reason: \"r\" }",
                ("input", "deadLetterReplay") => "{ ids: [\"d\"] }",
                ("input", "circuitReset") => "{ key: \"k\" }",
                ("input", "runsBulk") => "{ action: PAUSE, filter: {} }",
                ("input", "namespaceCreate" | "namespaceUpdate") => "{ name: \"n\" }",
                ("input", "scheduleCreate") => {
                    "{ key: \"k\", workflow: \"w\", when: { cron: \"0 0 * * *\" } }"
                }
                ("input", "scheduleBackfill") => {
                    "{ id: \"s\", fromAt: \"2026-01-01T00:00:00Z\", untilAt: \"2026-01-02T00:00:00Z\" }"
                }
                ("input", "webhookCreate") => "{ key: \"k\", workflow: \"w\" }",
                ("input", "secretSet") => "{ name: \"N\", value: \"a value\" }",
                ("input", "secretDelete") => "{ name: \"N\" }",
                ("input", "eventPublish") => "{ events: [] }",
                ("input", _) => "{ id: \"r\" }",
                ("ids", _) => "[\"x\"]",
                _ => "\"x\"",
            };
            format!("{}: {value}", a.node.name.node)
        })
        .collect();
    let arguments = if arguments.is_empty() {
        String::new()
    } else {
        format!("({})", arguments.join(", "))
    };
    format!("{name}{arguments} {{ __typename }}")
}

#[tokio::test]
async fn every_root_field_refuses_a_caller_without_permissions() {
    use futures_util::StreamExt;
    let schema = builder().finish();
    let mut checked = 0;
    for definition in types() {
        let kind = match definition.name.node.as_str() {
            "Query" => "query",
            "Mutation" => "mutation",
            "Subscription" => "subscription",
            _ => continue,
        };
        // who one is, everybody may ask
        for field in fields(&definition)
            .into_iter()
            .filter(|field| field.name.node != "viewer")
        {
            let text = format!("{kind} {{ {} }}", call(field));
            let request = Request::new(&text).data(Viewer::without_permissions());
            let response = schema.execute_stream(request).next().await.unwrap();
            let codes: Vec<_> = response
                .errors
                .iter()
                .map(|e| e.extensions.as_ref().and_then(|x| x.get("code")).cloned())
                .collect();
            assert_eq!(
                codes,
                [Some(Value::from("FORBIDDEN"))],
                "{text}: {:?}",
                response.errors
            );
            checked += 1;
        }
    }
    assert_eq!(
        checked, 64,
        "a root field was added: see that it asks for a permission, then count it here"
    );
}
