//! Inputs of the types that run something elsewhere: `lambda` and `container`.

use crate::source::check::Checker;
use crate::source::check::policy::is_one_expression;
use crate::source::tree::{Data, Node, Path};

const LAMBDA_KEYS: &[&str] = &["function", "payload", "qualifier", "wait"];
const CONTAINER_KEYS: &[&str] = &["image", "command", "args", "env", "resources"];
const RESOURCE_KEYS: &[&str] = &["cpu", "memory_mb"];

impl Checker<'_, '_> {
    /// What can be said of the input of `lambda` before it is computed.
    pub(crate) fn lambda_input(&mut self, node: &Node, path: Path<'_>) {
        let Some(fields) = self.fields(node, path, LAMBDA_KEYS) else {
            return;
        };
        for key in ["function", "qualifier"] {
            fields.get(key).map(|node| self.text(node, path.key(key)));
        }
        if let Some(node) = fields.get("wait").filter(|node| !is_computed(node)) {
            self.boolean(node, path.key("wait"));
        }
    }

    /// What can be said of the input of `container` before it is computed.
    pub(crate) fn container_input(&mut self, node: &Node, path: Path<'_>) {
        let Some(fields) = self.fields(node, path, CONTAINER_KEYS) else {
            return;
        };
        fields.get("image").map(|node| self.text(node, path.key("image")));
        for key in ["command", "args"] {
            if let Some(node) = fields.get(key).filter(|node| !is_computed(node))
                && !matches!(node.value, Data::List(_))
            {
                self.wrong_type(node, path.key(key), "a list of arguments");
            }
        }
        if let Some(node) = fields.get("env").filter(|node| !is_computed(node)) {
            self.map(node, path.key("env"));
        }
        if let Some(node) = fields.get("resources").filter(|node| !is_computed(node)) {
            self.fields(node, path.key("resources"), RESOURCE_KEYS);
        }
    }
}

fn is_computed(node: &Node) -> bool {
    node.as_text().is_some_and(is_one_expression)
}
