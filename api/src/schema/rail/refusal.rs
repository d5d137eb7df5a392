//! The payload of a mutation that the rail refuses: made without its resolver, of what the request selects.
//!
//! A refusal that a client must branch on is data, as those of the resolvers are. Every payload of a mutation with a key can
//! be made so: beside `userErrors` it has nothing that must be there but lists, numbers and yes or no.

use std::collections::HashMap;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Directive, Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value, Variables};

use super::shape::Shape;

/// Fragments of a document.
pub(super) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// What a key that belongs to another request is answered with.
const KEY_TAKEN: &str =
    "the idempotency key was used for another request within the last 24 hours; use a new one";

/// Types of the error, as fragments name them.
const ERROR_TYPES: [&str; 2] = ["IdempotencyConflict", "UserError"];

/// What a request says beside the field.
pub(super) struct Asking<'a> {
    /// Its fragments.
    pub fragments: &'a Fragments,
    /// Its variables.
    pub variables: &'a Variables,
}

type Fields = IndexMap<Name, Value>;

/// The payload that refuses an idempotency key of another request; none when the payload has a field that must be there
/// and cannot be made up.
pub(super) fn key_taken(
    field: &Field,
    shape: &Shape,
    mutation_id: Option<String>,
    asking: &Asking<'_>,
) -> Option<Value> {
    let mut payload = shape.blank.clone()?;
    let text = |text: &str| Value::from(text);
    let code = "IDEMPOTENCY_CONFLICT";
    let error = Fields::from_iter([
        (Name::new("__typename"), text(ERROR_TYPES[0])),
        (Name::new("code"), Value::Enum(Name::new(code))),
        (Name::new("message"), text(KEY_TAKEN)),
        (
            Name::new("path"),
            Value::List(vec![text("input"), text("idempotencyKey")]),
        ),
        (Name::new("docsUrl"), Value::from(format!("/errors/{code}"))),
    ]);
    let errors = Value::List(vec![Value::Object(error)]);
    payload.insert(Name::new("userErrors"), errors);
    payload.insert(Name::new("__typename"), text(&shape.payload));
    payload.insert(
        Name::new("clientMutationId"),
        mutation_id.map_or(Value::Null, Value::from),
    );
    let mut selected = Fields::new();
    asking.select(
        &field.selection_set.node,
        &[&shape.payload],
        &payload,
        &mut selected,
    );
    Some(Value::Object(selected))
}

impl Asking<'_> {
    /// Adds what the set selects of an object of these types.
    fn select(&self, set: &SelectionSet, types: &[&str], object: &Fields, selected: &mut Fields) {
        for item in &set.items {
            if self.is_left_out(item.node.directives()) {
                continue;
            }
            match &item.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let value = object.get(&field.name.node).cloned().unwrap_or_default();
                    let value = self.select_inner(field, value);
                    let key = field.response_key().node.clone();
                    match selected.get_mut(&key) {
                        Some(there) => merge(there, value),
                        None => {
                            selected.insert(key, value);
                        }
                    }
                }
                Selection::InlineFragment(inline) => {
                    let condition = inline.node.type_condition.as_ref();
                    if condition.is_none_or(|on| types.contains(&on.node.on.node.as_str())) {
                        self.select(&inline.node.selection_set.node, types, object, selected);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(&spread.node.fragment_name.node);
                    let meant = fragment.filter(|fragment| {
                        types.contains(&fragment.node.type_condition.node.on.node.as_str())
                    });
                    if let Some(fragment) = meant {
                        self.select(&fragment.node.selection_set.node, types, object, selected);
                    }
                }
            }
        }
    }

    /// Of the errors what is selected of them; anything else as it is.
    fn select_inner(&self, field: &Field, value: Value) -> Value {
        match value {
            Value::Object(error) => {
                let mut selected = Fields::new();
                self.select(&field.selection_set.node, &ERROR_TYPES, &error, &mut selected);
                Value::Object(selected)
            }
            Value::List(items) => {
                let items = items.into_iter().map(|item| self.select_inner(field, item));
                Value::List(items.collect())
            }
            leaf => leaf,
        }
    }

    fn is_left_out(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().any(|directive| {
            let is_if = self.is_true(&directive.node);
            match directive.node.name.node.as_str() {
                "skip" => is_if,
                "include" => !is_if,
                _ => false,
            }
        })
    }

    fn is_true(&self, directive: &Directive) -> bool {
        let Some(value) = directive.get_argument("if") else {
            return false;
        };
        let filled = value.node.clone().into_const_with(|name| {
            Ok::<_, std::convert::Infallible>(self.variables.get(&name).cloned().unwrap_or_default())
        });
        matches!(filled, Ok(Value::Boolean(true)))
    }
}

/// A key that is selected twice has the fields of both.
fn merge(there: &mut Value, more: Value) {
    match (there, more) {
        (Value::Object(there), Value::Object(more)) => {
            for (key, value) in more {
                match there.get_mut(&key) {
                    Some(there) => merge(there, value),
                    None => {
                        there.insert(key, value);
                    }
                }
            }
        }
        (Value::List(there), Value::List(more)) => {
            for (there, more) in there.iter_mut().zip(more) {
                merge(there, more);
            }
        }
        // the same leaf
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::parser::types::DocumentOperations;
    use serde_json::json;

    use super::super::keyed::SELF_KEYED;
    use super::super::shape::Shapes;
    use super::*;

    fn refused(query: &str, variables: serde_json::Value) -> serde_json::Value {
        let document = parse_query(query).unwrap();
        let DocumentOperations::Single(operation) = document.operations else {
            panic!("one operation");
        };
        let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else {
            panic!("a field");
        };
        let shapes = Shapes::of_schema(&crate::sdl());
        let asking = Asking {
            fragments: &document.fragments,
            variables: &Variables::from_json(variables),
        };
        let shape = shapes.get(&field.node.name.node).unwrap();
        let answer = key_taken(&field.node, shape, Some("m".to_owned()), &asking).unwrap();
        answer.into_json().unwrap()
    }

    #[test]
    fn a_refusal_has_what_is_selected() {
        let query = "mutation($no: Boolean!) { deadLetterReplay(input: {}) {
            __typename matched isReplay clientMutationId deadLetters { id } id: clientMutationId @skip(if: true)
            userErrors { code ...E } userErrors { path run: message @include(if: $no) ... on InputError { hint } }
            ... on DeadLetterPayload { again: userErrors { ... on IdempotencyConflict { run { id } } hint } } } }
            fragment E on UserError { __typename docsUrl }";
        assert_eq!(
            refused(query, json!({ "no": false })),
            json!({
                "__typename": "DeadLetterPayload", "matched": 0, "isReplay": false, "clientMutationId": "m",
                "deadLetters": [],
                "userErrors": [{
                    "code": "IDEMPOTENCY_CONFLICT", "__typename": "IdempotencyConflict",
                    "docsUrl": "/errors/IDEMPOTENCY_CONFLICT", "path": ["input", "idempotencyKey"],
                }],
                "again": [{ "run": null, "hint": null }],
            })
        );
    }

    #[test]
    fn every_mutation_with_a_key_can_be_refused_so() {
        let sdl = crate::sdl();
        let shapes = Shapes::of_schema(&sdl);
        let keyed: Vec<&str> = shapes
            .with_key()
            .filter(|name| !SELF_KEYED.contains(name))
            .collect();
        assert!(keyed.len() >= 10, "{keyed:?}");
        for name in keyed {
            let shape = shapes.get(name).unwrap();
            assert!(
                shape.blank.is_some() && shape.has_user_errors,
                "the payload of {name} has a field that a refusal cannot fill"
            );
        }
    }
}
