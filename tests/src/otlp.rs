//! A receiver of OTLP over HTTP, which reads spans with the types of the standard, and an address for tasks to call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, post};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::task::JoinHandle;

/// A running receiver; stops when dropped.
#[derive(Debug)]
pub struct Receiver {
    /// `http://127.0.0.1:…`.
    pub base: String,
    state: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    spans: Mutex<Vec<Received>>,
    calls: Mutex<Vec<String>>,
}

/// A span as it was received.
#[derive(Debug, Clone)]
pub struct Received {
    /// `service.name` of its resource.
    pub service: String,
    /// Its trace, in hex.
    pub trace: String,
    /// Its id, in hex.
    pub id: String,
    /// Its parent, in hex; empty at the head of a trace.
    pub parent: String,
    /// What it is called.
    pub name: String,
    /// Traces and spans that it is linked to.
    pub links: Vec<(String, String)>,
    /// Texts and numbers.
    pub attributes: HashMap<String, String>,
    /// `SpanKind`.
    pub kind: i32,
    /// `StatusCode`.
    pub status: i32,
    /// Begin and end.
    pub times: (u64, u64),
}

impl Received {
    /// A text or number that it has.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl Receiver {
    /// Starts on a free port.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Shared::default());
        let routes = Router::new()
            .route("/v1/traces", post(receive))
            .route("/called", any(called))
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move {
            // ends when the test does
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { base, state, server })
    }

    /// Variables for programs that are to export here.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), self.base.clone())]
    }

    /// All spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Received> {
        lock(&self.state.spans).clone()
    }

    /// The `traceparent` of each call of `/called`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        lock(&self.state.calls).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(state): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let is_protobuf = headers
        .get("content-type")
        .is_some_and(|kind| kind == "application/x-protobuf");
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    if !is_protobuf {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let mut spans = lock(&state.spans);
    for resource in request.resource_spans {
        let attributes = resource
            .resource
            .map(|resource| resource.attributes)
            .unwrap_or_default();
        let service = texts(&attributes).remove("service.name").unwrap_or_default();
        for scope in resource.scope_spans {
            spans.extend(scope.spans.into_iter().map(|span| read(&service, span)));
        }
    }
    StatusCode::OK
}

fn read(service: &str, span: Span) -> Received {
    Received {
        service: service.to_owned(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        links: span
            .links
            .iter()
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
        attributes: texts(&span.attributes),
        kind: span.kind,
        status: span.status.map_or(0, |status| status.code),
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
        name: span.name,
    }
}

fn texts(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> HashMap<String, String> {
    attributes
        .iter()
        .filter_map(|pair| {
            let value = match pair.value.clone()?.value? {
                Any::StringValue(text) => text,
                Any::IntValue(number) => number.to_string(),
                Any::BoolValue(flag) => flag.to_string(),
                other => format!("{other:?}"),
            };
            Some((pair.key.clone(), value))
        })
        .collect()
}

async fn called(State(state): State<Arc<Shared>>, headers: HeaderMap) -> StatusCode {
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    lock(&state.calls).push(traceparent.unwrap_or_default().to_owned());
    StatusCode::OK
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
