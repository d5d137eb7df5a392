//! Conditions on runs, combined at will: what `and`, `or`, `not` and the `query` text of a filter become.
//!
//! A condition on a value that a run does not have (a start of one that has not started) does not hold, and its negation
//! does. Conditions are data: an operation on many runs stores the ones it was made with.

use runnel_engine::run::RunStatus;
use runnel_engine::{RunId, Timestamp};
use runnel_entity::{run, workflow};
use sea_orm::sea_query::{Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::runs::has_tag;
use crate::actor::Actor;
use crate::store::Backend;

/// Most single conditions of one filter.
pub const CONDITIONS_MAX: usize = 100;

/// A condition on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunPredicate {
    /// All hold; true when there is none.
    All(Vec<RunPredicate>),
    /// One holds; false when there is none.
    Any(Vec<RunPredicate>),
    /// It does not hold.
    Not(Box<RunPredicate>),
    /// The status is one of these.
    Status(Vec<RunStatus>),
    /// Key of the workflow.
    Workflow(TextMatch),
    /// Has the tag.
    Tag(String),
    /// A number.
    Number(NumberField, Compare, i64),
    /// A moment.
    Time(TimeField, Compare, Timestamp),
    /// From start to end in microseconds; a run that has not ended has none.
    Duration(Compare, i64),
    /// Whether the run is paused.
    IsPaused(bool),
    /// Whether a failure was tolerated.
    HasToleratedFailures(bool),
    /// Who started it.
    CreatedBy(TextMatch),
    /// The key it was started with.
    IdempotencyKey(TextMatch),
    /// The id begins with these hexadecimal digits, 32 at most.
    IdPrefix(String),
    /// A task of this run started it.
    Parent(RunId),
}

/// A condition on a text. Letters are compared as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextMatch {
    /// One of these.
    In(Vec<String>),
    /// Begins so.
    StartsWith(String),
    /// Has it somewhere.
    Contains(String),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as the signs are read")]
pub enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as in the schema")]
pub enum NumberField {
    Priority,
    Version,
}

/// A moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as in the schema")]
pub enum TimeField {
    CreatedAt,
    StartedAt,
    FinishedAt,
}

impl RunPredicate {
    /// Number of single conditions.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::len).sum(),
            Self::Not(part) => part.len(),
            _ => 1,
        }
    }

    /// Whether there is no single condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the conditions that no index helps with; empty when one narrows the list enough.
    #[must_use]
    pub fn unindexed(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if !self.narrows() {
            self.collect_unindexed(&mut names);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether an index finds the few runs for which it can hold.
    fn narrows(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().any(Self::narrows),
            Self::Any(parts) => !parts.is_empty() && parts.iter().all(Self::narrows),
            Self::Workflow(TextMatch::In(_))
            | Self::IdempotencyKey(TextMatch::In(_))
            | Self::IdPrefix(_)
            | Self::Parent(_)
            | Self::Time(
                TimeField::CreatedAt,
                Compare::Equal | Compare::Greater | Compare::GreaterOrEqual,
                _,
            ) => true,
            _ => false,
        }
    }

    fn collect_unindexed(&self, names: &mut Vec<&'static str>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.collect_unindexed(names));
            }
            Self::Not(part) => part.collect_unindexed(names),
            Self::Tag(_) => names.push("tag"),
            Self::Duration(..) => names.push("duration"),
            Self::Time(TimeField::StartedAt, ..) => names.push("startedAt"),
            Self::Time(TimeField::FinishedAt, ..) => names.push("finishedAt"),
            Self::Number(NumberField::Priority, ..) => names.push("priority"),
            Self::Number(NumberField::Version, ..) => names.push("version"),
            Self::CreatedBy(_) => names.push("createdBy"),
            Self::IdempotencyKey(_) => names.push("idempotencyKey"),
            Self::HasToleratedFailures(_) => names.push("hasToleratedFailures"),
            Self::Status(_)
            | Self::Workflow(_)
            | Self::IsPaused(_)
            | Self::IdPrefix(_)
            | Self::Parent(_)
            | Self::Time(TimeField::CreatedAt, ..) => {}
        }
    }

    /// As a condition of a statement.
    pub(super) fn condition(&self, backend: Backend, actor: &Actor) -> Condition {
        let one = |expr: SimpleExpr| Condition::all().add(expr);
        match self {
            Self::All(parts) => parts.iter().fold(Condition::all(), |all, part| {
                all.add(part.condition(backend, actor))
            }),
            // an empty list of alternatives would be dropped from the statement
            Self::Any(parts) if parts.is_empty() => one(Expr::val(1).eq(0)),
            Self::Any(parts) => parts.iter().fold(Condition::any(), |any, part| {
                any.add(part.condition(backend, actor))
            }),
            // `all` around it: `not` flips the mark of the condition it is called on
            Self::Not(part) => Condition::all().add(part.condition(backend, actor).not()),
            Self::Status(statuses) => {
                let listed = run::Column::Status.is_in(statuses.iter().map(|status| *status as i16));
                let all = Condition::all().add(listed);
                match kind_of(statuses) {
                    Some(kind) => all.add(Expr::cust(kind)),
                    None => all,
                }
            }
            Self::Workflow(matched) => {
                let ids = workflow::Entity::find()
                    .select_only()
                    .column(workflow::Column::Id)
                    .filter(workflow::Column::Namespace.eq(&*actor.namespace))
                    .filter(matched.expr(backend, workflow::Column::Key));
                one(run::Column::WorkflowId.in_subquery(ids.into_query()))
            }
            Self::Tag(tag) => has_tag(backend, tag),
            Self::Number(field, compare, number) => {
                let column = match field {
                    NumberField::Priority => run::Column::Priority,
                    NumberField::Version => run::Column::WorkflowVersion,
                };
                one(compare.expr(Expr::col(column), *number))
            }
            Self::Time(TimeField::CreatedAt, compare, at) => {
                one(compare.expr(Expr::col((run::Entity, run::Column::CreatedAt)), at.0))
            }
            Self::Time(field, compare, at) => {
                let column = match field {
                    TimeField::FinishedAt => run::Column::FinishedAt,
                    TimeField::StartedAt | TimeField::CreatedAt => run::Column::StartedAt,
                };
                one(column.is_not_null().and(compare.expr(Expr::col(column), at.0)))
            }
            Self::Duration(compare, micros) => {
                let length = Expr::col(run::Column::FinishedAt).sub(Expr::col(run::Column::StartedAt));
                let is_known = run::Column::FinishedAt
                    .is_not_null()
                    .and(run::Column::StartedAt.is_not_null());
                one(is_known.and(compare.expr(length, *micros)))
            }
            Self::IsPaused(is_paused) => one(run::Column::IsPaused.eq(*is_paused)),
            Self::HasToleratedFailures(has) => one(run::Column::HasToleratedFailures.eq(*has)),
            Self::CreatedBy(matched) => one(matched.expr(backend, run::Column::CreatedBy)),
            Self::IdempotencyKey(matched) => one(run::Column::IdempotencyKey
                .is_not_null()
                .and(matched.expr(backend, run::Column::IdempotencyKey))),
            Self::Parent(run) => one(run::Column::ParentRunId
                .is_not_null()
                .and(run::Column::ParentRunId.eq(run.0))),
            Self::IdPrefix(prefix) => one(match id_range(prefix) {
                Some((first, last)) => run::Column::Id.gte(first).and(run::Column::Id.lte(last)),
                None => Expr::val(1).eq(0),
            }),
        }
    }
}

impl TextMatch {
    /// No pattern language: no character of the text has a special meaning.
    fn expr(&self, backend: Backend, column: impl ColumnTrait) -> SimpleExpr {
        let place = |text: &String| {
            Func::cust(backend.pick("strpos", "instr"))
                .arg(Expr::col(column.as_column_ref()))
                .arg(Expr::val(text.clone()))
        };
        match self {
            Self::In(texts) => column.is_in(texts.iter().map(String::as_str)),
            Self::StartsWith(text) => Expr::expr(place(text)).eq(1),
            Self::Contains(text) => Expr::expr(place(text)).gt(0),
        }
    }
}

impl Compare {
    fn expr(self, left: impl ExprTrait, right: i64) -> SimpleExpr {
        match self {
            Self::Equal => left.eq(right),
            Self::NotEqual => left.ne(right),
            Self::Less => left.lt(right),
            Self::LessOrEqual => left.lte(right),
            Self::Greater => left.gt(right),
            Self::GreaterOrEqual => left.gte(right),
        }
    }
}

/// The ids that begin with some digits; `None` when none does.
fn id_range(prefix: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = prefix.chars().filter(|c| *c != '-').collect();
    if digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let fill = |with: char| {
        let rest: String = std::iter::repeat_n(with, 32 - digits.len()).collect();
        Uuid::try_parse(&format!("{digits}{rest}")).ok()
    };
    fill('0').zip(fill('f'))
}

/// What statuses have in common, in the words of the partial index that holds their runs: neither database can tell from
/// bound values that a list keeps within an index.
fn kind_of(statuses: &[RunStatus]) -> Option<String> {
    const SUCCEEDED: RunStatus = RunStatus::Succeeded;
    let all = |is: fn(&RunStatus) -> bool| !statuses.is_empty() && statuses.iter().all(is);
    if all(|status| !status.is_terminal()) {
        Some(format!("run.status < {}", SUCCEEDED as u8))
    } else if all(|status| status.is_terminal() && *status != SUCCEEDED) {
        Some(format!("run.status > {}", SUCCEEDED as u8))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_an_id_is_a_range() {
        let (first, last) = id_range("0198").unwrap();
        assert_eq!(first.simple().to_string(), format!("0198{}", "0".repeat(28)));
        assert_eq!(last.simple().to_string(), format!("0198{}", "f".repeat(28)));
        assert!(id_range("zz").is_none() && id_range(&"0".repeat(33)).is_none());
    }

    #[test]
    fn statuses_say_which_index_holds_their_runs() {
        use RunStatus::{Cancelled, Failed, Pending, Running, Succeeded};
        assert_eq!(kind_of(&[Running, Pending]).as_deref(), Some("run.status < 10"));
        assert_eq!(kind_of(&[Failed, Cancelled]).as_deref(), Some("run.status > 10"));
        for mixed in [&[Running, Failed][..], &[Succeeded, Failed], &[Succeeded], &[]] {
            assert_eq!(kind_of(mixed), None, "{mixed:?}");
        }
    }

    #[test]
    fn one_condition_that_an_index_helps_with_is_enough() {
        let slow = RunPredicate::Tag("a".to_owned());
        let fast = RunPredicate::Workflow(TextMatch::In(vec!["w".to_owned()]));
        assert_eq!(slow.unindexed(), ["tag"]);
        assert!(
            RunPredicate::All(vec![slow.clone(), fast.clone()])
                .unindexed()
                .is_empty()
        );
        assert_eq!(
            RunPredicate::Any(vec![slow, fast]).unindexed(),
            ["tag"],
            "an alternative is not narrowed by the other"
        );
    }

    #[test]
    fn conditions_are_read_back_as_they_were_stored() {
        let predicate = RunPredicate::Not(Box::new(RunPredicate::Any(vec![
            RunPredicate::Status(vec![RunStatus::Failed]),
            RunPredicate::Duration(Compare::Greater, 5),
            RunPredicate::Time(TimeField::FinishedAt, Compare::Less, Timestamp(7)),
        ])));
        let text = serde_json::to_string(&predicate).unwrap();
        assert_eq!(serde_json::from_str::<RunPredicate>(&text).unwrap(), predicate);
        assert_eq!(predicate.len(), 3);
    }
}
