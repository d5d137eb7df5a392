//! What is said about a schedule, and what the runtime takes of it.

use async_graphql::{ID, InputObject, MaybeUndefined};
use runnel_engine::schedule::{CatchUp, Overlap, Policy, Spec, When};
use runnel_runtime::schedule::{NewSchedule, ScheduleError, SchedulePatch};
use serde_json::{Map, Value};

use crate::schema::scalars::{DateTime, Duration, Json};
use crate::schema::schedule::{CatchUpPolicy, OverlapPolicy};

/// The times of a schedule: exactly one of `cron`, `every` and `at`.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleWhenInput {
    /// Cron pattern of 5 fields, or 6 with seconds first.
    pub(super) cron: Option<String>,
    /// IANA zone of the pattern, as `Europe/Madrid`; UTC when null.
    pub(super) timezone: Option<String>,
    /// An interval of at least a second.
    pub(super) every: Option<Duration>,
    /// A time that the interval is counted from; 1970-01-01 when null, so that 15 minutes are the quarters of the hour.
    pub(super) anchor_at: Option<DateTime>,
    /// A single time.
    pub(super) at: Option<DateTime>,
    /// No time before this.
    pub(super) start_at: Option<DateTime>,
    /// No time at or after this.
    pub(super) end_at: Option<DateTime>,
    /// Starts are spread over so long after each time, at most 24 hours.
    pub(super) jitter: Option<Duration>,
}

/// How a schedule treats its times.
#[derive(Debug, InputObject)]
pub(crate) struct SchedulePolicyInput {
    /// While a run goes on.
    #[graphql(default_with = "OverlapPolicy::Skip")]
    pub(super) overlap: OverlapPolicy,
    /// After a time in which nobody looked.
    #[graphql(default_with = "CatchUpPolicy::Latest")]
    pub(super) catch_up: CatchUpPolicy,
    /// How far back the catch-up looks; 7 days when null, at most 366.
    pub(super) catch_up_window: Option<Duration>,
    /// Most missed times that `ALL` makes up for; 100 when null, at most 1000.
    pub(super) catch_up_limit: Option<i32>,
    /// Pauses after so many runs in a row that did not succeed; null: never.
    pub(super) pause_after_failures: Option<i32>,
}

/// Arguments of `scheduleCreate`. The same again answers the schedule that is there.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleCreateInput {
    /// Key, unique in the namespace.
    pub(super) key: String,
    /// Key of the workflow.
    pub(super) workflow: String,
    /// Number of the version; the newest of each time when null.
    pub(super) version: Option<i32>,
    /// The times.
    pub(super) when: ScheduleWhenInput,
    /// How they are treated.
    pub(super) policy: Option<SchedulePolicyInput>,
    /// Inputs: an object; its texts may hold expressions over `run.scheduled_at`, `vars` and `workflow`.
    pub(super) inputs: Option<Json>,
    /// 0 to 100; the workflow's when null.
    pub(super) priority: Option<i32>,
    /// Tags besides the workflow's.
    pub(super) tags: Option<Vec<String>>,
    /// Whether it begins paused.
    #[graphql(default)]
    pub(super) is_paused: bool,
    /// Echoed in the answer.
    pub(super) client_mutation_id: Option<String>,
}

/// Arguments of `scheduleUpdate`. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleUpdateInput {
    /// Id of the schedule.
    pub(super) id: ID,
    /// New times; they count from now on.
    pub(super) when: Option<ScheduleWhenInput>,
    /// How they are treated, as a whole.
    pub(super) policy: Option<SchedulePolicyInput>,
    /// Inputs, as a whole.
    pub(super) inputs: Option<Json>,
    /// Number of the version; null: the newest of each time.
    pub(super) version: MaybeUndefined<i32>,
    /// 0 to 100; null: the workflow's.
    pub(super) priority: MaybeUndefined<i32>,
    /// Tags, as a whole.
    pub(super) tags: Option<Vec<String>>,
    /// Refused when the schedule has another revision.
    pub(super) expected_revision: Option<i64>,
    /// Echoed in the answer.
    pub(super) client_mutation_id: Option<String>,
}

/// Names a schedule.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleIdInput {
    /// Id of the schedule.
    pub(super) id: ID,
    /// Why; kept with the schedule where the operation has a place for it.
    pub(super) reason: Option<String>,
    /// Echoed in the answer.
    pub(super) client_mutation_id: Option<String>,
}

/// Arguments of `scheduleTrigger`.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleTriggerInput {
    /// Id of the schedule.
    pub(super) id: ID,
    /// A repeated request with the same key answers the same run.
    pub(super) idempotency_key: Option<String>,
    /// Echoed in the answer.
    pub(super) client_mutation_id: Option<String>,
}

/// Arguments of `scheduleBackfill`.
#[derive(Debug, InputObject)]
pub(crate) struct ScheduleBackfillInput {
    /// Id of the schedule.
    pub(super) id: ID,
    /// Begin of the range; a time at it is part of it.
    pub(super) from_at: DateTime,
    /// End of the range; not part of it.
    pub(super) until_at: DateTime,
    /// Most runs at once, 1 to 1000.
    #[graphql(default = 1)]
    pub(super) max_parallel: i32,
    /// Count the times, start nothing.
    #[graphql(default)]
    pub(super) dry_run: bool,
    /// A repeated request with the same key answers as the first.
    pub(super) idempotency_key: Option<String>,
    /// Echoed in the answer.
    pub(super) client_mutation_id: Option<String>,
}

/// Arguments of `backfillCancel`.
#[derive(Debug, InputObject)]
pub(crate) struct BackfillCancelInput {
    /// Id of the backfill.
    pub(super) id: ID,
    /// Echoed in the answer.
    pub(super) client_mutation_id: Option<String>,
}

pub(super) fn new_schedule(input: ScheduleCreateInput) -> Result<NewSchedule, ScheduleError> {
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

pub(super) fn patch(input: ScheduleUpdateInput) -> Result<SchedulePatch, ScheduleError> {
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
            return Err(ScheduleError::invalid(
                "when",
                "give exactly one of `cron`, `every` and `at`",
            ));
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
        u32::try_from(number).map_err(|_| ScheduleError::invalid(field, "it must not be negative"))
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
        _ => Err(ScheduleError::invalid("inputs", "`inputs` must be an object")),
    }
}

fn priority(priority: i32) -> Result<u8, ScheduleError> {
    u8::try_from(priority)
        .ok()
        .filter(|priority| *priority <= 100)
        .ok_or_else(|| ScheduleError::invalid("priority", "`priority` must be from 0 to 100"))
}
