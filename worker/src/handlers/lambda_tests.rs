use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::aws::Aws;
use super::lambda::LambdaHandler;
use crate::testing::context;
use crate::{Failure, FailureCategory, Handler};

/// What a stub of the service was asked, as method, path, headers and body.
type Asked = Arc<Mutex<Vec<(String, String, axum::http::HeaderMap, String)>>>;

struct Stub {
    endpoint: String,
    asked: Asked,
}

type Scripted = (StatusCode, Vec<(&'static str, &'static str)>, String);

impl Stub {
    async fn answering(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Self {
        let answer: Scripted = (
            StatusCode::from_u16(status).expect("a status"),
            headers.to_vec(),
            body.to_owned(),
        );
        let asked = Asked::default();
        let router = Router::new()
            .fallback(take)
            .with_state((Arc::clone(&asked), answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, asked }
    }

    async fn run(&self, input: Value) -> Result<Value, Failure> {
        let handler = LambdaHandler::new(Arc::new(Aws::new(Some(self.endpoint.clone()))));
        let outcome = handler.execute(&context("lambda", input)).await;
        outcome.map_err(crate::TaskError::into_failure)
    }
}

async fn take(State((asked, answer)): State<(Asked, Scripted)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 23).await.unwrap_or_default();
    asked.lock().expect("not poisoned").push((
        head.method.to_string(),
        head.uri.to_string(),
        head.headers,
        String::from_utf8_lossy(&body).into_owned(),
    ));
    let mut response = (answer.0, answer.2).into_response();
    for (name, value) in answer.1 {
        response
            .headers_mut()
            .insert(name, value.parse().expect("a header"));
    }
    response
}

#[tokio::test]
async fn a_function_is_invoked_with_the_payload_and_its_answer_is_the_output() {
    let stub = Stub::answering(200, &[], r#"{"token": 7}"#).await;
    let input = json!({ "function": "stock", "qualifier": "live", "payload": { "op": "reserve" } });
    assert_eq!(stub.run(input).await.expect("an answer"), json!({ "token": 7 }));
    let (method, path, headers, body) = stub.asked.lock().expect("not poisoned").remove(0);
    assert_eq!(
        (method.as_str(), path.as_str()),
        ("POST", "/2015-03-31/functions/stock/invocations?Qualifier=live")
    );
    assert_eq!(body, r#"{"op":"reserve"}"#);
    assert_eq!(headers["x-amz-invocation-type"], "RequestResponse");
    let signature = headers["authorization"].to_str().expect("text");
    assert!(
        signature.starts_with("AWS4-HMAC-SHA256 Credential="),
        "{signature}"
    );
    let told = BASE64_STANDARD
        .decode(&headers["x-amz-client-context"])
        .expect("base64");
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    assert_eq!(
        (&told["custom"]["idempotency_key"], &told["custom"]["attempt"]),
        (&json!("once"), &json!("2"))
    );
}

#[tokio::test]
async fn an_event_is_not_waited_for() {
    let stub = Stub::answering(202, &[("x-amzn-requestid", "r-1")], "").await;
    let output = stub.run(json!({ "function": "stock", "wait": false })).await;
    assert_eq!(
        output.expect("taken"),
        json!({ "status_code": 202, "request_id": "r-1" })
    );
    let asked = stub.asked.lock().expect("not poisoned").remove(0);
    assert_eq!(
        (&asked.2["x-amz-invocation-type"], asked.3.as_str()),
        (&"Event".parse().expect("a header"), "{}")
    );
}

#[tokio::test]
async fn the_failure_of_a_function_is_the_tasks() {
    let body =
        r#"{"errorType": "ValueError", "errorMessage": "no stock", "stackTrace": ["line 1", "line 2"]}"#;
    let stub = Stub::answering(200, &[("x-amz-function-error", "Unhandled")], body).await;
    let failure = stub
        .run(json!({ "function": "stock" }))
        .await
        .expect_err("failed");
    assert_eq!(
        (failure.category, failure.code.as_str(), failure.retryable),
        (FailureCategory::User, "FUNCTION_ERROR", true)
    );
    assert_eq!(failure.message, "no stock");
    assert_eq!(failure.traceback.as_deref(), Some("line 1\nline 2"));
    assert_eq!(failure.details.expect("details")["type"], "ValueError");
    let body = r#"{"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"}"#;
    let stub = Stub::answering(200, &[("x-amz-function-error", "Unhandled")], body).await;
    let failure = stub
        .run(json!({ "function": "stock" }))
        .await
        .expect_err("failed");
    assert_eq!(
        (failure.category, failure.code.as_str()),
        (FailureCategory::Timeout, "FUNCTION_TIMEOUT")
    );
}

#[tokio::test]
async fn refusals_are_classified() {
    for (status, code, category, ours, is_retryable) in [
        (
            429,
            "TooManyRequestsException",
            FailureCategory::RateLimited,
            "LAMBDA_THROTTLED",
            true,
        ),
        (
            404,
            "ResourceNotFoundException",
            FailureCategory::User,
            "FUNCTION_NOT_FOUND",
            false,
        ),
        (
            403,
            "AccessDeniedException",
            FailureCategory::Unauthorised,
            "LAMBDA_ACCESS_DENIED",
            false,
        ),
        (
            500,
            "ServiceException",
            FailureCategory::Unavailable,
            "LAMBDA_UNAVAILABLE",
            true,
        ),
        (
            409,
            "ResourceConflictException",
            FailureCategory::Unavailable,
            "FUNCTION_NOT_READY",
            true,
        ),
        (
            400,
            "InvalidRequestContentException",
            FailureCategory::User,
            "LAMBDA_REFUSED",
            false,
        ),
    ] {
        let headers = [("x-amzn-errortype", code), ("retry-after", "3")];
        let stub = Stub::answering(status, &headers, r#"{"message": "told"}"#).await;
        let failure = stub
            .run(json!({ "function": "stock" }))
            .await
            .expect_err("refused");
        assert_eq!(
            (failure.category, failure.code.as_str(), failure.retryable),
            (category, ours, is_retryable),
            "{code}"
        );
        assert!(
            failure.message.contains("told") && failure.message.contains(code),
            "{}",
            failure.message
        );
        assert_eq!(failure.retry_after_ms, (status == 429).then_some(3000));
    }
}

#[tokio::test]
async fn a_service_that_is_away_may_be_asked_again() {
    let nobody = Stub {
        endpoint: "http://127.0.0.1:1".to_owned(),
        asked: Asked::default(),
    };
    let failure = nobody
        .run(json!({ "function": "stock" }))
        .await
        .expect_err("refused");
    assert_eq!(
        (failure.code.as_str(), failure.retryable),
        ("AWS_UNREACHABLE", true)
    );
}

#[tokio::test]
async fn what_lambda_would_refuse_is_not_sent() {
    let stub = Stub::answering(200, &[], "null").await;
    let large = "x".repeat(6 << 20);
    for (input, code) in [
        (json!({}), "INVALID_INPUT"),
        (json!({ "function": "../x" }), "INVALID_INPUT"),
        (json!({ "function": "f", "qualifier": "a&b" }), "INVALID_INPUT"),
        (json!({ "function": "f", "wait": 1 }), "INVALID_INPUT"),
        (json!({ "function": "f", "payload": large }), "PAYLOAD_TOO_LARGE"),
        (
            json!({ "function": "f", "wait": false, "payload": "x".repeat(1 << 20) }),
            "PAYLOAD_TOO_LARGE",
        ),
    ] {
        let failure = stub.run(input).await.expect_err("refused");
        assert_eq!(
            (failure.code.as_str(), failure.retryable),
            (code, false),
            "{}",
            failure.message
        );
    }
    assert!(stub.asked.lock().expect("not poisoned").is_empty());
}
