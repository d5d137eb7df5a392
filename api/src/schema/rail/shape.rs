//! What the rail must know of each mutation, read from the schema itself.

use std::collections::{HashMap, HashSet};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ObjectType, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Value};

/// Mutations that change nothing and so leave nothing to tell.
pub(crate) const CHANGES_NOTHING: [&str; 1] = ["workflowValidate"];

/// What the payload of a mutation holds.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Fields with an object that has an id, in the order of the schema.
    pub objects: Vec<String>,
    /// Whether there are `userErrors`.
    pub has_user_errors: bool,
    /// Name of its type.
    pub payload: String,
    /// Its other fields that must be there, as nothing; `None` when one of them cannot be made up.
    pub blank: Option<IndexMap<Name, Value>>,
    /// Whether its input may have an idempotency key.
    #[cfg(test)]
    has_key: bool,
}

/// The mutations of a schema by name.
#[derive(Debug, Default)]
pub(super) struct Shapes(HashMap<String, Shape>);

impl Shapes {
    /// Reads them.
    pub fn of_schema(sdl: &str) -> Self {
        let Ok(document) = parse_schema(sdl) else {
            // the text comes from the library that reads it; without it mutations are logged by what they were asked
            tracing::error!("the schema does not read its own text");
            return Self::default();
        };
        let types: Vec<TypeDefinition> = document
            .definitions
            .into_iter()
            .filter_map(|definition| match definition {
                TypeSystemDefinition::Type(definition) => Some(definition.node),
                _ => None,
            })
            .collect();
        let objects: HashMap<&str, &ObjectType> = types
            .iter()
            .filter_map(|definition| match &definition.kind {
                TypeKind::Object(object) => Some((definition.name.node.as_str(), object)),
                _ => None,
            })
            .collect();
        let nodes: HashSet<&str> = objects
            .iter()
            .filter(|(_, object)| object.implements.iter().any(|name| name.node == "Node"))
            .map(|(name, _)| *name)
            .collect();
        let Some(mutation) = objects.get("Mutation") else {
            return Self::default();
        };
        let shapes = mutation.fields.iter().map(|field| {
            let payload = objects.get(name_of(&field.node.ty.node));
            let shape = payload
                .map(|payload| shape_of(name_of(&field.node.ty.node), payload, &nodes))
                .unwrap_or_default();
            #[cfg(test)]
            let shape = Shape {
                has_key: has_key(&types, &field.node),
                ..shape
            };
            (field.node.name.node.to_string(), shape)
        });
        Self(shapes.collect())
    }

    /// The mutations that may have an idempotency key.
    #[cfg(test)]
    pub fn with_key(&self) -> impl Iterator<Item = &str> {
        let keyed = self.0.iter().filter(|(_, shape)| shape.has_key);
        keyed.map(|(name, _)| name.as_str())
    }

    /// The mutation of this name.
    pub fn get(&self, name: &str) -> Option<&Shape> {
        self.0.get(name)
    }
}

/// Whether the input of a mutation has an idempotency key.
#[cfg(test)]
fn has_key(types: &[TypeDefinition], mutation: &async_graphql::parser::types::FieldDefinition) -> bool {
    let input = mutation
        .arguments
        .first()
        .map(|input| name_of(&input.node.ty.node));
    types.iter().any(|definition| match &definition.kind {
        TypeKind::InputObject(object) if Some(definition.name.node.as_str()) == input => object
            .fields
            .iter()
            .any(|field| field.node.name.node == "idempotencyKey"),
        _ => false,
    })
}

fn shape_of(name: &str, payload: &ObjectType, nodes: &HashSet<&str>) -> Shape {
    let mut shape = Shape {
        payload: name.to_owned(),
        blank: blank_of(payload),
        ..Shape::default()
    };
    for field in &payload.fields {
        let (name, ty) = (field.node.name.node.as_str(), &field.node.ty.node);
        shape.has_user_errors |= name == "userErrors";
        if matches!(ty.base, BaseType::Named(_)) && nodes.contains(name_of(ty)) {
            shape.objects.push(name.to_owned());
        }
    }
    shape
}

fn blank_of(payload: &ObjectType) -> Option<IndexMap<Name, Value>> {
    let needed = payload
        .fields
        .iter()
        .filter(|field| !field.node.ty.node.nullable && field.node.name.node != "userErrors");
    needed
        .map(|field| {
            let blank = match &field.node.ty.node.base {
                BaseType::List(_) => Value::List(Vec::new()),
                BaseType::Named(name) if name == "Boolean" => Value::Boolean(false),
                BaseType::Named(name) if name == "Int" => Value::from(0),
                BaseType::Named(_) => return None,
            };
            Some((field.node.name.node.clone(), blank))
        })
        .collect()
}

fn name_of(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => name_of(inner),
    }
}
