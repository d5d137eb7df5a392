//! The workflow's inputs: each is a JSON Schema (draft 7), and a `default` that is a value satisfies it.

use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::schema;
use crate::source::check::{AT_START, Checker, shorten};
use crate::source::tree::{Node, Path, to_json_map};

/// Most inputs of one workflow; compiling a schema is not free.
const INPUTS_MAX: usize = 500;

impl Checker<'_, '_> {
    pub(crate) fn inputs(&mut self, node: &Node, path: Path<'_>) -> Map<String, Value> {
        let entries = self.map(node, path).unwrap_or_default();
        if entries.len() > INPUTS_MAX {
            let message = format!("{} inputs; the limit is {INPUTS_MAX}", entries.len());
            self.report
                .error("runnel::schema::range", node.at, path, message)
                .help("group inputs into objects");
            return Map::new();
        }
        for entry in entries {
            let path = path.key(&entry.key);
            let is_legal = entry
                .key
                .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !is_legal {
                self.report
                    .error(
                        "runnel::schema::input",
                        entry.key_at,
                        path,
                        format!("`{}` cannot be the name of an input", shorten(&entry.key)),
                    )
                    .help("a letter or `_`, then letters, digits and `_`");
            }
            if self.map(&entry.node, path).is_some() {
                self.input_schema(&entry.node, path);
            }
        }
        to_json_map(entries)
    }

    /// The schema that the output of a task must satisfy.
    pub(crate) fn output_schema(&mut self, node: &Node, path: Path<'_>) -> Option<Value> {
        self.map(node, path)?;
        let schema = node.to_json();
        let help = "`output_schema` is a JSON Schema (draft 7) of the whole output";
        self.json_schema(node, &schema, path, ("runnel::schema::output", help))?;
        Some(schema)
    }

    /// Compiles a JSON Schema, or says where it is none.
    fn json_schema(
        &mut self,
        node: &Node,
        schema: &Value,
        path: Path<'_>,
        (code, help): (&'static str, &'static str),
    ) -> Option<Validator> {
        if let Err(error) = jsonschema::draft7::meta::validate(schema) {
            let at = node_at(node, error.instance_path().as_str()).unwrap_or(node);
            let message = format!("not a valid JSON Schema: {error}");
            self.report.error(code, at.at, path, message).help(help);
            return None;
        }
        match schema::compile(schema) {
            Ok(validator) => Some(validator),
            Err(problem) => {
                let message = format!("this JSON Schema cannot be used: {problem}");
                self.report.error(code, node.at, path, message).help(help);
                None
            }
        }
    }

    fn input_schema(&mut self, node: &Node, path: Path<'_>) {
        let mut schema = node.to_json();
        let default = schema.as_object_mut().and_then(|schema| schema.remove("default"));
        let help = "an input without `default` must be given; `required` lists the keys of an object";
        let Some(validator) = self.json_schema(node, &schema, path, ("runnel::schema::input", help)) else {
            return;
        };
        let Some(place) = node.get("default") else { return };
        self.template(place, path.key("default"), AT_START);
        let is_template = default
            .as_ref()
            .is_some_and(|default| default.to_string().contains("${{"));
        if let Some(default) = default.filter(|_| !is_template)
            && let Err(error) = validator.validate(&default)
        {
            let message = format!("the default does not satisfy the schema: {error}");
            self.report.error(
                "runnel::schema::input_default",
                place.at,
                path.key("default"),
                message,
            );
        }
    }
}

/// The value at a JSON pointer.
fn node_at<'n>(root: &'n Node, pointer: &str) -> Option<&'n Node> {
    pointer.split('/').skip(1).try_fold(root, |node, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        match node.as_list() {
            Some(items) => items.get(step.parse::<usize>().ok()?),
            None => node.get(&step),
        }
    })
}
