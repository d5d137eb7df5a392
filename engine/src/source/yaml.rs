//! YAML 1.2 (core schema) to a tree.
//!
//! One document; duplicate keys are all reported; tags other than `!!str` are refused; aliases are copied within a small
//! budget, so that a "YAML bomb" ends as a diagnostic. The parser is driven by events: nesting costs no stack.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::Number;

use crate::source::report::Report;
use crate::source::tree::{DEPTH_MAX, Data, Entry, Extent, Node, Path};

/// Values that anchors and aliases may copy in one file.
const COPIES_MAX: usize = 10_000;
/// Longest key in characters that the scanner looks ahead for; past it YAML itself refuses the key.
const KEY_CHARS_MAX: usize = 1_024;

/// Parses YAML. `None` after a problem that leaves nothing to check.
pub(crate) fn parse(report: &mut Report<'_>) -> Option<Node> {
    let text = report.text();
    let mut options = granit_parser::options! {
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
        simple_key_max_lookahead: KEY_CHARS_MAX,
        disallow_directives: true,
    };
    options.set_emit_comments(false);
    let mut builder = Builder {
        report,
        stack: Vec::new(),
        anchors: HashMap::new(),
        copies_left: COPIES_MAX,
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => builder.on_event(event, span),
            Err(error) => {
                report_syntax(builder.report, &error);
                return None;
            }
        };
        step?;
    }
    builder.root
}

/// A list or mapping that is still open.
struct Open {
    at: Extent,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        seen: HashMap<String, Extent>,
        key: Option<(String, Extent)>,
    },
}

struct Builder<'r, 't> {
    report: &'r mut Report<'t>,
    stack: Vec<Open>,
    anchors: HashMap<usize, Node>,
    copies_left: usize,
    root: Option<Node>,
    documents: usize,
}

impl Builder<'_, '_> {
    /// `None`: stop, the problem is reported.
    fn on_event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let at = extent(&span);
        match event {
            Event::DocumentStart(..) => return self.on_document(at),
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                if tag.is_some() && !is_text {
                    self.refuse_tag(&span, at);
                }
                let value = match style {
                    ScalarStyle::Plain if !is_text => resolve_plain(&text),
                    _ => Data::Text(text.into_owned()),
                };
                return self.on_node(Node::new(at, value), anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                if tag.is_some() {
                    self.refuse_tag(&span, at);
                }
                return self.open(Open {
                    at,
                    anchor,
                    content: Content::List(Vec::new()),
                });
            }
            Event::MappingStart(_, anchor, tag) => {
                if tag.is_some() {
                    self.refuse_tag(&span, at);
                }
                let content = Content::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                };
                return self.open(Open { at, anchor, content });
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(at),
            Event::Alias(anchor) => return self.on_alias(anchor, at),
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_) => {}
            // Comments: the parser has them only when some other crate turns its feature on.
            _ => {}
        }
        Some(())
    }

    fn on_document(&mut self, at: Extent) -> Option<()> {
        self.documents += 1;
        if self.documents > 1 {
            self.report
                .error(
                    "runnel::file::many_documents",
                    at,
                    Path::Root,
                    "the file holds more than one YAML document",
                )
                .help("put each workflow into a file of its own");
            return None;
        }
        Some(())
    }

    fn refuse_tag(&mut self, span: &Span, at: Extent) {
        let at = span.tag_span().map_or(at, |span| extent(&span));
        self.report
            .error(
                "runnel::file::yaml_tag",
                at,
                Path::Root,
                "YAML tags are not part of the format",
            )
            .help("remove the tag; quote the value to make it a text");
    }

    fn open(&mut self, open: Open) -> Option<()> {
        if self.stack.len() >= DEPTH_MAX {
            too_deep(self.report, open.at);
            return None;
        }
        self.stack.push(open);
        Some(())
    }

    fn close(&mut self, end: Extent) -> Option<()> {
        let open = self.stack.pop()?;
        let (mut last, value) = match open.content {
            Content::List(items) => (items.last().map(|node| node.at.end), Data::List(items)),
            Content::Map { entries, .. } => {
                (entries.last().map(|entry| entry.node.at.end), Data::Map(entries))
            }
        };
        // A block collection ends where its last value ends, not on the line after it; a flow collection at its bracket.
        if end.end > end.start {
            last = None;
        }
        let at = Extent {
            start: open.at.start,
            end: last.unwrap_or(end.end).max(open.at.start),
        };
        self.on_node(Node::new(at, value), open.anchor)
    }

    fn on_alias(&mut self, anchor: usize, at: Extent) -> Option<()> {
        let Some(target) = self.anchors.get(&anchor) else {
            self.report
                .error(
                    "runnel::file::yaml_alias",
                    at,
                    Path::Root,
                    "this alias stands inside the value that it names",
                )
                .help("write the value again instead of the alias");
            return None;
        };
        let (count, depth) = measure(target);
        if self.stack.len() + depth > DEPTH_MAX {
            too_deep(self.report, at);
            return None;
        }
        if count > self.copies_left {
            self.refuse_copies(at);
            return None;
        }
        self.copies_left -= count;
        let mut node = target.clone();
        node.at = at;
        self.on_node(node, 0)
    }

    fn refuse_copies(&mut self, at: Extent) {
        self.report
            .error(
                "runnel::file::yaml_bomb",
                at,
                Path::Root,
                format!("aliases would copy more than {COPIES_MAX} values"),
            )
            .help("write the values out, or use fewer anchors and aliases");
    }

    fn on_node(&mut self, node: Node, anchor: usize) -> Option<()> {
        if anchor != 0 {
            let (count, _) = measure(&node);
            if count > self.copies_left {
                self.refuse_copies(node.at);
                return None;
            }
            self.copies_left -= count;
            self.anchors.insert(anchor, node.clone());
        }
        let mut duplicate = None;
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open {
                content: Content::List(items),
                ..
            }) => items.push(node),
            Some(Open {
                content: Content::Map { entries, seen, key },
                ..
            }) => match key.take() {
                None => *key = Some(key_of(self.report, node)),
                Some((key, key_at)) => {
                    if key == "<<" {
                        self.report
                            .error(
                                "runnel::file::yaml_merge",
                                key_at,
                                Path::Root,
                                "merge keys (`<<`) are not part of the format",
                            )
                            .help("write the keys out");
                    } else if let Some(&first) = seen.get(&key) {
                        duplicate = Some((key, key_at, first));
                    } else {
                        seen.insert(key.clone(), key_at);
                        entries.push(Entry { key, key_at, node });
                    }
                }
            },
        }
        if let Some((key, at, first)) = duplicate {
            let path = self.path_to(&key);
            report_duplicate(self.report, &path, &key, at, first);
        }
        Some(())
    }

    /// The keys that are open, and `last`.
    fn path_to(&self, last: &str) -> String {
        let open = self.stack.iter().filter_map(|open| match &open.content {
            Content::Map {
                key: Some((key, _)), ..
            } => Some(key.as_str()),
            Content::Map { key: None, .. } | Content::List(_) => None,
        });
        open.chain([last]).collect::<Vec<_>>().join(".")
    }
}

pub(crate) fn report_duplicate(report: &mut Report<'_>, path: &str, key: &str, at: Extent, first: Extent) {
    let label = report.label(first, "first used here");
    report
        .error(
            "runnel::file::duplicate_key",
            at,
            path,
            format!("the key `{key}` is used twice"),
        )
        .help("keep one of the two")
        .labels
        .push(label);
}

pub(crate) fn too_deep(report: &mut Report<'_>, at: Extent) {
    report
        .error(
            "runnel::file::too_deep",
            at,
            Path::Root,
            format!("lists and mappings are nested more than {DEPTH_MAX} deep"),
        )
        .help("a workflow file needs a few levels only");
}

/// Number of values in a tree, and its depth.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.value {
        Data::List(items) => items.iter().map(measure).collect(),
        Data::Map(entries) => entries.iter().map(|entry| measure(&entry.node)).collect(),
        _ => return (1, 0),
    };
    let count: usize = children.iter().map(|(count, _)| count).sum();
    let depth = children.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    (count + 1, depth + 1)
}

/// Keys are texts; a number, a boolean or nothing as a key is taken as written.
fn key_of(report: &mut Report<'_>, node: Node) -> (String, Extent) {
    let at = node.at;
    let written = || report_slice(report.text(), at);
    let key = match node.value {
        Data::Text(text) => text,
        Data::Null | Data::Bool(_) | Data::Number(_) => written(),
        Data::List(_) | Data::Map(_) => {
            report
                .error("runnel::file::yaml_key", at, Path::Root, "a key must be a text")
                .help("write `key: value`");
            String::new()
        }
    };
    (key, at)
}

fn report_slice(text: &str, at: Extent) -> String {
    text.get(at.start..at.end).unwrap_or_default().trim().to_owned()
}

fn extent(span: &Span) -> Extent {
    let start = span.start.byte_offset().unwrap_or(0);
    Extent {
        start,
        end: span.end.byte_offset().unwrap_or(start).max(start),
    }
}

/// The core schema of YAML 1.2: only `true` and `false` are booleans, so `on`, `yes` and `no` stay texts.
fn resolve_plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        _ => {}
    }
    let is_number_like = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    match is_number_like.then(|| resolve_number(text)).flatten() {
        Some(number) => Data::Number(number),
        None => Data::Text(text.to_owned()),
    }
}

fn resolve_number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| i64::from_str_radix(digits, 16).ok().map(Number::from))?;
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits
            .bytes()
            .all(|b| matches!(b, b'0'..=b'7'))
            .then(|| i64::from_str_radix(digits, 8).ok().map(Number::from))?;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = unsigned.bytes().any(|b| b.is_ascii_digit())
        && unsigned
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !is_number {
        return None;
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    if let Ok(integer) = digits.parse::<i64>() {
        return Some(Number::from(integer));
    }
    digits.parse::<f64>().ok().and_then(Number::from_f64)
}

fn report_syntax(report: &mut Report<'_>, error: &ScanError) {
    let start = error.marker().byte_offset().unwrap_or(0);
    let at = Extent { start, end: start };
    let text = report.text();
    let line_start = text
        .get(..start)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let line = text
        .get(line_start..)
        .unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default();
    if let Some(tab) = line
        .find(|c: char| c != ' ')
        .filter(|&column| line[column..].starts_with('\t'))
    {
        let at = Extent {
            start: line_start + tab,
            end: line_start + tab + 1,
        };
        report
            .error(
                "runnel::file::tab",
                at,
                Path::Root,
                "a tab indents this line; YAML allows spaces only",
            )
            .help("replace the tab by spaces");
        return;
    }
    let message = error.info();
    if message.contains("nesting") || message.contains("recursion") {
        too_deep(report, at);
        return;
    }
    report.error(
        "runnel::file::yaml_syntax",
        at,
        Path::Root,
        format!("this is not valid YAML: {message}"),
    );
}
