//! From text to a checked workflow: parse, detect the dialect, convert to v1, check.
//!
//! ```text
//! text → yaml | json → tree (every value knows its place) → convert (other dialects) → check → Workflow
//! ```
//!
//! Guarantees: never panics, never recurses deeper than a fixed limit and never takes more than linear time (but for the
//! bounded search for near misses), whatever the bytes. All problems that can be seen are reported in one pass.

mod check;
mod convert;
pub(crate) mod duration;
mod emit;
mod json;
mod report;
mod tree;
mod write;
mod yaml;

pub use check::{EDGES_MAX, INPUT_BYTES_MAX, NAME_CHARS_MAX};
pub use write::to_v1_yaml;

/// Reads a length of time as workflow files have it: `90s`, `1h30m`, or ISO 8601 `PT1H30M`.
///
/// # Errors
/// One sentence that says what is wrong.
pub fn read_duration(text: &str) -> Result<std::time::Duration, String> {
    duration::parse(text)
}

use crate::{Diagnostic, Workflow};
use report::Report;
use tree::{Extent, Node, Path};

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
    if text.len() > SOURCE_BYTES_MAX {
        return refuse(
            "runnel::file::too_large",
            format!(
                "the file has {} bytes; the limit is {SOURCE_BYTES_MAX}",
                text.len()
            ),
            "split the workflow, or move large values into files that its tasks read",
        );
    }
    if text
        .trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
        .is_empty()
    {
        return refuse(
            "runnel::file::empty",
            "the file is empty".to_owned(),
            "a workflow needs `id` and `tasks`",
        );
    }
    let mut report = Report::new(text);
    let Some(root) = parse(&mut report, format) else {
        if !report.has_errors() {
            report
                .error(
                    "runnel::file::empty",
                    Extent::default(),
                    Path::Root,
                    "the file holds comments only",
                )
                .help("a workflow needs `id` and `tasks`");
        }
        return Reading {
            dialect: Dialect::V1,
            workflow: None,
            diagnostics: report.finish(),
            converted: None,
        };
    };
    if root.as_map().is_none() {
        report
            .error(
                "runnel::file::not_a_workflow",
                root.at,
                Path::Root,
                format!("the file holds {}, not a workflow", root.kind()),
            )
            .help("a workflow is a mapping with `id` and `tasks`");
        return Reading {
            dialect: Dialect::V1,
            workflow: None,
            diagnostics: report.finish(),
            converted: None,
        };
    }
    let dialect = convert::detect(&root);
    let converted = convert::to_v1(&root, dialect, &mut report);
    let workflow = check::workflow(converted.as_ref().unwrap_or(&root), &mut report);
    let workflow = workflow.filter(|_| !report.has_errors());
    let converted = converted.map(|tree| workflow.as_ref().map_or_else(|| emit::yaml(&tree), to_v1_yaml));
    Reading {
        dialect,
        workflow,
        diagnostics: report.finish(),
        converted,
    }
}

/// Reads a workflow file from bytes; invalid UTF-8 is a diagnostic that names the place.
#[must_use]
pub fn read_bytes(bytes: &[u8], format: Format) -> Reading {
    if bytes.len() > SOURCE_BYTES_MAX {
        // Not looked at any further: the text need not be valid to be too large.
        return refuse(
            "runnel::file::too_large",
            format!(
                "the file has {} bytes; the limit is {SOURCE_BYTES_MAX}",
                bytes.len()
            ),
            "split the workflow, or move large values into files that its tasks read",
        );
    }
    let fault = match std::str::from_utf8(bytes) {
        Ok(text) => return read(text, format),
        Err(fault) => fault,
    };
    let valid = String::from_utf8_lossy(&bytes[..fault.valid_up_to()]);
    let mut report = Report::new(&valid);
    let at = Extent {
        start: valid.len(),
        end: valid.len(),
    };
    let line = report.span(at);
    report
        .error(
            "runnel::file::not_utf8",
            at,
            Path::Root,
            format!(
                "line {}, column {}: this byte is not valid UTF-8",
                line.line, line.column
            ),
        )
        .help("save the file with the encoding UTF-8");
    Reading {
        dialect: Dialect::V1,
        workflow: None,
        diagnostics: report.finish(),
        converted: None,
    }
}

fn refuse(code: &str, message: String, help: &str) -> Reading {
    let diagnostic = Diagnostic {
        code: code.to_owned(),
        message,
        help: Some(help.to_owned()),
        ..report::blank()
    };
    Reading {
        dialect: Dialect::V1,
        workflow: None,
        diagnostics: vec![diagnostic],
        converted: None,
    }
}

fn parse(report: &mut Report<'_>, format: Format) -> Option<Node> {
    let text = report.text();
    let looks_like_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    match format {
        Format::Json => json::parse(report),
        Format::Yaml => yaml::parse(report),
        Format::Auto if !looks_like_json => yaml::parse(report),
        Format::Auto => {
            let mut as_json = Report::new(text);
            if let Some(root) = json::parse(&mut as_json) {
                *report = as_json;
                return Some(root);
            }
            // `{id: hello, tasks: …}` is a flow mapping of YAML. What is neither is shown as JSON.
            let mut as_yaml = Report::new(text);
            let root = yaml::parse(&mut as_yaml);
            *report = if root.is_some() { as_yaml } else { as_json };
            root
        }
    }
}
