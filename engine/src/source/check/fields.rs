//! Reading typed fields out of a mapping: unknown keys, wrong types and numbers out of range become diagnostics.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::source::check::Checker;
use crate::source::duration;
use crate::source::tree::{Data, Entry, Extent, Node, Path};

/// A mapping whose keys have been checked.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    pub(crate) at: Extent,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// The entry under `key`; a key without a value counts as absent.
    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries
            .iter()
            .find(|entry| entry.key == key && !entry.node.is_null())
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.node)
    }
}

impl Checker<'_, '_> {
    /// A mapping with these keys only.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        path: Path<'_>,
        allowed: &[&str],
    ) -> Option<Fields<'n>> {
        let entries = self.map(node, path)?;
        for entry in entries {
            if !allowed.contains(&entry.key.as_str()) {
                let near_miss = self.report.near_miss(&entry.key, allowed.iter().copied());
                let message = format!("unknown key `{}`", entry.key);
                let diagnostic = self.report.error(
                    "runnel::schema::unknown_key",
                    entry.key_at,
                    path.key(&entry.key),
                    message,
                );
                match near_miss {
                    Some(_) => diagnostic.did_you_mean(near_miss),
                    None => diagnostic.help(format!("known keys here: {}", allowed.join(", "))),
                };
            }
        }
        Some(Fields { at: node.at, entries })
    }

    /// The first of several spellings of one key; a second one is refused.
    pub(crate) fn alias<'n>(
        &mut self,
        fields: Fields<'n>,
        path: Path<'_>,
        spellings: &[&str],
    ) -> Option<&'n Entry> {
        let mut used = spellings.iter().filter_map(|key| fields.entry(key));
        let first = used.next()?;
        if let Some(second) = used.next() {
            let message = format!("`{}` and `{}` mean the same", first.key, second.key);
            let help = format!("keep `{}` only", spellings[0]);
            self.report
                .error(
                    "runnel::schema::conflict",
                    second.key_at,
                    path.key(&second.key),
                    message,
                )
                .help(help);
        }
        Some(first)
    }

    pub(crate) fn wrong_type(&mut self, node: &Node, path: Path<'_>, expected: &str) {
        let message = format!("expected {expected}, found {}", node.kind());
        self.report.error("runnel::schema::type", node.at, path, message);
    }

    pub(crate) fn map<'n>(&mut self, node: &'n Node, path: Path<'_>) -> Option<&'n [Entry]> {
        let entries = node.as_map();
        if entries.is_none() {
            self.wrong_type(node, path, "a mapping");
        }
        entries
    }

    pub(crate) fn list<'n>(&mut self, node: &'n Node, path: Path<'_>) -> Option<&'n [Node]> {
        let items = node.as_list();
        if items.is_none() {
            self.wrong_type(node, path, "a list");
        }
        items
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node, path: Path<'_>) -> Option<&'n str> {
        let text = node.as_text();
        if text.is_none() {
            self.wrong_type(node, path, "a text");
        }
        text
    }

    /// A text of bounded length, for names.
    pub(crate) fn name<'n>(&mut self, node: &'n Node, path: Path<'_>) -> Option<&'n str> {
        let text = self.text(node, path)?;
        let chars = text.chars().count();
        if chars == 0 || chars > super::NAME_CHARS_MAX {
            let message = format!(
                "a name has 1 to {} characters, this one has {chars}",
                super::NAME_CHARS_MAX
            );
            self.report
                .error("runnel::schema::length", node.at, path, message);
            return None;
        }
        Some(text)
    }

    pub(crate) fn boolean(&mut self, node: &Node, path: Path<'_>) -> Option<bool> {
        match node.value {
            Data::Bool(b) => Some(b),
            _ => {
                self.wrong_type(node, path, "true or false");
                None
            }
        }
    }

    pub(crate) fn integer(&mut self, node: &Node, path: Path<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let Data::Number(number) = &node.value else {
            self.wrong_type(node, path, "a whole number");
            return None;
        };
        let value = number
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .filter(|n| range.contains(n));
        if value.is_none() {
            let message = format!(
                "expected a whole number from {} to {}, found {number}",
                range.start(),
                range.end()
            );
            self.report.error("runnel::schema::range", node.at, path, message);
        }
        value
    }

    pub(crate) fn number(&mut self, node: &Node, path: Path<'_>, range: RangeInclusive<f64>) -> Option<f64> {
        let Data::Number(number) = &node.value else {
            self.wrong_type(node, path, "a number");
            return None;
        };
        let value = number.as_f64().filter(|n| range.contains(n));
        if value.is_none() {
            let message = format!(
                "expected a number from {} to {}, found {number}",
                range.start(),
                range.end()
            );
            self.report.error("runnel::schema::range", node.at, path, message);
        }
        value
    }

    pub(crate) fn one_of<T: Copy>(
        &mut self,
        node: &Node,
        path: Path<'_>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(node, path)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let near_miss = self.report.near_miss(text, choices.iter().map(|(name, _)| *name));
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let message = format!("`{text}` is none of {}", names.join(", "));
        self.report
            .error("runnel::schema::choice", node.at, path, message)
            .did_you_mean(near_miss);
        None
    }

    pub(crate) fn texts(&mut self, node: &Node, path: Path<'_>) -> Option<Vec<String>> {
        let items = self.list(node, path)?;
        let texts = items
            .iter()
            .enumerate()
            .filter_map(|(i, item)| self.text(item, path.index(i)).map(str::to_owned));
        Some(texts.collect())
    }

    /// A duration; zero only where it makes sense.
    pub(crate) fn duration(&mut self, node: &Node, path: Path<'_>, zero: Zero) -> Option<Duration> {
        let text = match &node.value {
            Data::Text(text) => text,
            Data::Number(number) => {
                let message = format!("the duration {number} has no unit");
                self.report
                    .error("runnel::schema::duration", node.at, path, message)
                    .help(format!("write `{number}s` for seconds"));
                return None;
            }
            _ => {
                self.wrong_type(node, path, "a duration such as `30s`");
                return None;
            }
        };
        if text.contains("${{") {
            self.report
                .error(
                    "runnel::schema::duration",
                    node.at,
                    path,
                    "an expression cannot give this duration",
                )
                .help("write the duration itself, such as `30s`");
            return None;
        }
        let parsed = duration::parse(text).and_then(|duration| match zero {
            Zero::Refused if duration.is_zero() => Err("the duration must be longer than zero".to_owned()),
            Zero::Refused | Zero::Allowed => Ok(duration),
        });
        match parsed {
            Ok(duration) => Some(duration),
            Err(message) => {
                self.report
                    .error("runnel::schema::duration", node.at, path, message)
                    .help("units are ms, s, m, h and d, as in `1h30m`; ISO 8601 as in `PT15M` is accepted; at most 366 days");
                None
            }
        }
    }
}

/// Whether a duration may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zero {
    Allowed,
    Refused,
}
