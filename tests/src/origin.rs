//! A real HTTP server for tasks to call: echoes, failures on demand, gates that hold a request, and an OpenAI-compatible
//! chat endpoint.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Largest body that is echoed.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct Origin {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    hits: watch::Sender<HashMap<String, u32>>,
    gate: watch::Sender<bool>,
    prompts: Mutex<Vec<Value>>,
}

impl Origin {
    /// Starts on a free port, its gate closed.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Shared {
            hits: watch::Sender::new(HashMap::new()),
            gate: watch::Sender::new(false),
            prompts: Mutex::default(),
        });
        let routes = Router::new()
            .route("/u/{id}", get(user))
            .route("/flaky/{name}/{failures}", any(flaky))
            .route("/gate/{name}", any(gate))
            .route("/images", get(images))
            .route("/v1/chat/completions", post(chat))
            .fallback(echo)
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // ends when the test does
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self {
            address,
            state,
            server,
        })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often a name (of a gate or a flaky path) or a path was asked for.
    #[must_use]
    pub fn hits(&self, name: &str) -> u32 {
        self.state.hits.borrow().get(name).copied().unwrap_or_default()
    }

    /// Waits until a name was asked for `count` times.
    ///
    /// # Errors
    /// It is not, within [`crate::cluster::PATIENCE`].
    pub async fn until_hit(&self, name: &str, count: u32) -> anyhow::Result<()> {
        let mut hits = self.state.hits.subscribe();
        let reached = hits.wait_for(|hits| hits.get(name).copied().unwrap_or_default() >= count);
        match tokio::time::timeout(crate::cluster::PATIENCE, reached).await {
            Ok(found) => Ok(found.map(|_| ())?),
            Err(_) => anyhow::bail!("{name} was asked for {} times and not {count}", self.hits(name)),
        }
    }

    /// Lets the held requests, and all later ones, go on.
    pub fn open_gate(&self) {
        self.state.gate.send_replace(true);
    }

    /// The bodies sent to the chat endpoint.
    #[must_use]
    pub fn prompts(&self) -> Vec<Value> {
        self.state
            .prompts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn count(&self, name: &str) -> u32 {
        let mut count = 0;
        self.hits.send_modify(|hits| {
            let hit = hits.entry(name.to_owned()).or_default();
            *hit += 1;
            count = *hit;
        });
        count
    }
}

async fn user(State(state): State<Arc<Shared>>, Path(id): Path<String>) -> Json<Value> {
    state.count(&format!("/u/{id}"));
    Json(
        json!({ "id": id, "name": format!("user {id}"), "tags": ["a", "b"], "address": { "city": "Bremen" } }),
    )
}

async fn images(State(state): State<Arc<Shared>>) -> Json<Value> {
    state.count("/images");
    Json(json!([{ "id": "one", "url": "/1.png" }, { "id": "two", "url": "/2.png" }]))
}

async fn flaky(State(state): State<Arc<Shared>>, Path((name, failures)): Path<(String, u32)>) -> Response {
    let count = state.count(&name);
    if count <= failures {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "failure": count }))).into_response();
    }
    Json(json!({ "attempts": count })).into_response()
}

async fn gate(State(state): State<Arc<Shared>>, Path(name): Path<String>) -> Json<Value> {
    let mut gate = state.gate.subscribe();
    state.count(&name);
    // an error means that the server is gone, and the caller with it
    let _ = gate.wait_for(|is_open| *is_open).await;
    Json(json!({ "passed": name }))
}

async fn chat(State(state): State<Arc<Shared>>, Json(body): Json<Value>) -> Json<Value> {
    let said = body["messages"]
        .as_array()
        .and_then(|messages| messages.last())
        .cloned()
        .unwrap_or_default();
    let answer = format!("you said: {}", said["content"].as_str().unwrap_or_default());
    let model = body["model"].clone();
    state
        .prompts
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(body);
    Json(json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": answer } }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12 },
    }))
}

async fn echo(State(state): State<Arc<Shared>>, request: Request) -> Json<Value> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    state.count(&path);
    let body = axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let parsed = serde_json::from_str::<Value>(&text).ok();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    Json(json!({
        "ok": true,
        "method": head.method.as_str(),
        "path": path,
        "query": head.uri.query(),
        "tag": header("x-tag"),
        "type": header("content-type"),
        "text": text,
        "json": parsed,
    }))
}
