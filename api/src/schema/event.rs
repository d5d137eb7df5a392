//! Events: the history that people read.

use async_graphql::{Context, Object};
use runnel_runtime::view::{EventView, FeedCursor};

use super::cursor::{Cursor, RunSeq};
use super::enums::EventKind;
use super::run::Run;
use super::scalars::{DateTime, Json};
use super::session::load_referred;
use crate::error::ApiError;

/// One transition of a run or task.
#[derive(Debug, Clone)]
pub(crate) struct Event(pub(crate) EventView);

/// One transition of a run or task.
#[Object]
impl Event {
    /// Place in the feed of all runs, for `after`.
    async fn cursor(&self) -> String {
        self.0.cursor.encode()
    }

    /// Place in the history of its run, from 1 without a gap.
    async fn seq(&self) -> i32 {
        i32::try_from(self.0.record.seq).unwrap_or(i32::MAX)
    }

    /// What happened.
    async fn kind(&self) -> EventKind {
        self.0.record.kind.into()
    }

    /// The run.
    async fn run(&self, ctx: &Context<'_>) -> Result<Run, ApiError> {
        load_referred(ctx, self.0.run_id).await.map(Run)
    }

    /// Key of the task; null for an event of the run itself.
    async fn task(&self) -> Option<&str> {
        self.0.record.key.as_deref()
    }

    /// The attempt.
    async fn attempt(&self) -> Option<u32> {
        self.0.record.attempt
    }

    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.0.record.at)
    }

    /// Who, for what a person or a worker did.
    async fn actor(&self) -> Option<&str> {
        self.0.record.actor.as_deref()
    }

    /// Why, as an UPPER_SNAKE word.
    async fn reason(&self) -> Option<&str> {
        self.0.record.reason.as_deref()
    }

    /// Details of the kind.
    async fn data(&self) -> Option<Json> {
        self.0.record.data.clone().map(Json::from_json)
    }
}

/// Reads `after` of a run's events: a cursor of that list, or of the feed, which holds the place in the run as well.
pub(crate) fn run_events_after(after: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(text) = after else { return Ok(None) };
    let seq = RunSeq::decode(text)
        .map(|place| place.0)
        .or_else(|| FeedCursor::decode(text).map(|place| place.seq));
    seq.map(Some)
        .ok_or_else(|| ApiError::input("`after` is not a cursor of this list"))
}
