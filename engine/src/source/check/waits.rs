//! What a task waits for: the inputs of `wait` and `approval`, and `callback`.

use crate::definition::Task;
use crate::expr::{Reach, Template};
use crate::run::{APPROVERS_MAX, ON_EXPIRE, ON_REJECT, ON_TIMEOUT, QUORUM_MAX, REMIND_EVERY_MIN};
use crate::source::check::expressions::{Reader, Site};
use crate::source::check::fields::{Fields, Zero};
use crate::source::check::handler::RUNS_IN_ENGINE;
use crate::source::check::policy::is_one_expression;
use crate::source::check::{Checker, shorten};
use crate::source::tree::{Data, Node, Path};

const WAIT_KEYS: &[&str] = &[
    "for",
    "until",
    "event",
    "signal",
    "match",
    "timeout",
    "on_timeout",
    "look_back",
    "simulate_failure",
];

const APPROVAL_KEYS: &[&str] = &[
    "message",
    "approvers",
    "form",
    "quorum",
    "no_self_approval",
    "remind_every",
    "escalate",
    "expires",
    "on_expire",
    "on_reject",
    "simulate_failure",
];

/// What goes with only some kinds of `wait`: the key, and the keys of which one must be there.
const GOES_WITH: &[(&str, &[&str])] = &[
    ("match", &["event", "signal"]),
    ("timeout", &["event", "signal"]),
    ("on_timeout", &["event", "signal"]),
    ("look_back", &["event"]),
];

/// Parts of an input that exist only in what a worker is sent.
const CALLBACK_MEMBERS: &[&str] = &["callback_token", "callback_url"];

impl Checker<'_, '_> {
    pub(crate) fn wait_input(&mut self, node: &Node, path: Path<'_>, site: Site) {
        let Some(fields) = self.fields(node, path, WAIT_KEYS) else {
            return;
        };
        for entry in node.as_map().unwrap_or_default() {
            if entry.key != "match" {
                self.template(&entry.node, path.key(&entry.key), site);
            }
        }
        for key in ["for", "timeout", "look_back"] {
            self.computed_duration(fields, path, key);
        }
        if let Some(node) = fields.get("until") {
            self.moment(node, path.key("until"));
        }
        for key in ["event", "signal"] {
            fields.get(key).map(|node| self.text(node, path.key(key)));
        }
        fields
            .get("on_timeout")
            .map(|node| self.one_of(node, path.key("on_timeout"), ON_TIMEOUT));
        for (key, partners) in GOES_WITH {
            let Some(entry) = fields.entry(key) else { continue };
            if !partners.iter().any(|partner| fields.get(partner).is_some()) {
                let message = format!("`{key}` goes with `{}`", partners.join("` or `"));
                self.report
                    .error("runnel::schema::conflict", entry.key_at, path.key(key), message)
                    .help("a wait for a time ends when the time has come");
            }
        }
        if let Some(node) = fields.get("match")
            && let Reader::Task(group, index) = site.reader
        {
            let site = Site {
                reader: Reader::Taker(group, index),
                has_secrets: false,
                ..site
            };
            self.condition(node, path.key("match"), site);
        }
    }

    /// A duration that may be computed: a wait is resolved when the task is ready.
    fn computed_duration(&mut self, fields: Fields<'_>, path: Path<'_>, key: &str) {
        if let Some(node) = fields.get(key)
            && !node.as_text().is_some_and(is_one_expression)
        {
            self.duration(node, path.key(key), Zero::Allowed);
        }
    }

    fn moment(&mut self, node: &Node, path: Path<'_>) {
        let Some(text) = self.text(node, path) else { return };
        if !is_one_expression(text) && chrono::DateTime::parse_from_rfc3339(text).is_err() {
            let message = format!("`{}` is not a time", shorten(text));
            self.report
                .error("runnel::schema::time", node.at, path, message)
                .help("write RFC 3339 with a zone, as `2030-01-31T08:00:00Z`, or an expression");
        }
    }

    pub(crate) fn approval_input(&mut self, node: &Node, path: Path<'_>) {
        let Some(fields) = self.fields(node, path, APPROVAL_KEYS) else {
            return;
        };
        fields
            .get("message")
            .map(|node| self.text(node, path.key("message")));
        for key in ["remind_every", "expires"] {
            self.computed_duration(fields, path, key);
        }
        if let Some(node) = fields.get("remind_every")
            && let Some(every) = node
                .as_text()
                .and_then(|text| crate::source::duration::parse(text).ok())
            && every < REMIND_EVERY_MIN
        {
            let message = format!("reminders are at least {} s apart", REMIND_EVERY_MIN.as_secs());
            self.report.error(
                "runnel::schema::range",
                node.at,
                path.key("remind_every"),
                message,
            );
        }
        if let Some(node) = fields.get("no_self_approval")
            && !node.as_text().is_some_and(is_one_expression)
        {
            self.boolean(node, path.key("no_self_approval"));
        }
        fields
            .get("on_expire")
            .map(|node| self.one_of(node, path.key("on_expire"), ON_EXPIRE));
        fields
            .get("on_reject")
            .map(|node| self.one_of(node, path.key("on_reject"), ON_REJECT));
        if let Some(entry) = fields.entry("on_expire")
            && fields.get("expires").is_none()
        {
            let message = "`on_expire` has no effect without `expires`";
            self.report.error(
                "runnel::schema::conflict",
                entry.key_at,
                path.key("on_expire"),
                message,
            );
        }
        let named = self.approvers(fields, path);
        let escalated = self.escalation(fields, path, named.is_some());
        self.quorum(fields, path, named, escalated);
        if let Some(node) = fields.get("form") {
            self.form(node, path.key("form"));
        }
    }

    /// How many people the list can be at most; `None` when nobody knows: it has groups, expressions, or is absent.
    fn approvers(&mut self, fields: Fields<'_>, path: Path<'_>) -> Option<usize> {
        let node = fields.get("approvers")?;
        let path = path.key("approvers");
        if node.as_text().is_some_and(is_one_expression) {
            return None;
        }
        let items = self.list(node, path)?;
        if items.len() > APPROVERS_MAX {
            let message = format!("{} approvers; the limit is {APPROVERS_MAX}", items.len());
            self.report
                .error("runnel::schema::range", node.at, path, message)
                .help("name a group: `group:ops`");
        }
        let mut people = Some(0);
        for (index, item) in items.iter().enumerate() {
            let Some(text) = self.text(item, path.index(index)) else {
                continue;
            };
            if text.is_empty() || text == "group:" {
                let message = "an approver is the name of a person, or `group:` and a name";
                self.report
                    .error("runnel::schema::approver", item.at, path.index(index), message);
            }
            if text.starts_with("group:") || text.contains("${{") {
                people = None;
            }
            people = people.map(|people| people + 1);
        }
        people.filter(|people| *people > 0)
    }

    fn escalation(&mut self, fields: Fields<'_>, path: Path<'_>, has_people: bool) -> Option<usize> {
        let entry = fields.entry("escalate")?;
        let path = path.key("escalate");
        let inner = self.fields(&entry.node, path, &["after", "approvers"])?;
        for key in ["after", "approvers"] {
            if inner.get(key).is_none() {
                self.missing(&entry.node, path.key(key), key);
            }
        }
        self.computed_duration(inner, path, "after");
        if !has_people && fields.get("approvers").is_none() {
            let message = "`escalate` has no effect without `approvers`: everybody may decide already";
            self.report
                .error("runnel::schema::conflict", entry.key_at, path, message);
        }
        self.approvers(inner, path)
    }

    fn quorum(&mut self, fields: Fields<'_>, path: Path<'_>, named: Option<usize>, escalated: Option<usize>) {
        let Some(node) = fields.get("quorum") else { return };
        if node.as_text().is_some_and(is_one_expression) {
            return;
        }
        let path = path.key("quorum");
        let Some(quorum) = self.integer(node, path, 1..=QUORUM_MAX) else {
            return;
        };
        let people = match (named, fields.get("escalate")) {
            (Some(named), Some(_)) => escalated.map(|more| named + more),
            (named, None) => named,
            (None, Some(_)) => None,
        };
        if let Some(people) = people
            && people < usize::try_from(quorum).unwrap_or(usize::MAX)
        {
            let message = format!("a quorum of {quorum} cannot be reached by {people} approvers");
            self.report
                .error("runnel::schema::range", node.at, path, message)
                .help("name more approvers or a group, or lower the quorum");
        }
    }

    fn form(&mut self, node: &Node, path: Path<'_>) {
        if self.map(node, path).is_none() {
            return;
        }
        let schema = node.to_json();
        if schema.to_string().contains("${{") {
            // known only when the task asks
            return;
        }
        if let Err(error) = jsonschema::draft7::meta::validate(&schema) {
            let message = format!("not a valid JSON Schema: {error}");
            self.report
                .error("runnel::schema::form", node.at, path, message)
                .help(
                    "describe the form as an object: `{ type: object, properties: { … }, required: [ … ] }`",
                );
        } else if let Err(error) = jsonschema::draft7::new(&schema) {
            let message = format!("this JSON Schema cannot be used: {error}");
            self.report.error("runnel::schema::form", node.at, path, message);
        }
    }

    /// `callback`, and that nothing reads the token of a task that has none.
    pub(crate) fn callback(&mut self, fields: Fields<'_>, path: Path<'_>, task: &Task) -> bool {
        let entry = fields.entry("callback");
        let is_callback = entry
            .and_then(|entry| self.boolean(&entry.node, path.key("callback")))
            .unwrap_or(false);
        if let Some(entry) = entry
            && is_callback
            && RUNS_IN_ENGINE.contains(&task.kind.as_str())
        {
            let message = format!(
                "a task of type `{}` takes no worker that could call back",
                task.kind
            );
            self.report
                .error(
                    "runnel::schema::conflict",
                    entry.key_at,
                    path.key("callback"),
                    message,
                )
                .help("use `type: wait` with `signal`, or `type: approval`");
        }
        if !is_callback {
            for key in ["input", "with", "env"] {
                if let Some(node) = fields.get(key) {
                    self.callback_reads(node, path.key(key));
                }
            }
        }
        is_callback
    }

    fn callback_reads(&mut self, node: &Node, path: Path<'_>) {
        match &node.value {
            Data::Text(text) if text.contains("callback_") => {
                let reads = Template::compile(&serde_json::Value::String(text.clone()))
                    .is_ok_and(|template| reads_callback(&template));
                if reads {
                    let message = "only a task with `callback: true` has a callback token";
                    self.report
                        .error("runnel::task::callback", node.at, path, message)
                        .help("add `callback: true` to the task");
                }
            }
            Data::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.callback_reads(item, path.index(index));
                }
            }
            Data::Map(entries) => {
                for entry in entries {
                    self.callback_reads(&entry.node, path.key(&entry.key));
                }
            }
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {}
        }
    }
}

fn reads_callback(template: &Template) -> bool {
    match template.references().reach.get("task") {
        Some(Reach::Members(members)) => CALLBACK_MEMBERS.iter().any(|name| members.contains(*name)),
        Some(Reach::Whole) | None => false,
    }
}
