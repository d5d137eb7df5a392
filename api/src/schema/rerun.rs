//! Running again, and setting results by hand.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object};
use runnel_engine::run::{Category, TaskFailure};
use runnel_runtime::OperateError;
use runnel_runtime::rerun::{RerunError, RerunRequest, RerunVersion};
use serde_json::Value;

use super::id;
use super::mutation_run::{RunPayload, TaskPayload, clip, of_run, run_payload, task_payload};
use super::run::Run;
use super::scalars::Json;
use super::session::open;
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// Where a rerun begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "runnel_runtime::rerun::RerunFrom")]
pub(crate) enum RerunFrom {
    /// With what did not succeed; good results are kept.
    Failed,
    /// At the beginning, keeping nothing; always a new run.
    Start,
    /// With the named tasks and everything downstream of them; other good results are kept.
    Tasks,
}

/// The result that a task is given by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum OverrideResult {
    /// It counts as succeeded, with `output`.
    Succeed,
    /// It counts as failed, with `error`.
    Fail,
}

/// Arguments of `runRerun`.
#[derive(Debug, InputObject)]
pub(crate) struct RunRerunInput {
    /// Id of the run; it must have ended.
    id: ID,
    /// Where to begin.
    #[graphql(default_with = "RerunFrom::Failed")]
    from: RerunFrom,
    /// Keys of the tasks, for `from: TASKS`.
    tasks: Option<Vec<String>>,
    /// A number, or "LATEST"; that of the run when null. Another version makes a new run.
    version: Option<Json>,
    /// Other inputs: an object that fits the workflow's schema; those of the run when null. Other inputs make a new run.
    inputs: Option<Json>,
    /// Make a new run also where the same one could go on.
    #[graphql(default)]
    new_run: bool,
    /// A repeated request with the same key answers as before.
    idempotency_key: Option<String>,
    /// Why; kept in the history.
    reason: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// A failure set by hand.
#[derive(Debug, InputObject)]
pub(crate) struct OverrideError {
    /// Stable code.
    #[graphql(default_with = "\"OVERRIDDEN\".to_owned()")]
    code: String,
    /// One sentence.
    message: String,
}

/// Arguments of `taskOverride`.
#[derive(Debug, InputObject)]
pub(crate) struct TaskOverrideInput {
    /// Id of the run.
    run: ID,
    /// Key of the task; an item of a fan-out as `clean[42]`.
    task: String,
    /// How the task ends.
    result: OverrideResult,
    /// Its output, for `SUCCEED`.
    output: Option<Json>,
    /// Its failure, for `FAIL`.
    error: Option<OverrideError>,
    /// Why; kept in the history.
    reason: Option<String>,
    /// A repeated request with the same key answers as before.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Mutations that do again or decide.
#[derive(Debug, Default)]
pub(crate) struct RerunMutation;

/// Mutations that do again or decide.
#[Object]
impl RerunMutation {
    /// Runs a run again that has ended: what failed in the same run, or all of it, or with another version or other inputs
    /// as a new run that takes over what is still good.
    async fn run_rerun(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which run, and from where.")] input: RunRerunInput,
    ) -> Result<RunPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let client_mutation_id = input.client_mutation_id.clone();
        let request = match rerun_request(input) {
            Ok(Some(request)) => request,
            Ok(None) => return run_payload(Err(OperateError::UnknownRun), client_mutation_id),
            Err(problem) => return Ok(RunPayload::refused(vec![*problem], client_mutation_id)),
        };
        match session.orchestrator.rerun_run(session.actor, request).await {
            Ok(reran) => run_payload(Ok(reran.run), client_mutation_id),
            Err(RerunError::Operate(error)) => run_payload(Err(error), client_mutation_id),
            Err(RerunError::Start(error)) => {
                let problems = UserError::of_start(error, None)?;
                Ok(RunPayload::refused(problems, client_mutation_id))
            }
        }
    }

    /// Ends a task with a result set by hand, whatever it does; a failed task that is set to succeeded lets its run go on.
    async fn task_override(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task, and its result.")] input: TaskOverrideInput,
    ) -> Result<TaskPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let result = match override_result(input.result, input.output, input.error) {
            Ok(result) => result,
            Err(problem) => return Ok(TaskPayload::refused(*problem, input.client_mutation_id)),
        };
        let (orchestrator, task, reason) = (session.orchestrator, &input.task, clip(input.reason));
        let done = of_run(&input.run, async |run| {
            orchestrator
                .override_task(session.actor, run, task, result, reason)
                .await
        });
        task_payload(done.await, input.client_mutation_id)
    }
}

/// The runs that repeat a run, newest first.
pub(crate) async fn reruns_of(ctx: &Context<'_>, run: runnel_engine::RunId) -> Result<Vec<Run>, ApiError> {
    let session = open(ctx, Permission::RunsRead)?;
    let runs = session.orchestrator.reruns(session.actor, run).await;
    let runs = runs.map_err(|e| ApiError::store(&e))?;
    Ok(runs.into_iter().map(Run).collect())
}

fn rerun_request(input: RunRerunInput) -> Result<Option<RerunRequest>, Box<UserError>> {
    let refuse = |message: &str, argument: &str| Box::new(UserError::input(message, argument));
    let version = match input.version.map(|json| json.0.into_json()) {
        None | Some(Ok(Value::Null)) => RerunVersion::Pinned,
        Some(Ok(Value::String(text))) if text.eq_ignore_ascii_case("latest") => RerunVersion::Latest,
        Some(Ok(Value::String(text))) if text.eq_ignore_ascii_case("pinned") => RerunVersion::Pinned,
        Some(Ok(Value::Number(number))) => {
            let number = number.as_i64().and_then(|number| i32::try_from(number).ok());
            RerunVersion::Number(
                number.ok_or_else(|| refuse("`version` is not a version number", "version"))?,
            )
        }
        Some(_) => return Err(refuse("`version` must be a number or \"LATEST\"", "version")),
    };
    let inputs = match input.inputs.map(|json| json.0.into_json()) {
        None | Some(Ok(Value::Null)) => None,
        Some(Ok(Value::Object(inputs))) => Some(inputs),
        Some(_) => return Err(refuse("`inputs` must be an object", "inputs")),
    };
    let tasks = input.tasks.unwrap_or_default();
    if (input.from == RerunFrom::Tasks) == tasks.is_empty() {
        let message = "`tasks` names the tasks of `from: TASKS`, and is left out otherwise";
        return Err(refuse(message, "tasks"));
    }
    let Some(run) = id::parse_run(&input.id) else {
        return Ok(None);
    };
    Ok(Some(RerunRequest {
        run,
        from: input.from.into(),
        tasks,
        version,
        inputs,
        is_new_run: input.new_run,
        idempotency_key: input.idempotency_key,
        reason: clip(input.reason),
    }))
}

fn override_result(
    result: OverrideResult,
    output: Option<Json>,
    error: Option<OverrideError>,
) -> Result<Result<Arc<str>, TaskFailure>, Box<UserError>> {
    let refuse = |message: &str, argument: &str| Box::new(UserError::input(message, argument));
    match (result, output, error) {
        (OverrideResult::Succeed, output, None) => {
            let output = output.map(|json| json.0.into_json()).transpose();
            let output = output.map_err(|_| refuse("`output` is not JSON", "output"))?;
            Ok(Ok(output.unwrap_or_default().to_string().into()))
        }
        (OverrideResult::Fail, None, Some(OverrideError { code, message })) => {
            Ok(Err(TaskFailure::new(Category::User, &code, message, false)))
        }
        (OverrideResult::Fail, None, None) => {
            let message = "an operator set the task to failed";
            Ok(Err(TaskFailure::new(
                Category::User,
                "OVERRIDDEN",
                message,
                false,
            )))
        }
        (OverrideResult::Succeed, _, Some(_)) => Err(refuse("`error` is for `FAIL`", "error")),
        (OverrideResult::Fail, Some(_), _) => Err(refuse("`output` is for `SUCCEED`", "output")),
    }
}
