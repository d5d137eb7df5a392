//! GraphQL over HTTP (draft of 2025): `POST` with JSON, `GET` for queries, no batches.
//!
//! Only `application/json` is taken, because the other content types are those a foreign page can send without asking.

use async_graphql::parser::types::OperationType;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;

use super::answer::Answer;
use super::execute;
use super::params::Params;
use crate::app::SharedApp;
use crate::body;
use crate::error::{ApiError, Code};
use crate::reply;
use crate::request_id::RequestId;

/// What an answer is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaType {
    /// `application/graphql-response+json`: a refused request has status 4xx.
    GraphqlResponse,
    /// `application/json`: a refused document has status 200, as old clients want.
    Json,
}

impl MediaType {
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let Some(accept) = headers.get(header::ACCEPT) else {
            return Some(Self::Json);
        };
        let accept = accept.to_str().unwrap_or_default();
        let wants = |name: &str| {
            accept.split(',').any(|item| {
                item.split(';')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .eq_ignore_ascii_case(name)
            })
        };
        if wants("application/graphql-response+json") {
            Some(Self::GraphqlResponse)
        } else if wants("application/json") || wants("*/*") || wants("application/*") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn header(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// Handles `/graphql`.
pub(crate) async fn handle(State(app): State<SharedApp>, request: Request) -> Response {
    let (parts, request_body) = request.into_parts();
    let id = RequestId::of(&parts.extensions);
    let Some(media_type) = MediaType::accepted(&parts.headers) else {
        let error = ApiError::new(
            Code::NotAcceptable,
            "answers are application/graphql-response+json or application/json",
        );
        return send(
            MediaType::Json,
            error.code.status(),
            &Answer::refused(&error, &id),
        );
    };
    match answer(&app, &parts, request_body, &id).await {
        Ok(answer) => {
            let is_bad = answer.is_refused() && media_type == MediaType::GraphqlResponse;
            let status = if is_bad {
                StatusCode::BAD_REQUEST
            } else {
                StatusCode::OK
            };
            send(media_type, status, &answer)
        }
        Err(error) => refuse(media_type, &error, &id),
    }
}

async fn answer(
    app: &SharedApp,
    parts: &Parts,
    request_body: axum::body::Body,
    id: &RequestId,
) -> Result<Answer, ApiError> {
    let viewer = app.viewer(&parts.headers).await?;
    let params = read(parts, request_body, body::UPLOAD_BYTES_MAX).await?;
    let operation = params.prepare()?;
    match operation.kind {
        OperationType::Subscription => {
            return Err(ApiError::new(
                Code::OperationResolutionFailure,
                "subscriptions are served at /graphql/ws (WebSocket) and /graphql/stream (SSE)",
            ));
        }
        OperationType::Mutation if parts.method == Method::GET => {
            return Err(ApiError::new(
                Code::MethodNotAllowed,
                "only queries are served over GET",
            ));
        }
        OperationType::Query | OperationType::Mutation => {}
    }
    Ok(Answer::of(
        execute::once(app, operation, viewer, id.clone()).await,
        id,
    ))
}

/// Reads the parameters of a request; shared with the SSE transport.
pub(super) async fn read(
    parts: &Parts,
    request_body: axum::body::Body,
    limit: usize,
) -> Result<Params, ApiError> {
    let bad = |message| ApiError::new(Code::BadRequest, message);
    if parts.method == Method::GET {
        let pairs =
            Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| bad("bad query string"))?;
        return Params::from_pairs(pairs.0);
    }
    if parts.method != Method::POST {
        return Err(ApiError::new(Code::MethodNotAllowed, "use GET or POST"));
    }
    if body::media_type(&parts.headers) != "application/json" {
        return Err(ApiError::new(
            Code::UnsupportedMediaType,
            "the content type must be application/json",
        ));
    }
    let bytes = body::read(&parts.headers, request_body, limit).await?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => Params::from_json(map),
        Ok(_) => Err(bad("the body must be one JSON object; batches are not served")),
        Err(_) => Err(bad("the body is not JSON")),
    }
}

/// Whether the error is about the document: old clients get those with status 200.
fn is_about_document(code: Code) -> bool {
    matches!(
        code,
        Code::GraphqlParseFailed
            | Code::GraphqlValidationFailed
            | Code::OperationResolutionFailure
            | Code::QueryTooComplex
            | Code::BadUserInput
            | Code::FilterInvalid
    )
}

fn refuse(media_type: MediaType, error: &ApiError, id: &RequestId) -> Response {
    let is_lenient = media_type == MediaType::Json && is_about_document(error.code);
    let status = if is_lenient {
        StatusCode::OK
    } else {
        error.code.status()
    };
    let mut response = send(media_type, status, &Answer::refused(error, id));
    reply::decorate(&mut response, error.code);
    if error.code == Code::MethodNotAllowed {
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

fn send(media_type: MediaType, status: StatusCode, answer: &Answer) -> Response {
    reply::body(status, media_type.header(), answer.to_json())
}
