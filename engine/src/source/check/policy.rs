//! Retry policies, fan-out, and the workflow's defaults for its tasks.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::definition::{Backoff, ForEach, Jitter, OnExhausted, Retry, Tolerate};
use crate::source::check::expressions::{Reader, Site};
use crate::source::check::fields::{Fields, Zero};
use crate::source::check::{AT_START, Checker};
use crate::source::tree::{Data, Node, Path};

/// Most retries of one task.
const RETRIES_MAX: u32 = 1_000;
/// Most items of a fan-out in flight.
pub(crate) const PARALLEL_MAX: u32 = 100_000;

const RETRY_KEYS: &[&str] = &[
    "limit",
    "backoff",
    "delay",
    "factor",
    "max_delay",
    "jitter",
    "on",
    "not_on",
    "when",
    "budget",
    "on_exhausted",
];

const BACKOFFS: &[(&str, Backoff)] = &[
    ("fixed", Backoff::Fixed),
    ("linear", Backoff::Linear),
    ("exponential", Backoff::Exponential),
];
const JITTERS: &[(&str, Jitter)] = &[
    ("none", Jitter::None),
    ("full", Jitter::Full),
    ("equal", Jitter::Equal),
];

/// Categories of failures as a policy names them; `worker_lost` is another word for `lost`.
const CATEGORIES: &[&str] = &[
    "user",
    "timeout",
    "lost",
    "worker_lost",
    "rate_limited",
    "unavailable",
    "expression",
    "input",
    "unauthorised",
    "internal",
];

/// The workflow's `defaults`, merged under what a task says itself.
#[derive(Default)]
pub(crate) struct Defaults {
    pub(crate) retry: PartialRetry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queue: Option<String>,
    pub(crate) env: Map<String, Value>,
    pub(crate) max_losses: Option<u32>,
}

/// A retry policy as written: what is absent comes from the defaults.
#[derive(Default, Clone)]
pub(crate) struct PartialRetry {
    limit: Option<u32>,
    backoff: Option<Backoff>,
    delay: Option<Duration>,
    factor: Option<f64>,
    max_delay: Option<Duration>,
    jitter: Option<Jitter>,
    on: Option<Vec<String>>,
    not_on: Option<Vec<String>>,
    when: Option<String>,
    budget: Option<Duration>,
    pub(crate) on_exhausted: Option<OnExhausted>,
}

impl PartialRetry {
    pub(crate) fn or(self, other: &Self) -> Self {
        Self {
            limit: self.limit.or(other.limit),
            backoff: self.backoff.or(other.backoff),
            delay: self.delay.or(other.delay),
            factor: self.factor.or(other.factor),
            max_delay: self.max_delay.or(other.max_delay),
            jitter: self.jitter.or(other.jitter),
            on: self.on.or_else(|| other.on.clone()),
            not_on: self.not_on.or_else(|| other.not_on.clone()),
            when: self.when.or_else(|| other.when.clone()),
            budget: self.budget.or(other.budget),
            on_exhausted: self.on_exhausted.or(other.on_exhausted),
        }
    }

    /// The policy of a task of this type. `http` is retried by default: its handler knows which failures are worth it.
    pub(crate) fn resolve(self, kind: &str) -> Retry {
        let delay = self.delay.unwrap_or(Retry::DELAY);
        Retry {
            limit: self.limit.unwrap_or(Retry::default_limit(kind)),
            backoff: self.backoff.unwrap_or(Backoff::Exponential),
            delay,
            factor: self.factor.unwrap_or(Retry::FACTOR),
            // A first delay above the usual ceiling raises it.
            max_delay: self.max_delay.unwrap_or_else(|| Retry::MAX_DELAY.max(delay)),
            jitter: self.jitter.unwrap_or(Jitter::Full),
            on: self.on.unwrap_or_default(),
            not_on: self.not_on.unwrap_or_default(),
            when: self.when,
            budget: self.budget,
        }
    }
}

impl Checker<'_, '_> {
    pub(crate) fn defaults(&mut self, node: &Node, path: Path<'_>) -> Defaults {
        let Some(fields) = self.fields(node, path, &["retry", "timeout", "queue", "env", "max_losses"])
        else {
            return Defaults::default();
        };
        Defaults {
            retry: fields
                .get("retry")
                .map(|node| self.retry(node, path.key("retry"), AT_START))
                .unwrap_or_default(),
            timeout: fields
                .get("timeout")
                .and_then(|node| self.duration(node, path.key("timeout"), Zero::Refused)),
            queue: fields
                .get("queue")
                .and_then(|node| self.name(node, path.key("queue")))
                .map(str::to_owned),
            env: fields
                .get("env")
                .map(|node| self.env(node, path.key("env"), AT_START))
                .unwrap_or_default(),
            max_losses: fields
                .get("max_losses")
                .and_then(|node| self.integer(node, path.key("max_losses"), 0..=RETRIES_MAX)),
        }
    }

    pub(crate) fn max_losses(&mut self, fields: Fields<'_>, path: Path<'_>) -> Option<u32> {
        self.integer(fields.get("max_losses")?, path.key("max_losses"), 0..=RETRIES_MAX)
    }

    pub(crate) fn retry(&mut self, node: &Node, path: Path<'_>, site: Site) -> PartialRetry {
        if matches!(node.value, Data::Number(_)) {
            return PartialRetry {
                limit: self.integer(node, path, 0..=RETRIES_MAX),
                ..PartialRetry::default()
            };
        }
        let Some(fields) = self.fields(node, path, RETRY_KEYS) else {
            return PartialRetry::default();
        };
        let retry = PartialRetry {
            limit: fields
                .get("limit")
                .and_then(|node| self.integer(node, path.key("limit"), 0..=RETRIES_MAX)),
            backoff: fields
                .get("backoff")
                .and_then(|node| self.one_of(node, path.key("backoff"), BACKOFFS)),
            delay: fields
                .get("delay")
                .and_then(|node| self.duration(node, path.key("delay"), Zero::Allowed)),
            factor: fields
                .get("factor")
                .and_then(|node| self.number(node, path.key("factor"), 1.0..=100.0)),
            max_delay: fields
                .get("max_delay")
                .and_then(|node| self.duration(node, path.key("max_delay"), Zero::Allowed)),
            jitter: fields
                .get("jitter")
                .and_then(|node| self.one_of(node, path.key("jitter"), JITTERS)),
            on: fields
                .get("on")
                .and_then(|node| self.failures(node, path.key("on"))),
            not_on: fields
                .get("not_on")
                .and_then(|node| self.failures(node, path.key("not_on"))),
            when: fields
                .get("when")
                .and_then(|node| self.retry_condition(node, path.key("when"), site)),
            budget: fields
                .get("budget")
                .and_then(|node| self.duration(node, path.key("budget"), Zero::Refused)),
            on_exhausted: fields
                .get("on_exhausted")
                .and_then(|node| self.on_exhausted(node, path.key("on_exhausted"))),
        };
        if let (Some(delay), Some(max_delay), Some(node)) =
            (retry.delay, retry.max_delay, fields.get("max_delay"))
            && max_delay < delay
        {
            let message = "`max_delay` is shorter than `delay`";
            self.report
                .error("runnel::schema::range", node.at, path.key("max_delay"), message);
        }
        retry
    }

    /// The one condition that reads `error`.
    fn retry_condition(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<String> {
        self.reads_error = true;
        let when = self.condition(node, path, site);
        self.reads_error = false;
        when
    }

    /// Categories, codes, or `4xx` and `5xx`. A code can be anything, so what looks like a slip of a category is a hint.
    fn failures(&mut self, node: &Node, path: Path<'_>) -> Option<Vec<String>> {
        for (index, item) in self.list(node, path)?.iter().enumerate() {
            let path = path.index(index);
            let Some(text) = self.text(item, path) else {
                continue;
            };
            let is_word = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let lower = text.to_ascii_lowercase();
            if !is_word {
                let message = format!(
                    "`{}` is neither a category nor a code of a failure",
                    super::shorten(text)
                );
                let help = format!(
                    "categories are {}; codes are words such as `HTTP_503`",
                    CATEGORIES.join(", ")
                );
                self.report
                    .error("runnel::schema::choice", item.at, path, message)
                    .help(help);
            } else if !CATEGORIES.contains(&lower.as_str())
                && let Some(near_miss) = self.report.near_miss(&lower, CATEGORIES.iter().copied())
            {
                let message = format!("`{text}` is no category of failures; it is compared with codes");
                self.report
                    .warning("runnel::schema::choice", item.at, path, message)
                    .did_you_mean(Some(near_miss));
            }
        }
        self.texts(node, path)
    }

    pub(crate) fn for_each(&mut self, node: &Node, path: Path<'_>, reader: Reader) -> Option<ForEach> {
        let outside = Site {
            reader,
            has_secrets: false,
            has_each: false,
        };
        let Data::Map(_) = &node.value else {
            self.items(node, path, outside);
            return Some(ForEach {
                items: node.to_json(),
                key: None,
                max_parallel: None,
                tolerate: Tolerate::default(),
                ..ForEach::default()
            });
        };
        let fields = self.fields(node, path, &["items", "key", "max_parallel", "batch", "tolerate"])?;
        let Some(items) = fields.get("items") else {
            self.missing(node, path.key("items"), "items");
            return None;
        };
        self.items(items, path.key("items"), outside);
        let batch = fields
            .get("batch")
            .and_then(|node| self.integer(node, path.key("batch"), 1..=PARALLEL_MAX));
        let key = fields.get("key").and_then(|node| {
            self.template(
                node,
                path.key("key"),
                Site {
                    has_each: true,
                    ..outside
                },
            );
            self.text(node, path.key("key")).map(str::to_owned)
        });
        Some(ForEach {
            items: items.to_json(),
            key,
            max_parallel: fields
                .get("max_parallel")
                .and_then(|node| self.integer(node, path.key("max_parallel"), 1..=PARALLEL_MAX)),
            tolerate: fields
                .get("tolerate")
                .and_then(|node| self.tolerate(node, path.key("tolerate")))
                .unwrap_or_default(),
            batch,
        })
    }

    /// A list, or one expression that gives a list when the task is ready.
    pub(crate) fn items(&mut self, node: &Node, path: Path<'_>, site: Site) {
        let is_expression = node.as_text().is_some_and(is_one_expression);
        if node.as_list().is_none() && !is_expression {
            self.wrong_type(node, path, "a list or one `${{ … }}` that gives a list");
        }
        self.template(node, path, site);
    }

    pub(crate) fn tolerate(&mut self, node: &Node, path: Path<'_>) -> Option<Tolerate> {
        let Data::Text(text) = &node.value else {
            return self.integer(node, path, 0..=u32::MAX).map(Tolerate::Count);
        };
        let percent = text
            .strip_suffix('%')
            .and_then(|n| n.trim().parse::<f64>().ok())
            .filter(|n| (0.0..=100.0).contains(n));
        if percent.is_none() {
            let message = format!("`{}` is not a number of failures", super::shorten(text));
            self.report
                .error("runnel::schema::range", node.at, path, message)
                .help("write a whole number, or a percentage such as `2%`");
        }
        percent.map(Tolerate::Percent)
    }
}

/// `${{ … }}` and nothing else.
pub(crate) fn is_one_expression(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("${{") && text.ends_with("}}") && text.matches("${{").count() == 1
}
