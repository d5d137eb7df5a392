//! Concurrency groups, rate limits, circuit breakers and kept results.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::definition::{CachePolicy, Circuit, Concurrency, OnConflict, RateLimit, Task};
use crate::source::check::expressions::{Reader, Site};
use crate::source::check::fields::{Fields, Zero};
use crate::source::check::{Checker, shorten};
use crate::source::duration;
use crate::source::tree::{Data, Node, Path};

/// Most holders of a concurrency group.
const HOLDERS: RangeInclusive<u32> = 1..=100_000;
/// Most starts of a rate limit in its unit of time.
const STARTS: RangeInclusive<u32> = 1..=1_000_000;
/// Most failures that a breaker counts.
const FAILURES: RangeInclusive<u32> = 1..=1_000;
/// Longest unit of time of a rate limit, window and cooldown of a breaker.
const SPAN_MAX: Duration = Duration::from_secs(24 * 3_600);

/// What a breaker does when the file does not say.
const FAILURES_DEFAULT: u32 = 5;
const WINDOW_DEFAULT: Duration = Duration::from_secs(60);
const COOLDOWN_DEFAULT: Duration = Duration::from_secs(30);

impl Checker<'_, '_> {
    /// What each attempt of a task must pass.
    pub(crate) fn gates(&mut self, fields: Fields<'_>, path: Path<'_>, site: Site, task: &mut Task) {
        if let Some(node) = fields.get("concurrency") {
            task.concurrency = self.concurrency(node, path.key("concurrency"), site);
        }
        if let Some(node) = fields.get("rate_limit") {
            task.rate_limit = self.rate_limit(node, path.key("rate_limit"), site);
        }
        if let Some(node) = fields.get("circuit") {
            task.circuit = self.circuit(node, path.key("circuit"), site);
        }
        if let Some(node) = fields.get("cache") {
            task.cache = self.cache(node, path.key("cache"), site);
        }
    }

    /// `concurrency: 3`, or a mapping. Only a run can make room for another.
    pub(crate) fn concurrency(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<Concurrency> {
        if matches!(node.value, Data::Number(_)) {
            return Some(Concurrency {
                group: None,
                limit: self.integer(node, path, HOLDERS)?,
                on_conflict: OnConflict::Queue,
            });
        }
        let fields = self.fields(node, path, &["group", "limit", "on_conflict"])?;
        let group = fields
            .get("group")
            .and_then(|node| self.gate_name(node, path.key("group"), site));
        let limit = match fields.get("limit") {
            Some(node) => self.integer(node, path.key("limit"), HOLDERS),
            None => {
                self.missing(node, path.key("limit"), "limit");
                None
            }
        };
        const CHOICES: &[(&str, OnConflict)] = &[
            ("queue", OnConflict::Queue),
            ("skip", OnConflict::Skip),
            ("cancel_running", OnConflict::CancelRunning),
        ];
        let mut on_conflict = OnConflict::Queue;
        if let Some(node) = fields.get("on_conflict") {
            let path = path.key("on_conflict");
            on_conflict = self.one_of(node, path, CHOICES).unwrap_or_default();
            if on_conflict == OnConflict::CancelRunning && matches!(site.reader, Reader::Task(..)) {
                let message = "a task cannot cancel the tasks of other runs";
                self.report
                    .error("runnel::schema::choice", node.at, path, message)
                    .help("write `queue` or `skip`, or put `concurrency` on the workflow");
            }
        }
        Some(Concurrency {
            group,
            limit: limit?,
            on_conflict,
        })
    }

    fn rate_limit(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<RateLimit> {
        let fields = self.fields(node, path, &["key", "limit"])?;
        let key = self.required_name(node, fields, path, site);
        let Some(limit) = fields.get("limit") else {
            self.missing(node, path.key("limit"), "limit");
            return None;
        };
        let path = path.key("limit");
        let text = self.text(limit, path)?;
        match parse_rate(text) {
            Ok((count, per)) => Some(RateLimit {
                key: key?,
                count,
                per,
            }),
            Err(message) => {
                self.report
                    .error("runnel::schema::rate", limit.at, path, message)
                    .help(
                        "write a number of starts and a unit of time, as `50/m`, `5/s`, `1000/h` or `10/30s`",
                    );
                None
            }
        }
    }

    fn circuit(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<Circuit> {
        let fields = self.fields(node, path, &["key", "failures", "window", "cooldown"])?;
        let key = self.required_name(node, fields, path, site);
        let failures = fields
            .get("failures")
            .and_then(|node| self.integer(node, path.key("failures"), FAILURES));
        let window = self.span(fields, path, "window");
        let cooldown = self.span(fields, path, "cooldown");
        Some(Circuit {
            key: key?,
            failures: failures.unwrap_or(FAILURES_DEFAULT),
            window: window.unwrap_or(WINDOW_DEFAULT),
            cooldown: cooldown.unwrap_or(COOLDOWN_DEFAULT),
        })
    }

    fn cache(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<CachePolicy> {
        let fields = self.fields(node, path, &["key", "ttl"])?;
        let key = fields.get("key").and_then(|node| {
            self.template(node, path.key("key"), site);
            self.text(node, path.key("key")).map(str::to_owned)
        });
        let Some(ttl) = fields.get("ttl") else {
            self.missing(node, path.key("ttl"), "ttl");
            return None;
        };
        let ttl = self.duration(ttl, path.key("ttl"), Zero::Refused)?;
        Some(CachePolicy { key, ttl })
    }

    fn required_name(
        &mut self,
        node: &Node,
        fields: Fields<'_>,
        path: Path<'_>,
        site: Site,
    ) -> Option<String> {
        match fields.get("key") {
            Some(key) => self.gate_name(key, path.key("key"), site),
            None => {
                self.missing(node, path.key("key"), "key");
                None
            }
        }
    }

    /// A name as written; what its expressions give is checked when it is rendered.
    fn gate_name(&mut self, node: &Node, path: Path<'_>, site: Site) -> Option<String> {
        self.template(node, path, site);
        let name = self.text(node, path)?;
        let is_template = name.contains("${{");
        let chars = name.chars().count();
        let is_legal =
            chars > 0 && chars <= crate::gate::KEY_CHARS_MAX && !name.chars().any(char::is_control);
        if !is_template && !is_legal {
            let message = format!(
                "a name has 1 to {} characters, none of them a control character; this one has {chars}",
                crate::gate::KEY_CHARS_MAX
            );
            self.report
                .error("runnel::schema::length", node.at, path, message);
            return None;
        }
        Some(name.to_owned())
    }

    fn span(&mut self, fields: Fields<'_>, path: Path<'_>, key: &str) -> Option<Duration> {
        let node = fields.get(key)?;
        let span = self.duration(node, path.key(key), Zero::Refused)?;
        if span > SPAN_MAX {
            let message = format!("`{key}` is longer than 24 hours");
            self.report
                .error("runnel::schema::range", node.at, path.key(key), message);
            return None;
        }
        Some(span)
    }
}

/// `50/m`, or with a number before the unit, `10/30s`.
fn parse_rate(text: &str) -> Result<(u32, Duration), String> {
    let wrong = || format!("`{}` is not a rate", shorten(text));
    let (count, per) = text.split_once('/').ok_or_else(wrong)?;
    let count: u32 = count.trim().parse().map_err(|_| wrong())?;
    if !STARTS.contains(&count) {
        return Err(format!(
            "a rate has {} to {} starts in its unit of time, this one has {count}",
            STARTS.start(),
            STARTS.end()
        ));
    }
    let per = per.trim();
    let with_number = if per.starts_with(|c: char| c.is_ascii_digit()) {
        per.to_owned()
    } else {
        format!("1{per}")
    };
    let per = duration::parse(&with_number).map_err(|_| wrong())?;
    if per.is_zero() || per > SPAN_MAX {
        return Err("the unit of time of a rate is longer than zero and at most 24 hours".to_owned());
    }
    Ok((count, per))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_starts_in_a_unit_of_time() {
        for (text, count, seconds) in [
            ("50/m", 50, 60),
            ("5/s", 5, 1),
            ("1000/h", 1_000, 3_600),
            ("10/30s", 10, 30),
        ] {
            assert_eq!(
                parse_rate(text),
                Ok((count, Duration::from_secs(seconds))),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "/m",
            "0/m",
            "5/",
            "5/x",
            "5/0s",
            "5/2d",
            "-1/m",
            "9999999/s",
        ] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }
}
