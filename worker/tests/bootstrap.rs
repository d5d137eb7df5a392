//! The Lambda binary against a stub of the Lambda Runtime API and a stub of SQS.
#![expect(clippy::expect_used, reason = "a test")]

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

struct Stub {
    event: Mutex<Option<Value>>,
    answers: mpsc::UnboundedSender<Value>,
    completions: Mutex<Vec<Value>>,
    never: Notify,
}

async fn next(State(stub): State<Arc<Stub>>) -> Response {
    let event = stub.event.lock().expect("not poisoned").take();
    let Some(event) = event else {
        stub.never.notified().await;
        return Json(Value::Null).into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", "request-1"),
        // far in the future: year 2100
        ("lambda-runtime-deadline-ms", "4102444800000"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:000000000000:function:runnel",
        ),
    ];
    (headers, Json(event)).into_response()
}

async fn respond(State(stub): State<Arc<Stub>>, Path(_id): Path<String>, body: String) -> Json<Value> {
    let _ = stub.answers.send(serde_json::from_str(&body).unwrap_or_default());
    Json(json!({}))
}

/// The two calls of SQS that a report needs.
async fn sqs(State(stub): State<Arc<Stub>>, headers: HeaderMap, body: String) -> Json<Value> {
    // the protocol's content type is not the one that axum takes for JSON
    let call: Value = serde_json::from_str(&body).unwrap_or_default();
    let target = headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if target.ends_with("GetQueueUrl") {
        return Json(
            json!({ "QueueUrl": format!("http://elsewhere/0/{}", call["QueueName"].as_str().unwrap_or("")) }),
        );
    }
    let entries = call["Entries"].as_array().cloned().unwrap_or_default();
    let accepted = entries
        .iter()
        .map(|entry| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "" }));
    let answer = json!({ "Successful": accepted.collect::<Vec<_>>(), "Failed": [] });
    let bodies = entries
        .iter()
        .filter_map(|entry| serde_json::from_str(entry["MessageBody"].as_str()?).ok());
    stub.completions.lock().expect("not poisoned").extend(bodies);
    Json(answer)
}

fn record(id: &str, body: &Value) -> Value {
    json!({ "messageId": id, "receiptHandle": id, "body": body.to_string(), "eventSource": "aws:sqs", "attributes": {}, "messageAttributes": {} })
}

fn task(number: u32, kind: &str, input: Value) -> Value {
    json!({
        "v": 1, "run": "0190d3b4-0000-7000-8000-000000000001", "task": number, "attempt": 1, "token": "k.0",
        "namespace": "default", "workflow": "flow", "key": "t", "type": kind, "input": input, "idempotency_key": "once",
    })
}

#[tokio::test]
async fn a_batch_is_executed_reported_and_failed_in_part() {
    let event = json!({ "Records": [
        record("ok", &task(1, "shell", json!({ "run": "echo '{\"n\": 1}'" }))),
        record("failing", &task(2, "shell", json!({ "run": "exit 5" }))),
        record("unknown", &task(3, "alien", json!({}))),
        record("newer", &json!({ "v": 99 })),
    ] });
    let (answers, mut answered) = mpsc::unbounded_channel();
    let stub = Arc::new(Stub {
        event: Mutex::new(Some(event)),
        answers,
        completions: Mutex::default(),
        never: Notify::new(),
    });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
        .fallback(sqs)
        .with_state(Arc::clone(&stub));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });

    let mut function = tokio::process::Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_LAMBDA_RUNTIME_API", &address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "runnel")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "group")
        .env("RUNNEL_SQS_ENDPOINT", format!("http://{address}"))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the function starts");
    let answer = tokio::select! {
        answer = answered.recv() => answer.expect("an answer"),
        status = function.wait() => panic!("the function ended: {status:?}"),
    };

    let failed = answer["batchItemFailures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|f| f["itemIdentifier"].clone());
    assert_eq!(failed.collect::<Vec<_>>(), [json!("unknown"), json!("newer")]);
    let batches = stub.completions.lock().expect("not poisoned").clone();
    let ends: Vec<_> = batches
        .iter()
        .flat_map(|batch| batch["reports"].as_array().cloned().unwrap_or_default())
        .filter(|report| report["kind"] == "completed")
        .collect();
    let end = |task: u32| ends.iter().find(|end| end["task"] == task).expect("reported");
    assert_eq!((ends.len(), &end(1)["output"]["n"]), (2, &json!(1)));
    assert_eq!(end(2)["error"]["code"], "EXIT_CODE");
}
