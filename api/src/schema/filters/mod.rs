//! Filters and orders of lists: typed comparators, joined with `and`, `or` and `not`.

mod event;
mod run;
mod task;
mod workflow;

use async_graphql::InputObject;
use runnel_engine::Timestamp;
use runnel_runtime::query::predicate::{Compare, TextMatch};

use super::enums::{EventKind, RunStatus, TaskStatus};
use super::scalars::{DateTime, Duration};
use crate::error::ApiError;

pub(crate) use event::EventFilter;
pub(crate) use run::{RunFilter, RunOrder, run_filter};
pub(crate) use task::TaskFilter;
pub(crate) use workflow::WorkflowFilter;

/// Deepest nesting of `and`, `or` and `not`.
const DEPTH_MAX: usize = 8;
/// Most parts of one `and` or `or`.
const PARTS_MAX: usize = 50;

/// Which run statuses.
#[derive(Debug, InputObject)]
pub(crate) struct RunStatusFilter {
    /// This status.
    eq: Option<RunStatus>,
    /// One of these statuses; at least one must be named.
    r#in: Option<Vec<RunStatus>>,
    /// None of these statuses; at least one must be named.
    not_in: Option<Vec<RunStatus>>,
}

/// Which task statuses.
#[derive(Debug, InputObject)]
pub(crate) struct TaskStatusFilter {
    /// This status.
    eq: Option<TaskStatus>,
    /// One of these statuses; at least one must be named.
    r#in: Option<Vec<TaskStatus>>,
    /// None of these statuses; at least one must be named.
    not_in: Option<Vec<TaskStatus>>,
}

/// Which kinds of events.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct EventKindFilter {
    /// This kind.
    eq: Option<EventKind>,
    /// One of these kinds; at least one must be named.
    r#in: Option<Vec<EventKind>>,
}

/// Which span of time.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct DateTimeFilter {
    /// At or after this moment.
    gte: Option<DateTime>,
    /// After this moment.
    gt: Option<DateTime>,
    /// At or before this moment.
    lte: Option<DateTime>,
    /// Before this moment.
    lt: Option<DateTime>,
}

/// Which lengths of time.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct DurationFilter {
    /// This long or longer.
    gte: Option<Duration>,
    /// Longer than this.
    gt: Option<Duration>,
    /// This long or shorter.
    lte: Option<Duration>,
    /// Shorter than this.
    lt: Option<Duration>,
}

/// Which whole numbers.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct IntFilter {
    /// This number.
    eq: Option<i32>,
    /// This number or more.
    gte: Option<i32>,
    /// This number or less.
    lte: Option<i32>,
}

/// Which texts. Letters are compared as they are.
#[derive(Debug, Clone, InputObject)]
pub(crate) struct StringFilter {
    /// This text.
    eq: Option<String>,
    /// One of these texts; at least one must be named.
    r#in: Option<Vec<String>>,
    /// Begins with this.
    starts_with: Option<String>,
    /// Has this somewhere.
    contains: Option<String>,
}

impl DateTimeFilter {
    /// The bounds as comparisons.
    fn comparisons(&self) -> impl Iterator<Item = (Compare, Timestamp)> + use<> {
        [
            (Compare::GreaterOrEqual, self.gte),
            (Compare::Greater, self.gt),
            (Compare::LessOrEqual, self.lte),
            (Compare::Less, self.lt),
        ]
        .into_iter()
        .filter_map(|(compare, at)| at.map(|at| (compare, at.0)))
    }

    /// The bounds as the first moment and the one after the last: times are whole microseconds.
    pub(crate) fn span(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let next = |at: DateTime| Timestamp(at.0.0.saturating_add(1));
        let from = [self.gte.map(|at| at.0), self.gt.map(next)];
        let until = [self.lt.map(|at| at.0), self.lte.map(next)];
        (
            from.into_iter().flatten().max(),
            until.into_iter().flatten().min(),
        )
    }
}

impl DurationFilter {
    fn comparisons(&self) -> impl Iterator<Item = (Compare, i64)> + use<> {
        [
            (Compare::GreaterOrEqual, self.gte),
            (Compare::Greater, self.gt),
            (Compare::LessOrEqual, self.lte),
            (Compare::Less, self.lt),
        ]
        .into_iter()
        .filter_map(|(compare, length)| {
            let micros = i64::try_from(length?.0.as_micros()).unwrap_or(i64::MAX);
            Some((compare, micros))
        })
    }
}

impl IntFilter {
    fn comparisons(&self) -> impl Iterator<Item = (Compare, i64)> + use<> {
        [
            (Compare::Equal, self.eq),
            (Compare::GreaterOrEqual, self.gte),
            (Compare::LessOrEqual, self.lte),
        ]
        .into_iter()
        .filter_map(|(compare, number)| number.map(|number| (compare, i64::from(number))))
    }
}

impl StringFilter {
    fn matches(self, field: &str) -> Result<Vec<TextMatch>, ApiError> {
        let equal = one_of(self.eq, self.r#in, field)?.map(TextMatch::In);
        let begins = self.starts_with.map(TextMatch::StartsWith);
        let has = self.contains.map(TextMatch::Contains);
        Ok([equal, begins, has].into_iter().flatten().collect())
    }
}

fn into_all<A: Into<B>, B>(items: Vec<A>) -> Vec<B> {
    items.into_iter().map(Into::into).collect()
}

/// Joins `eq` and `in`. An empty `in` would match nothing, which nobody asks for on purpose.
fn one_of<T: PartialEq>(
    eq: Option<T>,
    r#in: Option<Vec<T>>,
    field: &str,
) -> Result<Option<Vec<T>>, ApiError> {
    match (eq, r#in) {
        (_, Some(all)) if all.is_empty() => Err(empty(field, "in")),
        (Some(one), Some(all)) if !all.contains(&one) => Err(ApiError::input(format!(
            "`{field}.eq` and `{field}.in` exclude each other"
        ))),
        (Some(one), _) => Ok(Some(vec![one])),
        (None, all) => Ok(all),
    }
}

/// Checks a `notIn`.
fn none_of<T>(not_in: Option<Vec<T>>, field: &str) -> Result<Option<Vec<T>>, ApiError> {
    match not_in {
        Some(all) if all.is_empty() => Err(empty(field, "notIn")),
        other => Ok(other),
    }
}

fn empty(field: &str, operator: &str) -> ApiError {
    ApiError::input(format!("`{field}.{operator}` must name at least one value"))
}

/// Checks the nesting of `and`, `or` and `not`.
fn check_depth(depth: usize) -> Result<(), ApiError> {
    if depth > DEPTH_MAX {
        return Err(ApiError::input(format!(
            "a filter may nest `and`, `or` and `not` {DEPTH_MAX} levels deep"
        )));
    }
    Ok(())
}

/// Reads the parts of an `and` or `or`.
fn parts<F, V>(
    parts: Option<Vec<F>>,
    name: &str,
    read: impl Fn(F) -> Result<V, ApiError>,
) -> Result<Option<Vec<V>>, ApiError> {
    let Some(parts) = parts else { return Ok(None) };
    if parts.is_empty() || parts.len() > PARTS_MAX {
        return Err(ApiError::input(format!(
            "`{name}` must have 1 to {PARTS_MAX} parts"
        )));
    }
    parts.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}
