//! Large values: downloads for people, and what workers without a way to the payload store ask for.

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use runnel_queue::AttemptRef;
use runnel_queue::payload::PAYLOAD_BYTES_MAX;
use runnel_runtime::Orchestrator;
use runnel_runtime::payload::{PayloadPut, PayloadStream};
use runnel_runtime::secret::SecretGrant;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::call::{Answer, Call, Failure, read_object};
use super::runs;
use crate::auth::Permission;
use crate::body;
use crate::error::Code;
use crate::reply;

/// The attempt in whose name a worker asks, with its token: `run/task/attempt/token`.
const ATTEMPT_HEADER: &str = "runnel-attempt";

/// Most secrets of one attempt.
const NAMES_MAX: usize = 256;

fn nothing() -> Failure {
    Failure::new(Code::NotFound, "there is no such value")
}

/// `GET /api/v1/runs/{id}/inputs`: the whole JSON text.
pub(super) async fn run_inputs(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let run = runs::find(&orchestrator, &actor, &text).await?;
    download(&orchestrator, Some(&run.inputs)).await
}

/// `GET /api/v1/runs/{id}/outputs`.
pub(super) async fn run_outputs(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let run = runs::find(&orchestrator, &actor, &text).await?;
    download(&orchestrator, run.outputs.as_deref()).await
}

/// `GET /api/v1/tasks/{id}/input`.
pub(super) async fn task_input(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let task = runs::find_task(&orchestrator, &actor, &text).await?;
    download(&orchestrator, task.input.as_deref()).await
}

/// `GET /api/v1/tasks/{id}/output`.
pub(super) async fn task_output(call: Call, Path(text): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let task = runs::find_task(&orchestrator, &actor, &text).await?;
    download(&orchestrator, task.output.as_deref()).await
}

async fn download(orchestrator: &Orchestrator, text: Option<&str>) -> Answer {
    let text = text.ok_or_else(nothing)?;
    let (bytes, pieces) = orchestrator.payload_stream(text).await.map_err(Failure::store)?;
    Ok(streamed(bytes, pieces))
}

fn streamed(bytes: u64, pieces: PayloadStream) -> Response {
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(header::CONTENT_LENGTH, bytes.into());
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    response
}

/// `GET /api/v1/worker/payloads/{sha256}`: a value that the attempt's run refers to.
pub(super) async fn get(call: Call, Path(sha256): Path<String>, headers: HeaderMap) -> Answer {
    let (orchestrator, _) = call.open(Permission::WorkersReport)?;
    let at = attempt(&headers)?;
    let found = orchestrator.payload_for_attempt(&at, &sha256).await;
    let (reference, pieces) = found.map_err(Failure::store)?.ok_or_else(nothing)?;
    Ok(streamed(reference.bytes, pieces))
}

/// `PUT /api/v1/worker/payloads/{sha256}`: a value that the attempt will report.
pub(super) async fn put(call: Call, Path(sha256): Path<String>, request: Request) -> Answer {
    let (orchestrator, _) = call.open(Permission::WorkersReport)?;
    let (parts, sent) = request.into_parts();
    let at = attempt(&parts.headers)?;
    let value = body::read_within(&parts.headers, sent, PAYLOAD_BYTES_MAX, body::PAYLOAD_TIMEOUT).await?;
    let stored = orchestrator.put_payload_for_attempt(&at, &sha256, value).await;
    match stored.map_err(Failure::store)? {
        PayloadPut::Stored(reference) => Ok(reply::json(StatusCode::OK, &reference)),
        PayloadPut::Forbidden => Err(forbidden()),
        PayloadPut::Refused(message) => Err(Failure::new(Code::BadUserInput, message)),
    }
}

#[derive(Debug, Deserialize)]
struct SecretsBody {
    names: Vec<String>,
}

/// `POST /api/v1/worker/secrets` with `{names}`: values that the attempt's message names.
pub(super) async fn secrets(call: Call, request: Request) -> Answer {
    let (orchestrator, _) = call.open(Permission::WorkersReport)?;
    let (headers, object) = read_object(request).await?;
    let at = attempt(&headers)?;
    let bad = || {
        Failure::new(
            Code::BadUserInput,
            format!("`names` must be a list of {NAMES_MAX} names at most"),
        )
    };
    let asked: SecretsBody = serde_json::from_value(object.into()).map_err(|_| bad())?;
    if asked.names.len() > NAMES_MAX {
        return Err(bad());
    }
    match orchestrator
        .secrets_for_attempt(&at, &asked.names)
        .await
        .map_err(Failure::store)?
    {
        SecretGrant::Values(values) => {
            let mut response = reply::json(StatusCode::OK, &json!({ "secrets": values }));
            let headers = response.headers_mut();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        SecretGrant::Forbidden => Err(forbidden()),
    }
}

fn forbidden() -> Failure {
    Failure::new(
        Code::Forbidden,
        "the attempt's token is not valid for this, or the attempt is over",
    )
}

fn attempt(headers: &HeaderMap) -> Result<AttemptRef, Failure> {
    let read = || {
        let mut parts = headers.get(ATTEMPT_HEADER)?.to_str().ok()?.splitn(4, '/');
        Some(AttemptRef {
            run: Uuid::try_parse(parts.next()?).ok()?,
            task: parts.next()?.parse().ok()?,
            attempt: parts.next()?.parse().ok()?,
            token: parts.next()?.to_owned(),
        })
    };
    read().ok_or_else(|| {
        let message = format!("the header `{ATTEMPT_HEADER}` must be `run/task/attempt/token`");
        Failure::new(Code::BadRequest, message)
    })
}
