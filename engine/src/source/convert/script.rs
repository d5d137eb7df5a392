//! Templates inside Python source: each becomes a look-up in `inputs`, so that no value is ever part of the source.
//!
//! In code a template is the value itself, as `inputs["ITEM_ID"]`. In a string literal it is its text: the literal is closed
//! before it and opened again after it, all in parentheses, so that `"a {{item.id}}".upper()` still means the whole text.

use crate::source::convert::template::Piece;

/// Where in the source a template is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    Comment,
    /// In a literal that begins there in the result.
    Text {
        start: usize,
        quote: Quote,
    },
}

/// How a literal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quote {
    mark: char,
    is_triple: bool,
}

impl Quote {
    fn written(self) -> String {
        String::from(self.mark).repeat(if self.is_triple { 3 } else { 1 })
    }
}

/// The source with its templates replaced; `name` gives the key of `inputs` for a template.
///
/// `None` for a template in a bytes literal, and for one that `name` does not know.
pub(crate) fn rewrite(
    pieces: &[Piece<'_>],
    mut name: impl FnMut(&Piece<'_>) -> Option<String>,
) -> Option<String> {
    let mut scanner = Scanner {
        out: String::new(),
        place: Place::Code,
        is_opened: false,
    };
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => scanner.read(literal),
            template => {
                // what a comment says is of no consequence
                if scanner.place != Place::Comment {
                    scanner.put(&name(template)?)?;
                }
            }
        }
    }
    Some(scanner.out)
}

struct Scanner {
    out: String,
    place: Place,
    /// Whether the literal at hand was put in parentheses.
    is_opened: bool,
}

impl Scanner {
    fn read(&mut self, literal: &str) {
        let mut rest = literal;
        while let Some(next) = rest.chars().next() {
            let length = match self.place {
                Place::Code => self.code(rest, next),
                Place::Comment => {
                    if next == '\n' {
                        self.place = Place::Code;
                    }
                    next.len_utf8()
                }
                Place::Text { quote, .. } => self.text(rest, next, quote),
            };
            let (read, after) = rest.split_at(length);
            self.out.push_str(read);
            if self.is_opened && self.place == Place::Code {
                self.out.push(')');
                self.is_opened = false;
            }
            rest = after;
        }
    }

    /// Length of what was read; the place changes where a comment or a literal begins.
    fn code(&mut self, rest: &str, next: char) -> usize {
        match next {
            '#' => self.place = Place::Comment,
            '"' | '\'' => {
                let mut quote = Quote {
                    mark: next,
                    is_triple: true,
                };
                quote.is_triple = rest.starts_with(&quote.written());
                let prefix = prefix_of(&self.out).len();
                let start = self.out.len() - prefix;
                self.place = Place::Text { start, quote };
                return quote.written().len();
            }
            _ => {}
        }
        next.len_utf8()
    }

    fn text(&mut self, rest: &str, next: char, quote: Quote) -> usize {
        if next == '\\' {
            // the character after it is no end, in raw literals too
            return 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
        }
        let end = quote.written();
        if rest.starts_with(&end) {
            self.place = Place::Code;
            return end.len();
        }
        if next == '\n' && !quote.is_triple {
            // not Python; what follows is read as code
            self.place = Place::Code;
        }
        next.len_utf8()
    }

    fn put(&mut self, name: &str) -> Option<()> {
        let value = format!("inputs[\"{name}\"]");
        let Place::Text { start, quote } = self.place else {
            self.out.push_str(&value);
            return Some(());
        };
        let prefix: String = self
            .out
            .get(start..)?
            .chars()
            .take_while(char::is_ascii_alphabetic)
            .collect();
        if prefix.contains(['b', 'B']) {
            return None;
        }
        if !self.is_opened {
            self.out.insert(start, '(');
            self.is_opened = true;
            self.place = Place::Text {
                start: start + 1,
                quote,
            };
        }
        let mark = quote.written();
        self.out
            .push_str(&format!("{mark} + str({value}) + {prefix}{mark}"));
        Some(())
    }
}

/// The prefix of the literal that begins at the end of the text: `r`, `f`, `rb` and the like, no part of a longer name.
fn prefix_of(text: &str) -> &str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = &text[text.trim_end_matches(is_word).len()..];
    let is_prefix = word.len() <= 2 && word.chars().all(|c| "rRbBuUfFtT".contains(c));
    if is_prefix { word } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::convert::template::pieces;

    fn converted(source: &str) -> Option<String> {
        rewrite(&pieces(source), |piece| match piece {
            Piece::Path("unknown") => None,
            Piece::Path(path) => Some(path.replace('.', "_").to_uppercase()),
            _ => Some("OTHER".to_owned()),
        })
    }

    #[test]
    fn code_gets_the_value_and_literals_its_text() {
        let cases = [
            ("print(1)", "print(1)"),
            ("x = {{item.n}} + 1", r#"x = inputs["ITEM_N"] + 1"#),
            (
                "print('at {{item.n}}!'.upper(), 1)",
                r#"print(('at ' + str(inputs["ITEM_N"]) + '!').upper(), 1)"#,
            ),
            (
                r#"f = f"{{a}}-${var:b}""#,
                r#"f = (f"" + str(inputs["A"]) + f"-" + str(inputs["OTHER"]) + f"")"#,
            ),
            (
                "x = \"\"\"a \" {{a}}\n\"\"\"",
                "x = (\"\"\"a \" \"\"\" + str(inputs[\"A\"]) + \"\"\"\n\"\"\")",
            ),
            (r"x = 'it\'s {{a}}'", r#"x = ('it\'s ' + str(inputs["A"]) + '')"#),
            ("# {{a}}'\ny = {{a}}", "# '\ny = inputs[\"A\"]"),
            ("d = {'a': {'b': 1}}", "d = {'a': {'b': 1}}"),
        ];
        for (source, expected) in cases {
            assert_eq!(converted(source).as_deref(), Some(expected), "{source}");
        }
    }

    #[test]
    fn bytes_and_what_is_unknown_are_refused() {
        assert_eq!(converted("b'{{a}}'"), None);
        assert_eq!(converted("'{{unknown}}'"), None);
    }
}
