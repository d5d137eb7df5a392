//! The *commands* dialect: `tasks` as a map or a list, each with `command` or `callable`.

use crate::source::convert::names::Names;
use crate::source::convert::parts::{
    MapBuilder, Source, finish, head, missing, put_name, put_needs, seconds, source, text, warn_unknown,
    wrong_type,
};
use crate::source::report::Report;
use crate::source::tree::{Data, Extent, Node, Path};

const TOP: &[&str] = &["id", "key", "name", "description", "tasks"];
const TASK: &[&str] = &[
    "id",
    "name",
    "description",
    "command",
    "callable",
    "retries",
    "retry_delay_seconds",
    "timeout_seconds",
    "dependencies",
    "depends_on",
    "metadata",
];

pub(crate) fn convert(root: &Node, report: &mut Report<'_>) -> Node {
    let path = Path::Root;
    let Some(top) = source(root, path, report) else {
        return root.clone();
    };
    warn_unknown(top, TOP, path, report);
    let head = head(top, report);
    let mut out = MapBuilder::default();
    let Some(tasks) = top.get("tasks") else {
        return finish(head, root.at, root.at, out);
    };
    let path = path.key("tasks");
    let keyed = keyed(tasks, path, report);
    let mut names = Names::new(keyed.iter().map(|(key, ..)| *key));
    for (key, key_at, task) in &keyed {
        let Some(id) = task.get("id").and_then(Node::as_text).filter(|id| id != key) else {
            continue;
        };
        names.add_alias(id, key);
        let message = format!("the key `{key}` and the id `{id}` differ; the key is used");
        report.warning("runnel::convert::id_differs", *key_at, path.key(key), message);
    }
    for (key, key_at, task) in keyed {
        let converted = convert_task(key, key_at, task, &names, path.key(key), report);
        out.put_at(&names.key(key), key_at, converted);
    }
    finish(head, root.at, tasks.at, out)
}

/// Each task with its key and the place of it.
fn keyed<'n>(tasks: &'n Node, path: Path<'_>, report: &mut Report<'_>) -> Vec<(&'n str, Extent, &'n Node)> {
    let mut keyed: Vec<(&str, Extent, &Node)> = Vec::new();
    match &tasks.value {
        Data::Map(entries) => keyed.extend(
            entries
                .iter()
                .map(|entry| (entry.key.as_str(), entry.key_at, &entry.node)),
        ),
        Data::List(items) => {
            let mut seen = std::collections::HashSet::new();
            for (index, item) in items.iter().enumerate() {
                let path = path.index(index);
                let Some(id) = item.get("id").or_else(|| item.get("name")) else {
                    missing(item.at, path, "id", report);
                    continue;
                };
                let Some(key) = text(id, path.key("id"), report) else {
                    continue;
                };
                if seen.insert(key) {
                    keyed.push((key, id.at, item));
                } else {
                    duplicate(key, id.at, path, report);
                }
            }
        }
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {
            wrong_type(tasks, path, "a mapping or a list", report)
        }
    }
    keyed
}

pub(crate) fn duplicate(id: &str, at: Extent, path: Path<'_>, report: &mut Report<'_>) {
    report
        .error(
            "runnel::convert::duplicate_id",
            at,
            path,
            format!("the id `{id}` is used twice"),
        )
        .help("give each task an id of its own");
}

fn convert_task(
    key: &str,
    key_at: Extent,
    task: &Node,
    names: &Names,
    path: Path<'_>,
    report: &mut Report<'_>,
) -> Node {
    let mut out = MapBuilder::default();
    let Some(task) = source(task, path, report) else {
        return out.build(task.at);
    };
    warn_unknown(task, TASK, path, report);
    match task
        .get("name")
        .and_then(|node| Some((node, text(node, path.key("name"), report)?)))
    {
        Some((node, name)) => put_name(&mut out, node.at, name),
        None if names.key(key) != key => put_name(&mut out, key_at, key),
        None => {}
    }
    if let Some(node) = task.get("description") {
        out.put("description", node.clone());
    }
    put_needs(&mut out, task, names, |_| false, path, report);
    put_work(&mut out, task, key_at, path, report);
    let mut retry = MapBuilder::default();
    if let Some(node) = task.get("retries") {
        retry.put("limit", node.clone());
    }
    if let Some(node) = task
        .get("retry_delay_seconds")
        .and_then(|node| seconds(node, path.key("retry_delay_seconds"), report))
    {
        retry.put_text("backoff", node.at, "exponential");
        retry.put("delay", node);
    }
    out.put_filled("retry", task.at, retry);
    if let Some(node) = task
        .get("timeout_seconds")
        .and_then(|node| seconds(node, path.key("timeout_seconds"), report))
    {
        out.put("timeout", node);
    }
    if let Some(node) = task.get("metadata") {
        out.put("metadata", node.clone());
    }
    out.build(task.at)
}

fn put_work(out: &mut MapBuilder, task: Source<'_>, key_at: Extent, path: Path<'_>, report: &mut Report<'_>) {
    match (task.entry("command"), task.entry("callable")) {
        (Some(command), Some(callable)) => {
            report
                .error(
                    "runnel::convert::conflict",
                    callable.key_at,
                    path,
                    "`command` and `callable` exclude each other",
                )
                .help("keep one of the two");
            out.put_at("run", command.key_at, command.node.clone());
        }
        (Some(command), None) => out.put_at("run", command.key_at, command.node.clone()),
        (None, Some(callable)) => {
            out.put_text("type", callable.key_at, "python");
            let mut input = MapBuilder::default();
            if let Some(name) = text(&callable.node, path.key("callable"), report) {
                input.put_text("callable", callable.node.at, attribute(name));
            }
            if let Some(metadata) = task
                .get("metadata")
                .filter(|node| node.as_map().is_some_and(|map| !map.is_empty()))
            {
                input.put("args", literal(metadata));
            }
            out.put("input", input.build(callable.node.at));
        }
        (None, None) => {
            report
                .error(
                    "runnel::convert::missing",
                    key_at,
                    path,
                    "the task has neither `command` nor `callable`",
                )
                .help("add `command: <shell command>` or `callable: package.module:function`");
            // Refused once is enough: the checks after this find a task.
            out.put_text("type", key_at, "pass");
        }
    }
}

/// `pkg.module.attr` as `pkg.module:attr`.
fn attribute(callable: &str) -> String {
    match callable.rsplit_once('.') {
        Some((module, name)) if !callable.contains(':') => format!("{module}:{name}"),
        Some(_) | None => callable.to_owned(),
    }
}

/// The dialect has no templates: what looks like one is text.
fn literal(node: &Node) -> Node {
    let value = match &node.value {
        Data::Text(text) => Data::Text(text.replace("${{", "$${{")),
        Data::List(items) => Data::List(items.iter().map(literal).collect()),
        Data::Map(entries) => Data::Map(
            entries
                .iter()
                .map(|entry| {
                    crate::source::tree::Entry::new(entry.key.clone(), entry.key_at, literal(&entry.node))
                })
                .collect(),
        ),
        Data::Null | Data::Bool(_) | Data::Number(_) => node.value.clone(),
    };
    Node::new(node.at, value)
}
