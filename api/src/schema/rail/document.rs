//! The document of a mutation: what is asked of it beside what the caller asked, and what it was told.

use std::collections::HashSet;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned, ServerError, Value, Variables};
use runnel_runtime::audit::AuditTarget;

use super::shape::{Shape, Shapes};

/// Begins the keys of what the rail asks for.
const NOTE: &str = "runnelRail_";

/// Adds what the rail needs to know to every mutation of the document.
pub(super) fn instrument(document: &mut ExecutableDocument, shapes: &Shapes) {
    let mut spread = HashSet::new();
    let operations = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        if operation.node.ty == OperationType::Mutation {
            instrument_set(&mut operation.node.selection_set.node, shapes, &mut spread);
        }
    }
    // fragments on the root; each is taken once, so that the cycles that validation refuses do no harm here
    let mut done: HashSet<Name> = HashSet::new();
    while let Some(name) = spread.iter().find(|name| !done.contains(*name)).cloned() {
        if let Some(fragment) = document.fragments.get_mut(&name) {
            instrument_set(&mut fragment.node.selection_set.node, shapes, &mut spread);
        }
        done.insert(name);
    }
}

fn instrument_set(set: &mut SelectionSet, shapes: &Shapes, spread: &mut HashSet<Name>) {
    for item in &mut set.items {
        match &mut item.node {
            Selection::Field(field) => {
                if let Some(shape) = shapes.get(field.node.name.node.as_str()) {
                    add_notes(&mut field.node.selection_set.node, shape);
                }
            }
            Selection::InlineFragment(inline) => {
                instrument_set(&mut inline.node.selection_set.node, shapes, spread);
            }
            Selection::FragmentSpread(fragment) => {
                spread.insert(fragment.node.fragment_name.node.clone());
            }
        }
    }
}

fn add_notes(set: &mut SelectionSet, shape: &Shape) {
    if shape.has_user_errors {
        set.items.push(note("userErrors", "code"));
    }
    for object in &shape.objects {
        set.items.push(note(object, "id"));
    }
}

/// `runnelRail_<field>: <field> { <inner> }`
fn note(field: &str, inner: &str) -> Positioned<Selection> {
    let inner = selection(inner, None, Vec::new());
    selection(field, Some(&format!("{NOTE}{field}")), vec![inner])
}

fn selection(name: &str, alias: Option<&str>, items: Vec<Positioned<Selection>>) -> Positioned<Selection> {
    let at = |name: &str| Positioned::new(Name::new(name), Pos::default());
    let field = Field {
        alias: alias.map(at),
        name: at(name),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet { items }, Pos::default()),
    };
    Positioned::new(
        Selection::Field(Positioned::new(field, Pos::default())),
        Pos::default(),
    )
}

/// What the payload says about what was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// Code of the first user error.
    pub code: Option<String>,
    /// The first object of the payload.
    pub target: Option<AuditTarget>,
}

/// Parts the answer from what the rail asked for.
pub(super) fn take_notes(value: Value) -> (Value, Notes) {
    let Value::Object(fields) = value else {
        return (value, Notes::default());
    };
    let mut notes = Notes::default();
    let (noted, kept): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(key, _)| key.starts_with(NOTE));
    for (_, value) in noted {
        match value {
            Value::List(errors) => {
                let code = errors.first().and_then(|error| member(error, "code"));
                notes.code = code.map(|code| match code {
                    Value::Enum(name) => name.to_string(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
            }
            object => {
                if let (None, Some(Value::String(id))) = (&notes.target, member(&object, "id")) {
                    notes.target = Some(of_id(id));
                }
            }
        }
    }
    (Value::Object(kept.into_iter().collect()), notes)
}

fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(name),
        _ => None,
    }
}

/// Ids carry their type.
fn of_id(id: &str) -> AuditTarget {
    let kind = id.split_once('_').map_or("run", |(kind, _)| kind);
    let id = match uuid::Uuid::try_parse(id) {
        Ok(run) => format!("run_{}", run.simple()),
        Err(_) => id.to_owned(),
    };
    AuditTarget {
        kind: kind.to_owned(),
        id,
    }
}

/// The code of an error.
pub(super) fn code_of(error: &ServerError) -> Option<String> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code.clone()),
        other => Some(other.to_string()),
    }
}

/// Keys of the answer that say whether it is a replay.
pub(super) fn replay_keys(field: &Field) -> Vec<String> {
    let fields = field
        .selection_set
        .node
        .items
        .iter()
        .filter_map(|item| match &item.node {
            Selection::Field(field) if field.node.name.node == "isReplay" => {
                Some(field.node.response_key().node.to_string())
            }
            _ => None,
        });
    fields.collect()
}

/// The `input` of a mutation with its variables filled in.
#[derive(Debug)]
pub(super) struct Input(serde_json::Value);

impl Input {
    /// What the field was given.
    pub fn of(field: &Field, variables: &Variables) -> Self {
        let value = field.get_argument("input").map(|value| {
            let filled = value.node.clone().into_const_with(|name| {
                Ok::<_, std::convert::Infallible>(variables.get(&name).cloned().unwrap_or_default())
            });
            filled.unwrap_or_else(|never| match never {})
        });
        Self(value.and_then(|value| value.into_json().ok()).unwrap_or_default())
    }

    /// A text of it.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    /// Whether it asks for a dry run.
    pub fn is_dry_run(&self) -> bool {
        self.0.get("dryRun").and_then(serde_json::Value::as_bool) == Some(true)
    }

    /// As JSON.
    pub fn json(&self) -> &serde_json::Value {
        &self.0
    }

    /// What the mutation acts on, as far as the request says: a task, a run, anything by id, or something by name.
    pub fn target(&self, mutation: &str) -> Option<AuditTarget> {
        let noun: String = mutation.chars().take_while(char::is_ascii_lowercase).collect();
        if let Some(run) = self.text("run") {
            let run = of_id(&run);
            return Some(match self.text("task") {
                Some(task) => AuditTarget {
                    kind: "task".to_owned(),
                    id: format!("{}:{task}", run.id),
                },
                None => run,
            });
        }
        if let Some(id) = self.text("id").or_else(|| self.only_id()) {
            return Some(of_id(&id));
        }
        let name = self.text("name").or_else(|| self.text("key"))?;
        Some(AuditTarget { kind: noun, id: name })
    }

    fn only_id(&self) -> Option<String> {
        match self.0.get("ids")?.as_array()?.as_slice() {
            [one] => one.as_str().map(str::to_owned),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::value;

    use super::*;

    const SDL: &str = "interface Node { id: ID! } type Run implements Node { id: ID! } \
        type RunPayload { run: Run isReplay: Boolean! userErrors: [UserError!]! } type UserError { code: String! } \
        type Query { a: Int } type Mutation { runCancel(input: Int): RunPayload! }";

    fn input(text: &str) -> Input {
        Input(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn mutations_are_asked_for_their_outcome_also_within_fragments() {
        let query = "mutation { ...F ... on Mutation { b: runCancel { isReplay } } } \
                     fragment F on Mutation { runCancel { run { id } } }";
        let mut document = parse_query(query).unwrap();
        instrument(&mut document, &Shapes::of_schema(SDL));
        let text = format!("{document:?}");
        assert_eq!(text.matches("runnelRail_userErrors").count(), 2);
        assert_eq!(text.matches("runnelRail_run").count(), 2);
    }

    #[test]
    fn notes_do_not_reach_the_caller() {
        let answer = value!({ "run": null, "runnelRail_userErrors": [{ "code": "RUN_NOT_FOUND" }], "runnelRail_run": null });
        let (kept, notes) = take_notes(answer);
        assert_eq!(kept, value!({ "run": null }));
        assert_eq!(notes.code.as_deref(), Some("RUN_NOT_FOUND"));
        let (_, notes) =
            take_notes(value!({ "runnelRail_run": { "id": "run_ab" }, "runnelRail_userErrors": [] }));
        assert_eq!(notes.code, None);
        assert_eq!(notes.target.unwrap().kind, "run");
    }

    #[test]
    fn the_target_is_what_the_input_names() {
        let check = |text: &str, mutation: &str, kind: &str, id: &str| {
            let target = input(text).target(mutation).unwrap();
            assert_eq!((target.kind.as_str(), target.id.as_str()), (kind, id));
        };
        check(r#"{"run":"run_1","task":"a"}"#, "taskSkip", "task", "run_1:a");
        check(
            r#"{"id":"schedule_1"}"#,
            "schedulePause",
            "schedule",
            "schedule_1",
        );
        check(
            r#"{"ids":["deadletter_1"]}"#,
            "deadLetterReplay",
            "deadletter",
            "deadletter_1",
        );
        check(r#"{"name":"db","value":"x"}"#, "secretSet", "secret", "db");
        let bare = r#"{"id":"01987c0f-0000-7000-8000-0000000000ab"}"#;
        check(bare, "runCancel", "run", "run_01987c0f0000700080000000000000ab");
        assert_eq!(input(r#"{"workflow":"w"}"#).target("runStart"), None);
    }
}
