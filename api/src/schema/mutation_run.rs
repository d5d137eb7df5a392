//! Mutations of runs and their tasks.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use runnel_engine::RunId;
use runnel_runtime::schedule::StartWhen;
use runnel_runtime::view::{RunView, TaskView};
use runnel_runtime::{OperateError, StartError, StartRequest};
use serde_json::{Map, Value};

use super::enums::{CancelMode, OnConflict};
use super::id;
use super::run::Run;
use super::scalars::{DateTime, Duration, Json};
use super::schedule::Schedule;
use super::session::open;
use super::task::Task;
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// Longest idempotency key, tag or reason in characters.
const TEXT_CHARS_MAX: usize = 1_000;
/// Most tags of one start.
const TAGS_MAX: usize = 100;

/// Arguments of `runStart`.
#[derive(Debug, InputObject)]
pub(crate) struct RunStartInput {
    /// Key of the workflow.
    workflow: String,
    /// Number of the version; the newest when null.
    version: Option<i32>,
    /// Inputs: an object that fits the workflow's schema.
    inputs: Option<Json>,
    /// A repeated start with the same key answers the same run.
    idempotency_key: Option<String>,
    /// 0 to 100; the workflow's when null.
    priority: Option<i32>,
    /// Tags besides the workflow's.
    tags: Option<Vec<String>>,
    /// Start after so long, at most 366 days: the answer has a schedule and no run.
    delay: Option<Duration>,
    /// Start at this moment, at most 366 days ahead: the answer has a schedule and no run.
    at: Option<DateTime>,
    /// What to do when another run holds the idempotency key; when null, the same request answers it and another is refused.
    on_conflict: Option<OnConflict>,
    /// Whether tasks with `cache` may take the result of an earlier run. Their own results are kept in any case.
    #[graphql(default = true)]
    use_cache: bool,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `runStart` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct RunStartPayload {
    /// The run, committed; null when the start was refused, or takes place later.
    run: Option<Run>,
    /// The schedule that holds a start which takes place later; deleting it takes the start back.
    schedule: Option<Schedule>,
    /// Whether the run existed already under the idempotency key.
    is_replay: bool,
    /// Why the start was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Arguments of `runCancel`.
#[derive(Debug, InputObject)]
pub(crate) struct RunCancelInput {
    /// Id of the run.
    id: ID,
    /// How.
    #[graphql(default_with = "CancelMode::Graceful")]
    mode: CancelMode,
    /// Why; kept in the history.
    reason: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Names a run.
#[derive(Debug, InputObject)]
pub(crate) struct RunIdInput {
    /// Id of the run.
    id: ID,
    /// Why; kept in the history where the operation has a place for it.
    reason: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What an operation on a run did.
#[derive(Debug, SimpleObject)]
pub(crate) struct RunPayload {
    /// The run after the operation; null when it was refused.
    pub(crate) run: Option<Run>,
    /// Whether this is the answer of an earlier request with the same idempotency key.
    pub(crate) is_replay: bool,
    /// Why it was refused.
    pub(crate) user_errors: Vec<UserError>,
    /// As given.
    pub(crate) client_mutation_id: Option<String>,
}

impl RunPayload {
    /// Nothing was done.
    pub(crate) fn refused(user_errors: Vec<UserError>, client_mutation_id: Option<String>) -> Self {
        Self {
            run: None,
            is_replay: false,
            user_errors,
            client_mutation_id,
        }
    }
}

/// Names a task.
#[derive(Debug, InputObject)]
pub(crate) struct TaskIdInput {
    /// Id of the run.
    run: ID,
    /// Key of the task; an item of a fan-out as `clean[42]`.
    task: String,
    /// Why; kept in the history where the operation has a place for it.
    reason: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What an operation on a task did.
#[derive(Debug, SimpleObject)]
pub(crate) struct TaskPayload {
    /// The task after the operation; null when it was refused.
    pub(crate) task: Option<Task>,
    /// The run after the operation; null when it was refused.
    pub(crate) run: Option<Run>,
    /// Whether this is the answer of an earlier request with the same idempotency key.
    pub(crate) is_replay: bool,
    /// Why it was refused.
    pub(crate) user_errors: Vec<UserError>,
    /// As given.
    pub(crate) client_mutation_id: Option<String>,
}

impl TaskPayload {
    /// Nothing was done.
    pub(crate) fn refused(problem: UserError, client_mutation_id: Option<String>) -> Self {
        Self {
            task: None,
            run: None,
            is_replay: false,
            user_errors: vec![problem],
            client_mutation_id,
        }
    }
}

/// Mutations of runs.
#[derive(Debug, Default)]
pub(crate) struct RunMutation;

/// Mutations of runs.
#[Object]
impl RunMutation {
    /// Starts a run. Accepted means committed: it will reach an end, whatever happens to this server.
    async fn run_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to start.")] input: RunStartInput,
    ) -> Result<RunStartPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let client_mutation_id = input.client_mutation_id.clone();
        let refused = |user_errors| RunStartPayload {
            run: None,
            schedule: None,
            is_replay: false,
            user_errors,
            client_mutation_id,
        };
        let when = match start_when(&input) {
            Ok(when) => when,
            Err(problem) => return Ok(refused(vec![*problem])),
        };
        let request = match start_request(input) {
            Ok(request) => request,
            Err(problem) => return Ok(refused(vec![*problem])),
        };
        if let Some(when) = when {
            let accepted = session
                .orchestrator
                .start_later(session.actor, request, when)
                .await;
            return Ok(match accepted {
                Ok(later) => RunStartPayload {
                    schedule: Some(Schedule(later.schedule)),
                    is_replay: later.is_replay,
                    ..refused(Vec::new())
                },
                Err(error) => refused(UserError::of_start(error, None)?),
            });
        }
        match session.orchestrator.start_run(session.actor, request).await {
            Ok(started) => Ok(RunStartPayload {
                run: Some(Run(started.run)),
                is_replay: started.is_replay,
                ..refused(Vec::new())
            }),
            Err(error) => {
                let holder = match &error {
                    StartError::IdempotencyConflict { run } => session
                        .orchestrator
                        .find_run(session.actor, *run)
                        .await
                        .map_err(|e| ApiError::store(&e))?,
                    _ => None,
                };
                Ok(refused(UserError::of_start(error, holder.map(Run))?))
            }
        }
    }

    /// Cancels a run: nothing new is dispatched, running attempts are told, then the run ends.
    async fn run_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which run, and how.")] input: RunCancelInput,
    ) -> Result<RunPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (orchestrator, mode, reason) = (session.orchestrator, input.mode.into(), clip(input.reason));
        let done = of_run(&input.id, async |run| {
            orchestrator.cancel_run(session.actor, run, mode, reason).await
        });
        run_payload(done.await, input.client_mutation_id)
    }

    /// Pauses a run: running attempts finish, nothing new starts.
    async fn run_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which run.")] input: RunIdInput,
    ) -> Result<RunPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (orchestrator, reason) = (session.orchestrator, clip(input.reason));
        let done = of_run(&input.id, async |run| {
            orchestrator.pause_run(session.actor, run, reason).await
        });
        run_payload(done.await, input.client_mutation_id)
    }

    /// Resumes a paused run.
    async fn run_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which run.")] input: RunIdInput,
    ) -> Result<RunPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let done = of_run(&input.id, async |run| {
            session.orchestrator.resume_run(session.actor, run).await
        });
        run_payload(done.await, input.client_mutation_id)
    }

    /// Gives a failed task another attempt, and what was skipped because of it another chance; opens an ended run again.
    async fn task_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task.")] input: TaskIdInput,
    ) -> Result<TaskPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (orchestrator, task) = (session.orchestrator, &input.task);
        let done = of_run(&input.run, async |run| {
            orchestrator.retry_task(session.actor, run, task).await
        });
        task_payload(done.await, input.client_mutation_id)
    }

    /// Skips a task that has not ended.
    async fn task_skip(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task.")] input: TaskIdInput,
    ) -> Result<TaskPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (orchestrator, task, reason) = (session.orchestrator, &input.task, clip(input.reason));
        let done = of_run(&input.run, async |run| {
            orchestrator.skip_task(session.actor, run, task, reason).await
        });
        task_payload(done.await, input.client_mutation_id)
    }
}

/// Does something to the run that an id names.
pub(crate) async fn of_run<T>(
    id: &ID,
    act: impl AsyncFnOnce(RunId) -> Result<T, OperateError>,
) -> Result<T, OperateError> {
    id::act_on(id::parse_run(id), OperateError::UnknownRun, act).await
}

pub(crate) fn run_payload(
    done: Result<RunView, OperateError>,
    client_mutation_id: Option<String>,
) -> Result<RunPayload, ApiError> {
    match done {
        Ok(run) => Ok(RunPayload {
            run: Some(Run(run)),
            is_replay: false,
            user_errors: Vec::new(),
            client_mutation_id,
        }),
        Err(error) => {
            let problem = UserError::of_operate(error, "id")?;
            Ok(RunPayload::refused(vec![problem], client_mutation_id))
        }
    }
}

pub(crate) fn task_payload(
    done: Result<(RunView, TaskView), OperateError>,
    client_mutation_id: Option<String>,
) -> Result<TaskPayload, ApiError> {
    match done {
        Ok((run, view)) => {
            let task = Some(Task {
                view,
                version: Some(run.workflow_version_id),
            });
            Ok(TaskPayload {
                task,
                run: Some(Run(run)),
                is_replay: false,
                user_errors: Vec::new(),
                client_mutation_id,
            })
        }
        Err(error) => {
            let problem = UserError::of_operate(error, "run")?;
            Ok(TaskPayload::refused(problem, client_mutation_id))
        }
    }
}

/// A reason is for people: what is too long is cut instead of refusing an operation that may be urgent.
pub(crate) fn clip(reason: Option<String>) -> Option<String> {
    reason.map(|text| text.chars().take(TEXT_CHARS_MAX).collect())
}

fn start_when(input: &RunStartInput) -> Result<Option<StartWhen>, Box<UserError>> {
    let when = match (input.delay, input.at) {
        (None, None) => return Ok(None),
        (Some(delay), None) => StartWhen::Delay(delay.0),
        (None, Some(at)) => StartWhen::At(at.0),
        (Some(_), Some(_)) => return Err(refuse("give `delay` or `at`, not both", "at")),
    };
    if input.on_conflict.is_some() {
        return Err(refuse(
            "a start that takes place later has no `onConflict`",
            "onConflict",
        ));
    }
    Ok(Some(when))
}

fn start_request(input: RunStartInput) -> Result<StartRequest, Box<UserError>> {
    let inputs = match input.inputs.map(|json| json.0.into_json()) {
        None | Some(Ok(Value::Null)) => Map::new(),
        Some(Ok(Value::Object(inputs))) => inputs,
        Some(_) => return Err(refuse("`inputs` must be an object", "inputs")),
    };
    let priority = match input.priority.map(u8::try_from) {
        None => None,
        Some(Ok(priority)) if priority <= 100 => Some(priority),
        Some(_) => return Err(refuse("`priority` must be from 0 to 100", "priority")),
    };
    let tags = input.tags.unwrap_or_default();
    if tags.len() > TAGS_MAX || tags.iter().any(|tag| is_bad_text(tag)) {
        let message = format!("`tags` may have {TAGS_MAX} items of 1 to {TEXT_CHARS_MAX} characters");
        return Err(refuse(message, "tags"));
    }
    if input.idempotency_key.as_deref().is_some_and(is_bad_text) {
        let message = format!("`idempotencyKey` must have 1 to {TEXT_CHARS_MAX} characters");
        return Err(refuse(message, "idempotencyKey"));
    }
    if input.on_conflict.is_some() && input.idempotency_key.is_none() {
        return Err(refuse("`onConflict` needs an `idempotencyKey`", "onConflict"));
    }
    Ok(StartRequest {
        on_conflict: input.on_conflict.map(Into::into),
        trigger: None,
        workflow: input.workflow,
        version: input.version,
        inputs,
        idempotency_key: input.idempotency_key,
        priority,
        tags,
        ignores_cache: !input.use_cache,
    })
}

fn refuse(message: impl Into<String>, argument: &str) -> Box<UserError> {
    Box::new(UserError::input(message, argument))
}

fn is_bad_text(text: &str) -> bool {
    text.is_empty() || text.chars().count() > TEXT_CHARS_MAX
}
