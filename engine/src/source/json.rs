//! JSON (RFC 8259) to a tree.
//!
//! An own parser, because every value needs its place, duplicate keys must be reported, and tabs and depth must not
//! depend on what a YAML parser makes of them. Recursion ends at [`DEPTH_MAX`].

use std::collections::HashMap;

use serde_json::Number;

use crate::source::report::Report;
use crate::source::tree::{DEPTH_MAX, Data, Entry, Extent, Node, Path};
use crate::source::yaml::{report_duplicate, too_deep};

/// Parses JSON. `None` after a syntax error, which is reported.
pub(crate) fn parse(report: &mut Report<'_>) -> Option<Node> {
    let text = report.text();
    let mut parser = Reader {
        text,
        at: 0,
        open: Vec::new(),
        report,
    };
    match parser.document() {
        Ok(node) => Some(node),
        Err(Fault::Syntax { at, message }) => {
            let at = Extent { start: at, end: at };
            report.error(
                "runnel::file::json_syntax",
                at,
                Path::Root,
                format!("this is not valid JSON: {message}"),
            );
            None
        }
        Err(Fault::TooDeep { at }) => {
            too_deep(
                report,
                Extent {
                    start: at,
                    end: at + 1,
                },
            );
            None
        }
    }
}

enum Fault {
    Syntax { at: usize, message: String },
    TooDeep { at: usize },
}

struct Reader<'r, 't> {
    text: &'t str,
    at: usize,
    /// Keys of the objects around the place.
    open: Vec<String>,
    report: &'r mut Report<'t>,
}

impl Reader<'_, '_> {
    fn document(&mut self) -> Result<Node, Fault> {
        if self.text.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
        }
        let node = self.value(0)?;
        self.skip_blanks();
        if self.at < self.text.len() {
            return Err(self.fault("something follows the end of the document"));
        }
        Ok(node)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        self.skip_blanks();
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Data::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Data::Bool(true))?,
            Some(b'f') => self.word("false", Data::Bool(false))?,
            Some(b'n') => self.word("null", Data::Null)?,
            Some(_) => return Err(self.fault("a value must begin here")),
            None => return Err(self.fault("the text ends where a value must begin")),
        };
        Ok(Node::new(Extent { start, end: self.at }, value))
    }

    fn object(&mut self, depth: usize) -> Result<Data, Fault> {
        self.enter(depth)?;
        let mut entries = Vec::new();
        let mut seen: HashMap<String, Extent> = HashMap::new();
        if self.ends_with(b'}') {
            return Ok(Data::Map(entries));
        }
        loop {
            self.skip_blanks();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key in double quotes must begin here"));
            }
            let key = self.string()?;
            let key_at = Extent { start, end: self.at };
            self.skip_blanks();
            self.take(b':', "a colon must follow the key")?;
            self.open.push(key);
            let node = self.value(depth + 1)?;
            if let Some(&first) = self.open.last().and_then(|key| seen.get(key)) {
                let path = self.open.join(".");
                let key = self.open.pop().unwrap_or_default();
                report_duplicate(self.report, &path, &key, key_at, first);
            } else if let Some(key) = self.open.pop() {
                seen.insert(key.clone(), key_at);
                entries.push(Entry { key, key_at, node });
            }
            if self.ends_with(b'}') {
                return Ok(Data::Map(entries));
            }
            self.take(b',', "a comma or a closing brace must follow")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Data, Fault> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.ends_with(b']') {
            return Ok(Data::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends_with(b']') {
                return Ok(Data::List(items));
            }
            self.take(b',', "a comma or a closing bracket must follow")?;
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), Fault> {
        if depth >= DEPTH_MAX {
            return Err(Fault::TooDeep { at: self.at });
        }
        self.at += 1;
        Ok(())
    }

    /// serde_json knows the escapes; what is found here is only where the string ends.
    fn string(&mut self) -> Result<String, Fault> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        loop {
            match bytes.get(end) {
                None | Some(b'\n') => {
                    return Err(Fault::Syntax {
                        at: start,
                        message: "this string does not end".to_owned(),
                    });
                }
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
            }
        }
        let literal = self.text.get(start..=end).unwrap_or_default();
        let text = serde_json::from_str(literal).map_err(|_| Fault::Syntax {
            at: start,
            message: "this string holds an unknown escape or a control character".to_owned(),
        })?;
        self.at = end + 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<Data, Fault> {
        let start = self.at;
        let is_part = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.text.as_bytes()[start..]
            .iter()
            .take_while(|b| is_part(b))
            .count();
        let literal = self.text.get(start..start + length).unwrap_or_default();
        let number: Number = serde_json::from_str(literal).map_err(|_| Fault::Syntax {
            at: start,
            message: "this is not a number".to_owned(),
        })?;
        self.at += length;
        Ok(Data::Number(number))
    }

    fn word(&mut self, word: &str, value: Data) -> Result<Data, Fault> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.fault("a value must begin here"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn ends_with(&mut self, closing: u8) -> bool {
        self.skip_blanks();
        let ends = self.peek() == Some(closing);
        self.at += usize::from(ends);
        ends
    }

    fn take(&mut self, expected: u8, message: &str) -> Result<(), Fault> {
        if self.peek() != Some(expected) {
            return Err(self.fault(message));
        }
        self.at += 1;
        Ok(())
    }

    fn fault(&self, message: &str) -> Fault {
        Fault::Syntax {
            at: self.at,
            message: message.to_owned(),
        }
    }
}
