//! The *actions* dialect: a list of tasks with `action_type` and `action_payload`.

use std::collections::HashSet;

use crate::source::convert::cel;
use crate::source::convert::commands::duplicate;
use crate::source::convert::names::Names;
use crate::source::convert::nodes::{body_key, placeholder};
use crate::source::convert::parts::{
    MapBuilder, RetrySpelling, Source, finish, head, missing, put_name, put_needs, put_retry, seconds,
    source, text, warn_unknown, wrong_type,
};
use crate::source::convert::script;
use crate::source::convert::template::{Piece, pieces, refuse, rewrite_tree, steps};
use crate::source::convert::variables::Variables;
use crate::source::report::Report;
use crate::source::tree::{Data, Extent, Node, Path};

const TOP: &[&str] = &[
    "id",
    "key",
    "name",
    "description",
    "timeout_seconds",
    "tags",
    "tasks",
];
const TASK: &[&str] = &[
    "name",
    "description",
    "action_type",
    "action_payload",
    "dependencies",
    "depends_on",
    "retry_policy",
    "timeout_seconds",
];
const RETRY: RetrySpelling = RetrySpelling {
    retries: &["max_retries"],
    attempts: &["max_attempts"],
    delay: &["initial_delay", "initial_delay_seconds", "delay", "delay_seconds"],
    max_delay: &["max_delay", "max_delay_seconds"],
    factor: &["backoff_multiplier", "multiplier", "factor"],
};

/// Most literals and templates in one script; each template becomes a variable.
const SCRIPT_PIECES_MAX: usize = 500;

pub(crate) fn convert(root: &Node, report: &mut Report<'_>) -> Node {
    let path = Path::Root;
    let Some(top) = source(root, path, report) else {
        return root.clone();
    };
    warn_unknown(top, TOP, path, report);
    let mut head = head(top, report);
    if let Some(node) = top
        .get("timeout_seconds")
        .and_then(|node| seconds(node, path.key("timeout_seconds"), report))
    {
        head.put("timeout", node);
    }
    if let Some(node) = top.get("tags") {
        head.put("tags", node.clone());
    }
    let mut out = MapBuilder::default();
    let Some(tasks) = top.get("tasks") else {
        return finish(head, root.at, root.at, out);
    };
    let path = path.key("tasks");
    let mut named = Vec::new();
    let mut seen = HashSet::new();
    for (index, item) in tasks.as_list().unwrap_or_default().iter().enumerate() {
        let path = path.index(index);
        let Some(fields) = source(item, path, report) else {
            continue;
        };
        let Some(node) = fields.get("name") else {
            missing(item.at, path, "name", report);
            continue;
        };
        let Some(name) = text(node, path.key("name"), report) else {
            continue;
        };
        if seen.insert(name) {
            named.push((index, name, node.at, fields));
        } else {
            duplicate(name, node.at, path.key("name"), report);
        }
    }
    let names = Names::new(named.iter().map(|(_, name, ..)| *name));
    let http = named
        .iter()
        .filter(|(.., fields)| fields.get("action_type").and_then(Node::as_text) == Some("http_request"));
    let http = http.map(|(_, name, ..)| *name).collect();
    let mut converter = Converter { names, http, report };
    for (index, name, at, fields) in &named {
        let key = converter.names.key(name);
        let task = converter.task(name, *at, *fields, path.index(*index));
        out.put_at(&key, *at, task);
    }
    finish(head, root.at, tasks.at, out)
}

struct Converter<'r, 't, 'n> {
    names: Names,
    /// Names of the tasks whose output is an HTTP response.
    http: HashSet<&'n str>,
    report: &'r mut Report<'t>,
}

impl Converter<'_, '_, '_> {
    fn task(&mut self, name: &str, name_at: Extent, fields: Source<'_>, path: Path<'_>) -> Node {
        warn_unknown(fields, TASK, path, self.report);
        let mut out = MapBuilder::default();
        if self.names.key(name) != name {
            put_name(&mut out, name_at, name);
        }
        if let Some(node) = fields.get("description") {
            out.put("description", node.clone());
        }
        put_needs(&mut out, fields, &self.names, |_| false, path, self.report);
        let is_known = self.action(&mut out, fields, path);
        self.policies(&mut out, fields, path);
        if is_known {
            out.build(fields.at)
        } else {
            placeholder(fields.at)
        }
    }

    fn policies(&mut self, out: &mut MapBuilder, fields: Source<'_>, path: Path<'_>) {
        if let Some(policy) = fields.get("retry_policy") {
            put_retry(out, policy, &RETRY, path.key("retry_policy"), self.report);
        }
        let timeout = fields.get("timeout_seconds");
        if let Some(node) = timeout.and_then(|node| seconds(node, path.key("timeout_seconds"), self.report)) {
            out.put("timeout", node);
        }
    }

    /// Puts what the task does; false after a problem that leaves nothing to run.
    fn action(&mut self, out: &mut MapBuilder, fields: Source<'_>, path: Path<'_>) -> bool {
        let Some(kind) = fields.get("action_type") else {
            missing(fields.at, path, "action_type", self.report);
            return false;
        };
        let Some(name) = text(kind, path.key("action_type"), self.report) else {
            return false;
        };
        let empty = Node::new(fields.at, Data::Map(Vec::new()));
        let payload = fields.get("action_payload").unwrap_or(&empty);
        let path = path.key("action_payload");
        let Some(payload) = source(payload, path, self.report) else {
            return false;
        };
        let input = match name {
            "shell_command" => return self.shell(out, payload, path),
            "map" => return self.map(out, payload, path),
            "http_request" => self.http(payload, path),
            "python_script" => self.python(payload, path),
            "sleep" => self.sleep(payload, path),
            _ => self.rewritten(payload, path, |_| true).build(payload.at),
        };
        let kind_name = match name {
            "http_request" => "http",
            "python_script" => "python",
            "sleep" => "wait",
            custom => custom,
        };
        out.put_text("type", kind.at, kind_name);
        out.put("input", input);
        true
    }

    fn http(&mut self, payload: Source<'_>, path: Path<'_>) -> Node {
        warn_unknown(
            payload,
            &[
                "url",
                "method",
                "headers",
                "body",
                "json",
                "data",
                "body_from_task",
            ],
            path,
            self.report,
        );
        let mut out = self.rewritten(payload, path, |key| matches!(key, "url" | "method" | "headers"));
        if let Some(entry) = payload.entry("body_from_task") {
            if let Some(task) = text(&entry.node, path.key(&entry.key), self.report) {
                out.put_text(
                    "json",
                    entry.node.at,
                    format!("${{{{ tasks.{}.output }}}}", self.names.key(task)),
                );
            }
        } else if let Some(entry) = payload.any(&["json", "body", "data"]) {
            let body = self.template(&entry.node, path.key(&entry.key));
            out.put_at(body_key(&body), entry.key_at, body);
        }
        out.build(payload.at)
    }

    /// A script, or its path; every other field is an argument of it, and so is what the script takes from templates.
    fn python(&mut self, payload: Source<'_>, path: Path<'_>) -> Node {
        let mut out = MapBuilder::default();
        let script = payload.any(&["script", "script_path", "code"]);
        let mut args = self.rewritten(payload, path, |key| script.is_none_or(|script| script.key != key));
        let Some(entry) = script else {
            missing(payload.at, path, "script", self.report);
            return out.build(payload.at);
        };
        let path = path.key(&entry.key);
        if let Some(source) = text(&entry.node, path, self.report) {
            let pieces = pieces(source);
            let has_templates = pieces.iter().any(|piece| !matches!(piece, Piece::Literal(_)));
            // which file is run is no matter of values either
            let is_computed_path = has_templates && source.trim().ends_with(".py");
            let mut variables = Variables::besides(payload.entries().iter().map(|entry| entry.key.as_str()));
            let rewritten = script::rewrite(&pieces, |piece| {
                Some(variables.name(piece, to_cel(piece, &self.names)?))
            });
            let rewritten = rewritten.filter(|_| !is_computed_path && pieces.len() <= SCRIPT_PIECES_MAX);
            if rewritten.is_none() {
                refuse(&entry.node, path, self.report);
            }
            let script = Node::text(entry.node.at, rewritten.unwrap_or_default());
            out.put_at("script", entry.key_at, script);
            for (name, template) in variables.into_templates() {
                args.put_text(&name, entry.node.at, template);
            }
        }
        out.put_filled("args", payload.at, args);
        out.build(payload.at)
    }

    fn sleep(&mut self, payload: Source<'_>, path: Path<'_>) -> Node {
        const KNOWN: &[&str] = &["duration", "seconds", "duration_seconds"];
        warn_unknown(payload, KNOWN, path, self.report);
        let mut out = MapBuilder::default();
        match payload.any(KNOWN) {
            Some(entry) => {
                if let Some(node) = seconds(&entry.node, path.key(&entry.key), self.report) {
                    out.put("for", node);
                }
            }
            None => missing(payload.at, path, "duration", self.report),
        }
        out.build(payload.at)
    }

    /// A script is never interpolated: what the command takes from templates goes through environment variables.
    fn shell(&mut self, out: &mut MapBuilder, payload: Source<'_>, path: Path<'_>) -> bool {
        warn_unknown(payload, &["command", "env"], path, self.report);
        let mut env = payload
            .get("env")
            .and_then(|node| source(node, path.key("env"), self.report))
            .map_or_else(MapBuilder::default, |env| {
                self.rewritten(env, path.key("env"), |_| true)
            });
        let Some(entry) = payload.entry("command") else {
            missing(payload.at, path, "command", self.report);
            return false;
        };
        let Some(command) = text(&entry.node, path.key("command"), self.report) else {
            return false;
        };
        let pieces = pieces(command);
        if pieces.len() > SCRIPT_PIECES_MAX {
            refuse(&entry.node, path.key("command"), self.report);
            return false;
        }
        let mut script = String::new();
        let mut variables = Variables::default();
        for piece in pieces {
            let Piece::Literal(literal) = piece else {
                let Some(expression) = to_cel(&piece, &self.names) else {
                    refuse(&entry.node, path.key("command"), self.report);
                    return false;
                };
                script.push_str(&format!("${{{}}}", variables.name(&piece, expression)));
                continue;
            };
            script.push_str(literal);
        }
        for (name, template) in variables.into_templates() {
            env.put_text(&name, entry.node.at, template);
        }
        out.put_at("run", entry.key_at, Node::text(entry.node.at, script));
        out.put_filled("env", payload.at, env);
        true
    }

    /// One task per item: the template's work inside `for_each`.
    fn map(&mut self, out: &mut MapBuilder, payload: Source<'_>, path: Path<'_>) -> bool {
        const KNOWN: &[&str] = &[
            "items",
            "items_from_task",
            "task_template",
            "task",
            "max_parallel",
            "max_concurrency",
        ];
        warn_unknown(payload, KNOWN, path, self.report);
        let items = match payload.any(&["items", "items_from_task"]) {
            Some(entry) if entry.key == "items_from_task" => {
                let Some(task) = text(&entry.node, path.key(&entry.key), self.report) else {
                    return false;
                };
                // The list is the body of a response, and the output of any other task.
                let body = if self.http.contains(task) { ".body" } else { "" };
                Node::text(
                    entry.node.at,
                    format!("${{{{ tasks.{}.output{body} }}}}", self.names.key(task)),
                )
            }
            Some(entry) => self.template(&entry.node, path.key(&entry.key)),
            None => {
                missing(payload.at, path, "items", self.report);
                return false;
            }
        };
        let Some(template) = payload.any(&["task_template", "task"]) else {
            missing(payload.at, path, "task_template", self.report);
            return false;
        };
        let path_to_template = path.key(&template.key);
        let Some(fields) = source(&template.node, path_to_template, self.report) else {
            return false;
        };
        if fields.get("action_type").and_then(Node::as_text) == Some("map") {
            wrong_type(
                &template.node,
                path_to_template,
                "a task that is no map itself",
                self.report,
            );
            return false;
        }
        let mut for_each = MapBuilder::default();
        for_each.put("items", items);
        if let Some(entry) = payload.any(&["max_parallel", "max_concurrency"]) {
            for_each.put_at("max_parallel", entry.key_at, entry.node.clone());
        }
        out.put("for_each", for_each.build(payload.at));
        warn_unknown(fields, TASK, path_to_template, self.report);
        let is_known = self.action(out, fields, path_to_template);
        self.policies(out, fields, path_to_template);
        is_known
    }

    fn rewritten(
        &mut self,
        payload: Source<'_>,
        path: Path<'_>,
        is_kept: impl Fn(&str) -> bool,
    ) -> MapBuilder {
        let mut out = MapBuilder::default();
        for entry in payload.entries().iter().filter(|entry| is_kept(&entry.key)) {
            let node = self.template(&entry.node, path.key(&entry.key));
            out.put_at(&entry.key, entry.key_at, node);
        }
        out
    }

    fn template(&mut self, node: &Node, path: Path<'_>) -> Node {
        let names = &self.names;
        rewrite_tree(node, path, self.report, &|piece| to_cel(piece, names))
    }
}

/// A piece of a template as CEL.
fn to_cel(piece: &Piece<'_>, names: &Names) -> Option<String> {
    match piece {
        Piece::Literal(literal) => Some(cel::text(literal)),
        Piece::Cel(inner) => Some((*inner).to_owned()),
        Piece::Variable(name) => Some(cel::path("vars", &[name])),
        Piece::Secret(name) => Some(cel::path("secrets", &[name])),
        Piece::Path(path) => {
            let steps = steps(path)?;
            match (steps[0], names.find(steps[0])) {
                ("item", _) => Some(cel::path("each.item", &steps[1..])),
                ("index", _) if steps.len() == 1 => Some("each.index".to_owned()),
                ("params", None) => Some(cel::path("inputs", &steps[1..])),
                (_, Some(key)) => Some(cel::path(
                    &cel::path("tasks", &[key]),
                    &[&["output"], &steps[1..]].concat(),
                )),
                (_, None) => None,
            }
        }
    }
}
