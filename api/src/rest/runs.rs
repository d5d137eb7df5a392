//! Aliases of runs and tasks.

use axum::extract::{Path, Query, Request};
use http::{HeaderMap, StatusCode};
use runnel_engine::run::CancelMode;
use runnel_engine::{RunId, TaskIx};
use runnel_runtime::view::{PageRequest, RunView, TaskFilter, TaskView};
use runnel_runtime::{Actor, Orchestrator, StartRequest, audit};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::call::{Answer, Call, Failure, detached, read_object, read_start};
use super::{show, workflows};
use crate::auth::Permission;
use crate::error::Code;
use crate::reply;
use crate::schema::cursor::Cursor;
use crate::schema::id;

/// Most tasks of one page of results.
const RESULTS_MAX: usize = 1_000;
/// Tasks of one read.
const READ_TASKS: u32 = 200;

pub(super) fn no_run() -> Failure {
    Failure::new(Code::NotFound, "run does not exist")
}

/// The run of a path.
pub(super) async fn find(orchestrator: &Orchestrator, actor: &Actor, text: &str) -> Result<RunView, Failure> {
    let run = id::parse_run(text).ok_or_else(no_run)?;
    orchestrator
        .find_run(actor, run)
        .await
        .map_err(Failure::store)?
        .ok_or_else(no_run)
}

/// `POST /api/v1/workflows/{key}/runs` and its aliases. The body is empty, or
/// `{inputs, version, idempotency_key, priority, tags}`; the key may also be the header `idempotency-key`.
pub(super) async fn start(call: Call, Path(key): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let (headers, body) = read_start(request).await?;
    let workflow = workflows::find(&orchestrator, &actor, &key).await?;
    let request = StartRequest {
        workflow: workflow.key,
        ..start_request(&headers, body)?
    };
    start_with(orchestrator, actor, request).await
}

/// Starts a run and shows it.
pub(super) async fn start_with(orchestrator: Orchestrator, actor: Actor, request: StartRequest) -> Answer {
    let started = {
        let (orchestrator, actor) = (orchestrator.clone(), actor.clone());
        detached(async move { orchestrator.start_run(&actor, request).await })
            .await?
            .map_err(Failure::start)?
    };
    let mut value = show::run(&orchestrator, &actor, &started.run).await?;
    value["is_replay"] = started.is_replay.into();
    let status = if started.is_replay {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok(reply::json(status, &value))
}

/// Reads the body of a start; the workflow is the caller's to fill in.
pub(super) fn start_request(
    headers: &HeaderMap,
    mut body: Map<String, Value>,
) -> Result<StartRequest, Failure> {
    let bad = |message: &str| Failure::new(Code::BadUserInput, message);
    let inputs = ["inputs", "params", "parameters"]
        .into_iter()
        .find_map(|name| body.remove(name));
    let inputs = match inputs {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(inputs)) => inputs,
        Some(_) => return Err(bad("`inputs` must be an object")),
    };
    let header = headers
        .get("idempotency-key")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let idempotency_key = match body.remove("idempotency_key") {
        None | Some(Value::Null) => header,
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(bad("`idempotency_key` must be a string")),
    };
    let version = match body.remove("version") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
            Some(number.ok_or_else(|| bad("`version` must be a number of a version"))?)
        }
    };
    let priority = match body.remove("priority") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let priority = value
                .as_u64()
                .and_then(|n| u8::try_from(n).ok())
                .filter(|n| *n <= 100);
            Some(priority.ok_or_else(|| bad("`priority` must be from 0 to 100"))?)
        }
    };
    let tags = match body.remove("tags") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => serde_json::from_value(value).map_err(|_| bad("`tags` must be a list of strings"))?,
    };
    Ok(StartRequest {
        on_conflict: None,
        trigger: None,
        workflow: String::new(),
        version,
        inputs,
        idempotency_key,
        priority,
        tags,
        ..StartRequest::default()
    })
}

/// `GET /api/v1/runs/{id}`, `GET /runs/{id}`: the run with its first tasks.
pub(super) async fn show(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let run = find(&orchestrator, &actor, &text).await?;
    let mut value = show::run(&orchestrator, &actor, &run).await?;
    let (tasks, _) = page_of_tasks(&orchestrator, &actor, run.id, None).await?;
    value["tasks"] = show::tasks(&tasks).into();
    Ok(reply::json(StatusCode::OK, &value))
}

/// Where a page of results begins.
#[derive(Debug, Deserialize)]
pub(super) struct ResultsQuery {
    after: Option<String>,
}

/// `GET /api/v1/runs/{id}/results`: outputs of the run and of its tasks; `next` continues a long list.
pub(super) async fn results(
    call: Call,
    Path(text): Path<String>,
    Query(query): Query<ResultsQuery>,
) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let run = find(&orchestrator, &actor, &text).await?;
    let after = Cursor::after(query.after.as_deref())?;
    results_of(&orchestrator, &actor, &run, after, Map::new()).await
}

/// The results of a run, over some fields of the caller's.
pub(super) async fn results_of(
    orchestrator: &Orchestrator,
    actor: &Actor,
    run: &RunView,
    after: Option<TaskIx>,
    mut fields: Map<String, Value>,
) -> Answer {
    let (tasks, next) = page_of_tasks(orchestrator, actor, run.id, after).await?;
    let mut shown = show::run(orchestrator, actor, run).await?;
    for name in ["run_id", "workflow", "status", "outputs", "error"] {
        fields.insert(name.to_owned(), shown[name].take());
    }
    fields.insert("tasks".to_owned(), show::tasks(&tasks).into());
    fields.insert("next".to_owned(), json!(next.map(|ix| ix.encode())));
    Ok(reply::json(StatusCode::OK, &fields))
}

async fn page_of_tasks(
    orchestrator: &Orchestrator,
    actor: &Actor,
    run: RunId,
    mut after: Option<TaskIx>,
) -> Result<(Vec<TaskView>, Option<TaskIx>), Failure> {
    let mut tasks: Vec<TaskView> = Vec::new();
    loop {
        let page = PageRequest {
            first: READ_TASKS,
            after,
        };
        let page = orchestrator
            .list_tasks(actor, run, TaskFilter::default(), page)
            .await
            .map_err(Failure::store)?;
        for mut task in page.items {
            show::fill(orchestrator, &mut task).await?;
            tasks.push(task);
        }
        after = tasks.last().map(|task| task.ix);
        if !page.has_next {
            return Ok((tasks, None));
        }
        if tasks.len() >= RESULTS_MAX {
            return Ok((tasks, after));
        }
    }
}

/// What an operator may say with an operation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OperateBody {
    mode: Option<String>,
    reason: Option<String>,
}

async fn operate_body(request: Request) -> Result<OperateBody, Failure> {
    let (_, body) = read_object(request).await?;
    let body: OperateBody = serde_json::from_value(Value::Object(body))
        .map_err(|_| Failure::new(Code::BadUserInput, "`mode` and `reason` must be strings"))?;
    audit::note_reason(body.reason.as_deref());
    Ok(body)
}

/// `POST …/cancel`. The body is empty, or `{mode: "GRACEFUL" | "NOW", reason}`.
pub(super) async fn cancel(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let OperateBody { mode, reason } = operate_body(request).await?;
    let mode = match mode.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None | Some("GRACEFUL") => CancelMode::Graceful,
        Some("NOW") => CancelMode::Now,
        Some(_) => return Err(Failure::new(Code::BadUserInput, "`mode` must be GRACEFUL or NOW")),
    };
    let run = id::parse_run(&text).ok_or_else(no_run)?;
    cancel_run(orchestrator, actor, run, mode, reason).await
}

/// Cancels a run and shows it.
pub(super) async fn cancel_run(
    orchestrator: Orchestrator,
    actor: Actor,
    run: RunId,
    mode: CancelMode,
    reason: Option<String>,
) -> Answer {
    let handle = (orchestrator.clone(), actor.clone());
    let done = detached(async move { handle.0.cancel_run(&handle.1, run, mode, reason).await }).await?;
    shown(&orchestrator, &actor, done.map_err(Failure::operate)?).await
}

/// `POST …/pause`. The body is empty, or `{reason}`.
pub(super) async fn pause(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let OperateBody { reason, .. } = operate_body(request).await?;
    let run = id::parse_run(&text).ok_or_else(no_run)?;
    let handle = (orchestrator.clone(), actor.clone());
    let done = detached(async move { handle.0.pause_run(&handle.1, run, reason).await }).await?;
    shown(&orchestrator, &actor, done.map_err(Failure::operate)?).await
}

/// `POST …/resume`.
pub(super) async fn resume(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let run = id::parse_run(&text).ok_or_else(no_run)?;
    let handle = (orchestrator.clone(), actor.clone());
    let done = detached(async move { handle.0.resume_run(&handle.1, run).await }).await?;
    shown(&orchestrator, &actor, done.map_err(Failure::operate)?).await
}

async fn shown(orchestrator: &Orchestrator, actor: &Actor, run: RunView) -> Answer {
    Ok(reply::json(
        StatusCode::OK,
        &show::run(orchestrator, actor, &run).await?,
    ))
}

/// The task of a path.
pub(super) async fn find_task(
    orchestrator: &Orchestrator,
    actor: &Actor,
    text: &str,
) -> Result<TaskView, Failure> {
    let missing = || Failure::new(Code::NotFound, "task does not exist");
    let (run, ix) = id::parse_task(text).ok_or_else(missing)?;
    orchestrator
        .find_task_at(actor, run, ix)
        .await
        .map_err(Failure::store)?
        .ok_or_else(missing)
}

/// `POST /api/v1/tasks/{id}/retry`.
pub(super) async fn retry_task(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let TaskView { run_id, key, .. } = find_task(&orchestrator, &actor, &text).await?;
    let done = detached(async move { orchestrator.retry_task(&actor, run_id, &key).await }).await?;
    let (_, task) = done.map_err(Failure::operate)?;
    Ok(reply::json(StatusCode::OK, &show::task(&task)))
}

/// `POST /api/v1/tasks/{id}/skip`. The body is empty, or `{reason}`.
pub(super) async fn skip_task(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let OperateBody { reason, .. } = operate_body(request).await?;
    let TaskView { run_id, key, .. } = find_task(&orchestrator, &actor, &text).await?;
    let done = detached(async move { orchestrator.skip_task(&actor, run_id, &key, reason).await }).await?;
    let (_, task) = done.map_err(Failure::operate)?;
    Ok(reply::json(StatusCode::OK, &show::task(&task)))
}
