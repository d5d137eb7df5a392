//! What every alias begins and ends with: the caller, the body, the errors.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::request::Parts;
use runnel_runtime::{Actor, OperateError, Orchestrator, PublishError, StartError, StoreError, audit};
use serde_json::{Map, Value};

use crate::app::SharedApp;
use crate::auth::{Permission, Viewer};
use crate::body;
use crate::error::{ApiError, Code};
use crate::reply;
use crate::request_id::RequestId;

/// The authenticated caller of an alias.
pub(super) struct Call {
    app: SharedApp,
    viewer: Viewer,
}

impl FromRequestParts<SharedApp> for Call {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Response> {
        match app.viewer(&parts.headers).await {
            Ok(viewer) => Ok(Self {
                app: app.clone(),
                viewer,
            }),
            Err(error) => Err(reply::error(&error, &RequestId::of(&parts.extensions))),
        }
    }
}

impl Call {
    /// The orchestrator and the actor, once the permission is checked.
    pub(super) fn open(&self, permission: Permission) -> Result<(Orchestrator, Actor), Failure> {
        let actor = self.viewer.require(permission)?;
        Ok((self.app.orchestrator.clone(), actor.clone()))
    }

    /// The groups of the caller.
    pub(super) fn groups(&self) -> Arc<[Arc<str>]> {
        Arc::clone(&self.viewer.groups)
    }
}

/// Why an alias did not do what was asked.
#[derive(Debug)]
pub(super) struct Failure {
    error: ApiError,
    diagnostics: Value,
}

impl Failure {
    /// With its code and text.
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        ApiError::new(code, message).into()
    }

    /// The store failed.
    pub(super) fn store(error: StoreError) -> Self {
        ApiError::store(&error).into()
    }

    /// A refused publish.
    pub(super) fn publish(error: PublishError) -> Self {
        let message = error.to_string();
        match error {
            PublishError::Invalid(problems) => Self {
                error: ApiError::new(Code::WorkflowInvalid, message),
                diagnostics: serde_json::to_value(problems).unwrap_or_default(),
            },
            PublishError::Store(error) => Self::store(error),
        }
    }

    /// A refused start.
    pub(super) fn start(error: StartError) -> Self {
        let message = error.to_string();
        match error {
            StartError::UnknownWorkflow { .. } | StartError::UnknownVersion { .. } => {
                Self::new(Code::NotFound, message)
            }
            StartError::Inputs(_) => Self::new(Code::BadUserInput, message),
            StartError::IdempotencyConflict { .. } | StartError::DelayedConflict { .. } => {
                Self::new(Code::Conflict, message)
            }
            StartError::TooLarge { .. } => Self::new(Code::PayloadTooLarge, message),
            StartError::Store(error) => Self::store(error),
        }
    }

    /// A refused operation.
    pub(super) fn operate(error: OperateError) -> Self {
        let message = error.to_string();
        match error {
            OperateError::UnknownRun | OperateError::UnknownTask { .. } => Self::new(Code::NotFound, message),
            OperateError::Conflict { .. } => Self::new(Code::Conflict, message),
            OperateError::Store(error) => Self::store(error),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self {
            error,
            diagnostics: Value::Null,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        reply::error_with(&self.error, &self.diagnostics)
    }
}

/// What an alias answers.
pub(super) type Answer = Result<Response, Failure>;

/// Runs a mutation to its end, also when the client hangs up.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Failure> {
    tokio::spawn(audit::inherit(work))
        .await
        .map_err(|_| ApiError::internal("a mutation panicked").into())
}

/// The headers and the whole body of a request.
pub(super) async fn read(request: Request, limit: usize) -> Result<(HeaderMap, String), Failure> {
    let (parts, request_body): (Parts, Body) = request.into_parts();
    let bytes = body::read(&parts.headers, request_body, limit).await?;
    Ok((parts.headers, text(&bytes)?))
}

/// A body as text. U+0000 cannot be stored, so it is refused with what is not UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<String, Failure> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') && !text.contains("\\u0000") => Ok(text.to_owned()),
        _ => Err(Failure::new(
            Code::BadRequest,
            "the body must be UTF-8 text without the character U+0000",
        )),
    }
}

/// A body that is a JSON object or nothing.
pub(super) async fn read_object(request: Request) -> Result<(HeaderMap, Map<String, Value>), Failure> {
    let (headers, text) = read(request, body::BYTES_MAX).await?;
    object(headers, &text)
}

/// The same for a start, whose inputs may be large.
pub(super) async fn read_start(request: Request) -> Result<(HeaderMap, Map<String, Value>), Failure> {
    let (parts, sent): (Parts, Body) = request.into_parts();
    let bytes = body::read_within(&parts.headers, sent, body::START_BYTES_MAX, body::PAYLOAD_TIMEOUT).await?;
    object(parts.headers, &text(&bytes)?)
}

fn object(headers: HeaderMap, text: &str) -> Result<(HeaderMap, Map<String, Value>), Failure> {
    if text.trim().is_empty() {
        return Ok((headers, Map::new()));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok((headers, map)),
        Ok(_) | Err(_) => Err(Failure::new(
            Code::BadRequest,
            "the body must be a JSON object, or empty",
        )),
    }
}
