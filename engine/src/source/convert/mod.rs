//! From the other dialects to v1, tree to tree.

use crate::source::Dialect;
use crate::source::report::Report;
use crate::source::tree::Node;

/// Recognises the dialect by its shape.
pub(crate) fn detect(_root: &Node) -> Dialect {
    Dialect::V1
}

/// The v1 tree of a foreign dialect; `None` when the file is v1 already.
pub(crate) fn to_v1(_root: &Node, _dialect: Dialect, _report: &mut Report<'_>) -> Option<Node> {
    None
}
