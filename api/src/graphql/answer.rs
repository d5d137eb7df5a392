//! Answers of the executor on their way out: every error gets a code and the request id, and nothing internal passes.

use std::collections::BTreeMap;

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};
use serde::Serialize;
use serde_json::json;

use crate::error::{ApiError, Code};
use crate::request_id::RequestId;

/// The JSON form of an answer.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    /// Absent when the request was refused before it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ServerError>,
    /// What a caller should know beside it, as `warnings`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
}

impl Answer {
    /// From the executor.
    pub(crate) fn of(response: Response, id: &RequestId) -> Self {
        let Response {
            data,
            mut errors,
            extensions,
            ..
        } = response;
        let is_refused =
            data == Value::Null && !errors.is_empty() && errors.iter().all(|e| e.path.is_empty());
        for error in &mut errors {
            complete(error, id);
        }
        Self {
            data: (!is_refused).then_some(data),
            errors,
            extensions,
        }
    }

    /// A request that did not reach the executor.
    pub(crate) fn refused(error: &ApiError, id: &RequestId) -> Self {
        let mut refusal = ServerError::new(error.message.clone(), None);
        refusal.extensions = Some(error.extensions());
        complete(&mut refusal, id);
        Self {
            data: None,
            errors: vec![refusal],
            extensions: BTreeMap::new(),
        }
    }

    /// Whether the request was refused before it ran.
    pub(crate) fn is_refused(&self) -> bool {
        self.data.is_none()
    }

    /// Whether it has errors and no data.
    pub(crate) fn is_failed(&self) -> bool {
        !self.errors.is_empty() && self.data.as_ref().is_none_or(|data| *data == Value::Null)
    }

    /// Only the errors, for messages that have a place for nothing else.
    pub(crate) fn errors(&self) -> &[ServerError] {
        &self.errors
    }

    /// As JSON text.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| {
            json!({ "errors": [{ "message": "internal error", "extensions": { "code": "INTERNAL" } }] })
                .to_string()
        })
    }
}

/// Our own errors bring their code. What has none comes from the library: before execution it is validation, during
/// execution an argument that could not be read.
fn complete(error: &mut ServerError, id: &RequestId) {
    let has_path = !error.path.is_empty();
    let values = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if values.get("code").is_none() {
        let code = if has_path {
            Code::BadUserInput
        } else {
            Code::GraphqlValidationFailed
        };
        values.set("code", code.as_str());
        values.set("retryable", code.is_retryable());
    }
    values.set("requestId", id.text.clone());
}
