//! What is wrong with a workflow file, where, and what to do about it.

use serde::{Deserialize, Serialize};

/// How bad a [`Diagnostic`] is. Errors refuse the file; warnings travel with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted; the author should look.
    Warning,
}

/// A stretch of the source text. Lines and columns count from 1, columns in characters; offsets are bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// Line of the first character, from 1.
    pub line: u32,
    /// Column of the first character, from 1.
    pub column: u32,
    /// Byte offset of the first character.
    pub offset: u32,
    /// Length in bytes; 0 where only the place is known.
    pub length: u32,
}

/// A second place that explains the first, as the other edges of a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is to be seen there.
    pub text: String,
}

/// One problem of a workflow file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable code such as `runnel::dag::cycle`.
    pub code: String,
    /// Whether the file is refused for it.
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub message: String,
    /// Where; `None` only when the problem has no place (an empty file).
    pub span: Option<Span>,
    /// Path of keys to the value, as `tasks.load.needs[0]`.
    pub path: String,
    /// What to do: "did you mean `extract`?".
    pub help: Option<String>,
    /// Further places.
    pub labels: Vec<Label>,
}
