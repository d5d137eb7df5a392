//! What is wrong with a workflow file, as the schema shows it.

use async_graphql::SimpleObject;
use runnel_engine::diagnostic as engine;

use super::enums::Severity;

/// One problem of a workflow file.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Diagnostic {
    /// Stable code such as `runnel::dag::cycle`.
    pub(crate) code: String,
    /// Whether the file is refused for it.
    pub(crate) severity: Severity,
    /// What is wrong: one sentence.
    pub(crate) message: String,
    /// Line of the first character, from 1; null when the problem has no place.
    pub(crate) line: Option<u32>,
    /// Column of the first character, from 1; null when the problem has no place.
    pub(crate) column: Option<u32>,
    /// Byte offset of the first character; null when the problem has no place.
    pub(crate) offset: Option<u32>,
    /// Length in bytes; 0 where only the place is known.
    pub(crate) length: Option<u32>,
    /// Path of keys to the value, as `tasks.load.needs[0]`.
    pub(crate) path: String,
    /// What to do.
    pub(crate) help: Option<String>,
    /// Further places that explain it, as the other edges of a cycle.
    pub(crate) labels: Vec<DiagnosticLabel>,
}

/// A second place that explains a problem.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct DiagnosticLabel {
    /// Line of the first character, from 1.
    pub(crate) line: u32,
    /// Column of the first character, from 1.
    pub(crate) column: u32,
    /// Byte offset of the first character.
    pub(crate) offset: u32,
    /// Length in bytes.
    pub(crate) length: u32,
    /// What is to be seen there.
    pub(crate) text: String,
}

impl From<engine::Diagnostic> for Diagnostic {
    fn from(diagnostic: engine::Diagnostic) -> Self {
        let span = diagnostic.span;
        Self {
            code: diagnostic.code,
            severity: diagnostic.severity.into(),
            message: diagnostic.message,
            line: span.map(|s| s.line),
            column: span.map(|s| s.column),
            offset: span.map(|s| s.offset),
            length: span.map(|s| s.length),
            path: diagnostic.path,
            help: diagnostic.help,
            labels: diagnostic.labels.into_iter().map(DiagnosticLabel::from).collect(),
        }
    }
}

impl From<engine::Label> for DiagnosticLabel {
    fn from(label: engine::Label) -> Self {
        let engine::Span {
            line,
            column,
            offset,
            length,
        } = label.span;
        Self {
            line,
            column,
            offset,
            length,
            text: label.text,
        }
    }
}

/// All of them, in order.
pub(crate) fn all(diagnostics: Vec<engine::Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.into_iter().map(Diagnostic::from).collect()
}
