//! The words of a power filter.

use runnel_runtime::query::predicate::Compare;

use crate::error::ApiError;

/// A word and where it begins, in characters from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub place: usize,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    Name(String),
    Text(String),
    Number(i64),
    Bool(bool),
    Compare(Compare),
    And,
    Or,
    Not,
    In,
    Dot,
    Comma,
    Open,
    Close,
    OpenList,
    CloseList,
    End,
}

/// Splits a text; the last token is always the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ApiError> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c.is_whitespace() {
            at += 1;
            continue;
        }
        let place = at + 1;
        let (kind, length) = word(&chars[at..], place)?;
        tokens.push(Token { kind, place });
        at += length;
    }
    tokens.push(Token {
        kind: TokenKind::End,
        place: chars.len() + 1,
    });
    Ok(tokens)
}

/// The word at the beginning, and its length.
fn word(rest: &[char], place: usize) -> Result<(TokenKind, usize), ApiError> {
    let signs: [(&[char], TokenKind); 15] = [
        (&['&', '&'], TokenKind::And),
        (&['|', '|'], TokenKind::Or),
        (&['=', '='], TokenKind::Compare(Compare::Equal)),
        (&['!', '='], TokenKind::Compare(Compare::NotEqual)),
        (&['<', '='], TokenKind::Compare(Compare::LessOrEqual)),
        (&['>', '='], TokenKind::Compare(Compare::GreaterOrEqual)),
        (&['<'], TokenKind::Compare(Compare::Less)),
        (&['>'], TokenKind::Compare(Compare::Greater)),
        (&['!'], TokenKind::Not),
        (&['.'], TokenKind::Dot),
        (&[','], TokenKind::Comma),
        (&['('], TokenKind::Open),
        (&[')'], TokenKind::Close),
        (&['['], TokenKind::OpenList),
        (&[']'], TokenKind::CloseList),
    ];
    for (sign, kind) in signs {
        if rest.starts_with(sign) {
            return Ok((kind, sign.len()));
        }
    }
    match rest.first() {
        Some(quote @ ('"' | '\'')) => quoted(rest, *quote, place),
        Some(c) if c.is_ascii_digit() || *c == '-' => number(rest, place),
        Some(c) if c.is_ascii_alphabetic() || *c == '_' => {
            let name: String = rest
                .iter()
                .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
                .collect();
            let length = name.len();
            let kind = match name.as_str() {
                "in" => TokenKind::In,
                "true" => TokenKind::Bool(true),
                "false" => TokenKind::Bool(false),
                _ => TokenKind::Name(name),
            };
            Ok((kind, length))
        }
        Some('=') => Err(ApiError::filter("compare with `==`", place)),
        _ => Err(ApiError::filter("this character has no meaning here", place)),
    }
}

fn quoted(rest: &[char], quote: char, place: usize) -> Result<(TokenKind, usize), ApiError> {
    let mut text = String::new();
    let mut at = 1;
    loop {
        match rest.get(at) {
            None => return Err(ApiError::filter("the text has no closing quote", place)),
            Some(c) if *c == quote => return Ok((TokenKind::Text(text), at + 1)),
            Some('\\') => {
                match rest.get(at + 1) {
                    Some(c @ ('\\' | '"' | '\'')) => text.push(*c),
                    _ => {
                        let message = "only `\\\\`, `\\\"` and `\\'` are escapes";
                        return Err(ApiError::filter(message, place + at));
                    }
                }
                at += 2;
            }
            Some(c) => {
                text.push(*c);
                at += 1;
            }
        }
    }
}

fn number(rest: &[char], place: usize) -> Result<(TokenKind, usize), ApiError> {
    let digits: String = rest
        .iter()
        .enumerate()
        .take_while(|(at, c)| c.is_ascii_digit() || (*at == 0 && **c == '-'))
        .map(|(_, c)| *c)
        .collect();
    match digits.parse() {
        Ok(number) => Ok((TokenKind::Number(number), digits.len())),
        Err(_) => Err(ApiError::filter("this is no whole number", place)),
    }
}
