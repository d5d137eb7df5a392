//! Filters and orders of lists.

use async_graphql::InputObject;
use runnel_runtime::view;

use super::enums::{EventKind, OrderDirection, RunOrderField, RunStatus, TaskStatus};
use super::id;
use super::scalars::DateTime;
use crate::error::ApiError;

/// Which run statuses.
#[derive(Debug, InputObject)]
pub(crate) struct RunStatusFilter {
    /// This status.
    eq: Option<RunStatus>,
    /// One of these statuses; at least one must be named.
    r#in: Option<Vec<RunStatus>>,
}

/// Which task statuses.
#[derive(Debug, InputObject)]
pub(crate) struct TaskStatusFilter {
    /// This status.
    eq: Option<TaskStatus>,
    /// One of these statuses; at least one must be named.
    r#in: Option<Vec<TaskStatus>>,
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
#[derive(Debug, InputObject)]
pub(crate) struct DateTimeFilter {
    /// At or after this moment.
    gte: Option<DateTime>,
    /// Before this moment.
    lt: Option<DateTime>,
}

impl DateTimeFilter {
    /// From (included) and until (not included).
    pub(crate) fn bounds(self) -> (Option<runnel_engine::Timestamp>, Option<runnel_engine::Timestamp>) {
        (self.gte.map(|at| at.0), self.lt.map(|at| at.0))
    }
}

/// Which runs; all conditions must hold.
#[derive(Debug, Default, InputObject)]
pub(crate) struct RunFilter {
    /// By status.
    status: Option<RunStatusFilter>,
    /// Key of the workflow.
    pub(crate) workflow: Option<String>,
    /// Has this tag.
    tag: Option<String>,
    /// Whether the run is paused.
    is_paused: Option<bool>,
    /// When the run was accepted.
    created_at: Option<DateTimeFilter>,
    /// Started with this idempotency key.
    idempotency_key: Option<String>,
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

/// Which tasks; all conditions must hold.
#[derive(Debug, Default, InputObject)]
pub(crate) struct TaskFilter {
    /// By status.
    status: Option<TaskStatusFilter>,
    /// Of this type, as `http`.
    r#type: Option<String>,
    /// Key begins with this; finds the items of a fan-out.
    key_prefix: Option<String>,
}

/// Which events; all conditions must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct EventFilter {
    /// Id of the run.
    run: Option<async_graphql::ID>,
    /// Key of the task.
    task: Option<String>,
    /// What happened.
    kind: Option<EventKindFilter>,
}

/// Which workflows.
#[derive(Debug, Default, InputObject)]
pub(crate) struct WorkflowFilter {
    /// Key begins with this.
    pub(crate) key_prefix: Option<String>,
}

impl RunFilter {
    /// As the store wants it.
    pub(crate) fn into_view(self) -> Result<view::RunFilter, ApiError> {
        let status = self
            .status
            .map(|f| one_of(f.eq, f.r#in, "status"))
            .transpose()?
            .flatten();
        let (gte, lt) = self.created_at.map_or((None, None), |f| (f.gte, f.lt));
        Ok(view::RunFilter {
            status_in: status.map(into_all),
            workflow_key: self.workflow,
            tag: self.tag,
            is_paused: self.is_paused,
            created_at_gte: gte.map(|time| time.0),
            created_at_lt: lt.map(|time| time.0),
            idempotency_key: self.idempotency_key,
        })
    }
}

impl RunOrder {
    /// As the store wants it.
    pub(crate) fn into_view(self) -> view::RunOrder {
        let RunOrderField::CreatedAt = self.field;
        match self.direction {
            OrderDirection::Asc => view::RunOrder::CreatedAtAsc,
            OrderDirection::Desc => view::RunOrder::CreatedAtDesc,
        }
    }
}

impl TaskFilter {
    /// As the store wants it.
    pub(crate) fn into_view(self) -> Result<view::TaskFilter, ApiError> {
        let status = self
            .status
            .map(|f| one_of(f.eq, f.r#in, "status"))
            .transpose()?
            .flatten();
        Ok(view::TaskFilter {
            status_in: status.map(into_all),
            kind: self.r#type,
            key_prefix: self.key_prefix,
        })
    }
}

impl EventFilter {
    /// As the store wants it; `None` when it names a run that cannot exist.
    pub(crate) fn into_view(self) -> Result<Option<view::EventFilter>, ApiError> {
        let kind = self
            .kind
            .map(|f| one_of(f.eq, f.r#in, "kind"))
            .transpose()?
            .flatten();
        let run = match self.run {
            None => None,
            Some(text) => match id::parse_run(&text) {
                Some(run) => Some(run),
                None => return Ok(None),
            },
        };
        Ok(Some(view::EventFilter {
            run,
            task_key: self.task,
            kind_in: kind.map(into_all),
        }))
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
        (_, Some(all)) if all.is_empty() => Err(ApiError::input(format!(
            "`{field}.in` must name at least one value"
        ))),
        (Some(one), Some(all)) if !all.contains(&one) => Err(ApiError::input(format!(
            "`{field}.eq` and `{field}.in` exclude each other"
        ))),
        (Some(one), _) => Ok(Some(vec![one])),
        (None, all) => Ok(all),
    }
}
