//! What all dialects share: building mappings, names, seconds, dependencies and retry policies.

use crate::source::convert::names::{Names, slug};
use crate::source::duration;
use crate::source::report::Report;
use crate::source::tree::{Data, Entry, Extent, Node, Path};

/// A mapping under construction, in the order of the calls.
#[derive(Default)]
pub(crate) struct MapBuilder {
    entries: Vec<Entry>,
}

impl MapBuilder {
    pub(crate) fn put(&mut self, key: &str, node: Node) {
        self.entries.push(Entry::new(key, node.at, node));
    }

    pub(crate) fn put_at(&mut self, key: &str, key_at: Extent, node: Node) {
        self.entries.push(Entry::new(key, key_at, node));
    }

    pub(crate) fn put_text(&mut self, key: &str, at: Extent, text: impl Into<String>) {
        self.put(key, Node::text(at, text));
    }

    /// Takes an entry out again.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry> {
        let position = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(position))
    }

    pub(crate) fn put_filled(&mut self, key: &str, at: Extent, map: MapBuilder) {
        if !map.is_empty() {
            self.put(key, map.build(at));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn build(self, at: Extent) -> Node {
        Node::new(at, Data::Map(self.entries))
    }
}

/// The fields of a mapping of a foreign dialect. A key without a value counts as absent.
#[derive(Clone, Copy)]
pub(crate) struct Source<'n> {
    pub(crate) at: Extent,
    entries: &'n [Entry],
}

impl<'n> Source<'n> {
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries
            .iter()
            .find(|entry| entry.key == key && !entry.node.is_null())
    }

    /// The first of several keys that is there.
    pub(crate) fn any(&self, keys: &[&str]) -> Option<&'n Entry> {
        keys.iter().find_map(|key| self.entry(key))
    }

    pub(crate) fn entries(&self) -> &'n [Entry] {
        self.entries
    }
}

pub(crate) const ADDITIONAL_INPUTS: &str = "additional_inputs";

/// A mapping, or a diagnostic and nothing.
pub(crate) fn source<'n>(node: &'n Node, path: Path<'_>, report: &mut Report<'_>) -> Option<Source<'n>> {
    match node.as_map() {
        Some(entries) => Some(Source { at: node.at, entries }),
        None => {
            wrong_type(node, path, "a mapping", report);
            None
        }
    }
}

pub(crate) fn wrong_type(node: &Node, path: Path<'_>, expected: &str, report: &mut Report<'_>) {
    let message = format!("expected {expected}, found {}", node.kind());
    report.error("runnel::convert::type", node.at, path, message);
}

pub(crate) fn missing(at: Extent, path: Path<'_>, key: &str, report: &mut Report<'_>) {
    let at = Extent {
        start: at.start,
        end: at.start,
    };
    report.error(
        "runnel::convert::missing",
        at,
        path.key(key),
        format!("`{key}` is missing"),
    );
}

/// Names every field that the conversion does not know.
pub(crate) fn warn_unknown(source: Source<'_>, known: &[&str], path: Path<'_>, report: &mut Report<'_>) {
    for entry in source
        .entries
        .iter()
        .filter(|entry| !known.contains(&entry.key.as_str()))
    {
        let near_miss = report.near_miss(&entry.key, known.iter().copied());
        let message = format!("the field `{}` is not known and is left out", entry.key);
        report
            .warning(
                "runnel::convert::unknown_field",
                entry.key_at,
                path.key(&entry.key),
                message,
            )
            .did_you_mean(near_miss);
    }
}

pub(crate) fn text<'n>(node: &'n Node, path: Path<'_>, report: &mut Report<'_>) -> Option<&'n str> {
    let text = node.as_text();
    if text.is_none() {
        wrong_type(node, path, "a text", report);
    }
    text
}

/// `version`, `id`, `name` and `description` of the workflow.
pub(crate) fn head(root: Source<'_>, report: &mut Report<'_>) -> MapBuilder {
    let path = Path::Root;
    let mut out = MapBuilder::default();
    out.put("version", Node::from_json(root.at, 1.into()));
    let name = root
        .get("name")
        .and_then(|node| Some((node, text(node, path.key("name"), report)?)));
    let id = root
        .any(&["id", "key"])
        .and_then(|entry| Some((&entry.node, text(&entry.node, path.key("id"), report)?)));
    match id.or(name) {
        Some((node, name)) => out.put_text("id", node.at, slug(name)),
        None => {
            missing(root.at, path, "name", report);
            out.put_text("id", root.at, slug(""));
        }
    }
    if let Some((node, name)) = name {
        put_name(&mut out, node.at, name);
    }
    if let Some(node) = root.get("description") {
        out.put("description", node.clone());
    }
    out
}

/// A display name within the limit of v1.
pub(crate) fn put_name(out: &mut MapBuilder, at: Extent, name: &str) {
    if !name.is_empty() {
        out.put_text("name", at, name.chars().take(128).collect::<String>());
    }
}

/// Seconds, whole or not, as a duration of v1.
pub(crate) fn seconds(node: &Node, path: Path<'_>, report: &mut Report<'_>) -> Option<Node> {
    let seconds = match &node.value {
        Data::Number(number) => number.as_f64(),
        Data::Text(text) => text.trim().parse().ok(),
        Data::Null | Data::Bool(_) | Data::List(_) | Data::Map(_) => None,
    };
    let duration = seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
    let duration = duration.filter(|duration| *duration <= duration::DURATION_MAX);
    match duration {
        Some(duration) => {
            // A shorter time than a millisecond is still no zero.
            let millis = duration.as_nanos().div_ceil(1_000_000);
            let duration = std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
            Some(Node::text(node.at, duration::write(duration)))
        }
        None => {
            wrong_type(node, path, "a number of seconds from 0 to 366 days", report);
            None
        }
    }
}

/// `needs` from a list of names, or one name; per upstream, by its key, whether it may have been skipped.
pub(crate) fn put_needs(
    out: &mut MapBuilder,
    source: Source<'_>,
    names: &Names,
    may_be_skipped: impl Fn(&str) -> bool,
    path: Path<'_>,
    report: &mut Report<'_>,
) {
    let Some(entry) = source.any(&["dependencies", "depends_on"]) else {
        return;
    };
    let path = path.key(&entry.key);
    let items = match &entry.node.value {
        Data::Text(_) => std::slice::from_ref(&entry.node),
        Data::List(items) => items.as_slice(),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Map(_) => {
            wrong_type(&entry.node, path, "a list of names", report);
            return;
        }
    };
    let needs: Vec<Node> = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| {
            Some(Node::text(
                item.at,
                names.key(text(item, path.index(index), report)?),
            ))
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    let mut is_tolerant = false;
    for need in &needs {
        let key = need.as_text().unwrap_or_default();
        is_tolerant |= may_be_skipped(key);
        if !seen.insert(key) {
            // A mapping could not say it twice: the list goes to the checks, which refuse it.
            is_tolerant = false;
            break;
        }
    }
    let value = if is_tolerant {
        let edge = |need: Node| {
            let key = need.as_text().unwrap_or_default().to_owned();
            let accepts = if may_be_skipped(&key) {
                serde_json::json!(["succeeded", "skipped"])
            } else {
                "succeeded".into()
            };
            Entry::new(key, need.at, Node::from_json(need.at, accepts))
        };
        Data::Map(needs.into_iter().map(edge).collect())
    } else if needs.is_empty() {
        return;
    } else {
        Data::List(needs)
    };
    out.put_at("needs", entry.key_at, Node::new(entry.node.at, value));
}

/// How a dialect spells the fields of a retry policy.
pub(crate) struct RetrySpelling {
    /// Tries after the first one.
    pub(crate) retries: &'static [&'static str],
    /// Tries with the first one.
    pub(crate) attempts: &'static [&'static str],
    pub(crate) delay: &'static [&'static str],
    pub(crate) max_delay: &'static [&'static str],
    pub(crate) factor: &'static [&'static str],
}

pub(crate) fn put_retry(
    out: &mut MapBuilder,
    node: &Node,
    spelling: &RetrySpelling,
    path: Path<'_>,
    report: &mut Report<'_>,
) {
    let Some(policy) = source(node, path, report) else {
        return;
    };
    let mut retry = MapBuilder::default();
    if let Some(entry) = policy.any(spelling.retries) {
        retry.put("limit", entry.node.clone());
    } else if let Some(entry) = policy.any(spelling.attempts) {
        match entry.node.to_json().as_u64() {
            Some(attempts @ 1..) => retry.put("limit", Node::from_json(entry.node.at, (attempts - 1).into())),
            Some(_) | None => wrong_type(
                &entry.node,
                path.key(&entry.key),
                "a whole number of attempts from 1",
                report,
            ),
        }
    }
    if let Some(entry) = policy.any(&["backoff", "backoff_strategy", "strategy"]) {
        match entry.node.as_text() {
            Some("constant") => retry.put_text("backoff", entry.node.at, "fixed"),
            _ => retry.put("backoff", entry.node.clone()),
        }
    }
    for (key, spellings) in [("delay", spelling.delay), ("max_delay", spelling.max_delay)] {
        if let Some(entry) = policy.any(spellings)
            && let Some(node) = seconds(&entry.node, path.key(&entry.key), report)
        {
            retry.put(key, node);
        }
    }
    if let Some(entry) = policy.any(spelling.factor) {
        retry.put("factor", entry.node.clone());
    }
    if let Some(node) = policy.get("jitter") {
        match node.value {
            Data::Bool(jitter) => retry.put_text("jitter", node.at, if jitter { "full" } else { "none" }),
            _ => retry.put("jitter", node.clone()),
        }
    }
    let known: Vec<&str> = [
        spelling.retries,
        spelling.attempts,
        spelling.delay,
        spelling.max_delay,
        spelling.factor,
    ]
    .into_iter()
    .flatten()
    .copied()
    .chain(["backoff", "backoff_strategy", "strategy", "jitter"])
    .collect();
    warn_unknown(policy, &known, path, report);
    out.put_filled("retry", node.at, retry);
}

/// The workflow around its converted tasks. Runs of the other systems take any parameters.
pub(crate) fn finish(mut head: MapBuilder, at: Extent, tasks_at: Extent, tasks: MapBuilder) -> Node {
    head.put(ADDITIONAL_INPUTS, Node::new(at, Data::Bool(true)));
    head.put("tasks", tasks.build(tasks_at));
    head.build(at)
}
