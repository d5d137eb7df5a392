//! What the rail must know of each mutation, read from the schema itself.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ObjectType, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};

/// Mutations that change nothing and so leave nothing to tell.
pub(crate) const CHANGES_NOTHING: [&str; 1] = ["workflowValidate"];

/// What the payload of a mutation holds.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Fields with an object that has an id, in the order of the schema.
    pub objects: Vec<String>,
    /// Whether there are `userErrors`.
    pub has_user_errors: bool,
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
                .map(|payload| shape_of(payload, &nodes))
                .unwrap_or_default();
            (field.node.name.node.to_string(), shape)
        });
        Self(shapes.collect())
    }

    /// The mutation of this name.
    pub fn get(&self, name: &str) -> Option<&Shape> {
        self.0.get(name)
    }
}

fn shape_of(payload: &ObjectType, nodes: &HashSet<&str>) -> Shape {
    let mut shape = Shape::default();
    for field in &payload.fields {
        let (name, ty) = (field.node.name.node.as_str(), &field.node.ty.node);
        shape.has_user_errors |= name == "userErrors";
        if matches!(ty.base, BaseType::Named(_)) && nodes.contains(name_of(ty)) {
            shape.objects.push(name.to_owned());
        }
    }
    shape
}

fn name_of(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => name_of(inner),
    }
}
