//! Expressions of a file: they compile, start from known contexts, keep secrets to `env` and `input`, and what they read
//! of other tasks is noted for the graph.

use serde_json::Value;

use crate::expr::{Expr, ExprError, References, Template};
use crate::source::check::Checker;
use crate::source::tree::{Data, Extent, Node, Path};

/// Every context of the format. `event` is known, so that its use is not called a slip.
const CONTEXTS: &[&str] = &[
    "inputs", "tasks", "run", "workflow", "each", "matrix", "secrets", "vars", "event", "task", "env",
    "error",
];

/// Most expressions in one file: compiling one takes tens of microseconds.
const EXPRESSIONS_MAX: usize = 50_000;

/// One of the groups of tasks in a file; a task reads its own group and, in handlers, the whole main group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Main,
    OnFailure,
    OnSuccess,
    Finally,
    /// What undoes a task of the main group, with the position of that task.
    Compensation,
}

/// Who evaluates an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A task, by its position in its group.
    Task(Group, usize),
    /// A task that is asked whether it takes what came from outside, which it reads as `event`.
    Taker(Group, usize),
    /// The workflow at the end of a run: every task of the main group is decided.
    Outputs,
    /// The workflow at the start of a run: no task exists yet.
    Start,
    /// A trigger, before there is a run.
    Trigger {
        /// Whether an event is what it is about.
        has_event: bool,
    },
}

/// What an expression may use at its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    pub(crate) reader: Reader,
    pub(crate) has_secrets: bool,
    pub(crate) has_each: bool,
}

/// A read of a task, to be compared with the graph.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) reader: Reader,
    pub(crate) task: String,
    pub(crate) at: Extent,
    pub(crate) path: String,
}

impl Checker<'_, '_> {
    /// Checks every `${{ }}` in a value.
    pub(crate) fn template(&mut self, node: &Node, path: Path<'_>, site: Site) {
        match &node.value {
            Data::Text(text) if text.contains("${{") && self.takes_expressions(text, node, path) => {
                match Template::compile(&Value::String(text.clone())) {
                    Ok(template) => self.references(template.references(), node, path, site),
                    Err(errors) => {
                        for (_, error) in errors {
                            self.bad_expression(&error, text, node, path);
                        }
                    }
                }
            }
            Data::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.template(item, path.index(index), site);
                }
            }
            Data::Map(entries) => {
                for entry in entries {
                    self.template(&entry.node, path.key(&entry.key), site);
                }
            }
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {}
        }
    }

    /// Checks a condition: CEL with or without its `${{ }}`. Gives the bare CEL.
    pub(crate) fn condition(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<String> {
        let text = match &node.value {
            Data::Bool(true) => return None,
            Data::Bool(false) => return Some("false".to_owned()),
            Data::Text(text) => text,
            _ => {
                self.wrong_type(node, path, "a condition");
                return None;
            }
        };
        let bare = bare_expression(text);
        if bare.contains("${{") {
            self.report
                .error(
                    "runnel::expr::condition",
                    node.at,
                    path,
                    "a condition is one expression",
                )
                .help("put the whole condition into one `${{ … }}`");
            return None;
        }
        if !self.takes_expressions("${{", node, path) {
            return None;
        }
        match Expr::compile(bare) {
            Ok(expr) => self.references(expr.references(), node, path, site),
            Err(mut error) => {
                error.offset += text.find(bare).unwrap_or(0);
                self.bad_expression(&error, text, node, path);
            }
        }
        Some(bare.to_owned())
    }

    /// Counts the expressions of a text; false once there are too many in the file.
    fn takes_expressions(&mut self, text: &str, node: &Node, path: Path<'_>) -> bool {
        let was_within = self.expressions <= EXPRESSIONS_MAX;
        self.expressions += text.matches("${{").count();
        let is_within = self.expressions <= EXPRESSIONS_MAX;
        if was_within && !is_within {
            let message = format!("the file has more than {EXPRESSIONS_MAX} expressions");
            self.report
                .error("runnel::expr::too_many", node.at, path, message)
                .help("use `for_each` for work of one kind, or split the workflow");
        }
        is_within
    }

    fn bad_expression(&mut self, error: &ExprError, text: &str, node: &Node, path: Path<'_>) {
        let at = locate(self.report.text(), node.at, text, error.offset);
        self.report.error(
            "runnel::expr::syntax",
            at,
            path,
            format!("this expression does not compile: {}", error.message),
        );
    }

    fn references(&mut self, references: &References, node: &Node, path: Path<'_>, site: Site) {
        for root in &references.roots {
            self.root(root, node, path, site);
        }
        if !site.has_secrets && !references.secrets.is_empty() {
            let message = "a secret can be read in `env` and `input` only";
            self.report
                .error("runnel::expr::secret", node.at, path, message)
                .help("pass the secret to the task that needs it through its `env` or `input`");
        }
        for task in &references.tasks {
            self.reads.push(Read {
                reader: site.reader,
                task: task.clone(),
                at: node.at,
                path: path.to_string(),
            });
        }
    }

    fn root(&mut self, root: &str, node: &Node, path: Path<'_>, site: Site) {
        if !CONTEXTS.contains(&root) {
            let near_miss = self.report.near_miss(root, CONTEXTS.iter().copied());
            let message = format!("unknown context `{root}`");
            let diagnostic = self.report.error("runnel::expr::context", node.at, path, message);
            match near_miss {
                Some(_) => diagnostic.did_you_mean(near_miss),
                None => diagnostic.help(format!(
                    "an expression starts from one of {}",
                    CONTEXTS.join(", ")
                )),
            };
        } else if root == "each" && !site.has_each {
            self.report
                .error(
                    "runnel::expr::context",
                    node.at,
                    path,
                    "`each` exists only inside a task with `for_each`, `matrix` or `repeat`",
                )
                .help("add `for_each` to the task, or read `inputs` or `tasks`");
        } else if root == "matrix" && !(self.is_in_matrix && site.has_each) {
            self.report
                .error(
                    "runnel::expr::context",
                    node.at,
                    path,
                    "`matrix` exists only inside a task with `matrix`",
                )
                .help("add `matrix` to the task, or read `inputs` or `tasks`");
        } else if let Reader::Trigger { has_event } = site.reader {
            self.trigger_root(root, has_event, node, path);
        } else if root == "event" && !matches!(site.reader, Reader::Taker(..)) {
            self.unsupported_context(node, path);
        } else if root == "error" && !self.reads_error {
            self.report
                .error(
                    "runnel::expr::context",
                    node.at,
                    path,
                    "`error` exists only in `retry.when`",
                )
                .help("read `tasks.<task>.error` of an upstream, or `run.error` in a handler");
        } else if root == "task"
            && !self.reads_error
            && !matches!(site.reader, Reader::Task(..) | Reader::Taker(..))
        {
            self.report.error(
                "runnel::expr::context",
                node.at,
                path,
                "`task` exists only inside a task",
            );
        }
    }
}

impl Checker<'_, '_> {
    /// What exists before there is a run.
    fn trigger_root(&mut self, root: &str, has_event: bool, node: &Node, path: Path<'_>) {
        let known: &[&str] = if has_event {
            &["event", "vars", "run", "workflow"]
        } else {
            &["vars", "run", "workflow"]
        };
        // reads of tasks and secrets have messages of their own
        if !known.contains(&root) && !matches!(root, "tasks" | "secrets") {
            let message = format!("a trigger cannot read `{root}`: there is no run yet");
            self.report
                .error("runnel::expr::context", node.at, path, message)
                .help(format!(
                    "an expression here starts from one of {}",
                    known.join(", ")
                ));
        }
    }
}

/// The text inside a single `${{ }}`, or the text itself.
fn bare_expression(text: &str) -> &str {
    let trimmed = text.trim();
    trimmed
        .strip_prefix("${{")
        .and_then(|rest| rest.strip_suffix("}}"))
        .filter(|inner| !inner.contains("${{"))
        .map_or(trimmed, str::trim)
}

/// The place of `text[offset..]` in the file. Quotes, escapes and indentation may stand between the two, so the text is
/// looked for as a whole, then by its line; where both fail, the value as a whole is the place.
fn locate(file: &str, at: Extent, text: &str, offset: usize) -> Extent {
    let written = file.get(at.start..at.end).unwrap_or_default();
    let offset = offset.min(text.len());
    if let Some(start) = written.find(text) {
        let start = at.start + start + offset;
        return Extent {
            start,
            end: (start + 1).min(at.end),
        };
    }
    let line_start = text
        .get(..offset)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let line = text
        .get(line_start..)
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default();
    match written.find(line).filter(|_| !line.trim().is_empty()) {
        Some(start) => {
            let start = at.start + start + (offset - line_start);
            Extent {
                start,
                end: (start + 1).min(at.end).max(start),
            }
        }
        None => at,
    }
}
