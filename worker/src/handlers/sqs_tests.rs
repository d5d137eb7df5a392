//! `sqs` against a local endpoint that speaks the protocol of SQS.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use runnel_queue::FailureCategory;
use serde_json::{Value, json};

use super::sqs::SqsHandler;
use crate::task::{Handler, TaskError};
use crate::testing::context;

/// Operations with their bodies.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

fn refused(kind: &str, old_code: &str) -> Response {
    let body = json!({ "__type": format!("com.amazonaws.sqs#{kind}"), "message": "refused by the test" });
    let headers = [("x-amzn-query-error", format!("{old_code};Sender"))];
    (StatusCode::BAD_REQUEST, headers, Json(body)).into_response()
}

async fn answer(State(seen): State<Seen>, headers: HeaderMap, body: String) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap_or_default();
    let operation = target.trim_start_matches("AmazonSQS.").to_owned();
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let answer = match (operation.as_str(), body["QueueName"].as_str()) {
        ("GetQueueUrl", Some("missing")) => {
            refused("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
        }
        ("GetQueueUrl", Some("locked")) => refused("AccessDenied", "AccessDenied"),
        // a name that resolves nowhere: only the path is of use
        ("GetQueueUrl", name) => {
            let url = format!("http://sqs.invalid:1/000000000000/{}", name.unwrap_or_default());
            Json(json!({ "QueueUrl": url })).into_response()
        }
        _ => Json(json!({ "MessageId": "message-1" })).into_response(),
    };
    seen.lock().expect("not poisoned").push((operation, body));
    answer
}

async fn serve() -> (String, Seen) {
    super::ensure_crypto_provider();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Seen::default();
    let router = Router::new().fallback(post(answer)).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

async fn send(endpoint: &str, input: Value) -> Result<Value, TaskError> {
    SqsHandler::new(Some(endpoint.to_owned()))
        .execute(&context("sqs", input))
        .await
}

#[tokio::test]
async fn a_message_is_sent_with_all_its_options() {
    let (endpoint, seen) = serve().await;
    let input = json!({
        "queue": "orders.fifo", "body": { "id": 7 }, "delay_seconds": 3, "group_id": "g", "deduplication_id": "d",
        "attributes": { "source": "test", "count": 2 },
    });
    let output = send(&endpoint, input).await.expect("sent");
    assert_eq!(output, json!({ "message_id": "message-1" }));
    let seen = seen.lock().expect("not poisoned");
    assert_eq!(seen[0].0, "GetQueueUrl");
    assert_eq!(
        seen[1],
        (
            "SendMessage".to_owned(),
            json!({
                "QueueUrl": format!("{endpoint}/000000000000/orders.fifo"),
                "MessageBody": "{\"id\":7}",
                "DelaySeconds": 3,
                "MessageGroupId": "g",
                "MessageDeduplicationId": "d",
                "MessageAttributes": {
                    "source": { "DataType": "String", "StringValue": "test" },
                    "count": { "DataType": "String", "StringValue": "2" },
                },
            })
        )
    );
}

#[tokio::test]
async fn a_queue_is_named_by_its_address_too_and_text_goes_as_it_is() {
    let (endpoint, seen) = serve().await;
    for key in ["queue", "queue_url"] {
        let input = json!({ key: "https://sqs.eu-west-1.amazonaws.com/1/orders", "body": "plain" });
        send(&endpoint, input).await.expect("sent");
        let seen: Vec<_> = seen.lock().expect("not poisoned").drain(..).collect();
        assert_eq!(seen[0].1["QueueName"], "orders");
        assert_eq!(seen[1].1["MessageBody"], "plain");
    }
}

#[tokio::test]
async fn failures_are_classified() {
    let (endpoint, seen) = serve().await;
    let cases = [
        (
            json!({ "queue": "missing", "body": "x" }),
            "QUEUE_NOT_FOUND",
            FailureCategory::User,
        ),
        (
            json!({ "queue": "locked", "body": "x" }),
            "SQS_ACCESS_DENIED",
            FailureCategory::Unauthorised,
        ),
        (
            json!({ "queue": "orders" }),
            "INVALID_INPUT",
            FailureCategory::Input,
        ),
        (json!({ "body": "x" }), "INVALID_INPUT", FailureCategory::Input),
        (
            json!({ "queue": "orders", "body": "x", "delay_seconds": "soon" }),
            "INVALID_INPUT",
            FailureCategory::Input,
        ),
    ];
    for (input, code, category) in cases {
        let error = send(&endpoint, input.clone()).await.expect_err("a failure");
        let failure = error.failure();
        assert_eq!(
            (failure.code.as_str(), failure.category, failure.retryable),
            (code, category, false),
            "{input}"
        );
    }
    let seen = seen.lock().expect("not poisoned");
    assert!(seen.iter().all(|(operation, _)| operation != "SendMessage"));
}
