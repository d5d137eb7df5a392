//! The *nodes* dialect: `dag.nodes` with `handler`, `config`, `condition` and `{{ node.path }}` templates.

use std::collections::HashSet;

use crate::expr::Expr;
use crate::source::convert::cel;
use crate::source::convert::commands::duplicate;
use crate::source::convert::names::Names;
use crate::source::convert::operand::{OPERATORS, node_of, to_cel};
use crate::source::convert::parts::{
    MapBuilder, RetrySpelling, Source, finish, head, missing, put_name, put_needs, put_retry, seconds,
    source, text, warn_unknown, wrong_type,
};
use crate::source::convert::skips::{Wait, tolerated};
use crate::source::convert::template::{Piece, pieces, refuse, rewrite_tree, steps};
use crate::source::report::Report;
use crate::source::tree::{Data, Extent, Node, Path};

const TOP: &[&str] = &["id", "key", "name", "description", "timeout_seconds", "dag"];
const NODE: &[&str] = &[
    "id",
    "name",
    "description",
    "handler",
    "dependencies",
    "depends_on",
    "config",
    "condition",
    "retry_policy",
    "timeout_seconds",
];
const RETRY: RetrySpelling = RetrySpelling {
    retries: &["max_retries"],
    attempts: &["max_attempts"],
    delay: &["initial_backoff_seconds"],
    max_delay: &["max_backoff_seconds"],
    factor: &["backoff_multiplier"],
};
/// What these systems do with calls when a node gives no policy.
const RETRIES: u64 = 2;
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
    let mut tasks = MapBuilder::default();
    let path = path.key("dag");
    let Some(dag) = top.get("dag").and_then(|dag| source(dag, path, report)) else {
        return finish(head, root.at, root.at, tasks);
    };
    warn_unknown(dag, &["nodes"], path, report);
    let path = path.key("nodes");
    let Some(list) = dag.get("nodes") else {
        return finish(head, root.at, dag.at, tasks);
    };
    let Some(items) = list.as_list() else {
        wrong_type(list, path, "a list", report);
        return finish(head, root.at, list.at, tasks);
    };
    let nodes = identified(items, path, report);
    let names = Names::new(nodes.iter().map(|node| node.id));
    let waits: Vec<Wait> = nodes.iter().map(|node| wait(node, &names)).collect();
    let mut converter = Converter {
        names,
        tolerated: tolerated(&waits),
        report,
    };
    for node in &nodes {
        converter.node(node, path.index(node.index), &mut tasks);
    }
    finish(head, root.at, list.at, tasks)
}

struct Identified<'n> {
    id: &'n str,
    id_at: Extent,
    index: usize,
    fields: Source<'n>,
}

fn identified<'n>(items: &'n [Node], path: Path<'_>, report: &mut Report<'_>) -> Vec<Identified<'n>> {
    let mut nodes = Vec::new();
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        let Some(fields) = source(item, path, report) else {
            continue;
        };
        let Some(id) = fields.get("id") else {
            missing(item.at, path, "id", report);
            continue;
        };
        let Some(name) = text(id, path.key("id"), report) else {
            continue;
        };
        if seen.insert(name) {
            nodes.push(Identified {
                id: name,
                id_at: id.at,
                index,
                fields,
            });
        } else {
            duplicate(name, id.at, path.key("id"), report);
        }
    }
    nodes
}

pub(crate) struct Converter<'r, 't> {
    pub(crate) names: Names,
    /// Edges (task, upstream) that a skipped upstream satisfies.
    tolerated: HashSet<(String, String)>,
    pub(crate) report: &'r mut Report<'t>,
}

/// Reported already.
pub(crate) struct Refused;

impl Converter<'_, '_> {
    fn node(&mut self, node: &Identified<'_>, path: Path<'_>, tasks: &mut MapBuilder) {
        let fields = node.fields;
        warn_unknown(fields, NODE, path, self.report);
        let key = self.names.key(node.id);
        let mut out = MapBuilder::default();
        match fields.get("name").and_then(Node::as_text) {
            Some(name) => put_name(&mut out, node.id_at, name),
            None if key != node.id => put_name(&mut out, node.id_at, node.id),
            None => {}
        }
        if let Some(description) = fields.get("description") {
            out.put("description", description.clone());
        }
        let is_tolerated = |upstream: &str| self.tolerated.contains(&(key.clone(), upstream.to_owned()));
        put_needs(&mut out, fields, &self.names, is_tolerated, path, self.report);
        if let Some(condition) = fields.get("condition")
            && let Ok(cel) = self.condition(condition, path.key("condition"))
        {
            out.put_text("if", condition.at, format!("${{{{ {cel} }}}}"));
        }
        let handler = fields
            .get("handler")
            .and_then(|handler| text(handler, path.key("handler"), self.report));
        let Some(handler) = handler else {
            if fields.get("handler").is_none() {
                missing(fields.at, path, "handler", self.report);
            }
            tasks.put_at(&key, node.id_at, placeholder(fields.at));
            return;
        };
        let empty = Node::new(fields.at, Data::Map(Vec::new()));
        let config = fields.get("config").unwrap_or(&empty);
        let Some(config) = source(config, path.key("config"), self.report) else {
            tasks.put_at(&key, node.id_at, placeholder(fields.at));
            return;
        };
        let kind = self.work(node, handler, config, path.key("config"), &mut out, tasks);
        match fields.get("retry_policy") {
            Some(policy) => put_retry(&mut out, policy, &RETRY, path.key("retry_policy"), self.report),
            None if matches!(kind, "http" | "llm") => {
                out.put("retry", Node::from_json(fields.at, RETRIES.into()))
            }
            None => {}
        }
        let timeout = fields
            .any(&["timeout_seconds"])
            .or_else(|| config.entry("timeout_seconds").filter(|_| kind == "http"));
        if let Some(node) =
            timeout.and_then(|entry| seconds(&entry.node, path.key("timeout_seconds"), self.report))
        {
            out.put("timeout", node);
        }
        tasks.put_at(&key, node.id_at, out.build(fields.at));
    }

    /// Puts `type` and `input`; gives the type.
    fn work<'k>(
        &mut self,
        node: &Identified<'_>,
        handler: &'k str,
        config: Source<'_>,
        path: Path<'_>,
        out: &mut MapBuilder,
        tasks: &mut MapBuilder,
    ) -> &'k str {
        let at = node
            .fields
            .get("handler")
            .map_or(node.id_at, |handler| handler.at);
        let (kind, input) = match handler {
            "input" => ("pass", self.input(node, config, path, out, tasks)),
            "output" => ("pass", self.output(node, config, path)),
            "decision" => ("eval", self.decision(config, path)),
            "call_external_service" => ("http", self.http(config, path)),
            "call_llm" | "call_llm_service" => ("llm", self.llm(config, path)),
            custom => (custom, self.rewritten(config, path, |_| true).build(config.at)),
        };
        out.put_text("type", at, kind);
        if input.as_map().is_none_or(|map| !map.is_empty()) {
            out.put("input", input);
        }
        kind
    }

    /// `config` with the run's parameters over it. One expression where it fits; else the configuration becomes a task of
    /// its own, because the length of an expression is limited.
    fn input(
        &mut self,
        node: &Identified<'_>,
        config: Source<'_>,
        path: Path<'_>,
        out: &mut MapBuilder,
        tasks: &mut MapBuilder,
    ) -> Node {
        if config.entries().is_empty() {
            return Node::text(config.at, "${{ inputs }}");
        }
        let whole = Node::new(config.at, Data::Map(config.entries().to_vec()));
        let literal = cel::literal(&whole, &mut |_, text| self.operand(text).ok_or(()));
        if let Ok(literal) = literal {
            let merged = format!("merge({literal}, inputs)");
            if Expr::compile(&merged).is_ok() {
                return Node::text(config.at, format!("${{{{ {merged} }}}}"));
            }
        }
        let key = self.names.free_key(&format!("{}__config", node.id));
        // The new task takes over the edges, and this one waits for it.
        let mut task = MapBuilder::default();
        let needs = out.take("needs").into_iter().chain(out.take("if"));
        needs.for_each(|entry| task.put_at(&entry.key, entry.key_at, entry.node));
        out.put(
            "needs",
            Node::new(config.at, Data::List(vec![Node::text(config.at, key.clone())])),
        );
        task.put_text("type", config.at, "pass");
        task.put("input", self.rewritten(config, path, |_| true).build(config.at));
        tasks.put_at(&key, node.id_at, task.build(config.at));
        Node::text(config.at, format!("${{{{ merge(tasks.{key}.output, inputs) }}}}"))
    }

    /// `config`, or the outputs of the upstreams when there is none.
    fn output(&mut self, node: &Identified<'_>, config: Source<'_>, path: Path<'_>) -> Node {
        if !config.entries().is_empty() {
            return self.rewritten(config, path, |_| true).build(config.at);
        }
        let mut out = MapBuilder::default();
        let upstreams = node
            .fields
            .any(&["dependencies", "depends_on"])
            .and_then(|entry| entry.node.as_list());
        for upstream in upstreams.unwrap_or_default() {
            if let Some(name) = upstream.as_text() {
                out.put_text(
                    name,
                    upstream.at,
                    format!("${{{{ tasks.{}.output }}}}", self.names.key(name)),
                );
            }
        }
        out.build(config.at)
    }

    fn decision(&mut self, config: Source<'_>, path: Path<'_>) -> Node {
        warn_unknown(
            config,
            &["value_a", "operator", "value_b", "simulate_failure"],
            path,
            self.report,
        );
        let mut out = MapBuilder::default();
        let null = Node::new(config.at, Data::Null);
        let operator = config.get("operator").map_or(Some("=="), Node::as_text);
        let function =
            operator.and_then(|operator| OPERATORS.iter().find(|(name, _)| *name == operator.trim()));
        let Some((_, function)) = function else {
            let at = config.get("operator").map_or(config.at, |node| node.at);
            self.report
                .error(
                    "runnel::convert::operator",
                    at,
                    path.key("operator"),
                    "unknown operator",
                )
                .help("one of ==, !=, >, <, >=, <=");
            return out.build(config.at);
        };
        let sides = [
            config.get("value_a").unwrap_or(&null),
            config.get("value_b").unwrap_or(&null),
        ];
        let sides: Result<Vec<String>, Refused> =
            sides.into_iter().map(|side| self.value(side, path)).collect();
        if let Ok(sides) = sides {
            out.put_text(
                "result",
                config.at,
                format!("${{{{ {function}({}) }}}}", sides.join(", ")),
            );
        }
        self.put_failure(config, path, &mut out);
        out.build(config.at)
    }

    fn http(&mut self, config: Source<'_>, path: Path<'_>) -> Node {
        const KNOWN: &[&str] = &[
            "url",
            "method",
            "headers",
            "body",
            "timeout_seconds",
            "simulate_failure",
        ];
        warn_unknown(config, KNOWN, path, self.report);
        let mut out = self.rewritten(config, path, |key| matches!(key, "url" | "method" | "headers"));
        if let Some(entry) = config.entry("body") {
            let body = self.template(&entry.node, path.key("body"));
            out.put_at(body_key(&body), entry.key_at, body);
        }
        out.put_text("alias_body", config.at, "data");
        self.put_failure(config, path, &mut out);
        out.build(config.at)
    }

    fn llm(&mut self, config: Source<'_>, path: Path<'_>) -> Node {
        const KNOWN: &[&str] = &["prompt", "model", "temperature", "max_tokens", "simulate_failure"];
        warn_unknown(config, KNOWN, path, self.report);
        self.rewritten(config, path, |key| KNOWN.contains(&key))
            .build(config.at)
    }

    fn put_failure(&mut self, config: Source<'_>, path: Path<'_>, out: &mut MapBuilder) {
        if let Some(node) = config.get("simulate_failure") {
            let node = self.template(node, path.key("simulate_failure"));
            out.put("simulate_failure", node);
        }
    }

    fn rewritten(
        &mut self,
        config: Source<'_>,
        path: Path<'_>,
        is_kept: impl Fn(&str) -> bool,
    ) -> MapBuilder {
        let mut out = MapBuilder::default();
        for entry in config.entries().iter().filter(|entry| is_kept(&entry.key)) {
            let node = self.template(&entry.node, path.key(&entry.key));
            out.put_at(&entry.key, entry.key_at, node);
        }
        out
    }

    /// The value with its templates rewritten.
    fn template(&mut self, node: &Node, path: Path<'_>) -> Node {
        let names = &self.names;
        rewrite_tree(node, path, self.report, &|piece| to_cel(piece, names))
    }

    /// A side of a decision: numbers, booleans and lists as they are.
    fn value(&mut self, node: &Node, path: Path<'_>) -> Result<String, Refused> {
        cel::literal(node, &mut |_, text| self.operand(text).ok_or(())).map_err(|()| {
            refuse(node, path, self.report);
            Refused
        })
    }
}

/// A text goes out as it is; anything else, also what one expression gives, as JSON.
pub(crate) fn body_key(body: &Node) -> &'static str {
    match body.as_text() {
        Some(text) if !crate::source::check::is_one_expression(text) => "body",
        Some(_) | None => "json",
    }
}

/// Stands for a task whose work cannot be read, so that its downstreams still find it.
pub(crate) fn placeholder(at: Extent) -> Node {
    let mut out = MapBuilder::default();
    out.put_text("type", at, "pass");
    out.build(at)
}

fn wait(node: &Identified<'_>, names: &Names) -> Wait {
    let mut reads = HashSet::new();
    for key in ["config", "condition"] {
        if let Some(value) = node.fields.get(key) {
            collect_reads(value, names, &mut reads);
        }
    }
    let upstreams = node
        .fields
        .any(&["dependencies", "depends_on"])
        .map_or(&[][..], |entry| match &entry.node.value {
            Data::List(items) => items,
            _ => std::slice::from_ref(&entry.node),
        });
    Wait {
        key: names.key(node.id),
        has_condition: node.fields.get("condition").is_some(),
        upstreams: upstreams
            .iter()
            .filter_map(Node::as_text)
            .map(|name| names.key(name))
            .collect(),
        reads,
    }
}

fn collect_reads(node: &Node, names: &Names, reads: &mut HashSet<String>) {
    match &node.value {
        Data::Text(text) => {
            for piece in pieces(text) {
                if let Piece::Path(path) = piece
                    && let Some(steps) = steps(path)
                    && let Some((key, _)) = node_of(&steps, names)
                {
                    reads.insert(key.to_owned());
                }
            }
        }
        Data::List(items) => items.iter().for_each(|item| collect_reads(item, names, reads)),
        Data::Map(entries) => entries
            .iter()
            .for_each(|entry| collect_reads(&entry.node, names, reads)),
        Data::Null | Data::Bool(_) | Data::Number(_) => {}
    }
}
