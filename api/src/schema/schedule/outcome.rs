//! What became of the times of schedules and of events, and what started a run.

use async_graphql::{ComplexObject, Context, Enum, ID, Object, SimpleObject};
use runnel_engine::trigger::TriggerKind as EngineKind;
use runnel_runtime::schedule::{OutcomeFilter, OutcomeStatus, OutcomeView};
use runnel_runtime::view::PageRequest;
use uuid::Uuid;

use super::{Schedule, find_schedule};
use crate::auth::Permission;
use crate::error::ApiError;
use crate::schema::connection::Connection;
use crate::schema::cursor::{Cursor, OutcomePlace, first};
use crate::schema::id;
use crate::schema::run::Run;
use crate::schema::scalars::DateTime;
use crate::schema::session::{load, open};
use crate::schema::trigger::{Trigger, find_trigger};

/// Kinds of what starts runs. New values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "EngineKind")]
pub(crate) enum TriggerKind {
    /// A schedule, at its time.
    Schedule,
    /// A schedule, because somebody said "now".
    Manual,
    /// The backfill of a schedule.
    Backfill,
    /// An event.
    Event,
    /// A webhook.
    Webhook,
}

/// What became of a time of a schedule or of an event. New values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "OutcomeStatus")]
pub(crate) enum TriggerOutcomeStatus {
    /// Its run is being started.
    Starting,
    /// It has a run.
    Started,
    /// It had a run already, or the event had come before.
    Deduped,
    /// The trigger is about other events.
    Filtered,
    /// Too many in a time.
    RateLimited,
    /// It cannot have a run: the inputs do not fit, the signature is wrong.
    Rejected,
    /// It has no run: another one goes on, or it was missed.
    Skipped,
    /// It waits for a run to end.
    Buffered,
}

/// What became of one time of a schedule, or of one event for one trigger.
#[derive(Debug, Clone)]
pub(crate) struct TriggerOutcome(pub(crate) OutcomeView);

/// What became of one time of a schedule, or of one event for one trigger.
#[Object]
impl TriggerOutcome {
    /// Opaque id.
    async fn id(&self) -> ID {
        id::outcome(self.0.id)
    }

    /// The kind.
    async fn kind(&self) -> TriggerKind {
        self.0.kind.into()
    }

    /// Key of the schedule or the trigger.
    async fn trigger_key(&self) -> &str {
        &self.0.owner_key
    }

    /// What became of it.
    async fn status(&self) -> TriggerOutcomeStatus {
        self.0.status.into()
    }

    /// Why, for programs, as `OVERLAP` or `MISSED`.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Why, for people.
    async fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The time of the schedule.
    async fn scheduled_at(&self) -> Option<DateTime> {
        self.0.nominal_at.map(DateTime)
    }

    /// CloudEvents `source`.
    async fn event_source(&self) -> Option<&str> {
        self.0.event_source.as_deref()
    }

    /// CloudEvents `id`, or the delivery id of a webhook.
    async fn event_id(&self) -> Option<&str> {
        self.0.event_id.as_deref()
    }

    /// The run; null when there is none.
    async fn run(&self, ctx: &Context<'_>) -> Result<Option<Run>, ApiError> {
        match self.0.run {
            Some(run) => Ok(load(ctx, run).await?.map(Run)),
            None => Ok(None),
        }
    }

    /// When it happened.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What started a run, when it was not a person or a program through the API.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub(crate) struct RunTrigger {
    /// The kind.
    kind: TriggerKind,
    /// Key of the schedule or the trigger.
    key: String,
    /// Nominal time on the clock of the schedule's zone, RFC 3339; null for events.
    scheduled_at: Option<String>,
    /// CloudEvents `source`.
    event_source: Option<String>,
    /// CloudEvents `id`, or the delivery id of a webhook.
    event_id: Option<String>,
    #[graphql(skip)]
    owner: Uuid,
}

/// What started a run.
#[ComplexObject]
impl RunTrigger {
    /// The schedule; null when it is a trigger, or was deleted.
    async fn schedule(&self, ctx: &Context<'_>) -> Result<Option<Schedule>, ApiError> {
        match self.kind {
            TriggerKind::Schedule | TriggerKind::Manual | TriggerKind::Backfill => {
                find_schedule(ctx, self.owner).await
            }
            TriggerKind::Event | TriggerKind::Webhook => Ok(None),
        }
    }

    /// The trigger; null when it is a schedule, or was deleted.
    async fn trigger(&self, ctx: &Context<'_>) -> Result<Option<Trigger>, ApiError> {
        match self.kind {
            TriggerKind::Event | TriggerKind::Webhook => find_trigger(ctx, self.owner).await,
            TriggerKind::Schedule | TriggerKind::Manual | TriggerKind::Backfill => Ok(None),
        }
    }
}

impl From<runnel_engine::trigger::RunTrigger> for RunTrigger {
    fn from(trigger: runnel_engine::trigger::RunTrigger) -> Self {
        Self {
            kind: trigger.kind.into(),
            key: trigger.key,
            scheduled_at: trigger.scheduled_at,
            event_source: trigger.event_source,
            event_id: trigger.event_id,
            owner: trigger.id,
        }
    }
}

/// One page of outcomes.
pub(crate) async fn list_outcomes(
    ctx: &Context<'_>,
    owner: Option<Uuid>,
    status: Option<Vec<TriggerOutcomeStatus>>,
    size: i32,
    after: Option<&str>,
) -> Result<Connection<TriggerOutcome>, ApiError> {
    let session = open(ctx, Permission::RunsRead)?;
    let filter = OutcomeFilter {
        owner,
        status_in: status.map(|statuses| statuses.into_iter().map(OutcomeStatus::from).collect()),
    };
    let page = PageRequest {
        first: first(size)?,
        after: OutcomePlace::after(after)?.map(|place| (place.0, place.1)),
    };
    let page = session
        .orchestrator
        .list_outcomes(session.actor, filter, page)
        .await;
    let page = page.map_err(|e| ApiError::store(&e))?;
    Ok(Connection::new(
        page,
        |outcome| OutcomePlace(outcome.created_at.0, outcome.id).encode(),
        TriggerOutcome,
    ))
}
