//! Checks a v1 tree and builds the [`Workflow`] from it, reporting every problem on the way.
//!
//! A field with a problem is reported and left at its default, so that the checks after it still run; the caller drops
//! the workflow when anything was an error.

mod cloud;
mod compensation;
mod expressions;
mod features;
mod fields;
mod gates;
mod graph;
mod handler;
mod inputs;
mod loops;
mod needs;
mod policy;
mod triggers;

pub(crate) use policy::is_one_expression;
mod task;
mod waits;

use std::time::Duration;

use serde_json::{Map, Value};

use crate::definition::{Task, Workflow};
use crate::source::report::Report;
use crate::source::tree::{Extent, Node, Path, to_json_map};
use expressions::{Group, Read, Reader, Site};
use features::Place;
use fields::{Fields, Zero};
use policy::Defaults;

/// Most edges in one workflow.
pub const EDGES_MAX: usize = 50_000;
/// Longest name, tag or queue, in characters.
pub const NAME_CHARS_MAX: usize = 128;
/// Largest input of one task as written in the file, in bytes of JSON.
pub const INPUT_BYTES_MAX: usize = 256 * 1024;

const CANCEL_GRACE: Duration = Duration::from_secs(30);
const PRIORITY: u32 = 50;

const WORKFLOW_KEYS: &[&str] = &[
    "version",
    "id",
    "name",
    "description",
    "labels",
    "tags",
    "inputs",
    "additional_inputs",
    "outputs",
    "env",
    "triggers",
    "concurrency",
    "priority",
    "timeout",
    "sla",
    "fail_fast",
    "cancel_grace",
    "defaults",
    "compensation",
    "tasks",
    "on_failure",
    "on_success",
    "finally",
];

/// Checks a v1 file. The workflow is whole only when the report has no error.
pub(crate) fn workflow(root: &Node, report: &mut Report<'_>) -> Option<Workflow> {
    let mut checker = Checker {
        report,
        reads: Vec::new(),
        expressions: 0,
        is_in_matrix: false,
        reads_error: false,
    };
    let path = Path::Root;
    let fields = checker.fields(root, path, WORKFLOW_KEYS)?;
    checker.version(fields);
    let id = checker.id(fields);
    let name = fields
        .get("name")
        .and_then(|node| checker.name(node, path.key("name")));
    let defaults = fields
        .get("defaults")
        .map(|node| checker.defaults(node, path.key("defaults")))
        .unwrap_or_default();
    let mut workflow = Workflow {
        name: name.map_or_else(|| id.clone(), str::to_owned),
        id,
        description: fields
            .get("description")
            .and_then(|node| checker.text(node, path.key("description")))
            .map(str::to_owned),
        labels: fields
            .get("labels")
            .map(|node| checker.labels(node, path.key("labels")))
            .unwrap_or_default(),
        tags: fields
            .get("tags")
            .map(|node| checker.tags(node, path.key("tags")))
            .unwrap_or_default(),
        inputs: fields
            .get("inputs")
            .map(|node| checker.inputs(node, path.key("inputs")))
            .unwrap_or_default(),
        env: fields
            .get("env")
            .map(|node| checker.env(node, path.key("env"), AT_START))
            .unwrap_or_default(),
        priority: checker.priority(fields, path).unwrap_or(PRIORITY as u8),
        timeout: fields
            .get("timeout")
            .and_then(|node| checker.duration(node, path.key("timeout"), Zero::Refused)),
        fail_fast: fields
            .get("fail_fast")
            .and_then(|node| checker.boolean(node, path.key("fail_fast")))
            .unwrap_or(false),
        cancel_grace: fields
            .get("cancel_grace")
            .and_then(|node| checker.duration(node, path.key("cancel_grace"), Zero::Allowed))
            .unwrap_or(CANCEL_GRACE),
        compensation: fields
            .get("compensation")
            .map(|node| checker.compensation(node, path.key("compensation"))),
        concurrency: fields
            .get("concurrency")
            .and_then(|node| checker.concurrency(node, path.key("concurrency"), AT_START_PLAIN)),
        sla: fields
            .get("sla")
            .and_then(|node| checker.sla(node, path.key("sla"))),
        extra: checker.extra(fields, path),
        ..Workflow::default()
    };
    checker.groups(fields, &defaults, &mut workflow);
    Some(workflow)
}

const AT_START: Site = Site {
    reader: Reader::Start,
    has_secrets: true,
    has_each: false,
};

/// As [`AT_START`], where no secret may be read.
const AT_START_PLAIN: Site = Site {
    has_secrets: false,
    ..AT_START
};

pub(crate) struct Checker<'r, 't> {
    report: &'r mut Report<'t>,
    reads: Vec<Read>,
    /// Expressions seen so far.
    expressions: usize,
    /// Whether the task that is being read has a matrix.
    is_in_matrix: bool,
    /// Whether the expression may read the failure that a retry policy decides about.
    reads_error: bool,
}

/// A checked task and where its parts stand, for the graph.
pub(crate) struct Placed {
    task: Task,
    at: Extent,
    /// One per entry of `task.needs`.
    need_extents: Vec<Extent>,
}

impl Checker<'_, '_> {
    fn version(&mut self, fields: Fields<'_>) {
        if let Some(node) = fields.get("version")
            && node.to_json() != 1
        {
            self.report
                .error(
                    "runnel::schema::version",
                    node.at,
                    Path::Root.key("version"),
                    "this version of the format is not known",
                )
                .help("write `version: 1`");
        }
    }

    fn id(&mut self, fields: Fields<'_>) -> String {
        let path = Path::Root;
        let Some(node) = fields.get("id") else {
            let at = Extent {
                start: fields.at.start,
                end: fields.at.start,
            };
            self.report
                .error("runnel::schema::missing", at, path.key("id"), "`id` is missing")
                .help("add `id: my-workflow`");
            return String::new();
        };
        let Some(id) = self.text(node, path.key("id")) else {
            return String::new();
        };
        let is_legal = id.len() <= NAME_CHARS_MAX
            && id.starts_with(|c: char| c.is_ascii_lowercase())
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        if !is_legal {
            self.report
                .error(
                    "runnel::schema::id",
                    node.at,
                    path.key("id"),
                    format!("`{}` cannot be the id of a workflow", shorten(id)),
                )
                .help("a lower-case letter, then lower-case letters, digits, `-` and `_`; at most 128");
        }
        id.to_owned()
    }

    fn labels(&mut self, node: &Node, path: Path<'_>) -> std::collections::BTreeMap<String, String> {
        let entries = self.map(node, path).unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| {
                let text = self.name(&entry.node, path.key(&entry.key))?;
                Some((entry.key.clone(), text.to_owned()))
            })
            .collect()
    }

    fn tags(&mut self, node: &Node, path: Path<'_>) -> Vec<String> {
        let items = self.list(node, path).unwrap_or_default();
        let names = items
            .iter()
            .enumerate()
            .filter_map(|(i, item)| self.name(item, path.index(i)).map(str::to_owned));
        names.collect()
    }

    /// Environment variables: texts, numbers and booleans.
    fn env(&mut self, node: &Node, path: Path<'_>, site: Site) -> Map<String, Value> {
        let entries = self.map(node, path).unwrap_or_default();
        for entry in entries {
            let path = path.key(&entry.key);
            let is_legal = entry.key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && entry
                    .key
                    .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !is_legal {
                let message = format!(
                    "`{}` cannot be the name of an environment variable",
                    shorten(&entry.key)
                );
                self.report
                    .error("runnel::schema::env", entry.key_at, path, message)
                    .help("use letters, digits and `_`");
            }
            if entry.node.as_list().is_some() || entry.node.as_map().is_some() || entry.node.is_null() {
                self.wrong_type(&entry.node, path, "a text, a number or a boolean");
            }
            self.template(&entry.node, path, site);
        }
        to_json_map(entries)
    }

    fn outputs(&mut self, node: &Node, path: Path<'_>) -> Map<String, Value> {
        let entries = self.map(node, path).unwrap_or_default();
        let site = Site {
            reader: Reader::Outputs,
            has_secrets: false,
            has_each: false,
        };
        self.template(node, path, site);
        to_json_map(entries)
    }

    fn priority(&mut self, fields: Fields<'_>, path: Path<'_>) -> Option<u8> {
        let priority = self.integer(fields.get("priority")?, path.key("priority"), 0..=100)?;
        u8::try_from(priority).ok()
    }

    /// Parts that are kept as written, after a check of their shape.
    fn extra(&mut self, fields: Fields<'_>, path: Path<'_>) -> Map<String, Value> {
        let mut extra = Map::new();
        if let Some(node) = fields.get("additional_inputs")
            && self.boolean(node, path.key("additional_inputs")) == Some(true)
        {
            extra.insert("additional_inputs".to_owned(), Value::Bool(true));
        }
        for key in ["triggers"] {
            let Some(entry) = fields.entry(key) else { continue };
            self.shape(key, &entry.node, path.key(key));
            self.feature(Place::Workflow, key, entry.key_at, path.key(key));
            extra.insert(key.to_owned(), entry.node.to_json());
        }
        extra
    }

    fn groups(&mut self, fields: Fields<'_>, defaults: &Defaults, workflow: &mut Workflow) {
        let path = Path::Root;
        let main = match fields.get("tasks") {
            Some(node) => self.tasks(node, path.key("tasks"), Group::Main, defaults),
            None => {
                let at = Extent {
                    start: fields.at.start,
                    end: fields.at.start,
                };
                self.report
                    .error(
                        "runnel::schema::missing",
                        at,
                        path.key("tasks"),
                        "`tasks` is missing",
                    )
                    .help("a workflow has at least one task");
                Vec::new()
            }
        };
        let mut handlers = Vec::new();
        for (key, group) in [
            ("on_failure", Group::OnFailure),
            ("on_success", Group::OnSuccess),
            ("finally", Group::Finally),
        ] {
            let tasks = match fields.entry(key) {
                Some(entry) => {
                    self.feature(Place::Workflow, key, entry.key_at, path.key(key));
                    self.tasks(&entry.node, path.key(key), group, defaults)
                }
                None => Vec::new(),
            };
            handlers.push((key, group, tasks));
        }
        // Before the graph: what the outputs read is compared with it.
        if let Some(node) = fields.get("outputs") {
            workflow.outputs = self.outputs(node, path.key("outputs"));
        }
        self.graph(&main, &handlers);
        workflow.tasks = main.into_iter().map(|placed| placed.task).collect();
        for (_, group, tasks) in handlers {
            let tasks = tasks.into_iter().map(|placed| placed.task).collect();
            match group {
                Group::OnFailure => workflow.on_failure = tasks,
                Group::OnSuccess => workflow.on_success = tasks,
                Group::Finally | Group::Main | Group::Compensation => workflow.finally = tasks,
            }
        }
    }
}

/// For messages: a name of any length, cut.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
