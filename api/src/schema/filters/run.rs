//! Filters and order of runs.

use async_graphql::{ID, InputObject};
use runnel_runtime::query::predicate::{CONDITIONS_MAX, NumberField, RunPredicate, TextMatch, TimeField};
use runnel_runtime::view;

use super::{
    DateTimeFilter, DurationFilter, IntFilter, RunStatusFilter, StringFilter, check_depth, into_all, none_of,
    one_of, parts,
};
use crate::error::ApiError;
use crate::schema::enums::{OrderDirection, RunOrderField};
use crate::schema::id;
use crate::schema::power_filter;

/// Which runs; all conditions must hold. A condition on what a run does not have, as `finishedAt` of one that runs, does not.
#[derive(Debug, Default, InputObject)]
pub(crate) struct RunFilter {
    /// By status.
    status: Option<RunStatusFilter>,
    /// Key of the workflow.
    workflow: Option<String>,
    /// Key of the workflow, by comparison.
    workflow_key: Option<StringFilter>,
    /// Number of the version.
    version: Option<IntFilter>,
    /// Has this tag.
    tag: Option<String>,
    /// Has all of these tags.
    tags: Option<Vec<String>>,
    /// Whether the run is paused.
    is_paused: Option<bool>,
    /// Whether a failure was tolerated.
    has_tolerated_failures: Option<bool>,
    /// When the run was accepted.
    created_at: Option<DateTimeFilter>,
    /// When the first task became ready.
    started_at: Option<DateTimeFilter>,
    /// When the run ended.
    finished_at: Option<DateTimeFilter>,
    /// From start to end.
    duration: Option<DurationFilter>,
    /// 0 to 100.
    priority: Option<IntFilter>,
    /// Who started it.
    created_by: Option<StringFilter>,
    /// Started with this idempotency key.
    idempotency_key: Option<String>,
    /// The id begins so: hexadecimal digits, with or without `run_`.
    id_prefix: Option<String>,
    /// Id of the run whose tasks started it; nothing has the parent of an id that is none.
    parent: Option<ID>,
    /// All of these hold.
    and: Option<Vec<RunFilter>>,
    /// One of these holds.
    or: Option<Vec<RunFilter>>,
    /// This does not hold.
    not: Option<Box<RunFilter>>,
}

/// Order of runs.
#[derive(Debug, InputObject)]
pub(crate) struct RunOrder {
    /// What to sort by.
    field: RunOrderField,
    /// Which end comes first.
    #[graphql(default_with = "OrderDirection::Desc")]
    direction: OrderDirection,
}

/// A filter and the `query` beside it, as one.
pub(crate) fn run_filter(
    filter: Option<RunFilter>,
    query: Option<&str>,
) -> Result<view::RunFilter, ApiError> {
    let typed = filter.map(|filter| filter.into_predicate(0)).transpose()?;
    let query = query
        .filter(|text| !text.trim().is_empty())
        .map(power_filter::read)
        .transpose()?;
    let predicate = match (typed, query) {
        (Some(typed), Some(query)) => Some(RunPredicate::All(vec![typed, query])),
        (one, other) => one.or(other),
    };
    if predicate.as_ref().is_some_and(|all| all.len() > CONDITIONS_MAX) {
        let message = format!("a filter may have {CONDITIONS_MAX} conditions");
        return Err(ApiError::input(message));
    }
    Ok(view::RunFilter {
        predicate,
        ..view::RunFilter::default()
    })
}

impl RunFilter {
    fn into_predicate(self, depth: usize) -> Result<RunPredicate, ApiError> {
        check_depth(depth)?;
        let mut all = Vec::new();
        if let Some(status) = self.status {
            let one = one_of(status.eq, status.r#in, "status")?;
            all.extend(one.map(|some| RunPredicate::Status(into_all(some))));
            let none = none_of(status.not_in, "status")?;
            all.extend(none.map(|some| negated(RunPredicate::Status(into_all(some)))));
        }
        let key = self.workflow.map(|key| TextMatch::In(vec![key]));
        all.extend(key.map(RunPredicate::Workflow));
        for (matched, make, name) in [
            (
                self.workflow_key,
                RunPredicate::Workflow as fn(TextMatch) -> RunPredicate,
                "workflowKey",
            ),
            (self.created_by, RunPredicate::CreatedBy, "createdBy"),
        ] {
            if let Some(matched) = matched {
                all.extend(matched.matches(name)?.into_iter().map(make));
            }
        }
        let tags = self.tag.into_iter().chain(self.tags.into_iter().flatten());
        all.extend(tags.map(RunPredicate::Tag));
        all.extend(self.is_paused.map(RunPredicate::IsPaused));
        all.extend(
            self.has_tolerated_failures
                .map(RunPredicate::HasToleratedFailures),
        );
        for (span, field) in [
            (self.created_at, TimeField::CreatedAt),
            (self.started_at, TimeField::StartedAt),
            (self.finished_at, TimeField::FinishedAt),
        ] {
            let comparisons = span.iter().flat_map(DateTimeFilter::comparisons);
            all.extend(comparisons.map(|(compare, at)| RunPredicate::Time(field, compare, at)));
        }
        let lengths = self.duration.iter().flat_map(DurationFilter::comparisons);
        all.extend(lengths.map(|(compare, micros)| RunPredicate::Duration(compare, micros)));
        for (numbers, field) in [
            (self.version, NumberField::Version),
            (self.priority, NumberField::Priority),
        ] {
            let comparisons = numbers.iter().flat_map(IntFilter::comparisons);
            all.extend(comparisons.map(|(compare, number)| RunPredicate::Number(field, compare, number)));
        }
        let key = self.idempotency_key.map(|key| TextMatch::In(vec![key]));
        all.extend(key.map(RunPredicate::IdempotencyKey));
        let prefix = self.id_prefix.map(|prefix| power_filter::bare(&prefix));
        all.extend(prefix.map(RunPredicate::IdPrefix));
        let nothing = || RunPredicate::Any(Vec::new());
        let parent = self
            .parent
            .map(|id| id::parse_run(&id).map_or_else(nothing, RunPredicate::Parent));
        all.extend(parent);
        let nested = |filter: RunFilter| filter.into_predicate(depth + 1);
        all.extend(parts(self.and, "and", nested)?.map(RunPredicate::All));
        all.extend(parts(self.or, "or", nested)?.map(RunPredicate::Any));
        all.extend(self.not.map(|filter| nested(*filter)).transpose()?.map(negated));
        Ok(RunPredicate::All(all))
    }
}

fn negated(predicate: RunPredicate) -> RunPredicate {
    RunPredicate::Not(Box::new(predicate))
}

impl RunOrder {
    /// As the store wants it.
    pub(crate) fn into_view(self) -> view::RunOrder {
        view::RunOrder {
            field: match self.field {
                RunOrderField::CreatedAt => view::RunOrderField::CreatedAt,
                RunOrderField::StartedAt => view::RunOrderField::StartedAt,
                RunOrderField::FinishedAt => view::RunOrderField::FinishedAt,
            },
            is_descending: self.direction == OrderDirection::Desc,
        }
    }
}
