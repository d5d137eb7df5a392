//! Every route of the server.

use axum::extract::DefaultBodyLimit;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Router, extract::Request};
use http::{HeaderValue, header};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::SharedApp;
use crate::error::{ApiError, Code};
use crate::request_id::RequestId;
use crate::{graphql, health, origin, pages, reply, request_id, rest};

/// All routes with the checks that every request passes.
pub(crate) fn router(app: SharedApp) -> Router {
    Router::new()
        .route("/graphql", any(graphql::http::handle))
        .route("/graphql/ws", get(graphql::ws::handle))
        .route("/graphql/stream", any(graphql::sse::handle))
        .route("/livez", get(health::live))
        .route("/startupz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(pages::routes())
        .merge(rest::routes(&app))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn(screen_first))
        // every handler reads its body through `body::read`, which has limits of its own
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), origin::layer))
        .layer(map_response(harden))
        .layer(from_fn(request_id::layer))
        .with_state(app)
}

async fn not_found(request: Request) -> Response {
    if let Some(screen) = pages::screen(&request) {
        return screen;
    }
    let error = ApiError::new(Code::NotFound, "there is nothing at this path");
    reply::error(&error, &RequestId::of(request.extensions()))
}

/// `/runs/{id}` is both a screen and an alias for programs: who asks for HTML gets the screen.
async fn screen_first(request: Request, next: Next) -> Response {
    let is_shared = request.uri().path().starts_with("/runs/");
    match is_shared.then(|| pages::screen(&request)).flatten() {
        Some(screen) => screen,
        None => next.run(request).await,
    }
}

async fn method_not_allowed(request: Request) -> Response {
    let error = ApiError::new(Code::MethodNotAllowed, "this path does not serve this method");
    reply::error(&error, &RequestId::of(request.extensions()))
}

/// A panic in a handler is a bug; the client learns that, and nothing about it. The text was logged by the panic hook.
fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    reply::error(&ApiError::internal("a handler panicked"), &RequestId::fresh())
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    response
}
