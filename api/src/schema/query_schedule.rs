//! Queries of schedules and triggers.

use async_graphql::{Context, Object};
use runnel_runtime::view::PageRequest;

use super::connection::Connection;
use super::cursor::{Cursor, first};
use super::schedule::{Schedule, TriggerOutcome, TriggerOutcomeStatus, list_outcomes};
use super::session::open;
use super::trigger::Trigger;
use crate::auth::Permission;
use crate::error::ApiError;

/// Queries of schedules and triggers.
#[derive(Debug, Default)]
pub(crate) struct ScheduleQuery;

/// Queries of schedules and triggers.
#[Object]
impl ScheduleQuery {
    /// A schedule by its key; null when there is none.
    async fn schedule(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Key of the schedule.")] key: String,
    ) -> Result<Option<Schedule>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let found = session
            .orchestrator
            .find_schedule_by_key(session.actor, &key)
            .await;
        Ok(found.map_err(|e| ApiError::store(&e))?.map(Schedule))
    }

    /// Schedules by key.
    async fn schedules(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only those of this workflow.")] workflow: Option<String>,
    ) -> Result<Connection<Schedule>, ApiError> {
        list_schedules(ctx, workflow.as_deref(), ByKey { size, after }).await
    }

    /// A trigger by its key; null when there is none.
    async fn trigger(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Key of the trigger.")] key: String,
    ) -> Result<Option<Trigger>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let found = session
            .orchestrator
            .find_trigger_by_key(session.actor, &key)
            .await;
        Ok(found.map_err(|e| ApiError::store(&e))?.map(Trigger))
    }

    /// Triggers by event and webhook, by key.
    async fn triggers(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only those of this workflow.")] workflow: Option<String>,
    ) -> Result<Connection<Trigger>, ApiError> {
        list_triggers(ctx, workflow.as_deref(), ByKey { size, after }).await
    }

    /// What became of the times of all schedules and of the events of all triggers, newest first.
    async fn trigger_outcomes(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only these statuses.")] status: Option<Vec<TriggerOutcomeStatus>>,
    ) -> Result<Connection<TriggerOutcome>, ApiError> {
        list_outcomes(ctx, None, status, size, after.as_deref()).await
    }
}

/// The part of a list in the order of keys that its arguments name.
pub(crate) struct ByKey {
    /// `first`.
    pub(crate) size: i32,
    /// `after`.
    pub(crate) after: Option<String>,
}

impl ByKey {
    fn page(&self) -> Result<PageRequest<String>, ApiError> {
        Ok(PageRequest {
            first: first(self.size)?,
            after: Cursor::after(self.after.as_deref())?,
        })
    }
}

/// Schedules of the namespace, or those of one workflow.
pub(crate) async fn list_schedules(
    ctx: &Context<'_>,
    workflow: Option<&str>,
    part: ByKey,
) -> Result<Connection<Schedule>, ApiError> {
    let (session, page) = (open(ctx, Permission::RunsRead)?, part.page()?);
    let listed = session.orchestrator.list_schedules(session.actor, workflow, page);
    let page = listed.await.map_err(|e| ApiError::store(&e))?;
    Ok(Connection::new(page, |schedule| schedule.key.encode(), Schedule))
}

/// Triggers by event and webhook of the namespace, or those of one workflow.
pub(crate) async fn list_triggers(
    ctx: &Context<'_>,
    workflow: Option<&str>,
    part: ByKey,
) -> Result<Connection<Trigger>, ApiError> {
    let (session, page) = (open(ctx, Permission::RunsRead)?, part.page()?);
    let listed = session.orchestrator.list_triggers(session.actor, workflow, page);
    let page = listed.await.map_err(|e| ApiError::store(&e))?;
    Ok(Connection::new(page, |trigger| trigger.key.encode(), Trigger))
}
