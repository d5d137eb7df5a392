//! The members of the schema, one a line: what clients can depend on, without a word of documentation. With a release this
//! list is kept, and whatever of it is gone or has another type later is a breaking change.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    FieldDefinition, InputValueDefinition, ServiceDocument, TypeKind, TypeSystemDefinition,
};

/// Type, `Type.field`, `Type.field(argument)` or `Enum.VALUE`, each with its type where it has one. An argument or input
/// field that must be given ends in ` required`.
pub(crate) type Members = BTreeMap<String, String>;

/// The members of a schema; none of a text that is no schema.
pub(crate) fn members(sdl: &str) -> Members {
    parse_schema(sdl).map_or_else(|_| Members::new(), |document| of_document(&document))
}

/// The members as text, sorted.
pub(crate) fn listed(members: &Members) -> String {
    let lines = members.iter().map(|(name, ty)| match ty.as_str() {
        "" => format!("{name}\n"),
        ty => format!("{name} {ty}\n"),
    });
    lines.collect()
}

/// Reads what [`listed`] wrote.
#[cfg(test)]
pub(crate) fn read(text: &str) -> Members {
    let entry = |line: &str| {
        let (name, ty) = line.split_once(' ').unwrap_or((line, ""));
        (name.to_owned(), ty.to_owned())
    };
    text.lines().map(entry).collect()
}

/// Members that break clients of the earlier schema: gone, of another type, or required where nothing was asked for.
#[cfg(test)]
pub(crate) fn broken(released: &Members, now: &Members) -> Vec<String> {
    let changed = released.iter().filter(|(name, ty)| now.get(*name) != Some(ty));
    let asked = now.iter().filter(|(name, ty)| {
        let owner = name.rsplit_once(['(', '.']).map_or("", |(owner, _)| owner);
        ty.ends_with(REQUIRED) && !released.contains_key(*name) && released.contains_key(owner)
    });
    let mut names: Vec<String> = changed.chain(asked).map(|(name, _)| name.clone()).collect();
    names.sort_unstable();
    names
}

const REQUIRED: &str = " required";

fn of_document(document: &ServiceDocument) -> Members {
    let mut members = Members::new();
    for definition in &document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let of = definition.node.name.node.to_string();
        match &definition.node.kind {
            TypeKind::Object(object) => add_fields(&mut members, &of, object.fields.iter().map(|f| &f.node)),
            TypeKind::Interface(interface) => {
                add_fields(&mut members, &of, interface.fields.iter().map(|f| &f.node));
            }
            TypeKind::Enum(values) => {
                for value in &values.values {
                    members.insert(format!("{of}.{}", value.node.value.node), String::new());
                }
            }
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    members.insert(format!("{of}.{}", field.node.name.node), input_type(&field.node));
                }
            }
            TypeKind::Union(union) => {
                for member in &union.members {
                    members.insert(format!("{of}.{}", member.node), String::new());
                }
            }
            TypeKind::Scalar => {}
        }
        members.insert(of, String::new());
    }
    members
}

fn add_fields<'f>(members: &mut Members, of: &str, fields: impl Iterator<Item = &'f FieldDefinition>) {
    for field in fields {
        let name = format!("{of}.{}", field.name.node);
        for argument in &field.arguments {
            let argument = &argument.node;
            members.insert(format!("{name}({})", argument.name.node), input_type(argument));
        }
        members.insert(name, field.ty.node.to_string());
    }
}

fn input_type(input: &InputValueDefinition) -> String {
    let is_required = !input.ty.node.nullable && input.default_value.is_none();
    let required = if is_required { REQUIRED } else { "" };
    format!("{}{required}", input.ty.node)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASED: &str = "type Query { run(id: ID!, deep: Boolean! = false): Run }
        type Run { id: ID! old: Int status: Status! } enum Status { A B } input Filter { key: String }";

    fn broken_by(now: &str) -> Vec<String> {
        broken(&members(RELEASED), &members(now))
    }

    #[test]
    fn members_are_one_a_line_and_read_back() {
        let members = members(RELEASED);
        let text = listed(&members);
        assert_eq!(
            text,
            "Filter\nFilter.key String\nQuery\nQuery.run Run\nQuery.run(deep) Boolean!\nQuery.run(id) ID! required\n\
             Run\nRun.id ID!\nRun.old Int\nRun.status Status!\nStatus\nStatus.A\nStatus.B\n"
        );
        assert_eq!(read(&text), members);
    }

    #[test]
    fn what_is_added_breaks_nothing() {
        let now = RELEASED
            .replace("old: Int", "old: Int new: Int")
            .replace("deep:", "wide: Int deep:")
            .replace("A B", "A B C")
            .replace("key: String", "key: String other: Int! = 1");
        assert_eq!(broken_by(&now), [""; 0]);
    }

    #[test]
    fn what_is_gone_or_changed_or_newly_required_is_named() {
        assert_eq!(broken_by(&RELEASED.replace("old: Int", "")), ["Run.old"]);
        assert_eq!(
            broken_by(&RELEASED.replace("old: Int", "old: Float")),
            ["Run.old"]
        );
        assert_eq!(broken_by(&RELEASED.replace("A B", "A")), ["Status.B"]);
        assert_eq!(
            broken_by(&RELEASED.replace(", deep: Boolean! = false", "")),
            ["Query.run(deep)"]
        );
        assert_eq!(
            broken_by(&RELEASED.replace("key: String", "key: String other: Int!")),
            ["Filter.other"]
        );
        assert_eq!(
            broken_by(&RELEASED.replace("id: ID!, deep", "id: ID!, wide: Int!, deep")),
            ["Query.run(wide)"]
        );
    }
}
