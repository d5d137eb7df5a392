//! `llm` against a local endpoint.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use runnel_queue::FailureCategory;
use serde_json::{Value, json};

use super::llm::{LlmEndpoint, LlmHandler};
use crate::task::{Handler, TaskError};
use crate::testing::context;

#[derive(Default)]
struct Endpoint {
    seen: Mutex<Vec<(String, HeaderMap, Value)>>,
}

/// Answers as the model asks for.
async fn answer(
    State(endpoint): State<Arc<Endpoint>>,
    uri: Uri,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    endpoint
        .seen
        .lock()
        .expect("not poisoned")
        .push((uri.to_string(), headers, body));
    match model.as_str() {
        "busy" => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")], "slow down").into_response(),
        "locked" => StatusCode::UNAUTHORIZED.into_response(),
        "empty" => Json(json!({ "model": "empty", "choices": [] })).into_response(),
        _ => Json(json!({
            "model": "small-2",
            "choices": [{ "finish_reason": "stop", "message": { "role": "assistant", "content": "forty-two" } }],
            "usage": { "prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12 },
        }))
        .into_response(),
    }
}

async fn serve() -> (LlmEndpoint, Arc<Endpoint>) {
    super::ensure_crypto_provider();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}/v1/", listener.local_addr().expect("an address"));
    let endpoint = Arc::<Endpoint>::default();
    let router = Router::new()
        .fallback(any(answer))
        .with_state(Arc::clone(&endpoint));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let configured = LlmEndpoint {
        url,
        api_key: Some("a key".to_owned()),
        model: Some("default".to_owned()),
    };
    (configured, endpoint)
}

async fn ask(endpoint: Option<LlmEndpoint>, input: Value) -> Result<Value, TaskError> {
    LlmHandler::new(endpoint).execute(&context("llm", input)).await
}

#[tokio::test]
async fn a_prompt_becomes_messages_and_the_answer_the_output() {
    let (configured, endpoint) = serve().await;
    let input =
        json!({ "prompt": "what?", "system": "be brief", "temperature": 0.5, "max_tokens": 9, "unknown": 1 });
    let output = ask(Some(configured), input).await.expect("answered");
    assert_eq!(
        output,
        json!({
            "response": "forty-two",
            "result": "forty-two",
            "model": "small-2",
            "finish_reason": "stop",
            "tokens_used": { "prompt": 5, "completion": 7, "total": 12 },
        })
    );
    let (uri, headers, body) = endpoint.seen.lock().expect("not poisoned").remove(0);
    assert_eq!(uri, "/v1/chat/completions");
    assert_eq!(headers["authorization"], "Bearer a key");
    assert_eq!(
        body,
        json!({
            "model": "default",
            "messages": [{ "role": "system", "content": "be brief" }, { "role": "user", "content": "what?" }],
            "temperature": 0.5,
            "max_tokens": 9,
        })
    );
}

#[tokio::test]
async fn messages_go_as_they_are_to_the_named_model() {
    let (configured, endpoint) = serve().await;
    let messages = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }]);
    ask(
        Some(configured),
        json!({ "messages": messages, "model": "large" }),
    )
    .await
    .expect("answered");
    let (_, _, body) = endpoint.seen.lock().expect("not poisoned").remove(0);
    assert_eq!(body, json!({ "model": "large", "messages": messages }));
}

#[tokio::test]
async fn failures_are_classified() {
    let (configured, _) = serve().await;
    let cases = [
        ("busy", FailureCategory::RateLimited, true),
        ("locked", FailureCategory::Unauthorised, false),
        ("empty", FailureCategory::Unavailable, true),
    ];
    for (model, category, is_retryable) in cases {
        let input = json!({ "prompt": "what?", "model": model });
        let error = ask(Some(configured.clone()), input).await.expect_err("a failure");
        let failure = error.failure();
        assert_eq!(
            (failure.category, failure.retryable),
            (category, is_retryable),
            "{model}"
        );
    }
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let (configured, endpoint) = serve().await;
    let error = ask(None, json!({ "prompt": "what?" }))
        .await
        .expect_err("no endpoint");
    assert_eq!(error.failure().code, "LLM_NOT_CONFIGURED");
    let nameless = LlmEndpoint {
        model: None,
        ..configured.clone()
    };
    for (endpoint, input) in [
        (nameless, json!({ "prompt": "what?" })),
        (configured.clone(), json!({})),
        (configured, json!({ "prompt": "what?", "messages": [] })),
    ] {
        let error = ask(Some(endpoint), input.clone()).await.expect_err("refused");
        assert_eq!(error.failure().category, FailureCategory::Input, "{input}");
    }
    assert!(endpoint.seen.lock().expect("not poisoned").is_empty());
}
