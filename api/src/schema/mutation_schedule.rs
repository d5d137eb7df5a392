//! Mutations of schedules.

mod input;

use async_graphql::{Context, ID, Object, SimpleObject};
use runnel_runtime::schedule::{BackfillRequest, BackfillView, ScheduleError, ScheduleView};
use uuid::Uuid;

use super::id;
use super::schedule::{Backfill, Schedule, TriggerOutcome};
use super::session::open;
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

pub(crate) use input::object;
use input::{
    BackfillCancelInput, ScheduleBackfillInput, ScheduleCreateInput, ScheduleIdInput, ScheduleTriggerInput,
    ScheduleUpdateInput, new_schedule, patch,
};

/// What a mutation did with a schedule.
#[derive(Debug, SimpleObject)]
pub(crate) struct SchedulePayload {
    /// The schedule after it; null when it was refused.
    schedule: Option<Schedule>,
    /// Whether it was made now.
    is_new: bool,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// What `scheduleDelete` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct ScheduleDeletePayload {
    /// Id of the schedule that is not there any more; null when it was refused.
    deleted_id: Option<ID>,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// What `scheduleTrigger` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct ScheduleTriggerPayload {
    /// What became of it, with the run.
    outcome: Option<TriggerOutcome>,
    /// Whether an earlier request with the same key is answered again.
    is_replay: bool,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// What a mutation did with a backfill.
#[derive(Debug, SimpleObject)]
pub(crate) struct BackfillPayload {
    /// The backfill; one that was only counted has no rows behind its id.
    backfill: Option<Backfill>,
    /// Whether an earlier request with the same key is answered again.
    is_replay: bool,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Mutations of schedules.
#[derive(Debug, Default)]
pub(crate) struct ScheduleMutation;

/// Mutations of schedules.
#[Object]
impl ScheduleMutation {
    /// Makes a schedule. The same again answers the one that is there; another one under its key is refused.
    async fn schedule_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: ScheduleCreateInput,
    ) -> Result<SchedulePayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsWrite)?;
        let client_mutation_id = input.client_mutation_id.clone();
        let new = match new_schedule(input) {
            Ok(new) => new,
            Err(problem) => return payload(Err(problem), client_mutation_id),
        };
        match session.orchestrator.create_schedule(session.actor, new).await {
            Ok((schedule, is_new)) => Ok(SchedulePayload {
                is_new,
                ..payload(Ok(schedule), client_mutation_id)?
            }),
            Err(error) => payload(Err(error), client_mutation_id),
        }
    }

    /// Changes a schedule. One that is part of a workflow file is changed there.
    async fn schedule_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which schedule, and what changes.")] input: ScheduleUpdateInput,
    ) -> Result<SchedulePayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsWrite)?;
        let client_mutation_id = input.client_mutation_id.clone();
        let id = input.id.clone();
        let done = of_schedule(&id, async |id| {
            let patch = patch(input)?;
            session
                .orchestrator
                .update_schedule(session.actor, id, patch)
                .await
        });
        payload(done.await, client_mutation_id)
    }

    /// Deletes a schedule; its runs go on. Deleting what is not there is no error.
    async fn schedule_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which schedule.")] input: ScheduleIdInput,
    ) -> Result<ScheduleDeletePayload, ApiError> {
        let session = open(ctx, Permission::WorkflowsWrite)?;
        let done = of_schedule(&input.id, async |id| {
            session.orchestrator.delete_schedule(session.actor, id).await
        });
        let (deleted_id, user_errors) = split(done.await.map(|_| input.id))?;
        Ok(ScheduleDeletePayload {
            deleted_id,
            user_errors,
            client_mutation_id: input.client_mutation_id,
        })
    }

    /// Pauses a schedule: its times pass and are not made up for.
    async fn schedule_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which schedule.")] input: ScheduleIdInput,
    ) -> Result<SchedulePayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (orchestrator, actor, reason) = (session.orchestrator, session.actor, input.reason);
        let done = of_schedule(&input.id, async |id| {
            orchestrator.pause_schedule(actor, id, reason).await
        });
        payload(done.await, input.client_mutation_id)
    }

    /// Resumes a schedule from now on; what passed meanwhile is for `scheduleBackfill`.
    async fn schedule_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which schedule.")] input: ScheduleIdInput,
    ) -> Result<SchedulePayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let done = of_schedule(&input.id, async |id| {
            session.orchestrator.resume_schedule(session.actor, id).await
        });
        payload(done.await, input.client_mutation_id)
    }

    /// Starts the workflow of a schedule now, beside its times and whatever its overlap policy.
    async fn schedule_trigger(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which schedule.")] input: ScheduleTriggerInput,
    ) -> Result<ScheduleTriggerPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (orchestrator, actor, key) = (session.orchestrator, session.actor, input.idempotency_key);
        let done = of_schedule(&input.id, async |id| {
            orchestrator.trigger_schedule(actor, id, key).await
        });
        let (outcome, user_errors) = split(done.await)?;
        Ok(ScheduleTriggerPayload {
            outcome: outcome.map(TriggerOutcome),
            is_replay: false,
            user_errors,
            client_mutation_id: input.client_mutation_id,
        })
    }

    /// Starts the runs of a range of the past, a bounded number at once. A time that had its run is not run again.
    async fn schedule_backfill(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which schedule and range.")] input: ScheduleBackfillInput,
    ) -> Result<BackfillPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let request = BackfillRequest {
            from: input.from_at.0,
            until: input.until_at.0,
            max_parallel: u32::try_from(input.max_parallel).unwrap_or(0),
            is_dry_run: input.dry_run,
        };
        let done = of_schedule(&input.id, async |id| {
            let orchestrator = session.orchestrator;
            orchestrator.backfill_schedule(session.actor, id, &request).await
        });
        backfill_payload(done.await, input.client_mutation_id)
    }

    /// Begins nothing more of a backfill; the runs that it has begun go on.
    async fn backfill_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which backfill.")] input: BackfillCancelInput,
    ) -> Result<BackfillPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let id = id::parse_backfill(&input.id);
        let done = id::act_on(id, ScheduleError::UnknownBackfill, async |id| {
            session.orchestrator.cancel_backfill(session.actor, id).await
        });
        backfill_payload(done.await, input.client_mutation_id)
    }
}

/// Does something to the schedule that an id names.
async fn of_schedule<T>(
    id: &ID,
    act: impl AsyncFnOnce(Uuid) -> Result<T, ScheduleError>,
) -> Result<T, ScheduleError> {
    id::act_on(id::parse_schedule(id), ScheduleError::UnknownSchedule, act).await
}

/// What was done, or why not as data.
pub(crate) fn split<T>(done: Result<T, ScheduleError>) -> Result<(Option<T>, Vec<UserError>), ApiError> {
    match done {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(error) => Ok((None, UserError::of_schedule(error)?)),
    }
}

fn payload(
    done: Result<ScheduleView, ScheduleError>,
    client_mutation_id: Option<String>,
) -> Result<SchedulePayload, ApiError> {
    let (schedule, user_errors) = split(done)?;
    Ok(SchedulePayload {
        schedule: schedule.map(Schedule),
        is_new: false,
        user_errors,
        client_mutation_id,
    })
}

fn backfill_payload(
    done: Result<BackfillView, ScheduleError>,
    client_mutation_id: Option<String>,
) -> Result<BackfillPayload, ApiError> {
    let (backfill, user_errors) = split(done)?;
    Ok(BackfillPayload {
        backfill: backfill.map(Backfill::from),
        is_replay: false,
        user_errors,
        client_mutation_id,
    })
}
