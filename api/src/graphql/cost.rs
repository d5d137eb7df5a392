//! The cost of a document, measured before the GraphQL library sees it.
//!
//! async-graphql expands every fragment spread while it checks recursion, directives, depth and complexity, so a
//! document of one kilobyte costs seconds of CPU that nothing can cancel, whatever limits are set there. Here each
//! fragment is measured once per operation, so that measuring is linear in the document; what passes is small enough
//! for the library's own walks. Every operation is measured, not only the one that will run, because the library walks
//! all of them.

use std::collections::HashMap;

use async_graphql::Value as Const;
use async_graphql::parser::Positioned;
use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet};
use async_graphql_value::Value;

use serde_json::{Map, Value as Json};

use crate::error::{ApiError, Code};

/// Page sizes of lists whose `first` is not given. A test keeps this table equal to the schema.
pub(crate) const PAGE_SIZES: &[(&str, u64)] = &[
    ("approvals", 50),
    ("auditEntries", 50),
    ("backfills", 10),
    ("bulkOperations", 50),
    ("childRuns", 50),
    ("circuits", 50),
    ("deadLetters", 50),
    ("events", 100),
    ("failures", 50),
    ("items", 50),
    ("namespaces", 50),
    ("nextRuns", 20),
    ("outcomes", 50),
    ("recentRuns", 5),
    ("runs", 50),
    ("schedules", 50),
    ("tasks", 50),
    ("triggerOutcomes", 50),
    ("triggers", 50),
    ("versions", 50),
    ("workflows", 50),
];

/// Fields of a connection that hold what the connection itself has loaded.
const WRAPPERS: [&str; 4] = ["edges", "node", "nodes", "pageInfo"];

/// What one document may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Points: one for each object that must be loaded, the items of lists within lists multiplied (the rule of GitHub's
    /// API); scalars and the wrappers of a connection are free.
    pub(crate) points: u64,
    /// Fields after all fragments are expanded.
    pub(crate) fields: u64,
    /// Nesting of fields.
    pub(crate) depth: u64,
    /// Nesting of fields below `__schema` and `__type`, where tools ask for ten levels of `ofType`.
    pub(crate) introspection_depth: u64,
    /// Aliases.
    pub(crate) aliases: u64,
    /// Directives.
    pub(crate) directives: u64,
    /// Fields at the root of an operation.
    pub(crate) root_fields: u64,
    /// Fragment definitions.
    pub(crate) fragments: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            points: 10_000,
            fields: 2_000,
            depth: 12,
            introspection_depth: 20,
            aliases: 30,
            directives: 10,
            root_fields: 20,
            fragments: 100,
        }
    }
}

/// Refuses a document that costs too much; answers the points of the most expensive operation.
pub(crate) fn check(
    doc: &ExecutableDocument,
    variables: &Map<String, Json>,
    limits: &Limits,
) -> Result<u64, ApiError> {
    if doc.fragments.len() > limits.fragments {
        return Err(over("fragments", limits.fragments as u64));
    }
    let mut sum = Cost::default();
    for (_, operation) in doc.operations.iter() {
        let mut walk = Walk {
            doc,
            operation: &operation.node,
            variables,
            memo: HashMap::new(),
        };
        let own = Cost {
            directives: operation.node.directives.len() as u64,
            ..Cost::default()
        };
        sum.add(own.joined(walk.set(&operation.node.selection_set.node, Place::Data)?));
    }
    for (what, cost, limit) in [
        ("fields", sum.fields, limits.fields),
        ("levels of fields", sum.depth, limits.depth),
        (
            "levels of introspection",
            sum.introspection_depth,
            limits.introspection_depth,
        ),
        ("aliases", sum.aliases, limits.aliases),
        ("directives", sum.directives, limits.directives),
        ("root fields", sum.roots, limits.root_fields),
        ("complexity points", sum.points, limits.points),
    ] {
        if cost > limit {
            return Err(over(what, limit));
        }
    }
    Ok(sum.points)
}

fn over(what: &str, limit: u64) -> ApiError {
    ApiError::new(
        Code::QueryTooComplex,
        format!("the document has more than {limit} {what}"),
    )
}

/// Where a selection set stands; introspection has a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Data,
    Introspection,
    /// Below a list of types or fields of introspection: another such list would multiply.
    IntrospectionList,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    points: u64,
    fields: u64,
    depth: u64,
    introspection_depth: u64,
    aliases: u64,
    directives: u64,
    roots: u64,
}

impl Cost {
    /// Side by side in one selection set.
    fn joined(self, other: Self) -> Self {
        Self {
            points: self.points.saturating_add(other.points),
            fields: self.fields.saturating_add(other.fields),
            depth: self.depth.max(other.depth),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            roots: self.roots.saturating_add(other.roots),
        }
    }

    /// Two operations of one document: the library walks both, but runs one.
    fn add(&mut self, other: Self) {
        let (points, roots) = (self.points.max(other.points), self.roots.max(other.roots));
        *self = Self {
            points,
            roots,
            ..self.joined(other)
        };
    }
}

struct Walk<'a> {
    doc: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Map<String, Json>,
    /// `None` while the fragment is being measured: meeting it again is a cycle.
    memo: HashMap<(&'a str, Place), Option<Cost>>,
}

impl<'a> Walk<'a> {
    fn set(&mut self, set: &'a SelectionSet, place: Place) -> Result<Cost, ApiError> {
        let mut sum = Cost::default();
        for item in &set.items {
            let own = Cost {
                directives: item.node.directives().len() as u64,
                ..Cost::default()
            };
            let inner = match &item.node {
                Selection::Field(field) => self.field(&field.node, place)?,
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node, place)?,
                Selection::FragmentSpread(spread) => {
                    self.spread(spread.node.fragment_name.node.as_str(), place)?
                }
            };
            sum = sum.joined(own).joined(inner);
        }
        Ok(sum)
    }

    fn spread(&mut self, name: &'a str, place: Place) -> Result<Cost, ApiError> {
        match self.memo.get(&(name, place)) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => {
                let message = format!("Cannot spread fragment \"{name}\" within itself.");
                return Err(ApiError::new(Code::GraphqlValidationFailed, message));
            }
            None => {}
        }
        // an unknown fragment is reported by validation
        let Some(fragment) = self.doc.fragments.get(name) else {
            return Ok(Cost::default());
        };
        self.memo.insert((name, place), None);
        let own = Cost {
            fields: 1, // a spread is never free, so that chains of empty fragments are bounded as well
            directives: fragment.node.directives.len() as u64,
            ..Cost::default()
        };
        let cost = own.joined(self.set(&fragment.node.selection_set.node, place)?);
        self.memo.insert((name, place), Some(cost));
        Ok(cost)
    }

    fn field(&mut self, field: &'a Field, place: Place) -> Result<Cost, ApiError> {
        let name = field.name.node.as_str();
        let inside = inner_place(name, place)?;
        let inner = self.set(&field.selection_set.node, inside)?;
        let is_introspection = inside != Place::Data;
        Ok(Cost {
            points: self.points(field, inner.points),
            fields: inner.fields.saturating_add(1),
            depth: if is_introspection { 1 } else { inner.depth + 1 },
            introspection_depth: if is_introspection {
                inner.introspection_depth + 1
            } else {
                inner.introspection_depth
            },
            aliases: inner.aliases.saturating_add(u64::from(field.alias.is_some())),
            directives: inner.directives,
            roots: 1,
        })
    }

    /// An object costs one point and what is inside it, a list as much for each item.
    fn points(&self, field: &Field, inside: u64) -> u64 {
        let is_wrapper = field.arguments.is_empty() && WRAPPERS.contains(&field.name.node.as_str());
        if is_wrapper || field.selection_set.node.items.is_empty() {
            return inside;
        }
        inside.saturating_add(1).saturating_mul(self.items(field))
    }

    /// Most items the field may answer: its `first` or `last`, or the length of its longest list argument.
    fn items(&self, field: &Field) -> u64 {
        let mut items = 1;
        let mut has_first = false;
        for (name, value) in &field.arguments {
            if matches!(name.node.as_str(), "first" | "last") {
                has_first = true;
                items = items.max(self.number(value).unwrap_or(1));
            } else {
                items = items.max(self.length(value));
            }
        }
        if !has_first {
            let name = field.name.node.as_str();
            let size = PAGE_SIZES
                .iter()
                .find(|(list, _)| *list == name)
                .map_or(1, |(_, size)| *size);
            items = items.max(size);
        }
        items
    }

    fn number(&self, value: &Positioned<Value>) -> Option<u64> {
        match &value.node {
            Value::Number(number) => number.as_u64(),
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(given) => given.as_u64(),
                None => self.default_of(name).and_then(|value| match value {
                    Const::Number(number) => number.as_u64(),
                    _ => None,
                }),
            },
            _ => None,
        }
    }

    fn length(&self, value: &Positioned<Value>) -> u64 {
        let length = match &value.node {
            Value::List(items) => items.len(),
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(Json::Array(items)) => items.len(),
                Some(_) => 1,
                None => match self.default_of(name) {
                    Some(Const::List(items)) => items.len(),
                    _ => 1,
                },
            },
            _ => 1,
        };
        length as u64
    }

    fn default_of(&self, name: &str) -> Option<&'a Const> {
        let definition = self
            .operation
            .variable_definitions
            .iter()
            .find(|d| d.node.name.node.as_str() == name)?;
        definition.node.default_value.as_ref().map(|value| &value.node)
    }
}

/// Fields of introspection that answer lists whose items have such lists again.
const INTROSPECTION_LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

fn inner_place(field: &str, place: Place) -> Result<Place, ApiError> {
    match place {
        Place::Data if field == "__schema" || field == "__type" => Ok(Place::Introspection),
        Place::Data => Ok(Place::Data),
        Place::Introspection if INTROSPECTION_LISTS.contains(&field) => Ok(Place::IntrospectionList),
        Place::IntrospectionList if INTROSPECTION_LISTS.contains(&field) => Err(ApiError::new(
            Code::QueryTooComplex,
            "introspection may not ask for the fields of the types of fields",
        )),
        Place::Introspection | Place::IntrospectionList => Ok(place),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use async_graphql::parser::parse_query;
    use serde_json::{Map, Value, json};

    use super::{Limits, check};

    fn points(text: &str, variables: &Value) -> Result<u64, String> {
        let variables: Map<_, _> = variables.as_object().cloned().unwrap_or_default();
        check(&parse_query(text).unwrap(), &variables, &Limits::default()).map_err(|e| e.message)
    }

    #[test]
    fn objects_count_once_for_each_item_around_them() {
        assert_eq!(
            points(
                "{ runs(first: 10) { nodes { id status } pageInfo { hasNextPage } } }",
                &json!({})
            )
            .unwrap(),
            10
        );
        assert_eq!(
            points("{ runs { edges { node { workflow { key } } } } }", &json!({})).unwrap(),
            50 * 2
        );
        let text = "query($n: Int = 3) { runs(first: $n) { nodes { tasks(first: 4) { nodes { id } } } } }";
        assert_eq!(points(text, &json!({})).unwrap(), 3 * (1 + 4));
        assert_eq!(points(text, &json!({ "n": 5 })).unwrap(), 5 * (1 + 4));
        assert_eq!(
            points("{ nodes(ids: [\"a\", \"b\"]) { id } }", &json!({})).unwrap(),
            2
        );
        assert_eq!(
            points(
                "query($i: [ID!]!) { nodes(ids: $i) { id } }",
                &json!({ "i": [1, 2, 3] })
            )
            .unwrap(),
            3
        );
    }

    #[test]
    fn the_query_that_a_newcomer_types_is_allowed() {
        let text = "{ runs { nodes { id status workflow { key } counts { succeeded } \
                    tasks { nodes { key status output } } events { nodes { seq kind } } } } }";
        assert!(points(text, &json!({})).is_ok());
    }

    #[test]
    fn pages_of_pages_are_refused() {
        let text = "{ runs(first: 200) { nodes { tasks(first: 200) { nodes { id } } } } }";
        assert!(points(text, &json!({})).unwrap_err().contains("complexity"));
        let text = "query($n: Int!) { runs(first: $n) { nodes { tasks(first: $n) { nodes { id } } } } }";
        assert!(points(text, &json!({ "n": 200 })).is_err());
        assert!(points(text, &json!({ "n": 20 })).is_ok());
    }

    /// One kilobyte that the library's own checks expand for seconds.
    fn bomb(levels: u32) -> String {
        let mut text = String::from("query A { ...f0 } query B { ...f0 }");
        for level in 0..levels {
            write!(
                text,
                " fragment f{level} on Q {{ ...f{n} ...f{n} ...f{n} }}",
                n = level + 1
            )
            .unwrap();
        }
        write!(text, " fragment f{levels} on Q {{ a }}").unwrap();
        text
    }

    #[test]
    fn nested_fragments_are_measured_once_and_refused() {
        // 3^60 fields: only a memoised walk ends
        assert!(points(&bomb(60), &json!({})).unwrap_err().contains("fields"));
    }

    #[test]
    fn an_operation_that_will_not_run_is_measured_as_well() {
        let aliases: String = (0..31).map(|n| format!("a{n}: id ")).collect();
        assert!(
            points(&format!("query A {{ id }} query B {{ {aliases} }}"), &json!({}))
                .unwrap_err()
                .contains("aliases")
        );
    }

    #[test]
    fn cycles_of_fragments_are_refused() {
        let text = "{ ...a } fragment a on Q { ...b } fragment b on Q { x { ...a } }";
        assert!(points(text, &json!({})).unwrap_err().contains("within itself"));
        let unused = "{ id } fragment a on Q { ...a }";
        assert!(
            points(unused, &json!({})).is_ok(),
            "validation reports a fragment that nothing uses"
        );
    }

    #[test]
    fn each_limit_refuses_one_more_than_it_allows() {
        let nested = |n: usize| format!("{{ {} a {} }}", "a { ".repeat(n - 1), "}".repeat(n - 1));
        assert!(points(&nested(12), &json!({})).is_ok());
        assert!(points(&nested(13), &json!({})).unwrap_err().contains("levels"));
        let roots = |n: usize| format!("{{ {} }}", (0..n).map(|i| format!("f{i} ")).collect::<String>());
        assert!(points(&roots(20), &json!({})).is_ok());
        assert!(
            points(&roots(21), &json!({}))
                .unwrap_err()
                .contains("root fields")
        );
        let directives = |n: usize| format!("{{ a {} }}", "@include(if: true) ".repeat(n));
        assert!(points(&directives(10), &json!({})).is_ok());
        assert!(
            points(&directives(11), &json!({}))
                .unwrap_err()
                .contains("directives")
        );
    }

    #[test]
    fn introspection_may_be_deep_but_not_multiply() {
        let of_type = "ofType { ".repeat(9) + "name" + &" }".repeat(9);
        assert!(
            points(
                &format!("{{ __schema {{ types {{ fields {{ type {{ {of_type} }} }} }} }} }}"),
                &json!({})
            )
            .is_ok()
        );
        let text = "{ __schema { types { fields { type { fields { name } } } } } }";
        assert!(points(text, &json!({})).is_err());
        let hidden =
            "{ __schema { types { fields { type { ...f } } } } } fragment f on __Type { fields { name } }";
        assert!(points(hidden, &json!({})).is_err());
    }
}
