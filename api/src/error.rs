//! Errors that reach a client outside a payload: one closed list of codes, one type, one place that hides internals.
//!
//! [`ApiError`] has neither `Display` nor a blanket `From`, so a bare `?` on a database error does not compile: whoever
//! has one must say what the client is told. Texts of the store are logged here, once, and never sent.

use async_graphql::ErrorExtensionValues;
use http::StatusCode;
use runnel_runtime::StoreError;

/// Codes of `extensions.code` and of the HTTP aliases' `error.code`. Each has a page in `docs/errors/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// The HTTP request is not one of GraphQL over HTTP, or its JSON is broken.
    BadRequest,
    /// The document does not parse.
    GraphqlParseFailed,
    /// The document does not fit the schema.
    GraphqlValidationFailed,
    /// No operation, or not the one named.
    OperationResolutionFailure,
    /// An argument is out of its range.
    BadUserInput,
    /// The `query` of a filter is not understood; `extensions.position` says where.
    FilterInvalid,
    /// The document costs more than the limits allow.
    QueryTooComplex,
    /// No valid credentials.
    Unauthenticated,
    /// Credentials without the permission, or a foreign origin or host.
    Forbidden,
    /// There is no such thing (HTTP aliases and subscriptions; queries answer `null`).
    NotFound,
    /// The state does not allow it (HTTP aliases; mutations answer `userErrors`).
    Conflict,
    /// The workflow file has problems (HTTP aliases; mutations answer `userErrors`).
    WorkflowInvalid,
    /// The method is not served at this path.
    MethodNotAllowed,
    /// None of the accepted media types can be produced.
    NotAcceptable,
    /// The content type is not accepted.
    UnsupportedMediaType,
    /// The body is over its limit.
    PayloadTooLarge,
    /// The body did not arrive in time.
    RequestTimeout,
    /// Too many operations on one connection.
    TooManyOperations,
    /// The server cannot answer now; try again.
    Unavailable,
    /// A bug or a broken store; the log has the request id.
    Internal,
}

impl Code {
    /// Every code, for the test that each has a page.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 20] = [
        Self::BadRequest,
        Self::GraphqlParseFailed,
        Self::GraphqlValidationFailed,
        Self::OperationResolutionFailure,
        Self::BadUserInput,
        Self::FilterInvalid,
        Self::QueryTooComplex,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::WorkflowInvalid,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::UnsupportedMediaType,
        Self::PayloadTooLarge,
        Self::RequestTimeout,
        Self::TooManyOperations,
        Self::Unavailable,
        Self::Internal,
    ];

    /// As written in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::OperationResolutionFailure => "OPERATION_RESOLUTION_FAILURE",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::FilterInvalid => "FILTER_INVALID",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::WorkflowInvalid => "WORKFLOW_INVALID",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::TooManyOperations => "TOO_MANY_OPERATIONS",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// Status of an answer that is nothing but this error.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest
            | Self::GraphqlParseFailed
            | Self::GraphqlValidationFailed
            | Self::OperationResolutionFailure
            | Self::BadUserInput
            | Self::FilterInvalid
            | Self::QueryTooComplex => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::WorkflowInvalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyOperations => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::RequestTimeout | Self::TooManyOperations
        )
    }
}

/// What a client is told instead of data.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    /// The code.
    pub(crate) code: Code,
    /// One sentence, free of internals.
    pub(crate) message: String,
    /// Place within a text of the caller's, in characters from 1.
    pub(crate) position: Option<usize>,
}

impl ApiError {
    /// An error with its text for the client.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            position: None,
        }
    }

    /// The text of a power filter is not understood at a place, in characters from 1.
    pub(crate) fn filter(message: impl Into<String>, position: usize) -> Self {
        let message = format!("{} (at character {position} of `query`)", message.into());
        Self {
            position: Some(position),
            ..Self::new(Code::FilterInvalid, message)
        }
    }

    /// An argument is out of range.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(Code::BadUserInput, message)
    }

    /// A bug: `what` goes to the log, the client gets the request id.
    pub(crate) fn internal(what: &str) -> Self {
        tracing::error!(what, "request failed");
        Self::new(
            Code::Internal,
            "internal error; the server's log has the details under this request id",
        )
    }

    /// The store failed. Logged here with its causes; the client learns only whether trying again helps.
    pub(crate) fn store(error: &StoreError) -> Self {
        match error {
            StoreError::Stopping => Self::new(Code::Unavailable, "the server is stopping; try again"),
            StoreError::Busy { .. } | StoreError::Conflict { .. } | StoreError::CommitUnknown { .. } => {
                tracing::warn!(error = %chain(error), "store is busy");
                Self::new(Code::Unavailable, "the server is busy; try again")
            }
            StoreError::Payload(_) => {
                tracing::warn!(error = %chain(error), "the payload store is away");
                Self::new(
                    Code::Unavailable,
                    "large values cannot be read or written now; try again",
                )
            }
            StoreError::Statement { .. } if error.is_passing() => {
                tracing::warn!(error = %chain(error), "the database does not keep up");
                Self::new(Code::Unavailable, "the server is busy; try again")
            }
            StoreError::Open(_)
            | StoreError::Statement { .. }
            | StoreError::Aborted { .. }
            | StoreError::Corrupt { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::OlderSchema { .. } => Self::internal(&chain(error)),
        }
    }

    /// As `extensions` of a GraphQL error.
    pub(crate) fn extensions(&self) -> ErrorExtensionValues {
        let mut values = ErrorExtensionValues::default();
        values.set("code", self.code.as_str());
        values.set("retryable", self.code.is_retryable());
        if let Some(position) = self.position {
            values.set("position", position);
        }
        values
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        let extensions = Some(error.extensions());
        Self {
            message: error.message,
            source: None,
            extensions,
        }
    }
}

/// An error with all its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{ApiError, Code};
    use runnel_runtime::StoreError;

    #[test]
    fn text_of_the_store_never_reaches_the_client() {
        let error = ApiError::store(&StoreError::Corrupt {
            table: "run",
            problem: "canary-7f3a".into(),
        });
        assert_eq!(error.code, Code::Internal);
        assert!(
            !error.message.contains("canary") && !error.message.contains("run is not valid"),
            "{}",
            error.message
        );
        let busy = ApiError::store(&StoreError::Busy {
            action: "canary-7f3a",
            attempts: 5,
        });
        assert_eq!(busy.code, Code::Unavailable);
        assert!(!busy.message.contains("canary"), "{}", busy.message);
    }

    #[test]
    fn every_code_has_a_page() {
        for code in Code::ALL {
            let page = format!(
                "{}/../docs/errors/{}.md",
                env!("CARGO_MANIFEST_DIR"),
                code.as_str()
            );
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(
                text.starts_with(&format!("# {}", code.as_str())),
                "{page} is missing or has another title"
            );
        }
    }
}
