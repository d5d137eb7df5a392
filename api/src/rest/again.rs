//! Aliases that do again or decide: a rerun, and a result set by hand.

use std::sync::Arc;

use axum::extract::{Path, Request};
use http::StatusCode;
use runnel_engine::run::{Category, TaskFailure};
use runnel_runtime::audit;
use runnel_runtime::rerun::{RerunError, RerunFrom, RerunRequest, RerunVersion};
use runnel_runtime::view::TaskView;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::call::{Answer, Call, Failure, detached, read_object};
use super::{runs, show};
use crate::auth::Permission;
use crate::error::Code;
use crate::reply;
use crate::schema::id;

/// What a rerun may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RerunBody {
    from: Option<String>,
    tasks: Vec<String>,
    version: Value,
    inputs: Option<Map<String, Value>>,
    new_run: bool,
    idempotency_key: Option<String>,
    reason: Option<String>,
}

/// What a result set by hand is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResultBody {
    result: Option<String>,
    output: Value,
    error: Option<ErrorBody>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ErrorBody {
    #[serde(default = "overridden")]
    code: String,
    message: String,
}

fn overridden() -> String {
    "OVERRIDDEN".to_owned()
}

fn bad(message: &str) -> Failure {
    Failure::new(Code::BadUserInput, message)
}

fn read_body<T: serde::de::DeserializeOwned>(body: Map<String, Value>) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(body)).map_err(|error| bad(&format!("the body: {error}")))
}

fn refused(error: RerunError) -> Failure {
    match error {
        RerunError::Operate(error) => Failure::operate(error),
        RerunError::Start(error) => Failure::start(error),
    }
}

/// `POST /api/v1/runs/{id}/rerun`. The body is empty, or `{from: "FAILED" | "START" | "TASKS", tasks, version, inputs,
/// new_run, idempotency_key, reason}`; the key may also be the header `idempotency-key`.
pub(super) async fn rerun(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let (headers, body) = read_object(request).await?;
    let body: RerunBody = read_body(body)?;
    audit::note_reason(body.reason.as_deref());
    let from = match body.from.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None if !body.tasks.is_empty() => RerunFrom::Tasks,
        None | Some("FAILED") => RerunFrom::Failed,
        Some("START") => RerunFrom::Start,
        Some("TASKS") => RerunFrom::Tasks,
        Some(_) => return Err(bad("`from` must be FAILED, START or TASKS")),
    };
    if (from == RerunFrom::Tasks) == body.tasks.is_empty() {
        return Err(bad(
            "`tasks` names the tasks of `from: TASKS`, and is left out otherwise",
        ));
    }
    let version = match &body.version {
        Value::Null => RerunVersion::Pinned,
        Value::String(text) if text.eq_ignore_ascii_case("latest") => RerunVersion::Latest,
        value => {
            let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
            RerunVersion::Number(number.ok_or_else(|| bad("`version` must be a number or \"LATEST\""))?)
        }
    };
    let of_header = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let request = RerunRequest {
        run: id::parse_run(&text).ok_or_else(runs::no_run)?,
        from,
        tasks: body.tasks,
        version,
        inputs: body.inputs,
        is_new_run: body.new_run,
        idempotency_key: body.idempotency_key.or_else(|| of_header.map(str::to_owned)),
        reason: body.reason,
    };
    let handle = (orchestrator.clone(), actor.clone());
    let done = detached(async move { handle.0.rerun_run(&handle.1, request).await }).await?;
    let reran = done.map_err(refused)?;
    let mut value = show::run(&orchestrator, &actor, &reran.run).await?;
    value["is_replay"] = reran.is_replay.into();
    let status = if reran.is_new && !reran.is_replay {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(reply::json(status, &value))
}

/// `POST /api/v1/tasks/{id}/override`. The body is `{result: "SUCCEED", output, reason}` or
/// `{result: "FAIL", error: {code, message}, reason}`.
pub(super) async fn set_result(call: Call, Path(text): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let (_, body) = read_object(request).await?;
    let body: ResultBody = read_body(body)?;
    audit::note_reason(body.reason.as_deref());
    let result: Result<Arc<str>, TaskFailure> = match (body.result.as_deref(), body.error) {
        (Some("SUCCEED"), None) => Ok(body.output.to_string().into()),
        (Some("FAIL"), error) if body.output.is_null() => {
            let ErrorBody { code, message } = error.unwrap_or_else(|| ErrorBody {
                code: overridden(),
                message: "an operator set the task to failed".to_owned(),
            });
            Err(TaskFailure::new(Category::User, &code, message, false))
        }
        _ => {
            return Err(bad(
                "`result` must be SUCCEED, with or without `output`, or FAIL, with or without `error`",
            ));
        }
    };
    let TaskView { run_id, key, .. } = runs::find_task(&orchestrator, &actor, &text).await?;
    let reason = body.reason;
    let done = detached(async move {
        orchestrator
            .override_task(&actor, run_id, &key, result, reason)
            .await
    })
    .await?;
    let (_, task) = done.map_err(Failure::operate)?;
    Ok(reply::json(StatusCode::OK, &show::task(&task)))
}
