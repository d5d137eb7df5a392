//! The control channel of workers: reports in, attempts that are no longer wanted out.

use axum::extract::Request;
use http::StatusCode;
use runnel_queue::{AttemptRef, MessageError, Report};
use serde_json::json;

use super::call::{Answer, Call, Failure, detached, read};
use crate::auth::Permission;
use crate::body;
use crate::error::Code;
use crate::reply;

/// `POST /api/v1/worker/reports`. Each report is fenced by its attempt's token; invalid ones are counted and dropped.
pub(super) async fn reports(call: Call, request: Request) -> Answer {
    let (orchestrator, _) = call.open(Permission::WorkersReport)?;
    let (_, text) = read(request, body::BYTES_MAX).await?;
    let batch = runnel_queue::message::decode_reports(&text).map_err(|error| {
        let code = match &error {
            MessageError::TooLarge { .. } => Code::PayloadTooLarge,
            MessageError::NewerVersion { .. } | MessageError::Malformed(_) => Code::BadRequest,
        };
        Failure::new(code, error.to_string())
    })?;
    let unwanted = detached(async move {
        let live: Vec<AttemptRef> = batch.reports.iter().filter_map(live_attempt).cloned().collect();
        orchestrator.report(batch).await;
        orchestrator.unwanted(&live).await
    });
    Ok(reply::json(
        StatusCode::OK,
        &json!({ "unwanted": unwanted.await? }),
    ))
}

/// The attempt of a report after which the worker goes on working.
fn live_attempt(report: &Report) -> Option<&AttemptRef> {
    match report {
        Report::Started { at, .. } | Report::Heartbeat { at, .. } | Report::Log { at, .. } => Some(at),
        Report::Hello { .. } | Report::Goodbye {} | Report::Returned { .. } | Report::Completed(_) => None,
    }
}
