//! The `query` of a list of runs: a small part of CEL that becomes the same conditions as the typed filter.
//!
//! A closed set of fields and operators, so that every accepted text is a bounded SQL condition; everything else is
//! refused with its place. Nothing is evaluated here.

mod lexer;

use runnel_engine::Timestamp;
use runnel_engine::run::RunStatus;
use runnel_runtime::query::predicate::{
    CONDITIONS_MAX, Compare, NumberField, RunPredicate, TextMatch, TimeField,
};

use crate::error::ApiError;
use lexer::{Token, TokenKind, tokens};

/// Longest text in characters.
const CHARS_MAX: usize = 2_000;
/// Deepest nesting of parentheses and negations.
const DEPTH_MAX: usize = 20;

/// Reads a text.
pub(crate) fn read(text: &str) -> Result<RunPredicate, ApiError> {
    if text.chars().count() > CHARS_MAX {
        return Err(ApiError::filter(
            format!("the text is longer than {CHARS_MAX} characters"),
            CHARS_MAX + 1,
        ));
    }
    let mut reader = Reader {
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let predicate = reader.either()?;
    reader.require(&TokenKind::End, "`&&`, `||` or the end")?;
    if predicate.len() > CONDITIONS_MAX {
        return Err(ApiError::filter(
            format!("there are more than {CONDITIONS_MAX} comparisons"),
            1,
        ));
    }
    Ok(predicate)
}

/// What a field is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Status,
    Text(TextField),
    Id,
    Tags,
    Number(NumberField),
    Time(TimeField),
    Duration,
    Flag(Flag),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextField {
    Workflow,
    CreatedBy,
    IdempotencyKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    IsPaused,
    HasToleratedFailures,
}

const FIELDS: [(&str, Field); 14] = [
    ("status", Field::Status),
    ("workflow", Field::Text(TextField::Workflow)),
    ("createdBy", Field::Text(TextField::CreatedBy)),
    ("idempotencyKey", Field::Text(TextField::IdempotencyKey)),
    ("id", Field::Id),
    ("tags", Field::Tags),
    ("version", Field::Number(NumberField::Version)),
    ("priority", Field::Number(NumberField::Priority)),
    ("createdAt", Field::Time(TimeField::CreatedAt)),
    ("startedAt", Field::Time(TimeField::StartedAt)),
    ("finishedAt", Field::Time(TimeField::FinishedAt)),
    ("duration", Field::Duration),
    ("isPaused", Field::Flag(Flag::IsPaused)),
    ("hasToleratedFailures", Field::Flag(Flag::HasToleratedFailures)),
];

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Reader {
    fn either(&mut self) -> Result<RunPredicate, ApiError> {
        let mut parts = vec![self.both()?];
        while self.take(&TokenKind::Or) {
            parts.push(self.both()?);
        }
        Ok(one_or(parts, RunPredicate::Any))
    }

    fn both(&mut self) -> Result<RunPredicate, ApiError> {
        let mut parts = vec![self.negated()?];
        while self.take(&TokenKind::And) {
            parts.push(self.negated()?);
        }
        Ok(one_or(parts, RunPredicate::All))
    }

    fn negated(&mut self) -> Result<RunPredicate, ApiError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.refuse(format!("more than {DEPTH_MAX} levels")));
        }
        let predicate = if self.take(&TokenKind::Not) {
            not(self.negated()?)
        } else if self.take(&TokenKind::Open) {
            let inner = self.either()?;
            self.require(&TokenKind::Close, "`)`")?;
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(predicate)
    }

    fn comparison(&mut self) -> Result<RunPredicate, ApiError> {
        if let TokenKind::Text(tag) = self.peek().kind.clone() {
            self.next += 1;
            self.require(&TokenKind::In, "`in tags`")?;
            let place = self.peek().place;
            return match self.field()? {
                Field::Tags => Ok(RunPredicate::Tag(tag)),
                _ => Err(ApiError::filter("only `tags` is a list", place)),
            };
        }
        let field = self.field()?;
        if self.take(&TokenKind::Dot) {
            return self.method(field);
        }
        if self.take(&TokenKind::In) {
            let place = self.peek().place;
            let texts = self.list()?;
            return self.any_of(field, texts, place);
        }
        let Some(compare) = self.operator() else {
            return match field {
                Field::Flag(flag) => Ok(flag_is(flag, true)),
                _ => Err(self.refuse("expected an operator, as `==`")),
            };
        };
        self.compared(field, compare)
    }

    fn field(&mut self) -> Result<Field, ApiError> {
        let Token { kind, place } = self.peek().clone();
        let TokenKind::Name(name) = kind else {
            return Err(ApiError::filter("expected a field, as `status`", place));
        };
        self.next += 1;
        let found = FIELDS.iter().find(|(known, _)| *known == name);
        found.map(|(_, field)| *field).ok_or_else(|| {
            let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
            ApiError::filter(
                format!(
                    "`{name}` is no field that runs can be searched by; those are {}",
                    known.join(", ")
                ),
                place,
            )
        })
    }

    fn method(&mut self, field: Field) -> Result<RunPredicate, ApiError> {
        let Token { kind, place } = self.peek().clone();
        self.next += 1;
        let name = match kind {
            TokenKind::Name(name) if name == "startsWith" || name == "contains" => name,
            _ => return Err(ApiError::filter("expected `startsWith` or `contains`", place)),
        };
        self.require(&TokenKind::Open, "`(`")?;
        let text = self.text()?;
        self.require(&TokenKind::Close, "`)`")?;
        match (field, name.as_str()) {
            (Field::Tags, "contains") => Ok(RunPredicate::Tag(text)),
            (Field::Id, "startsWith") => Ok(RunPredicate::IdPrefix(bare(&text))),
            (Field::Text(field), "startsWith") => Ok(text_is(field, TextMatch::StartsWith(text))),
            (Field::Text(field), _) => Ok(text_is(field, TextMatch::Contains(text))),
            (_, name) => Err(ApiError::filter(format!("this field has no `{name}`"), place)),
        }
    }

    fn compared(&mut self, field: Field, compare: Compare) -> Result<RunPredicate, ApiError> {
        let place = self.peek().place;
        let is_equality = matches!(compare, Compare::Equal | Compare::NotEqual);
        match field {
            Field::Number(field) => Ok(RunPredicate::Number(field, compare, self.number()?)),
            Field::Time(field) => Ok(RunPredicate::Time(field, compare, self.moment()?)),
            Field::Duration => Ok(RunPredicate::Duration(compare, self.length()?)),
            Field::Flag(flag) if is_equality => {
                let Token { kind, place } = self.peek().clone();
                self.next += 1;
                let TokenKind::Bool(value) = kind else {
                    return Err(ApiError::filter("expected true or false", place));
                };
                Ok(flag_is(flag, value == (compare == Compare::Equal)))
            }
            Field::Status | Field::Text(_) | Field::Id if is_equality => {
                let text = self.text()?;
                let equal = self.any_of(field, vec![(text, place)], place)?;
                Ok(if compare == Compare::Equal {
                    equal
                } else {
                    not(equal)
                })
            }
            Field::Status | Field::Text(_) | Field::Id | Field::Flag(_) => Err(ApiError::filter(
                "this field is compared with `==` and `!=` only",
                place,
            )),
            Field::Tags => Err(ApiError::filter("ask for a tag with `\"…\" in tags`", place)),
        }
    }

    fn any_of(
        &self,
        field: Field,
        texts: Vec<(String, usize)>,
        place: usize,
    ) -> Result<RunPredicate, ApiError> {
        match field {
            Field::Status => {
                let statuses = texts.into_iter().map(|(text, place)| status(&text, place));
                Ok(RunPredicate::Status(statuses.collect::<Result<_, _>>()?))
            }
            Field::Text(field) => {
                let texts = texts.into_iter().map(|(text, _)| text).collect();
                Ok(text_is(field, TextMatch::In(texts)))
            }
            Field::Id => {
                let ids = texts.into_iter().map(|(text, place)| {
                    let id = bare(&text);
                    match id.len() {
                        32 => Ok(RunPredicate::IdPrefix(id)),
                        _ => Err(ApiError::filter("expected a whole id", place)),
                    }
                });
                Ok(one_or(ids.collect::<Result<_, _>>()?, RunPredicate::Any))
            }
            Field::Tags | Field::Number(_) | Field::Time(_) | Field::Duration | Field::Flag(_) => Err(
                ApiError::filter("this field cannot be compared with a list", place),
            ),
        }
    }

    fn list(&mut self) -> Result<Vec<(String, usize)>, ApiError> {
        self.require(&TokenKind::OpenList, "a list, as `[\"FAILED\"]`")?;
        let mut texts = Vec::new();
        loop {
            let place = self.peek().place;
            texts.push((self.text()?, place));
            if !self.take(&TokenKind::Comma) {
                break;
            }
        }
        self.require(&TokenKind::CloseList, "`]`")?;
        Ok(texts)
    }

    fn text(&mut self) -> Result<String, ApiError> {
        let Token { kind, place } = self.peek().clone();
        let TokenKind::Text(text) = kind else {
            return Err(ApiError::filter("expected a text in quotes", place));
        };
        self.next += 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<i64, ApiError> {
        let Token { kind, place } = self.peek().clone();
        let TokenKind::Number(number) = kind else {
            return Err(ApiError::filter("expected a whole number", place));
        };
        self.next += 1;
        Ok(number)
    }

    fn moment(&mut self) -> Result<Timestamp, ApiError> {
        let (text, place) = self.call("timestamp")?;
        let time = chrono::DateTime::parse_from_rfc3339(&text)
            .map_err(|_| ApiError::filter("expected an RFC 3339 time such as 2026-01-31T09:30:00Z", place))?;
        Ok(Timestamp(time.timestamp_micros()))
    }

    fn length(&mut self) -> Result<i64, ApiError> {
        let (text, place) = self.call("duration")?;
        let length = runnel_engine::source::read_duration(&text)
            .map_err(|problem| ApiError::filter(problem, place))?;
        Ok(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))
    }

    /// `name("text")`, with the place of the text.
    fn call(&mut self, name: &str) -> Result<(String, usize), ApiError> {
        let expected = format!("`{name}(\"…\")`");
        match &self.peek().kind {
            TokenKind::Name(given) if given == name => self.next += 1,
            _ => return Err(self.refuse(format!("expected {expected}"))),
        }
        self.require(&TokenKind::Open, &expected)?;
        let place = self.peek().place;
        let text = self.text()?;
        self.require(&TokenKind::Close, "`)`")?;
        Ok((text, place))
    }

    fn operator(&mut self) -> Option<Compare> {
        let TokenKind::Compare(compare) = self.peek().kind else {
            return None;
        };
        self.next += 1;
        Some(compare)
    }

    fn peek(&self) -> &Token {
        // the last token is the end, which is never passed
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn take(&mut self, kind: &TokenKind) -> bool {
        let is_next = self.peek().kind == *kind;
        self.next += usize::from(is_next);
        is_next
    }

    fn require(&mut self, kind: &TokenKind, what: &str) -> Result<(), ApiError> {
        if self.take(kind) {
            Ok(())
        } else {
            Err(self.refuse(format!("expected {what}")))
        }
    }

    fn refuse(&self, message: impl Into<String>) -> ApiError {
        ApiError::filter(message, self.peek().place)
    }
}

fn one_or(
    mut parts: Vec<RunPredicate>,
    many: impl FnOnce(Vec<RunPredicate>) -> RunPredicate,
) -> RunPredicate {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}

fn not(predicate: RunPredicate) -> RunPredicate {
    RunPredicate::Not(Box::new(predicate))
}

fn text_is(field: TextField, matched: TextMatch) -> RunPredicate {
    match field {
        TextField::Workflow => RunPredicate::Workflow(matched),
        TextField::CreatedBy => RunPredicate::CreatedBy(matched),
        TextField::IdempotencyKey => RunPredicate::IdempotencyKey(matched),
    }
}

fn flag_is(flag: Flag, value: bool) -> RunPredicate {
    match flag {
        Flag::IsPaused => RunPredicate::IsPaused(value),
        Flag::HasToleratedFailures => RunPredicate::HasToleratedFailures(value),
    }
}

/// The digits of an id, whether it is written as a node id, a UUID or neither.
pub(super) fn bare(id: &str) -> String {
    let digits = id.strip_prefix("run_").unwrap_or(id);
    digits.chars().filter(|c| *c != '-').collect()
}

fn status(text: &str, place: usize) -> Result<RunStatus, ApiError> {
    serde_json::from_value(serde_json::Value::from(text))
        .map_err(|_| ApiError::filter(format!("`{text}` is no status of a run"), place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: RunPredicate) {
        match read(text) {
            Ok(predicate) => assert_eq!(predicate, expected, "{text}"),
            Err(error) => panic!("{text}: {error:?}"),
        }
    }

    fn refused(text: &str, position: usize) {
        match read(text) {
            Ok(predicate) => panic!("{text} was read as {predicate:?}"),
            Err(error) => assert_eq!(error.position, Some(position), "{text}: {}", error.message),
        }
    }

    #[test]
    fn every_kind_of_comparison_becomes_its_condition() {
        let text = |text: &str| TextMatch::In(vec![text.to_owned()]);
        check(
            r#"status == "FAILED""#,
            RunPredicate::Status(vec![RunStatus::Failed]),
        );
        check(
            r#"status in ["FAILED", 'TIMED_OUT']"#,
            RunPredicate::Status(vec![RunStatus::Failed, RunStatus::TimedOut]),
        );
        check(r#"workflow != "a""#, not(RunPredicate::Workflow(text("a"))));
        check(
            r#"createdBy.startsWith("key:")"#,
            RunPredicate::CreatedBy(TextMatch::StartsWith("key:".to_owned())),
        );
        check(r#""hot" in tags"#, RunPredicate::Tag("hot".to_owned()));
        check(r#"tags.contains("hot")"#, RunPredicate::Tag("hot".to_owned()));
        check(
            "priority >= 70",
            RunPredicate::Number(NumberField::Priority, Compare::GreaterOrEqual, 70),
        );
        check(
            "duration > duration('1m30s')",
            RunPredicate::Duration(Compare::Greater, 90_000_000),
        );
        check(
            "startedAt < timestamp('1970-01-01T00:00:01Z')",
            RunPredicate::Time(TimeField::StartedAt, Compare::Less, Timestamp(1_000_000)),
        );
        check("isPaused", RunPredicate::IsPaused(true));
        check("isPaused != true", RunPredicate::IsPaused(false));
        check(
            r#"id.startsWith("run_0198-7c")"#,
            RunPredicate::IdPrefix("01987c".to_owned()),
        );
    }

    #[test]
    fn and_binds_closer_than_or_and_not_closest() {
        let flag = RunPredicate::IsPaused(true);
        let other = RunPredicate::HasToleratedFailures(true);
        check(
            "isPaused || !isPaused && hasToleratedFailures",
            RunPredicate::Any(vec![
                flag.clone(),
                RunPredicate::All(vec![not(flag.clone()), other.clone()]),
            ]),
        );
        check(
            "(isPaused || isPaused) && hasToleratedFailures",
            RunPredicate::All(vec![RunPredicate::Any(vec![flag.clone(), flag]), other]),
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        refused("", 1);
        refused("color == 'red'", 1);
        refused("status == FAILED", 11);
        refused("status == 'DONE'", 11);
        refused("status < 'FAILED'", 10);
        refused("priority in [1]", 14);
        refused("isPaused &&", 12);
        refused("isPaused) ", 9);
        refused("(isPaused", 10);
        refused("size(tags) > 1", 1);
        refused("workflow.matches('a.*')", 10);
        refused("createdAt > 'yesterday'", 13);
        refused("createdAt > timestamp('yesterday')", 23);
        refused("workflow == 'é' && ?", 20);
        refused("workflow == 'open", 13);
        refused(&format!("{}isPaused", "!".repeat(30)), 21);
        assert!(read(&"a".repeat(3_000)).is_err());
        let many = vec!["isPaused"; 101].join("||");
        assert!(read(&many).is_err());
    }
}
