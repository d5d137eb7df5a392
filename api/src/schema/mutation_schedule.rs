//! Mutations of schedules.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use runnel_engine::schedule::{CatchUp, Overlap, Policy, Spec, When};
use runnel_runtime::schedule::{
    BackfillRequest, BackfillView, NewSchedule, ScheduleError, SchedulePatch, ScheduleView,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::id;
use super::scalars::{DateTime, Duration, Json};
use super::schedule::{Backfill, CatchUpPolicy, OverlapPolicy, Schedule, TriggerOutcome};
use super::session::open;
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// The times of a schedule: exactly one of `cron`, `every` and `at`.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleWhenInput {
    /// Cron pattern of 5 fields, or 6 with seconds first.
    cron: Option<String>,
    /// IANA zone of the pattern, as `Europe/Madrid`; UTC when null.
    timezone: Option<String>,
    /// An interval of at least a second.
    every: Option<Duration>,
    /// A time that the interval is counted from; 1970-01-01 when null, so that 15 minutes are the quarters of the hour.
    anchor_at: Option<DateTime>,
    /// A single time.
    at: Option<DateTime>,
    /// No time before this.
    start_at: Option<DateTime>,
    /// No time at or after this.
    end_at: Option<DateTime>,
    /// Starts are spread over so long after each time, at most 24 hours.
    jitter: Option<Duration>,
}

/// How a schedule treats its times.
#[derive(Debug, InputObject)]
pub(crate) struct SchedulePolicyInput {
    /// While a run goes on.
    #[graphql(default_with = "OverlapPolicy::Skip")]
    overlap: OverlapPolicy,
    /// After a time in which nobody looked.
    #[graphql(default_with = "CatchUpPolicy::Latest")]
    catch_up: CatchUpPolicy,
    /// How far back the catch-up looks; 7 days when null, at most 366.
    catch_up_window: Option<Duration>,
    /// Most missed times that `ALL` makes up for; 100 when null, at most 1000.
    catch_up_limit: Option<i32>,
    /// Pauses after so many runs in a row that did not succeed; null: never.
    pause_after_failures: Option<i32>,
}

/// Arguments of `scheduleCreate`. The same again answers the schedule that is there.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleCreateInput {
    /// Key, unique in the namespace.
    key: String,
    /// Key of the workflow.
    workflow: String,
    /// Number of the version; the newest of each time when null.
    version: Option<i32>,
    /// The times.
    when: ScheduleWhenInput,
    /// How they are treated.
    policy: Option<SchedulePolicyInput>,
    /// Inputs: an object; its texts may hold expressions over `run.scheduled_at`, `vars` and `workflow`.
    inputs: Option<Json>,
    /// 0 to 100; the workflow's when null.
    priority: Option<i32>,
    /// Tags besides the workflow's.
    tags: Option<Vec<String>>,
    /// Whether it begins paused.
    #[graphql(default)]
    is_paused: bool,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Arguments of `scheduleUpdate`. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleUpdateInput {
    /// Id of the schedule.
    id: ID,
    /// New times; they count from now on.
    when: Option<ScheduleWhenInput>,
    /// How they are treated, as a whole.
    policy: Option<SchedulePolicyInput>,
    /// Inputs, as a whole.
    inputs: Option<Json>,
    /// Number of the version; null: the newest of each time.
    version: MaybeUndefined<i32>,
    /// 0 to 100; null: the workflow's.
    priority: MaybeUndefined<i32>,
    /// Tags, as a whole.
    tags: Option<Vec<String>>,
    /// Refused when the schedule has another revision.
    expected_revision: Option<i64>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Names a schedule.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleIdInput {
    /// Id of the schedule.
    id: ID,
    /// Why; kept with the schedule where the operation has a place for it.
    reason: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Arguments of `scheduleTrigger`.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleTriggerInput {
    /// Id of the schedule.
    id: ID,
    /// A repeated request with the same key answers the same run.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Arguments of `scheduleBackfill`.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleBackfillInput {
    /// Id of the schedule.
    id: ID,
    /// Begin of the range; a time at it is part of it.
    from_at: DateTime,
    /// End of the range; not part of it.
    until_at: DateTime,
    /// Most runs at once, 1 to 1000.
    #[graphql(default = 1)]
    max_parallel: i32,
    /// Count the times, start nothing.
    #[graphql(default)]
    dry_run: bool,
    /// A repeated request with the same key answers as the first.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Arguments of `backfillCancel`.
#[derive(Debug, InputObject)]
pub(crate) struct BackfillCancelInput {
    /// Id of the backfill.
    id: ID,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

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
        let done = match id::parse_backfill(&input.id) {
            Some(id) => session.orchestrator.cancel_backfill(session.actor, id).await,
            None => Err(ScheduleError::UnknownBackfill),
        };
        backfill_payload(done, input.client_mutation_id)
    }
}

/// Does something to the schedule that an id names.
async fn of_schedule<T>(
    id: &ID,
    act: impl AsyncFnOnce(Uuid) -> Result<T, ScheduleError>,
) -> Result<T, ScheduleError> {
    match id::parse_schedule(id) {
        Some(id) => act(id).await,
        None => Err(ScheduleError::UnknownSchedule),
    }
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

fn invalid(field: &'static str, message: impl Into<String>) -> ScheduleError {
    ScheduleError::Invalid {
        field,
        message: message.into(),
    }
}

fn new_schedule(input: ScheduleCreateInput) -> Result<NewSchedule, ScheduleError> {
    Ok(NewSchedule {
        key: input.key,
        workflow: input.workflow,
        version: input.version,
        spec: spec(input.when)?,
        policy: input.policy.map_or_else(|| Ok(Policy::default()), policy)?,
        inputs: input.inputs.map_or_else(|| Ok(Map::new()), object)?,
        priority: input.priority.map(priority).transpose()?,
        tags: input.tags.unwrap_or_default(),
        is_paused: input.is_paused,
    })
}

fn patch(input: ScheduleUpdateInput) -> Result<SchedulePatch, ScheduleError> {
    Ok(SchedulePatch {
        spec: input.when.map(spec).transpose()?,
        policy: input.policy.map(policy).transpose()?,
        inputs: input.inputs.map(object).transpose()?,
        version: given(input.version),
        priority: given(input.priority)
            .map(|given| given.map(priority).transpose())
            .transpose()?,
        tags: input.tags,
        expected_revision: input.expected_revision,
    })
}

fn given<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

fn spec(input: ScheduleWhenInput) -> Result<Spec, ScheduleError> {
    let ScheduleWhenInput {
        cron,
        timezone,
        every,
        anchor_at,
        at,
        start_at,
        end_at,
        jitter,
    } = input;
    let when = match (cron, every, at) {
        (Some(expression), None, None) => When::Cron {
            expression,
            timezone: timezone.unwrap_or_else(|| "UTC".to_owned()),
        },
        (None, Some(every), None) => When::Every {
            every_ms: millis(every),
            anchor: anchor_at.map_or(runnel_engine::Timestamp(0), |anchor| anchor.0),
        },
        (None, None, Some(at)) => When::At { at: at.0 },
        _ => {
            return Err(invalid("when", "give exactly one of `cron`, `every` and `at`"));
        }
    };
    Ok(Spec {
        when,
        start_at: start_at.map(|at| at.0),
        end_at: end_at.map(|at| at.0),
        jitter_ms: jitter.map_or(0, millis),
    })
}

fn policy(input: SchedulePolicyInput) -> Result<Policy, ScheduleError> {
    let unset = Policy::default();
    let count = |field: &'static str, number: i32| {
        u32::try_from(number).map_err(|_| invalid(field, "it must not be negative"))
    };
    Ok(Policy {
        overlap: Overlap::from(input.overlap),
        catch_up: CatchUp::from(input.catch_up),
        window_ms: input.catch_up_window.map_or(unset.window_ms, millis),
        limit: match input.catch_up_limit {
            Some(limit) => count("catchUpLimit", limit)?,
            None => unset.limit,
        },
        pause_after: input
            .pause_after_failures
            .map(|failures| count("pauseAfterFailures", failures))
            .transpose()?,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.0.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn object(json: Json) -> Result<Map<String, Value>, ScheduleError> {
    match json.0.into_json() {
        Ok(Value::Null) => Ok(Map::new()),
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(invalid("inputs", "`inputs` must be an object")),
    }
}

fn priority(priority: i32) -> Result<u8, ScheduleError> {
    u8::try_from(priority)
        .ok()
        .filter(|priority| *priority <= 100)
        .ok_or_else(|| invalid("priority", "`priority` must be from 0 to 100"))
}
