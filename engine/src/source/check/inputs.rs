//! The workflow's inputs: each is a JSON Schema (draft 7), and a `default` that is a value satisfies it.

use serde_json::{Map, Value};

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

    fn input_schema(&mut self, node: &Node, path: Path<'_>) {
        let mut schema = node.to_json();
        let default = schema.as_object_mut().and_then(|schema| schema.remove("default"));
        if let Err(error) = jsonschema::draft7::meta::validate(&schema) {
            let at = node_at(node, error.instance_path().as_str()).unwrap_or(node);
            self.report
                .error(
                    "runnel::schema::input",
                    at.at,
                    path,
                    format!("not a valid JSON Schema: {error}"),
                )
                .help("an input without `default` must be given; `required` lists the keys of an object");
            return;
        }
        let validator = match jsonschema::draft7::new(&schema) {
            Ok(validator) => validator,
            Err(error) => {
                self.report.error(
                    "runnel::schema::input",
                    node.at,
                    path,
                    format!("this JSON Schema cannot be used: {error}"),
                );
                return;
            }
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
