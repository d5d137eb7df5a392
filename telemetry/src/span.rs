//! A span that has ended.

use std::borrow::Cow;

use crate::context::SpanContext;

/// Longest text of an attribute, in bytes; the rest of a longer one is cut off.
const TEXT_BYTES_MAX: usize = 256;

/// Most links of a span, the limit that the specification suggests; further ones are only counted.
const LINKS_MAX: usize = 128;

/// Which side of what a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Work inside one process.
    Internal = 1,
    /// A request that is answered.
    Server = 2,
    /// A request that is made.
    Client = 3,
    /// A message that is made for somebody.
    Producer = 4,
    /// A message that is worked off.
    Consumer = 5,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// Not badly.
    #[default]
    Unset,
    /// Badly, with what is known.
    Error(String),
}

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Where it is.
    pub context: SpanContext,
    /// Its parent in the same trace.
    pub parent: Option<crate::SpanId>,
    /// What it is called: few different names, ids are attributes.
    pub name: Cow<'static, str>,
    /// Which side.
    pub kind: Kind,
    /// Begin in microseconds since the epoch.
    pub start_us: i64,
    /// End.
    pub end_us: i64,
    /// What else is known.
    pub attributes: Vec<(&'static str, Value)>,
    /// Other spans that it has to do with.
    pub links: Vec<SpanContext>,
    /// Links that were too many.
    pub links_left_out: u32,
    /// How it ended.
    pub status: Status,
}

impl Span {
    /// A span of no length that nobody caused.
    #[must_use]
    pub fn new(context: SpanContext, kind: Kind, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            context,
            parent: None,
            name: name.into(),
            kind,
            start_us: 0,
            end_us: 0,
            attributes: Vec::new(),
            links: Vec::new(),
            links_left_out: 0,
            status: Status::Unset,
        }
    }

    /// Below which span.
    #[must_use]
    pub fn below(mut self, parent: Option<crate::SpanId>) -> Self {
        self.parent = parent;
        self
    }

    /// From when to when; never backwards, whatever the clocks say.
    #[must_use]
    pub fn during(mut self, start_us: i64, end_us: i64) -> Self {
        self.start_us = start_us;
        self.end_us = end_us.max(start_us);
        self
    }

    /// Adds a text; nothing where it is empty.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.attributes.push((name, Value::Text(cut(value))));
        }
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn int(mut self, name: &'static str, value: impl TryInto<i64>) -> Self {
        let value = value.try_into().unwrap_or(i64::MAX);
        self.attributes.push((name, Value::Int(value)));
        self
    }

    /// Links another span.
    #[must_use]
    pub fn linked(mut self, to: impl IntoIterator<Item = SpanContext>) -> Self {
        for link in to {
            if self.links.len() < LINKS_MAX {
                self.links.push(link);
            } else {
                self.links_left_out += 1;
            }
        }
        self
    }

    /// It ended badly.
    #[must_use]
    pub fn failed(mut self, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        message.truncate(floor(&message, TEXT_BYTES_MAX));
        self.status = Status::Error(message);
        self
    }
}

fn cut(mut text: Cow<'static, str>) -> Cow<'static, str> {
    if text.len() > TEXT_BYTES_MAX {
        let end = floor(&text, TEXT_BYTES_MAX);
        text.to_mut().truncate(end);
    }
    text
}

/// The longest beginning of at most so many bytes that ends between two characters.
fn floor(text: &str, most: usize) -> usize {
    (0..=most.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}
