use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap as AxumHeaders, StatusCode as AxumStatus, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::any;
use runnel_queue::FailureCategory;

use super::*;
use crate::testing::context;

type Seen = Arc<Mutex<Vec<(String, AxumHeaders, String)>>>;

/// Answers as its path says and remembers what it was asked.
async fn answer(State(seen): State<Seen>, uri: Uri, headers: AxumHeaders, body: String) -> Response {
    seen.lock()
        .expect("not poisoned")
        .push((uri.to_string(), headers, body));
    match uri.path() {
        "/json" => ([("content-type", "application/json")], r#"{"n":1}"#).into_response(),
        "/busy" => (AxumStatus::TOO_MANY_REQUESTS, [("retry-after", "7")], "slow down").into_response(),
        "/loop" => Redirect::temporary("/loop").into_response(),
        "/moved" => Redirect::temporary("/json").into_response(),
        "/other-host" => Redirect::temporary(&format!("http://localhost:{}/json", uri.query().unwrap_or("")))
            .into_response(),
        "/metadata" => Redirect::temporary("http://169.254.169.254/latest/meta-data").into_response(),
        "/large" => "x".repeat(2 << 20).into_response(),
        path => {
            let status = path.trim_start_matches('/').parse().unwrap_or(200);
            AxumStatus::from_u16(status).unwrap_or_default().into_response()
        }
    }
}

async fn serve() -> (String, u16, Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let seen = Seen::default();
    let router = Router::new().fallback(any(answer)).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://127.0.0.1:{port}"), port, seen)
}

async fn execute(policy: HttpPolicy, input: Value) -> Result<Value, TaskError> {
    crate::handlers::ensure_crypto_provider();
    HttpHandler::new(policy).execute(&context("http", input)).await
}

fn private() -> HttpPolicy {
    HttpPolicy {
        allow_private: true,
        ..HttpPolicy::default()
    }
}

#[tokio::test]
async fn the_answer_is_the_output() {
    let (base, _, seen) = serve().await;
    let input = json!({ "url": format!("{base}/json"), "method": "post", "json": {"a": [1]}, "query": {"q": ["x y", 2]}, "alias_body": "data" });
    let output = execute(private(), input).await.expect("answered");
    assert_eq!(output["status_code"], 200);
    assert_eq!(output["body"], json!({"n": 1}));
    assert_eq!(output["data"], json!({"n": 1}));
    assert_eq!(output["headers"]["content-type"], "application/json");
    let (uri, headers, body) = seen.lock().expect("not poisoned").remove(0);
    assert_eq!((uri.as_str(), body.as_str()), ("/json?q=x+y&q=2", r#"{"a":[1]}"#));
    assert_eq!(headers["idempotency-key"], "once");
    assert_eq!(headers["content-type"], "application/json");
}

#[tokio::test]
async fn statuses_are_classified() {
    let (base, _, _) = serve().await;
    let cases = [
        (400, FailureCategory::User, false),
        (401, FailureCategory::Unauthorised, false),
        (403, FailureCategory::Unauthorised, false),
        (404, FailureCategory::User, false),
        (408, FailureCategory::Timeout, true),
        (500, FailureCategory::Unavailable, true),
        (503, FailureCategory::Unavailable, true),
    ];
    for (status, category, retryable) in cases {
        let error = execute(private(), json!({ "url": format!("{base}/{status}") }))
            .await
            .expect_err("a failure");
        let failure = error.failure();
        assert_eq!(
            (failure.category, failure.retryable),
            (category, retryable),
            "{status}"
        );
        assert_eq!(failure.code, format!("HTTP_{status}"));
    }
    let expected = json!({ "url": format!("{base}/404"), "expected_status": ["2xx", 404] });
    assert_eq!(
        execute(private(), expected).await.expect("expected")["status_code"],
        404
    );
}

#[tokio::test]
async fn the_server_may_ask_for_patience() {
    let (base, _, _) = serve().await;
    let error = execute(private(), json!({ "url": format!("{base}/busy") }))
        .await
        .expect_err("a failure");
    let failure = error.failure();
    assert_eq!(
        (failure.category, failure.retry_after_ms),
        (FailureCategory::RateLimited, Some(7000))
    );
}

#[tokio::test]
async fn redirects_end_and_credentials_stay_with_their_host() {
    let (base, port, seen) = serve().await;
    let headers = json!({ "authorization": "Bearer s", "x-api-key": "k", "x-plain": "p" });
    let ask = |path: String| json!({ "url": format!("{base}{path}"), "headers": headers });

    let error = execute(private(), ask("/loop".to_owned()))
        .await
        .expect_err("a failure");
    assert_eq!(error.failure().code, "TOO_MANY_REDIRECTS");
    assert_eq!(seen.lock().expect("not poisoned").drain(..).count(), 6);

    execute(private(), ask("/moved".to_owned()))
        .await
        .expect("followed");
    assert_eq!(
        seen.lock()
            .expect("not poisoned")
            .drain(..)
            .next_back()
            .expect("asked")
            .1["authorization"],
        "Bearer s"
    );

    execute(private(), ask(format!("/other-host?{port}")))
        .await
        .expect("followed");
    let last = seen
        .lock()
        .expect("not poisoned")
        .drain(..)
        .next_back()
        .expect("asked");
    assert!(last.1.get("authorization").is_none() && last.1.get("x-api-key").is_none());
    assert_eq!(last.1["x-plain"], "p");
}

#[tokio::test]
async fn inner_addresses_are_refused_by_literal_by_name_and_by_redirect() {
    let (base, port, seen) = serve().await;
    for url in [format!("{base}/json"), format!("http://localhost:{port}/json")] {
        let error = execute(HttpPolicy::default(), json!({ "url": url }))
            .await
            .expect_err("refused");
        assert_eq!(
            (error.failure().code.as_str(), error.failure().retryable),
            ("ADDRESS_BLOCKED", false),
            "{error}"
        );
    }
    assert!(seen.lock().expect("not poisoned").is_empty());
    let only_this = HttpPolicy {
        allow: vec!["127.0.0.1".to_owned()],
        ..HttpPolicy::default()
    };
    let error = execute(only_this, json!({ "url": format!("{base}/metadata") }))
        .await
        .expect_err("refused");
    assert_eq!(error.failure().code, "ADDRESS_BLOCKED");
}

#[tokio::test]
async fn a_large_answer_and_a_closed_port_are_failures() {
    let (base, _, _) = serve().await;
    let error = execute(private(), json!({ "url": format!("{base}/large") }))
        .await
        .expect_err("refused");
    assert_eq!(error.failure().code, "RESPONSE_TOO_LARGE");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port();
    let error = execute(private(), json!({ "url": format!("http://127.0.0.1:{port}/") }))
        .await
        .expect_err("refused");
    assert_eq!(
        (error.failure().code.as_str(), error.failure().retryable),
        ("CONNECT_FAILED", true)
    );
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let error = execute(private(), json!({ "url": url, "timeout_seconds": 0.05 }))
        .await
        .expect_err("a timeout");
    assert_eq!(
        (error.failure().category, error.failure().retryable),
        (FailureCategory::Timeout, true)
    );
}

#[tokio::test]
async fn bad_inputs_are_named() {
    for input in [
        json!({}),
        json!({ "url": "ftp://example.com/" }),
        json!({ "url": 7 }),
        json!({ "url": "http://example.com/", "method": "a b" }),
        json!({ "url": "http://example.com/", "headers": { "host": "other" } }),
        json!({ "url": "http://example.com/", "headers": { "x": "a\r\nb: c" } }),
        json!({ "url": "http://example.com/", "json": 1, "body": "2" }),
        json!({ "url": "http://example.com/", "expected_status": "fine" }),
    ] {
        let error = execute(private(), input.clone()).await.expect_err("refused");
        assert_eq!(error.failure().category, FailureCategory::Input, "{input}");
    }
}
