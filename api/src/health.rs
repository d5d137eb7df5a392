//! Health: is the process alive, has it started, can it serve. No page tells anything else, so none needs a token.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::app::SharedApp;
use crate::auth::Permission;
use crate::error::ApiError;
use crate::request_id::RequestId;
use crate::{metrics, reply};

/// `/livez` and `/startupz`: answering is the proof.
pub(crate) async fn live() -> Response {
    reply::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// `/readyz` and `/health`: the database answers, and the server is not stopping.
pub(crate) async fn ready(State(app): State<SharedApp>) -> Response {
    let is_stopping = app.stop.is_cancelled();
    let database = app
        .orchestrator
        .check()
        .await
        .inspect_err(|error| drop(ApiError::store(error)));
    let is_ready = database.is_ok() && !is_stopping;
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let word = |is_fine| if is_fine { "ok" } else { "failing" };
    let body = json!({
        "status": word(is_ready),
        "checks": { "database": word(database.is_ok()), "server": if is_stopping { "stopping" } else { "ok" } },
    });
    reply::json(status, &body)
}

/// `/metrics`: with a token where one is configured, as any caller that is known.
pub(crate) async fn metrics(State(app): State<SharedApp>, request: Request) -> Response {
    let viewer = app.credentials.of_headers(request.headers());
    let permitted = viewer.and_then(|viewer| {
        viewer
            .require(Permission::RunsRead)
            .or_else(|_| viewer.require(Permission::WorkersReport))
            .map(|_| ())
    });
    match permitted {
        Ok(()) => {
            app.orchestrator.measure().await;
            reply::body(StatusCode::OK, metrics::CONTENT_TYPE, app.metrics.render())
        }
        Err(error) => reply::error(&error, &RequestId::of(request.extensions())),
    }
}
