//! Aliases that reach waiting tasks: votes, signals, and the addresses of callbacks, whose token is all that they ask for.

use axum::extract::{Path, Request, State};
use http::StatusCode;
use runnel_engine::run::TaskFailure;
use runnel_runtime::view::{RunView, TaskView};
use runnel_runtime::wait::{DecisionRequest, SignalRequest, WaitError, callback_failure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Answer, Call, Failure, detached, read, read_object};
use super::{runs, show};
use crate::app::SharedApp;
use crate::auth::Permission;
use crate::body;
use crate::error::Code;
use crate::reply;
use crate::schema::id;

/// What may be said with a vote.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VoteBody {
    form: Option<Value>,
    note: Option<String>,
}

/// How a callback says that the work failed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FailBody {
    code: Option<String>,
    message: Option<String>,
    retryable: bool,
    details: Option<Value>,
}

fn refused(error: WaitError) -> Failure {
    let message = error.to_string();
    match error {
        WaitError::Operate(error) => Failure::operate(error),
        WaitError::Forbidden(_) => Failure::new(Code::Forbidden, message),
        WaitError::Form(_) => Failure::new(Code::BadUserInput, message),
        WaitError::TooLarge { .. } => Failure::new(Code::PayloadTooLarge, message),
        WaitError::BadToken => Failure::new(Code::NotFound, message),
        WaitError::UsedToken { .. } => Failure::new(Code::Conflict, message),
    }
}

/// A body that is any JSON value; nothing is `null`.
async fn read_value(request: Request) -> Result<Value, Failure> {
    let (_, text) = read(request, body::BYTES_MAX).await?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text)
        .map_err(|_| Failure::new(Code::BadRequest, "the body must be a JSON value, or empty"))
}

/// `POST /api/v1/tasks/{id}/approve`. The body is empty, or `{form, note}`.
pub(super) async fn approve(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    vote(call, &text, request, true).await
}

/// `POST /api/v1/tasks/{id}/reject`. The body is empty, or `{form, note}`.
pub(super) async fn reject(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    vote(call, &text, request, false).await
}

async fn vote(call: Call, text: &str, request: Request, is_approved: bool) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let groups = call.groups();
    let (_, body) = read_object(request).await?;
    let VoteBody { form, note } = serde_json::from_value(Value::Object(body))
        .map_err(|_| Failure::new(Code::BadUserInput, "`note` must be a string"))?;
    let TaskView { run_id, key, .. } = runs::find_task(&orchestrator, &actor, text).await?;
    let request = DecisionRequest {
        run: run_id,
        task: key.clone(),
        is_approved,
        form,
        note,
        groups,
    };
    let handle = (orchestrator.clone(), actor.clone());
    let done = detached(async move { handle.0.resolve_approval(&handle.1, request).await }).await?;
    done.map_err(refused)?;
    let task = runs::find_task(&orchestrator, &actor, text).await?;
    Ok(reply::json(StatusCode::OK, &show::task(&task)))
}

/// `POST /api/v1/runs/{id}/signals/{name}`. The body is the data of the signal: any JSON value, or nothing.
pub(super) async fn signal(
    call: Call,
    Path((text, name)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let run = id::parse_run(&text).ok_or_else(runs::no_run)?;
    let idempotency_key = request
        .headers()
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let data = read_value(request).await?;
    let request = SignalRequest {
        run,
        name,
        data,
        idempotency_key,
    };
    let handle = (orchestrator.clone(), actor.clone());
    let done = detached(async move { handle.0.send_signal(&handle.1, request).await }).await?;
    let (run, is_replay) = done.map_err(refused)?;
    let mut value = show::run(&orchestrator, &actor, &run).await?;
    value["is_replay"] = is_replay.into();
    Ok(reply::json(StatusCode::OK, &value))
}

/// What the holder of a token is shown: no more than how its task stands.
fn shown((run, task): (RunView, TaskView)) -> Value {
    json!({ "run_id": run.id, "task": task.key, "status": task.status })
}

async fn use_token(app: SharedApp, token: String, result: Result<Value, TaskFailure>) -> Answer {
    let orchestrator = app.orchestrator.clone();
    let done = detached(async move { orchestrator.complete_callback(&token, result).await }).await?;
    Ok(reply::json(StatusCode::OK, &shown(done.map_err(refused)?)))
}

/// `POST /callbacks/{token}`: the body is the output of the task: any JSON value, or nothing.
pub(super) async fn complete(
    State(app): State<SharedApp>,
    Path(token): Path<String>,
    request: Request,
) -> Answer {
    let output = read_value(request).await?;
    use_token(app, token, Ok(output)).await
}

/// `POST /callbacks/{token}/fail`: the body is empty, or `{code, message, retryable, details}`.
pub(super) async fn fail(
    State(app): State<SharedApp>,
    Path(token): Path<String>,
    request: Request,
) -> Answer {
    let (_, body) = read_object(request).await?;
    let body: FailBody = serde_json::from_value(Value::Object(body)).map_err(|_| {
        Failure::new(
            Code::BadUserInput,
            "`code` and `message` must be strings, `retryable` true or false",
        )
    })?;
    let message = body
        .message
        .unwrap_or_else(|| "the callback says that the work failed".to_owned());
    let mut failure = callback_failure(body.code, message, body.retryable);
    failure.details = body.details;
    use_token(app, token, Err(failure)).await
}

/// `POST /callbacks/{token}/heartbeat`: the work goes on.
pub(super) async fn heartbeat(State(app): State<SharedApp>, Path(token): Path<String>) -> Answer {
    let orchestrator = app.orchestrator.clone();
    let done = detached(async move { orchestrator.heartbeat_callback(&token).await }).await?;
    Ok(reply::json(StatusCode::OK, &shown(done.map_err(refused)?)))
}
