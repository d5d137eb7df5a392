//! What can be said about a GraphQL text before anything is allocated for it: its size, its tokens, its nesting.
//!
//! The parser recurses over brackets, so the nesting is bounded here; a string is one token whatever it contains.

use crate::error::{ApiError, Code};

/// Largest GraphQL text in bytes. Larger values travel as variables.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most lexical tokens of a text.
pub(crate) const TOKENS_MAX: usize = 4_000;
/// Deepest nesting of brackets of any kind; selections are limited more tightly by the cost.
pub(crate) const NESTING_MAX: usize = 64;

/// Refuses a text that is too large to be worth parsing.
pub(crate) fn check(text: &str) -> Result<(), ApiError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(too_complex(format!(
            "the document has {} bytes; the limit is {TEXT_BYTES_MAX}",
            text.len()
        )));
    }
    let measured = measure(text.as_bytes())?;
    if measured.tokens > TOKENS_MAX {
        return Err(too_complex(format!(
            "the document has {} tokens; the limit is {TOKENS_MAX}",
            measured.tokens
        )));
    }
    if measured.nesting > NESTING_MAX {
        return Err(too_complex(format!(
            "the document nests {} brackets; the limit is {NESTING_MAX}",
            measured.nesting
        )));
    }
    Ok(())
}

fn too_complex(message: String) -> ApiError {
    ApiError::new(Code::QueryTooComplex, message)
}

#[derive(Debug, PartialEq, Eq)]
struct Measured {
    tokens: usize,
    nesting: usize,
}

fn measure(bytes: &[u8]) -> Result<Measured, ApiError> {
    let mut measured = Measured {
        tokens: 0,
        nesting: 0,
    };
    let (mut at, mut open) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at += bytes[at..]
                    .iter()
                    .take_while(|b| !matches!(b, b'\n' | b'\r'))
                    .count();
                continue;
            }
            b'"' => at = string_end(bytes, at)?,
            b'{' | b'[' | b'(' => {
                open += 1;
                measured.nesting = measured.nesting.max(open);
                at += 1;
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                at += 1;
            }
            b if is_word(b) => at += bytes[at..].iter().take_while(|b| is_word(**b)).count(),
            _ => at += 1,
        }
        measured.tokens += 1;
    }
    Ok(measured)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Index after the string that begins at `from`. An unterminated string is refused here: everything after it would
/// otherwise be read differently by the parser than it was counted.
fn string_end(bytes: &[u8], from: usize) -> Result<usize, ApiError> {
    let unterminated = || ApiError::new(Code::GraphqlParseFailed, "a string is not terminated");
    let rest = &bytes[from..];
    if rest.starts_with(b"\"\"\"") {
        let mut at = 3;
        while at < rest.len() {
            if rest[at..].starts_with(b"\\\"\"\"") {
                at += 4;
            } else if rest[at..].starts_with(b"\"\"\"") {
                return Ok(from + at + 3);
            } else {
                at += 1;
            }
        }
        return Err(unterminated());
    }
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return Ok(from + at + 1),
            b'\n' | b'\r' => return Err(unterminated()),
            _ => at += 1,
        }
    }
    Err(unterminated())
}

#[cfg(test)]
mod tests {
    use super::{Measured, TOKENS_MAX, check, measure};

    #[test]
    fn strings_and_comments_are_not_looked_into() {
        let text = r#"{ a(x: "{{{[[[", y: """ { \""" [ """) # {{{{
            b }"#;
        assert_eq!(
            measure(text.as_bytes()).unwrap(),
            Measured {
                tokens: 12,
                nesting: 2
            }
        );
    }

    #[test]
    fn deep_brackets_are_refused_before_the_parser_recurses() {
        for open in ["[", "{a", "(a:["] {
            let text = format!("{{ a(b: {}", open.repeat(60_000 / open.len()));
            assert!(check(&text).is_err(), "{open}");
        }
        assert!(check(&format!("{{ a(b: {}1{}) }}", "[".repeat(60), "]".repeat(60))).is_ok());
    }

    #[test]
    fn too_many_tokens_are_refused() {
        assert!(check(&"a ".repeat(TOKENS_MAX)).is_ok());
        assert!(check(&"a ".repeat(TOKENS_MAX + 1)).is_err());
    }

    #[test]
    fn unterminated_strings_are_refused() {
        for text in ["{ a(x: \"", "{ a(x: \"\n\") }", "{ a(x: \"\"\" ) }", "\"\\"] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
