//! Filters of events.

use async_graphql::{ID, InputObject};
use runnel_runtime::view;

use super::{DateTimeFilter, EventKindFilter, check_depth, into_all, one_of, parts};
use crate::error::ApiError;
use crate::schema::id;

/// Which events; all conditions must hold.
#[derive(Debug, Clone, Default, InputObject)]
pub(crate) struct EventFilter {
    /// Id of the run.
    run: Option<ID>,
    /// Key of the task.
    task: Option<String>,
    /// What happened.
    kind: Option<EventKindFilter>,
    /// In this attempt.
    attempt: Option<u32>,
    /// Who, for what a person or a worker did.
    actor: Option<String>,
    /// Why, as an UPPER_SNAKE word.
    reason: Option<String>,
    /// When.
    at: Option<DateTimeFilter>,
    /// All of these hold.
    and: Option<Vec<EventFilter>>,
    /// One of these holds.
    or: Option<Vec<EventFilter>>,
    /// This does not hold.
    not: Option<Box<EventFilter>>,
}

impl EventFilter {
    /// As the store wants it; `None` when it names a run that cannot exist.
    pub(crate) fn into_view(self) -> Result<Option<view::EventFilter>, ApiError> {
        self.read(0)
    }

    fn read(self, depth: usize) -> Result<Option<view::EventFilter>, ApiError> {
        check_depth(depth)?;
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
        let (at_gte, at_lt) = self.at.map_or((None, None), |filter| filter.span());
        let nested = |filter: EventFilter| Ok(filter.read(depth + 1)?.unwrap_or_else(nothing));
        Ok(Some(view::EventFilter {
            run,
            task_key: self.task,
            kind_in: kind.map(into_all),
            attempt: self.attempt,
            actor: self.actor,
            reason: self.reason,
            at_gte,
            at_lt,
            all: parts(self.and, "and", nested)?,
            any: parts(self.or, "or", nested)?,
            not: self.not.map(|filter| nested(*filter)).transpose()?.map(Box::new),
        }))
    }
}

/// A part that no event passes: none of no alternatives holds.
fn nothing() -> view::EventFilter {
    view::EventFilter {
        any: Some(Vec::new()),
        ..view::EventFilter::default()
    }
}
