//! One task of the file.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::definition::Task;
use crate::source::TASKS_MAX;
use crate::source::check::expressions::{Group, Reader, Site};
use crate::source::check::features::Place;
use crate::source::check::fields::{Fields, Zero};
use crate::source::check::handler;
use crate::source::check::policy::{Defaults, PartialRetry};
use crate::source::check::{Checker, NAME_CHARS_MAX, Placed, shorten};
use crate::source::tree::{Entry, Node, Path};

pub(crate) const TASK_KEYS: &[&str] = &[
    "name",
    "description",
    "needs",
    "depends_on",
    "dependencies",
    "join",
    "trigger_rule",
    "if",
    "run",
    "type",
    "uses",
    "input",
    "with",
    "env",
    "for_each",
    "max_parallel",
    "matrix",
    "repeat",
    "retry",
    "max_losses",
    "timeout",
    "start_within",
    "complete_within",
    "heartbeat",
    "queue",
    "resources",
    "priority",
    "concurrency",
    "rate_limit",
    "circuit",
    "cache",
    "idempotency_key",
    "compensate",
    "point_of_no_return",
    "callback",
    "on_exhausted",
    "continue_on_error",
    "image",
    "sla",
    "tags",
    "labels",
    "metadata",
    "output_schema",
];

/// Keys whose value is checked for its shape and then refused or kept as written.
const SHAPED_KEYS: &[&str] = &["resources", "image", "labels"];

impl Checker<'_, '_> {
    pub(crate) fn tasks(
        &mut self,
        node: &Node,
        path: Path<'_>,
        group: Group,
        defaults: &Defaults,
    ) -> Vec<Placed> {
        let entries = match node.as_list() {
            Some(_) => {
                let message = "`tasks` is a list; it must be a mapping";
                let help = "write `tasks: { my_task: { run: … } }`; a task's key is its name";
                self.report
                    .error("runnel::schema::type", node.at, path, message)
                    .help(help);
                return Vec::new();
            }
            None => self.map(node, path).unwrap_or_default(),
        };
        if entries.is_empty() && group == Group::Main && node.as_map().is_some() {
            self.report
                .error("runnel::schema::empty", node.at, path, "the workflow has no task")
                .help("a workflow has at least one task");
        }
        if entries.len() > TASKS_MAX {
            let message = format!("{} tasks; the limit is {TASKS_MAX}", entries.len());
            self.report
                .error("runnel::dag::too_many_tasks", node.at, path, message)
                .help("use `for_each` for work of one kind");
            return Vec::new();
        }
        let tasks = entries.iter().enumerate();
        tasks
            .map(|(index, entry)| {
                self.task(entry, path.key(&entry.key), Reader::Task(group, index), defaults)
            })
            .collect()
    }

    pub(crate) fn task(
        &mut self,
        entry: &Entry,
        path: Path<'_>,
        reader: Reader,
        defaults: &Defaults,
    ) -> Placed {
        self.task_key(entry, path);
        let mut placed = Placed {
            task: blank(&entry.key),
            at: entry.key_at,
            need_extents: Vec::new(),
        };
        let Some(fields) = self.fields(&entry.node, path, TASK_KEYS) else {
            return placed;
        };
        let fan_out = self.fan_out(fields, path, reader);
        self.is_in_matrix = fields.get("matrix").is_some();
        let site = Site {
            reader,
            has_secrets: true,
            has_each: fan_out.is_some()
                || ["for_each", "matrix", "repeat"]
                    .iter()
                    .any(|key| fields.get(key).is_some()),
        };
        let plain = Site {
            has_secrets: false,
            ..site
        };
        let edges = self.edges(fields, path, &entry.key);
        let (kind, input) = self.work(entry, fields, path, site);
        let takes_worker = !handler::RUNS_IN_ENGINE.contains(&kind.as_str());
        let own_retry = fields
            .get("retry")
            .map(|node| self.retry(node, path.key("retry"), plain))
            .unwrap_or_default();
        let retry = if takes_worker {
            own_retry.or(&defaults.retry)
        } else {
            own_retry
        };
        let timeout = self.time(fields, path, "timeout");
        let task = &mut placed.task;
        task.input = input;
        task.needs = edges.needs;
        task.join = edges.join;
        placed.need_extents = edges.extents;
        // A condition that reads an item is decided for each; there is no round yet when it is.
        task.condition = fields.get("if").and_then(|n| {
            self.condition(
                n,
                path.key("if"),
                Site {
                    has_each: fan_out.is_some(),
                    ..plain
                },
            )
        });
        task.repeat = fields
            .get("repeat")
            .and_then(|node| self.repeat(node, path.key("repeat"), plain));
        task.env = self.task_env(fields, path, site, defaults, takes_worker);
        task.for_each = fan_out.for_each;
        task.matrix = fan_out.matrix;
        task.sla = fields.get("sla").and_then(|node| self.sla(node, path.key("sla")));
        self.failing(fields, path, retry, (&kind, defaults), task);
        task.timeout = timeout.or(defaults.timeout.filter(|_| takes_worker));
        self.times(fields, path, task);
        task.priority = self.priority(fields, path);
        task.kind = kind;
        task.callback = self.callback(fields, path, task);
        self.plain_fields(fields, path, plain, defaults, task);
        self.gates(fields, path, plain, task);
        self.shaped_fields(fields, path, task);
        self.undoing(fields, path, reader, defaults, task);
        self.is_in_matrix = false;
        placed
    }

    /// What a failed attempt and a lost worker mean.
    fn failing(
        &mut self,
        fields: Fields<'_>,
        path: Path<'_>,
        retry: PartialRetry,
        (kind, defaults): (&str, &Defaults),
        task: &mut Task,
    ) {
        let on_exhausted = fields
            .get("on_exhausted")
            .and_then(|node| self.on_exhausted(node, path.key("on_exhausted")));
        task.on_exhausted = on_exhausted.or(retry.on_exhausted).unwrap_or_default();
        task.retry = retry.resolve(kind);
        task.max_losses = self
            .max_losses(fields, path)
            .or(defaults.max_losses)
            .unwrap_or(Task::MAX_LOSSES);
    }

    fn times(&mut self, fields: Fields<'_>, path: Path<'_>, task: &mut Task) {
        task.start_within = self.time(fields, path, "start_within");
        task.complete_within = self.time(fields, path, "complete_within");
        task.heartbeat = self.time(fields, path, "heartbeat");
    }

    fn task_key(&mut self, entry: &Entry, path: Path<'_>) {
        let key = &entry.key;
        let is_legal = key.len() <= NAME_CHARS_MAX
            && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_legal {
            let message = format!("`{}` cannot be the key of a task", shorten(key));
            let help = "a letter or `_`, then letters, digits and `_`, at most 128 (`a-b` would be a subtraction in an expression)";
            self.report
                .error("runnel::schema::task_key", entry.key_at, path, message)
                .help(help);
        }
    }

    fn time(&mut self, fields: Fields<'_>, path: Path<'_>, key: &str) -> Option<Duration> {
        self.duration(fields.get(key)?, path.key(key), Zero::Refused)
    }

    fn task_env(
        &mut self,
        fields: Fields<'_>,
        path: Path<'_>,
        site: Site,
        defaults: &Defaults,
        takes_worker: bool,
    ) -> Map<String, Value> {
        let mut env = if takes_worker {
            defaults.env.clone()
        } else {
            Map::new()
        };
        if let Some(node) = fields.get("env") {
            env.extend(self.env(node, path.key("env"), site));
        }
        env
    }

    fn plain_fields(
        &mut self,
        fields: Fields<'_>,
        path: Path<'_>,
        site: Site,
        defaults: &Defaults,
        task: &mut Task,
    ) {
        if let Some(name) = fields
            .get("name")
            .and_then(|node| self.name(node, path.key("name")))
        {
            name.clone_into(&mut task.name);
        }
        let queue = fields
            .get("queue")
            .and_then(|node| self.name(node, path.key("queue")))
            .map(str::to_owned);
        task.queue = queue
            .or_else(|| defaults.queue.clone())
            .unwrap_or_else(|| Task::QUEUE.to_owned());
        task.continue_on_error = fields
            .get("continue_on_error")
            .and_then(|node| self.boolean(node, path.key("continue_on_error")))
            .unwrap_or(false);
        task.idempotency_key = fields.get("idempotency_key").and_then(|node| {
            self.template(node, path.key("idempotency_key"), site);
            self.text(node, path.key("idempotency_key")).map(str::to_owned)
        });
        if let Some(entries) = fields
            .get("metadata")
            .and_then(|node| self.map(node, path.key("metadata")))
        {
            task.metadata = crate::source::tree::to_json_map(entries);
        }
        if let Some(text) = fields
            .get("description")
            .and_then(|node| self.text(node, path.key("description")))
        {
            task.extra.insert("description".to_owned(), Value::from(text));
        }
        task.output_schema = fields
            .get("output_schema")
            .and_then(|node| self.output_schema(node, path.key("output_schema")));
        if let Some(node) = fields.get("tags") {
            let tags = self.tags(node, path.key("tags"));
            task.extra.insert("tags".to_owned(), Value::from(tags));
        }
    }

    fn shaped_fields(&mut self, fields: Fields<'_>, path: Path<'_>, task: &mut Task) {
        for key in SHAPED_KEYS {
            let Some(entry) = fields.entry(key) else { continue };
            self.shape(key, &entry.node, path.key(key));
            self.feature(Place::Task, key, entry.key_at, path.key(key));
            task.extra.insert((*key).to_owned(), entry.node.to_json());
        }
    }
}

/// A task before anything of it was read.
fn blank(key: &str) -> Task {
    Task {
        key: key.to_owned(),
        name: key.to_owned(),
        input: Value::Object(Map::new()),
        retry: crate::source::check::policy::PartialRetry::default().resolve(""),
        ..Task::default()
    }
}
