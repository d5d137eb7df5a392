//! A parsed file as a tree whose every key and value knows where it stands in the text.
//!
//! Both parsers and all converters produce it and the checks read it, so that a problem found in a converted file still
//! points at what the author wrote. No tree is deeper than [`DEPTH_MAX`]: walking it by recursion is safe.

use serde_json::{Map, Number, Value};

/// Deepest nesting of lists and mappings.
pub(crate) const DEPTH_MAX: usize = 64;

/// A stretch of the text in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Extent,
    pub(crate) value: Data,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Extent,
    pub(crate) node: Node,
}

impl Entry {
    pub(crate) fn new(key: impl Into<String>, key_at: Extent, node: Node) -> Self {
        Self {
            key: key.into(),
            key_at,
            node,
        }
    }
}

impl Node {
    pub(crate) fn new(at: Extent, value: Data) -> Self {
        Self { at, value }
    }

    pub(crate) fn text(at: Extent, text: impl Into<String>) -> Self {
        Self::new(at, Data::Text(text.into()))
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_map(&self) -> Option<&[Entry]> {
        match &self.value {
            Data::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Data::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value under `key`, when this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    pub(crate) fn is_null(&self) -> bool {
        self.value == Data::Null
    }

    /// What a reader would call this value: "a list", "a text".
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Data::Null => "nothing",
            Data::Bool(_) => "true or false",
            Data::Number(_) => "a number",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// The value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Number(n) => Value::Number(n.clone()),
            Data::Text(s) => Value::String(s.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(entries) => Value::Object(to_json_map(entries)),
        }
    }

    /// A value whose every part stands at `at`.
    pub(crate) fn from_json(at: Extent, value: Value) -> Self {
        let value = match value {
            Value::Null => Data::Null,
            Value::Bool(b) => Data::Bool(b),
            Value::Number(n) => Data::Number(n),
            Value::String(s) => Data::Text(s),
            Value::Array(items) => {
                Data::List(items.into_iter().map(|item| Self::from_json(at, item)).collect())
            }
            Value::Object(map) => Data::Map(
                map.into_iter()
                    .map(|(key, item)| Entry::new(key, at, Self::from_json(at, item)))
                    .collect(),
            ),
        };
        Self { at, value }
    }
}

pub(crate) fn to_json_map(entries: &[Entry]) -> Map<String, Value> {
    entries
        .iter()
        .map(|entry| (entry.key.clone(), entry.node.to_json()))
        .collect()
}

/// Where a value hangs in the file, written as `tasks.load.needs[0]`. A linked list on the stack: a path costs nothing
/// until a problem is reported.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
