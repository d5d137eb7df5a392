//! Answers that are JSON but not GraphQL, and their errors.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{ApiError, Code};
use crate::request_id::RequestId;

/// A JSON answer.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => body(status, "application/json; charset=utf-8", bytes),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// An answer of any media type that must not be kept by caches.
pub(crate) fn body(status: StatusCode, media_type: &'static str, bytes: impl Into<Body>) -> Response {
    let mut response = (status, bytes.into()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error as `{"error": {"code", "message", "requestId"}}`.
pub(crate) fn error(error: &ApiError, id: &RequestId) -> Response {
    send_error(
        error,
        json!({ "code": error.code.as_str(), "message": error.message, "requestId": id.text }),
    )
}

/// As [`error`], with the diagnostics of a workflow file; the request id is in the header alone.
pub(crate) fn error_with(error: &ApiError, diagnostics: &Value) -> Response {
    let mut value = json!({ "code": error.code.as_str(), "message": error.message });
    if !diagnostics.is_null() {
        value["diagnostics"] = diagnostics.clone();
    }
    send_error(error, value)
}

fn send_error(error: &ApiError, value: Value) -> Response {
    let mut response = json(error.code.status(), &json!({ "error": value }));
    decorate(&mut response, error.code);
    // for what is written about the answer, as the audit log
    response.extensions_mut().insert(error.code);
    response
}

/// Headers that belong to a status.
pub(crate) fn decorate(response: &mut Response, code: Code) {
    let headers = response.headers_mut();
    match code {
        Code::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Code::Unavailable => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // the rest of the body is still on its way and nobody will read it
        Code::RequestTimeout | Code::PayloadTooLarge => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
}
