//! From text to a checked workflow: parse, detect the dialect, convert to v1, validate.

use crate::{Diagnostic, Workflow};

/// Largest accepted source text, in bytes.
pub const SOURCE_BYTES_MAX: usize = 1 << 20;
/// Most static tasks in one workflow.
pub const TASKS_MAX: usize = 10_000;

/// How to read the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON when the first character that is not a blank is `{`, else YAML.
    #[default]
    Auto,
    /// YAML 1.2.
    Yaml,
    /// JSON (RFC 8259).
    Json,
}

/// The form a file was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Runnel's own format.
    V1,
    /// List of tasks with `action_type`.
    Actions,
    /// Tasks with `command` or `callable`.
    Commands,
    /// `dag.nodes` with `handler`.
    Nodes,
}

/// The outcome of [`read`].
#[derive(Debug, Clone)]
pub struct Reading {
    /// Which dialect the file was recognised as.
    pub dialect: Dialect,
    /// The workflow; `None` when an error was found.
    pub workflow: Option<Workflow>,
    /// Everything found, errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The v1 YAML a foreign dialect was converted to; `None` for v1 files.
    pub converted: Option<String>,
}

/// Reads a workflow file. Never panics and never recurses deeper than its limits, whatever the bytes.
#[must_use]
pub fn read(text: &str, format: Format) -> Reading {
    let _ = (text, format);
    unimplemented!()
}
