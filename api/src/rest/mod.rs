//! The HTTP aliases: the few calls that people make with curl, over the same services as GraphQL, and the paths of the
//! systems whose workflow files are accepted, so that their scripts run unchanged.
//!
//! Errors are `{"error": {"code", "message", "diagnostics"?}}` with a status that fits. Mutations are detached from the
//! connection, as over GraphQL. Foreign pages are kept out by [`crate::origin`], because curl's content types are those
//! that a form can send.

mod again;
mod audited;
mod call;
mod dead_letters;
mod dialects;
mod events;
mod payloads;
mod runs;
mod show;
mod waits;
mod worker;
mod workflows;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::app::SharedApp;

/// Routes of this module, on the rail of the audit log.
pub(crate) fn routes(app: &SharedApp) -> Router<SharedApp> {
    Router::new()
        .route("/api/v1/workflows", get(workflows::list).post(workflows::publish))
        .route(
            "/api/v1/workflows/",
            get(workflows::list).post(workflows::publish),
        )
        .route("/api/v1/workflows/upload", post(workflows::upload))
        .route("/api/v1/workflows/{key}", get(workflows::show))
        .route("/api/v1/workflows/{key}/runs", post(runs::start))
        .route("/api/v1/workflows/{key}/execute", post(runs::start))
        .route("/api/v1/runs/{id}", get(runs::show))
        .route("/api/v1/runs/{id}/results", get(runs::results))
        .route("/api/v1/runs/{id}/cancel", post(runs::cancel))
        .route("/api/v1/runs/{id}/rerun", post(again::rerun))
        .route("/api/v1/runs/{id}/pause", post(runs::pause))
        .route("/api/v1/runs/{id}/resume", post(runs::resume))
        .route("/api/v1/tasks/{id}/retry", post(runs::retry_task))
        .route("/api/v1/tasks/{id}/skip", post(runs::skip_task))
        .route("/api/v1/runs/{id}/inputs", get(payloads::run_inputs))
        .route("/api/v1/runs/{id}/outputs", get(payloads::run_outputs))
        .route("/api/v1/tasks/{id}/input", get(payloads::task_input))
        .route("/api/v1/tasks/{id}/output", get(payloads::task_output))
        .route("/api/v1/tasks/{id}/override", post(again::set_result))
        .route("/api/v1/tasks/{id}/approve", post(waits::approve))
        .route("/api/v1/tasks/{id}/reject", post(waits::reject))
        .route("/api/v1/runs/{id}/signals/{name}", post(waits::signal))
        .route("/api/v1/dead-letters", get(dead_letters::list))
        .route("/api/v1/dead-letters/{id}/replay", post(dead_letters::replay))
        .route("/api/v1/dead-letters/{id}/discard", post(dead_letters::discard))
        .route("/callbacks/{token}", post(waits::complete))
        .route("/callbacks/{token}/fail", post(waits::fail))
        .route("/callbacks/{token}/heartbeat", post(waits::heartbeat))
        .route("/api/v1/worker/reports", post(worker::reports))
        .route(
            "/api/v1/worker/payloads/{sha256}",
            get(payloads::get).put(payloads::put),
        )
        .route("/api/v1/worker/secrets", post(payloads::secrets))
        .route("/api/v1/events", post(events::publish))
        .route("/hooks/{id}", post(events::hook))
        // the paths of the commands dialect
        .route("/dags", get(workflows::list).post(workflows::publish))
        .route("/dags/upload", post(workflows::upload))
        .route("/dags/{key}/run", post(runs::start))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/cancel", post(runs::cancel))
        // the paths of the nodes dialect: submit first, trigger later
        .route("/api/v1/workflow", post(dialects::submit))
        .route("/api/v1/workflow/trigger/{id}", post(dialects::trigger))
        .route(
            "/api/v1/workflow/{id}",
            get(dialects::show).delete(dialects::cancel),
        )
        .route("/api/v1/workflow/{id}/results", get(dialects::results))
        .route_layer(from_fn_with_state(app.clone(), audited::layer))
}
