//! A tree as YAML that every YAML 1.2 parser reads back as the same tree.
//!
//! Texts are written plain where nothing can be misread, as blocks when they have several lines, else in double quotes.

use serde_json::Value;

use crate::source::tree::{Data, Entry, Node};

/// Longest list or mapping that is written on one line.
const INLINE_CHARS_MAX: usize = 100;

/// YAML refuses a longer key without its `?`.
const SIMPLE_KEY_CHARS_MAX: usize = 1_000;

pub(crate) fn yaml(root: &Node) -> String {
    let mut out = String::new();
    match &root.value {
        Data::Map(entries) if !entries.is_empty() => write_map(&mut out, entries, 0),
        _ => {
            write_inline(&mut out, root);
            out.push('\n');
        }
    }
    out
}

fn write_map(out: &mut String, entries: &[Entry], indent: usize) {
    for entry in entries {
        out.extend(std::iter::repeat_n(' ', indent));
        let mut key = String::new();
        write_text(&mut key, &entry.key);
        if key.chars().count() > SIMPLE_KEY_CHARS_MAX {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        } else {
            out.push_str(&key);
        }
        out.push(':');
        write_value(out, &entry.node, indent + 2);
    }
}

/// The value after `key:` or `-`, with the line's end.
fn write_value(out: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Data::Map(entries) if !entries.is_empty() && !fits_inline(node) => {
            out.push('\n');
            write_map(out, entries, indent);
        }
        Data::List(items) if !items.is_empty() && !fits_inline(node) => {
            out.push('\n');
            for item in items {
                out.extend(std::iter::repeat_n(' ', indent));
                out.push('-');
                write_item(out, item, indent + 2);
            }
        }
        Data::Text(text) if is_block(text) => write_block(out, text, indent),
        _ => {
            out.push(' ');
            write_inline(out, node);
            out.push('\n');
        }
    }
}

/// The value after `-`: a mapping begins on the same line.
fn write_item(out: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Data::Map(entries) if !entries.is_empty() => {
            let mut lines = String::new();
            write_map(&mut lines, entries, indent);
            out.push(' ');
            out.push_str(lines.trim_start_matches(' '));
        }
        _ => write_value(out, node, indent),
    }
}

/// A mapping of scalars, or a list of scalars, that is short enough for one line.
fn fits_inline(node: &Node) -> bool {
    let is_plain = |node: &Node| match &node.value {
        Data::List(items) => items.is_empty(),
        Data::Map(entries) => entries.is_empty(),
        Data::Text(text) => text.len() <= INLINE_CHARS_MAX,
        Data::Null | Data::Bool(_) | Data::Number(_) => true,
    };
    let is_candidate = match &node.value {
        Data::List(items) => items.len() <= 16 && items.iter().all(is_plain),
        Data::Map(_) | Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => return false,
    };
    if !is_candidate {
        return false;
    }
    let mut line = String::new();
    write_inline(&mut line, node);
    line.len() <= INLINE_CHARS_MAX
}

fn write_inline(out: &mut String, node: &Node) {
    match &node.value {
        Data::Null => out.push_str("null"),
        Data::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Data::Number(n) => out.push_str(&n.to_string()),
        Data::Text(text) => write_text(out, text),
        Data::List(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                write_inline(out, item);
            }
            out.push(']');
        }
        Data::Map(entries) => {
            out.push('{');
            for (position, entry) in entries.iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { " " });
                write_text(out, &entry.key);
                out.push_str(": ");
                write_inline(out, &entry.node);
            }
            out.push_str(if entries.is_empty() { "}" } else { " }" });
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else if text.contains(['"', '\\']) && text.chars().all(is_printable) {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
    } else {
        write_quoted(out, text);
    }
}

/// What YAML takes inside a text as it is, line breaks apart.
fn is_printable(c: char) -> bool {
    c >= ' '
        && !matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Plain only when no parser, of YAML 1.1 or 1.2, could take it for anything but this text.
fn is_plain(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_duration = || {
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        unit.len() < text.len() && matches!(unit, "ms" | "s" | "m" | "h" | "d")
    };
    if is_duration() {
        return true;
    }
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.len() <= 200
        && text.chars().all(|c| is_word(c) || c == ' ')
        && !text.ends_with(' ')
        && !reserved.contains(&text.to_ascii_lowercase().as_str())
}

/// The escapes of JSON are escapes of YAML; what YAML calls not printable is escaped too.
fn write_quoted(out: &mut String, text: &str) {
    let json = Value::String(text.to_owned()).to_string();
    for c in json.chars() {
        match c {
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
}

/// Several lines of ordinary characters that begin with no blank: a block reads better and loses nothing.
fn is_block(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && text.lines().all(|line| !line.ends_with([' ', '\t', '\r']))
        && text.chars().all(|c| c == '\n' || c == '\t' || is_printable(c))
}

fn write_block(out: &mut String, text: &str, indent: usize) {
    out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
    for line in text.lines() {
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}
