//! From the other dialects to v1, tree to tree.
//!
//! Every part of the converted tree keeps the place of what it was made from, so the checks of v1 report problems where
//! the author wrote them. A field that has no meaning here is named in a warning, never dropped in silence.

mod actions;
mod cel;
mod commands;
mod names;
mod nodes;
mod operand;
mod parts;
mod script;
mod skips;
mod template;
mod variables;

use crate::source::Dialect;
use crate::source::report::Report;
use crate::source::tree::{Data, Node};

/// Recognises the dialect by its shape.
pub(crate) fn detect(root: &Node) -> Dialect {
    if root.get("dag").and_then(|dag| dag.get("nodes")).is_some() {
        return Dialect::Nodes;
    }
    let Some(tasks) = root.get("tasks") else {
        return Dialect::V1;
    };
    let (items, is_list): (Vec<&Node>, bool) = match &tasks.value {
        Data::List(items) => (items.iter().collect(), true),
        Data::Map(entries) => (entries.iter().map(|entry| &entry.node).collect(), false),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => return Dialect::V1,
    };
    let any_has = |keys: &[&str]| {
        items
            .iter()
            .any(|item| keys.iter().any(|key| item.get(key).is_some()))
    };
    if is_list && any_has(&["action_type", "action_payload"]) {
        Dialect::Actions
    } else if any_has(&["command", "callable"]) && !any_has(&["run", "type", "uses"]) {
        Dialect::Commands
    } else {
        Dialect::V1
    }
}

/// The v1 tree of a foreign dialect; `None` when the file is v1 already.
pub(crate) fn to_v1(root: &Node, dialect: Dialect, report: &mut Report<'_>) -> Option<Node> {
    match dialect {
        Dialect::V1 => None,
        Dialect::Actions => Some(actions::convert(root, report)),
        Dialect::Commands => Some(commands::convert(root, report)),
        Dialect::Nodes => Some(nodes::convert(root, report)),
    }
}
