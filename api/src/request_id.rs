//! A name for every request, so that an answer and the log can be matched.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use runnel_telemetry::SpanContext;

use crate::trace;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// Longest accepted id of a caller; longer ones are replaced.
const CHARS_MAX: usize = 64;

/// What is known of a request from its head.
#[derive(Debug, Clone)]
pub(crate) struct RequestId {
    /// Its id: the caller's `x-request-id` if it is harmless, else a new one.
    pub(crate) text: String,
    /// Where it is in a trace: the caller's place, and within an operation its own.
    pub(crate) trace: Option<SpanContext>,
}

impl RequestId {
    /// A new id: unique within the process by its number, and among processes by the seed of the standard hasher. It
    /// names, it protects nothing, so no stronger source is needed.
    pub(crate) fn fresh() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self::named(format!(
            "{:016x}-{}",
            *PROCESS,
            NEXT.fetch_add(1, Ordering::Relaxed)
        ))
    }

    fn named(text: String) -> Self {
        Self { text, trace: None }
    }

    /// The same request, in an operation that is at `place`; where it was without one.
    pub(crate) fn within(self, place: Option<SpanContext>) -> Self {
        Self {
            trace: place.or(self.trace),
            ..self
        }
    }

    /// The id of a request that passed [`layer`].
    pub(crate) fn of(extensions: &http::Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(Self::fresh)
    }

    fn given(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let is_harmless = !text.is_empty()
            && text.len() <= CHARS_MAX
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        is_harmless.then(|| Self::named(text.to_owned()))
    }
}

/// Names the request, and says the name in the answer.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(&HEADER)
        .and_then(RequestId::given)
        .unwrap_or_else(RequestId::fresh)
        .within(trace::caller(request.headers()));
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id.text) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
