//! Rules about the server as a whole, through its router, over a real orchestrator on SQLite.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use futures_util::FutureExt;
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_queue::{PayloadStore, TokenKey, TokenKeys};
use runnel_runtime::feed::Topic;
use runnel_runtime::{
    Config, DatabaseConfig, Orchestrator, PayloadConfig, SecretKeys, SystemClock, SystemEntropy,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::App;
use crate::auth::Credentials;
use crate::metrics::Metrics;
use crate::origin::Origins;
use crate::{routes, schema};

struct Server {
    router: Router,
    orchestrator: Orchestrator,
    _directory: TempDir,
}

impl Server {
    async fn start(token: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = TokenKey {
            id: "test".to_owned(),
            secret: vec![7; 32],
        };
        let orchestrator = Orchestrator::start(Config {
            database: DatabaseConfig {
                url: format!("sqlite://{}/runnel.db?mode=rwc", directory.path().display()),
                connections: 2,
                is_sqlite_relaxed: true,
            },
            queue: Arc::new(EmbeddedQueue::new(EmbeddedConfig::default())),
            token_keys: TokenKeys::new(vec![key]).unwrap(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            vars: Arc::default(),
            appliers: 1,
            batch_max: 300,
            outstanding_max: 100,
            poll_interval: Duration::from_secs(5),
            payloads: PayloadConfig::new(PayloadStore::in_memory()),
            secret_keys: SecretKeys::new([("test".to_owned(), vec![9; 32])]),
            public_url: None,
            audit_kept: runnel_runtime::config::AUDIT_KEPT,
            runs_kept_days: runnel_runtime::config::RUNS_KEPT_DAYS,
            local_types: Vec::new(),
        })
        .await
        .unwrap();
        let app = Arc::new(App {
            schema: schema::build(orchestrator.clone()),
            mutations: schema::build_for_mutations(orchestrator.clone()),
            loader_delay: Duration::from_millis(1),
            socket: crate::SocketConfig::default(),
            orchestrator: orchestrator.clone(),
            credentials: Credentials::new(token, None),
            origins: Origins::new(&[], token.is_none()),
            metrics: Metrics::install(),
            stop: CancellationToken::new(),
            namespaces: crate::app::Namespaces::default(),
        });
        Self {
            router: routes::router(app),
            orchestrator,
            _directory: directory,
        }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 16 << 20).await.unwrap();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn call(&self, method: Method, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let (status, text) = self.send(request(method, path, &[], body)).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn graphql(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = request(
            Method::POST,
            "/graphql",
            &[("content-type", "application/json")],
            body,
        );
        serde_json::from_str(&self.send(request).await.1).unwrap()
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        builder = builder.header(header::HOST, "localhost:7420");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

const HELLO: &str =
    "id: hello\ntasks:\n  a: { type: eval, input: { x: 1 } }\n  b: { type: pass, needs: [a] }\n";

#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let server = Server::start(None).await;
    let publish = |headers: &[(&str, &str)]| request(Method::POST, "/api/v1/workflows", headers, HELLO);
    for headers in [
        vec![("origin", "http://evil.example")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site"), ("content-type", "text/plain")],
        vec![("host", "evil.example")],
        vec![("host", "evil.example"), ("origin", "http://evil.example")],
    ] {
        assert_eq!(
            server.send(publish(&headers)).await.0,
            StatusCode::FORBIDDEN,
            "{headers:?}"
        );
    }
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ] {
        let body = json!({ "query": "{ __typename }" }).to_string();
        let request = request(Method::POST, "/graphql", &[("content-type", media_type)], body);
        assert_eq!(
            server.send(request).await.0,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "{media_type}"
        );
    }
    let own = [("origin", "http://localhost:7420")];
    assert_eq!(server.send(publish(&own)).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn without_the_token_only_health_and_the_schemas_answer() {
    let server = Server::start(Some("secret")).await;
    let junk = [
        ("authorization", "Bearer nothing"),
        ("content-type", "application/json"),
    ];
    for (method, path) in [
        (Method::POST, "/graphql"),
        (Method::GET, "/graphql?query={__typename}"),
        (Method::POST, "/graphql/stream"),
        (Method::GET, "/metrics"),
        (Method::GET, "/api/v1/workflows"),
        (Method::POST, "/api/v1/workflows"),
        (Method::POST, "/api/v1/workflows/upload"),
        (Method::POST, "/api/v1/workflows/x/health"),
        (Method::POST, "/api/v1/workflows/x/runs"),
        (Method::GET, "/api/v1/runs/x"),
        (Method::GET, "/api/v1/runs/x/results"),
        (Method::POST, "/api/v1/runs/x/cancel"),
        (Method::POST, "/api/v1/runs/x/pause"),
        (Method::POST, "/api/v1/runs/x/resume"),
        (Method::POST, "/api/v1/tasks/x/retry"),
        (Method::POST, "/api/v1/tasks/x/skip"),
        (Method::POST, "/api/v1/worker/reports"),
        (Method::POST, "/dags"),
        (Method::GET, "/runs/x"),
        (Method::POST, "/api/v1/workflow"),
        (Method::POST, "/api/v1/workflow/trigger/x"),
        (Method::GET, "/api/v1/workflow/x"),
        (Method::DELETE, "/api/v1/workflow/x"),
    ] {
        for headers in [&junk[1..], &junk[..]] {
            let status = server.send(request(method.clone(), path, headers, "{}")).await.0;
            let is_refused = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND);
            assert!(
                is_refused && (status == StatusCode::UNAUTHORIZED || path.ends_with("health")),
                "{path}: {status}"
            );
        }
    }
    for path in [
        "/livez",
        "/readyz",
        "/startupz",
        "/health",
        "/schema.graphql",
        "/schema/workflow.v1.json",
        "/",
    ] {
        assert_eq!(
            server.send(request(Method::GET, path, &[], "")).await.0,
            StatusCode::OK,
            "{path}"
        );
    }
}

#[tokio::test]
async fn hostile_requests_get_codes_and_no_internals() {
    let server = Server::start(None).await;
    let json_type = [("content-type", "application/json")];
    let nested = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    for (path, body) in [
        ("/graphql", "{".to_owned()),
        ("/graphql", nested.clone()),
        (
            "/graphql",
            json!({ "query": "{ run(id: \"\\u0000\") { id } }" }).to_string(),
        ),
        (
            "/graphql",
            json!({ "query": format!("{{ a(b: {nested}) }}") }).to_string(),
        ),
        (
            "/graphql",
            json!({ "query": "{ runs(first: -1) { nodes { id } } }" }).to_string(),
        ),
        (
            "/graphql",
            json!({ "query": "{ runs(first: 99999999999) { nodes { id } } }" }).to_string(),
        ),
        (
            "/graphql",
            json!({ "query": "{ events(after: \"AAAA\") { nodes { seq } } }" }).to_string(),
        ),
        (
            "/graphql",
            json!({ "query": "{ node(id: \"run_' OR 1=1 --\") { id } }" }).to_string(),
        ),
        ("/api/v1/workflows", nested.clone()),
        ("/api/v1/workflows", "\t\tid: [".to_owned()),
        ("/api/v1/workflows/nope/runs", "[]".to_owned()),
        ("/api/v1/workflows/%00/runs", "{}".to_owned()),
        ("/api/v1/worker/reports", "{\"v\":99}".to_owned()),
        ("/api/v1/runs/zz/cancel", "{\"mode\":1}".to_owned()),
    ] {
        let (status, text) = server.send(request(Method::POST, path, &json_type, body)).await;
        assert!(!status.is_server_error(), "{path}: {status} {text}");
        for secret in ["sqlx", "sea_orm", "DbErr", "SELECT", ".rs:", "panicked", "unwrap"] {
            assert!(!text.contains(secret), "{path}: {text}");
        }
        let is_coded = text.contains("\"code\"") || text.contains("\"data\"");
        assert!(is_coded, "{path}: {status} {text}");
    }
}

#[tokio::test]
async fn a_mutation_runs_to_its_end_when_its_client_hangs_up() {
    let server = Server::start(None).await;
    assert_eq!(
        server.call(Method::POST, "/api/v1/workflows", HELLO).await.0,
        StatusCode::CREATED
    );
    let mut doorbell = server.orchestrator.doorbell(Topic::All);
    let query = "mutation { runStart(input: { workflow: \"hello\", idempotencyKey: \"k\" }) { isReplay } }";
    let body = json!({ "query": query }).to_string();
    let request = request(
        Method::POST,
        "/graphql",
        &[("content-type", "application/json")],
        body,
    );
    // polled once, then dropped: axum does the same with the handler of a client that is gone
    assert!(server.router.clone().oneshot(request).now_or_never().is_none());
    assert!(doorbell.rung().await);
    let again = server.graphql(query, json!({})).await;
    assert_eq!(again["data"]["runStart"]["isReplay"], true, "{again}");
}

#[tokio::test]
async fn publish_start_and_results_by_plain_http() {
    let server = Server::start(None).await;
    let (status, first) = server.call(Method::POST, "/dags", HELLO).await;
    assert_eq!((status, &first["is_new"]), (StatusCode::CREATED, &json!(true)));
    let (status, second) = server.call(Method::POST, "/api/v1/workflows/", HELLO).await;
    assert_eq!((status, &second["is_new"]), (StatusCode::OK, &json!(false)));

    let (status, run) = server.call(Method::POST, "/dags/hello/run", "").await;
    assert_eq!(status, StatusCode::CREATED, "{run}");
    server.orchestrator.settle().await;
    let id = run["run_id"].as_str().unwrap();
    let (status, results) = server
        .call(Method::GET, &format!("/api/v1/runs/{id}/results"), "")
        .await;
    assert_eq!(
        (status, &results["status"]),
        (StatusCode::OK, &json!("SUCCEEDED"))
    );
    assert_eq!(results["tasks"]["a"]["output"], json!({ "x": 1 }));
    let (status, conflict) = server.call(Method::POST, &format!("/runs/{id}/cancel"), "").await;
    assert_eq!(
        (status, &conflict["error"]["code"]),
        (StatusCode::CONFLICT, &json!("CONFLICT"))
    );
    let (status, missing) = server.call(Method::POST, "/dags/nope/run", "").await;
    assert_eq!(
        (status, &missing["error"]["code"]),
        (StatusCode::NOT_FOUND, &json!("NOT_FOUND"))
    );
}

#[tokio::test]
async fn a_submitted_execution_starts_once_however_often_it_is_triggered() {
    let server = Server::start(None).await;
    let (status, submitted) = server.call(Method::POST, "/api/v1/workflow", HELLO).await;
    assert_eq!(status, StatusCode::CREATED, "{submitted}");
    let id = submitted["execution_id"].as_str().unwrap();
    let path = format!("/api/v1/workflow/{id}");
    assert_eq!(server.call(Method::GET, &path, "").await.1["status"], "PENDING");
    assert_eq!(
        server.call(Method::DELETE, &path, "").await.0,
        StatusCode::CONFLICT
    );
    let trigger = format!("/api/v1/workflow/trigger/{id}");
    let (_, one) = server.call(Method::POST, &trigger, "").await;
    let (status, two) = server.call(Method::POST, &trigger, "").await;
    assert_eq!((status, &one["run_id"]), (StatusCode::ACCEPTED, &two["run_id"]));
    server.orchestrator.settle().await;
    assert_eq!(
        server.call(Method::GET, &format!("{path}/results"), "").await.1["status"],
        "SUCCEEDED"
    );
    let (_, other) = server.call(Method::POST, "/api/v1/workflow", HELLO).await;
    assert_ne!(
        other["execution_id"].as_str(),
        Some(id),
        "each submit is an execution of its own"
    );
}

#[tokio::test]
async fn an_upload_is_a_form_with_a_file_and_has_a_limit() {
    let server = Server::start(None).await;
    let form = |name: &str, text: &str| {
        format!(
            "--x\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"a.yaml\"\r\n\r\n{text}\r\n--x--\r\n"
        )
    };
    let headers = [("content-type", "multipart/form-data; boundary=x")];
    let upload = |body: String| request(Method::POST, "/dags/upload", &headers, body);
    assert_eq!(
        server.send(upload(form("file", HELLO))).await.0,
        StatusCode::CREATED
    );
    assert_eq!(
        server.send(upload(form("other", HELLO))).await.0,
        StatusCode::BAD_REQUEST
    );
    let (status, text) = server
        .send(upload(form(
            "file",
            "id: x\ntasks: { a: { needs: [b], type: pass } }",
        )))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        text.contains("diagnostics") && text.contains("WORKFLOW_INVALID"),
        "{text}"
    );
    let huge = form("file", &"#".repeat(5 << 20));
    assert_eq!(server.send(upload(huge)).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn pages_of_runs_follow_each_other_without_overlap() {
    let server = Server::start(None).await;
    server.call(Method::POST, "/dags", HELLO).await;
    for _ in 0..3 {
        server.call(Method::POST, "/dags/hello/run", "").await;
    }
    server.orchestrator.settle().await;
    let query = "query($after: String) { runs(first: 2, after: $after) { pageInfo { hasNextPage endCursor } \
                 nodes { id workflow { key } version { number } tasks { nodes { key needs run { id } } } } } }";
    let first = server.graphql(query, json!({})).await;
    let runs = &first["data"]["runs"];
    assert_eq!(
        runs["nodes"][0]["tasks"]["nodes"][1]["needs"],
        json!(["a"]),
        "{first}"
    );
    assert_eq!(runs["pageInfo"]["hasNextPage"], true);
    let second = server
        .graphql(query, json!({ "after": runs["pageInfo"]["endCursor"] }))
        .await;
    assert_eq!(
        second["data"]["runs"]["nodes"].as_array().map(Vec::len),
        Some(1),
        "{second}"
    );
    assert_ne!(second["data"]["runs"]["nodes"][0]["id"], runs["nodes"][1]["id"]);
}
