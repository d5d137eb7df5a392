//! The `triggers:` of a file: shapes, calendars and expressions, all problems in one pass.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::schedule::{CATCH_UP_LIMIT_MAX, Calendar, WINDOW_MAX, parse_time};
use crate::source::check::expressions::{Reader, Site};
use crate::source::check::fields::{Fields, Zero};
use crate::source::check::{Checker, shorten};
use crate::source::tree::{Node, Path};
use crate::trigger::file::{self, CATCH_UPS, FileTriggerKind, OVERLAPS};
use crate::trigger::{Rate, TRIGGERS_MAX};

/// Failures in a row after which a schedule may be told to pause.
const FAILURES: RangeInclusive<u32> = 1..=1_000;

const SCHEDULE_KEYS: &[&str] = &[
    "name",
    "schedule",
    "timezone",
    "every",
    "anchor",
    "at",
    "start",
    "end",
    "jitter",
    "catchup",
    "catchup_window",
    "catchup_limit",
    "overlap",
    "pause_after_failures",
    "inputs",
    "enabled",
];
const EVENT_KEYS: &[&str] = &[
    "name",
    "event",
    "source",
    "match",
    "inputs",
    "dedupe",
    "rate_limit",
    "enabled",
];
const WEBHOOK_KEYS: &[&str] = &[
    "name",
    "webhook",
    "match",
    "inputs",
    "dedupe",
    "rate_limit",
    "enabled",
];

/// By the key that makes a trigger what it is.
const KINDS: &[(&str, &[&str])] = &[
    ("schedule", SCHEDULE_KEYS),
    ("every", SCHEDULE_KEYS),
    ("at", SCHEDULE_KEYS),
    ("event", EVENT_KEYS),
    ("webhook", WEBHOOK_KEYS),
];

const BY_TIME: Site = Site {
    reader: Reader::Trigger { has_event: false },
    has_secrets: false,
    has_each: false,
};

const BY_EVENT: Site = Site {
    reader: Reader::Trigger { has_event: true },
    has_secrets: false,
    has_each: false,
};

impl Checker<'_, '_> {
    pub(crate) fn triggers(&mut self, node: &Node, path: Path<'_>) {
        let items = self.list(node, path).unwrap_or_default();
        if items.len() > TRIGGERS_MAX {
            let message = format!("{} triggers; the limit is {TRIGGERS_MAX}", items.len());
            self.report.error("runnel::schema::range", node.at, path, message);
            return;
        }
        let mut slots: BTreeMap<String, usize> = BTreeMap::new();
        for (index, item) in items.iter().enumerate() {
            let path = path.index(index);
            let before = self.report.count();
            self.trigger(item, path);
            // what the checks above let pass can be read
            if self.report.count() > before {
                continue;
            }
            match file::read(&item.to_json()) {
                Ok(trigger) => {
                    if let FileTriggerKind::Schedule { spec, .. } = &trigger.kind
                        && let Err(message) = Calendar::new(spec)
                    {
                        self.report
                            .error("runnel::schema::schedule", item.at, path, message);
                    }
                    if let Some(first) = slots.insert(trigger.slot.clone(), index) {
                        let message = format!("this trigger is the same as triggers[{first}]");
                        self.report
                            .error("runnel::schema::conflict", item.at, path, message)
                            .help("give each trigger a `name` of its own");
                    }
                }
                Err(message) => {
                    _ = self
                        .report
                        .error("runnel::schema::schedule", item.at, path, message)
                }
            }
        }
    }

    fn trigger(&mut self, item: &Node, path: Path<'_>) {
        if self.map(item, path).is_none() {
            return;
        }
        let mut kinds = KINDS.iter().filter(|(kind, _)| item.get(kind).is_some());
        let Some((kind, keys)) = kinds.next() else {
            let message = "a trigger has `schedule`, `every`, `at`, `event` or `webhook`";
            self.report
                .error("runnel::schema::missing", item.at, path, message);
            return;
        };
        if let Some((other, _)) = kinds.next() {
            let message = format!("a trigger has either `{kind}` or `{other}`");
            self.report
                .error("runnel::schema::conflict", item.at, path, message)
                .help("write two triggers");
            return;
        }
        let Some(fields) = self.fields(item, path, keys) else {
            return;
        };
        if let Some(node) = fields.get("name") {
            self.trigger_name(node, path.key("name"));
        }
        fields
            .get("enabled")
            .map(|node| self.boolean(node, path.key("enabled")));
        let site = if *keys == SCHEDULE_KEYS { BY_TIME } else { BY_EVENT };
        if let Some(node) = fields.get("inputs")
            && self.map(node, path.key("inputs")).is_some()
        {
            self.template(node, path.key("inputs"), site);
        }
        if *keys == SCHEDULE_KEYS {
            self.schedule(fields, path);
        } else {
            self.rule(fields, path);
        }
    }

    fn trigger_name(&mut self, node: &Node, path: Path<'_>) {
        let Some(name) = self.name(node, path) else { return };
        let is_legal = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        if !is_legal {
            let message = format!("`{}` cannot be the name of a trigger", shorten(name));
            self.report
                .error("runnel::schema::id", node.at, path, message)
                .help("a lower-case letter, then lower-case letters, digits, `-` and `_`");
        }
    }

    fn schedule(&mut self, fields: Fields<'_>, path: Path<'_>) {
        for key in ["schedule", "timezone"] {
            fields.get(key).map(|node| self.text(node, path.key(key)));
        }
        if fields.get("timezone").is_some() && fields.get("schedule").is_none() {
            let message = "`timezone` goes with a cron pattern in `schedule`";
            self.report.error(
                "runnel::schema::conflict",
                fields.at,
                path.key("timezone"),
                message,
            );
        }
        for key in ["anchor", "at", "start", "end"] {
            if let Some(node) = fields.get(key)
                && let Some(text) = self.text(node, path.key(key))
                && let Err(message) = parse_time(text)
            {
                self.report
                    .error("runnel::schema::time", node.at, path.key(key), message);
            }
        }
        for (key, zero) in [
            ("every", Zero::Refused),
            ("jitter", Zero::Allowed),
            ("catchup_window", Zero::Refused),
        ] {
            let duration = fields
                .get(key)
                .and_then(|node| self.duration(node, path.key(key), zero));
            debug_assert!(duration.is_none_or(|duration| duration <= WINDOW_MAX));
        }
        fields
            .get("catchup")
            .map(|node| self.one_of(node, path.key("catchup"), CATCH_UPS));
        fields
            .get("overlap")
            .map(|node| self.one_of(node, path.key("overlap"), OVERLAPS));
        fields
            .get("catchup_limit")
            .map(|node| self.integer(node, path.key("catchup_limit"), 1..=CATCH_UP_LIMIT_MAX));
        fields
            .get("pause_after_failures")
            .map(|node| self.integer(node, path.key("pause_after_failures"), FAILURES));
    }

    fn rule(&mut self, fields: Fields<'_>, path: Path<'_>) {
        fields.get("event").map(|node| self.name(node, path.key("event")));
        fields
            .get("source")
            .map(|node| self.text(node, path.key("source")));
        if let Some(node) = fields.get("webhook") {
            // nothing to say about it yet: its address and its secret belong to the server
            self.fields(node, path.key("webhook"), &[]);
        }
        fields
            .get("match")
            .map(|node| self.condition(node, path.key("match"), BY_EVENT));
        if let Some(node) = fields.get("dedupe")
            && self.text(node, path.key("dedupe")).is_some()
        {
            self.template(node, path.key("dedupe"), BY_EVENT);
        }
        if let Some(node) = fields.get("rate_limit")
            && let Some(text) = self.text(node, path.key("rate_limit"))
            && let Err(message) = Rate::parse(text)
        {
            self.report
                .error("runnel::schema::rate", node.at, path.key("rate_limit"), message);
        }
    }
}
