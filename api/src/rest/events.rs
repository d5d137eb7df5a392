//! Events and webhooks in.
//!
//! Events are CloudEvents 1.0 over HTTP in all three modes: structured (`application/cloudevents+json`), batch
//! (`application/cloudevents-batch+json`) and binary (`ce-` headers, the body is the data). Webhooks are signed as
//! Standard Webhooks has it; the signature is the credential, so they need no token.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use runnel_engine::trigger::EVENT_BYTES_MAX;
use runnel_runtime::Orchestrator;
use runnel_runtime::schedule::{OutcomeStatus, OutcomeView};
use runnel_runtime::trigger::{Delivery, EventError, EventReceipt, HookError, InboundEvent};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, Failure, detached};
use crate::app::SharedApp;
use crate::auth::Permission;
use crate::body;
use crate::error::Code;
use crate::reply;
use crate::schema::id;

/// `POST /api/v1/events`.
pub(super) async fn publish(call: Call, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let (parts, request_body): (Parts, Body) = request.into_parts();
    let bytes = body::read(&parts.headers, request_body, body::UPLOAD_BYTES_MAX).await?;
    let events = read(&orchestrator, &parts.headers, &bytes)?;
    let taken = detached(async move { orchestrator.publish_events(&actor, events).await }).await?;
    let receipts = taken.map_err(|error| match error {
        EventError::Store(error) => Failure::store(error),
        EventError::TooMany { .. } => Failure::new(Code::PayloadTooLarge, error.to_string()),
        EventError::Invalid { .. } => Failure::new(Code::BadUserInput, error.to_string()),
    })?;
    let shown: Vec<Value> = receipts.iter().map(show_receipt).collect();
    Ok(reply::json(StatusCode::ACCEPTED, &json!({ "events": shown })))
}

fn read(
    orchestrator: &Orchestrator,
    headers: &HeaderMap,
    bytes: &[u8],
) -> Result<Vec<InboundEvent>, Failure> {
    let bad = |message: String| Failure::new(Code::BadUserInput, message);
    let is_binary = headers.contains_key("ce-type");
    let values = match body::media_type(headers).as_str() {
        "application/cloudevents+json" => vec![parse(bytes)?],
        "application/cloudevents-batch+json" => batch(parse(bytes)?)?,
        _ if is_binary => vec![binary(headers, bytes)?],
        // what curl users send: the same as structured or batch
        "application/json" | "" => match parse(bytes)? {
            Value::Array(events) => events,
            event => vec![event],
        },
        other => {
            let message =
                format!("`{other}` without `ce-` headers is no event; send application/cloudevents+json");
            return Err(Failure::new(Code::UnsupportedMediaType, message));
        }
    };
    let mut events = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        // without an id of its sender a repeated event cannot be told from a new one
        if value.is_object() && value.get("id").is_none() {
            return Err(bad(format!("event {index}: `id` is missing")));
        }
        let event = orchestrator.read_event(value);
        events.push(event.map_err(|message| bad(format!("event {index}: {message}")))?);
    }
    Ok(events)
}

fn parse(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|_| Failure::new(Code::BadRequest, "the body must be JSON"))
}

fn batch(value: Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(events) => Ok(events),
        _ => Err(Failure::new(
            Code::BadRequest,
            "a batch must be a JSON list of events",
        )),
    }
}

/// Attributes from the headers, data from the body.
fn binary(headers: &HeaderMap, bytes: &[u8]) -> Result<Value, Failure> {
    let mut event = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else {
            continue;
        };
        let text = value
            .to_str()
            .map_err(|_| Failure::new(Code::BadUserInput, format!("the header `{name}` is no text")))?;
        event.insert(attribute.to_owned(), Value::from(text));
    }
    let media_type = body::media_type(headers);
    if !bytes.is_empty() {
        let is_json =
            media_type.is_empty() || media_type == "application/json" || media_type.ends_with("+json");
        match (is_json, std::str::from_utf8(bytes)) {
            (true, _) => drop(event.insert("data".to_owned(), parse(bytes)?)),
            (false, Ok(text)) => drop(event.insert("data".to_owned(), Value::from(text))),
            (false, Err(_)) => drop(event.insert("data_base64".to_owned(), STANDARD.encode(bytes).into())),
        }
    }
    if !media_type.is_empty() {
        event.insert("datacontenttype".to_owned(), media_type.into());
    }
    Ok(Value::Object(event))
}

fn show_receipt(receipt: &EventReceipt) -> Value {
    json!({
        "source": receipt.source,
        "id": receipt.id,
        "is_duplicate": receipt.is_duplicate,
        "outcomes": receipt.outcomes.iter().map(show_outcome).collect::<Vec<_>>(),
    })
}

fn show_outcome(outcome: &OutcomeView) -> Value {
    json!({
        "trigger": outcome.owner_key,
        "status": status_name(outcome.status),
        "reason": outcome.reason,
        "detail": outcome.detail,
        "run_id": outcome.run.map(|run| id::run(run).to_string()),
    })
}

fn status_name(status: OutcomeStatus) -> &'static str {
    match status {
        OutcomeStatus::Starting => "STARTING",
        OutcomeStatus::Started => "STARTED",
        OutcomeStatus::Deduped => "DEDUPED",
        OutcomeStatus::Filtered => "FILTERED",
        OutcomeStatus::RateLimited => "RATE_LIMITED",
        OutcomeStatus::Rejected => "REJECTED",
        OutcomeStatus::Skipped => "SKIPPED",
        OutcomeStatus::Buffered => "BUFFERED",
    }
}

/// `POST /hooks/{id}`.
pub(super) async fn hook(State(app): State<SharedApp>, Path(text): Path<String>, request: Request) -> Answer {
    let unknown = || Failure::new(Code::NotFound, HookError::Unknown.to_string());
    let id = id::parse_trigger(&text)
        .or_else(|| Uuid::try_parse(&text).ok())
        .ok_or_else(unknown)?;
    let (parts, request_body): (Parts, Body) = request.into_parts();
    let bytes = body::read(&parts.headers, request_body, EVENT_BYTES_MAX).await?;
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let delivery = Delivery {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
        body: bytes.to_vec(),
    };
    let orchestrator = app.orchestrator.clone();
    let taken = detached(async move { orchestrator.receive_webhook(id, delivery).await }).await?;
    match taken {
        Ok(outcome) => Ok(reply::json(StatusCode::ACCEPTED, &show_outcome(&outcome))),
        Err(error @ HookError::Unknown) => Err(Failure::new(Code::NotFound, error.to_string())),
        Err(error @ HookError::Unsigned) => Err(Failure::new(Code::Unauthenticated, error.to_string())),
        Err(error @ HookError::RateLimited { .. }) => {
            Err(Failure::new(Code::TooManyOperations, error.to_string()))
        }
        Err(HookError::Store(error)) => Err(Failure::store(error)),
    }
}
