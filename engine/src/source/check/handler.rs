//! What a task does: `run`, or `type` with `input`, checked by what each built-in type needs.
//!
//! Types that are not built in go to the workers that registered them; their input is not known here.

use serde_json::{Map, Value};

use crate::source::check::expressions::Site;
use crate::source::check::fields::Fields;
use crate::source::check::policy::is_one_expression;
use crate::source::check::{Checker, INPUT_BYTES_MAX, shorten};
use crate::source::tree::{Data, Entry, Node, Path};

/// Types that take no worker.
pub(crate) const RUNS_IN_ENGINE: &[&str] = &["wait", "eval", "pass", "approval", "workflow"];

const TYPES: &[&str] = &[
    "shell",
    "python",
    "http",
    "llm",
    "sqs",
    "wait",
    "eval",
    "pass",
    "approval",
    "workflow",
    "container",
    "lambda",
];

/// Inputs that a built-in type cannot do without: one of each group must be there.
const REQUIRED: &[(&str, &[&[&str]])] = &[
    ("shell", &[&["run"]]),
    ("python", &[&["script", "callable"]]),
    ("http", &[&["url"]]),
    ("llm", &[&["prompt", "messages"]]),
    ("sqs", &[&["queue", "queue_url"]]),
    ("wait", &[&["for", "until", "event", "signal"]]),
    ("approval", &[&["message"]]),
    ("workflow", &[&["workflow", "id"]]),
    ("lambda", &[&["function"]]),
    ("container", &[&["image"]]),
];

/// Inputs of which a built-in type takes only one.
const EXCLUSIVE: &[(&str, &[&str])] = &[
    ("python", &["script", "callable"]),
    ("http", &["json", "body"]),
    ("wait", &["for", "until", "event", "signal"]),
    ("llm", &["prompt", "messages"]),
    ("workflow", &["workflow", "id"]),
];

impl Checker<'_, '_> {
    /// The type of the task and its input.
    pub(crate) fn work(
        &mut self,
        entry: &Entry,
        fields: Fields<'_>,
        path: Path<'_>,
        site: Site,
    ) -> (String, Value) {
        let kind = self.alias(fields, path, &["type", "uses"]);
        let input = self.alias(fields, path, &["input", "with"]);
        if let Some(run) = fields.entry("run") {
            for other in [kind, input].into_iter().flatten() {
                let message = format!("`run` and `{}` exclude each other", other.key);
                self.report
                    .error(
                        "runnel::schema::conflict",
                        other.key_at,
                        path.key(&other.key),
                        message,
                    )
                    .help("a task is either `run: <shell>` with `env`, or `type:` with `input:`");
            }
            return ("shell".to_owned(), self.script(&run.node, path.key("run")));
        }
        let Some(kind) = kind else {
            let at = entry.key_at;
            self.report
                .error(
                    "runnel::schema::missing",
                    at,
                    path,
                    format!("task `{}` has neither `run` nor `type`", shorten(&entry.key)),
                )
                .help("add `run: <shell command>`, or `type:` with `input:`");
            return (String::new(), Value::Null);
        };
        let Some(name) = self.kind(kind, path) else {
            return (String::new(), Value::Null);
        };
        let input = match input {
            Some(input) => {
                self.input(&name, &input.node, path.key(&input.key), site);
                input.node.to_json()
            }
            None => {
                self.require(&name, kind.node.at, None, path.key("input"));
                Value::Object(Map::new())
            }
        };
        (name, input)
    }

    fn script(&mut self, node: &Node, path: Path<'_>) -> Value {
        let Some(script) = self.text(node, path) else {
            return Value::Null;
        };
        if script.trim().is_empty() {
            self.report
                .error("runnel::schema::empty", node.at, path, "`run` is empty");
        }
        self.uninterpolated(
            "run",
            node,
            path,
            "set `env: { VALUE: \"${{ … }}\" }` and write `\"$VALUE\"` in the script",
        );
        let mut input = Map::new();
        input.insert("run".to_owned(), Value::from(script));
        Value::Object(input)
    }

    /// Refuses templates in what is executed.
    fn uninterpolated(&mut self, key: &str, node: &Node, path: Path<'_>, help: &str) {
        let script = node.as_text().unwrap_or_default();
        let Some(offset) = script.find("${{") else {
            return;
        };
        let written = self
            .report
            .text()
            .get(node.at.start..node.at.end)
            .unwrap_or_default();
        let mut at = node.at;
        if let Some(start) = written.find("${{") {
            let length = script
                .get(offset..)
                .and_then(|rest| rest.find("}}"))
                .map_or(3, |end| end + 2);
            at.start += start;
            at.end = (at.start + length).min(node.at.end);
        }
        let message = format!("`{key}` is never interpolated: a value could inject code");
        self.report
            .error("runnel::task::interpolated_run", at, path, message)
            .help(help);
    }

    fn kind(&mut self, entry: &Entry, path: Path<'_>) -> Option<String> {
        let path = path.key(&entry.key);
        let name = self.name(&entry.node, path)?;
        let is_legal = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/'));
        if !is_legal {
            self.report
                .error(
                    "runnel::task::type",
                    entry.node.at,
                    path,
                    format!("`{}` cannot be a task type", shorten(name)),
                )
                .help("a letter, then letters, digits, `_`, `-`, `.` and `/`");
            return None;
        }
        if !TYPES.contains(&name)
            && let Some(near_miss) = self.report.near_miss(name, TYPES.iter().copied())
        {
            // A worker may have registered this very name: a hint, no refusal.
            let message =
                format!("`{name}` is no built-in type; only a worker that registered it will run the task");
            self.report
                .warning("runnel::task::custom_type", entry.node.at, path, message)
                .did_you_mean(Some(near_miss));
        }
        Some(name.to_owned())
    }

    fn input(&mut self, kind: &str, node: &Node, path: Path<'_>, site: Site) {
        let is_whole_expression = node.as_text().is_some_and(is_one_expression);
        match &node.value {
            Data::Text(_) if is_whole_expression && matches!(kind, "pass" | "eval") => {}
            Data::Map(_) => self.require(kind, node.at, Some(node), path),
            _ => {
                self.wrong_type(node, path, "a mapping");
                return;
            }
        }
        let bytes = node.to_json().to_string().len();
        if bytes > INPUT_BYTES_MAX {
            let message = format!("the input has {bytes} bytes; the limit is {INPUT_BYTES_MAX}");
            self.report
                .error("runnel::task::input_size", node.at, path, message)
                .help("put large values where the task can read them itself");
            return;
        }
        match kind {
            "shell" => self.shell_input(node, path, site),
            "wait" => self.wait_input(node, path, site),
            "approval" => self.approval_input(node, path),
            "workflow" => self.child_input(node, path),
            "lambda" => self.lambda_input(node, path),
            "container" => self.container_input(node, path),
            _ => {}
        }
        if !matches!(kind, "shell" | "wait") {
            // a secret does not leave the run that reads it
            let has_secrets = site.has_secrets && kind != "workflow";
            self.template(node, path, Site { has_secrets, ..site });
        }
        if kind == "python" {
            for key in ["script", "callable"] {
                let Some(node) = node.get(key) else { continue };
                self.uninterpolated(
                    key,
                    node,
                    path.key(key),
                    "set `args: { value: \"${{ … }}\" }`; a script reads `inputs[\"value\"]`, a callable gets it by name",
                );
            }
        }
    }

    fn require(&mut self, kind: &str, at: crate::source::tree::Extent, input: Option<&Node>, path: Path<'_>) {
        let has = |key: &str| {
            input
                .and_then(|node| node.get(key))
                .is_some_and(|node| !node.is_null())
        };
        for group in REQUIRED
            .iter()
            .filter(|(name, _)| *name == kind)
            .flat_map(|(_, groups)| groups.iter())
        {
            if !group.iter().any(|key| has(key)) {
                let message = format!(
                    "a task of type `{kind}` needs `input.{}`",
                    group.join("` or `input.")
                );
                self.report.error("runnel::task::input", at, path, message);
            }
        }
        for (_, group) in EXCLUSIVE.iter().filter(|(name, _)| *name == kind) {
            let used: Vec<&str> = group.iter().copied().filter(|key| has(key)).collect();
            if used.len() > 1 {
                let message = format!("`{}` exclude each other", used.join("` and `"));
                self.report.error("runnel::schema::conflict", at, path, message);
            }
        }
    }

    fn shell_input(&mut self, node: &Node, path: Path<'_>, site: Site) {
        for entry in node.as_map().unwrap_or_default() {
            if entry.key == "run" {
                self.script(&entry.node, path.key("run"));
            } else {
                self.template(&entry.node, path.key(&entry.key), site);
            }
        }
    }
}
