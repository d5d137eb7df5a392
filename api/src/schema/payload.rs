//! Large values: whole where they are small enough for an answer, else by their beginning and an address to download from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_graphql::{Context, SimpleObject};
use runnel_engine::{RunId, TaskIx};
use runnel_queue::PayloadRef;
use runnel_runtime::Orchestrator;
use runnel_runtime::payload::PayloadText;
use serde_json::json;

use super::id;
use super::scalars::Json;
use super::session::open;
use crate::auth::Permission;
use crate::error::ApiError;

/// Values that are stored apart are put into an answer up to this size; a larger one is replaced by where it is.
pub(crate) const RESOLVED_BYTES_MAX: u64 = 1 << 20;

/// The same for all values of one request together.
const REQUEST_BYTES_MAX: u64 = 16 << 20;

/// Longest preview.
const PREVIEW_BYTES_MAX: i32 = 64 << 10;

/// What is left of [`REQUEST_BYTES_MAX`] for a request.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU64::new(REQUEST_BYTES_MAX))
    }
}

impl Budget {
    /// How large the next value may be.
    fn take(&self, bytes: u64) -> u64 {
        let take = |left: u64| left.checked_sub(bytes);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
            Ok(_) => bytes,
            Err(left) => left,
        }
    }
}

/// An input or output as far as it is wanted. Values above the server's inline limit are stored apart; this never reads more of
/// them than asked for.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct PayloadView {
    /// The beginning of its JSON text, `maxBytes` at most and cut at a character; JSON only when `isTruncated` is false.
    inline: String,
    /// Whether there is more than `inline`.
    is_truncated: bool,
    /// Size of the whole JSON text.
    bytes: f64,
    /// SHA-256 of the whole JSON text, in hex.
    sha256: String,
    /// Path to download the whole from, relative to the server; it needs the same permission as this query.
    download_url: String,
}

/// Which value of a run or task.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Inputs of a run.
    RunInputs(RunId),
    /// Outputs of a run.
    RunOutputs(RunId),
    /// Input of a task.
    TaskInput(RunId, TaskIx),
    /// Output of a task.
    TaskOutput(RunId, TaskIx),
}

impl Part {
    /// Where it can be downloaded.
    pub(crate) fn url(self) -> String {
        match self {
            Self::RunInputs(run) => format!("/api/v1/runs/{}/inputs", id::run(run).0),
            Self::RunOutputs(run) => format!("/api/v1/runs/{}/outputs", id::run(run).0),
            Self::TaskInput(run, ix) => format!("/api/v1/tasks/{}/input", id::task(run, ix).0),
            Self::TaskOutput(run, ix) => format!("/api/v1/tasks/{}/output", id::task(run, ix).0),
        }
    }
}

/// The value of a view's text, or where it is.
pub(crate) async fn value(ctx: &Context<'_>, text: &Arc<str>, part: Part) -> Result<Json, ApiError> {
    let Some(reference) = PayloadRef::read(text) else {
        return Json::from_text(text);
    };
    let session = open(ctx, Permission::RunsRead)?;
    let wanted = reference.bytes.min(RESOLVED_BYTES_MAX);
    let allowed = ctx
        .data_opt::<Budget>()
        .map_or(wanted, |budget| budget.take(wanted));
    let text = whole(session.orchestrator, text, part, allowed).await?;
    Json::from_text(&text)
}

/// JSON text of a view's text up to a size, or of where it is.
pub(crate) async fn whole(
    orchestrator: &Orchestrator,
    text: &Arc<str>,
    part: Part,
    bytes_max: u64,
) -> Result<Arc<str>, ApiError> {
    let found = orchestrator.payload_text(text, bytes_max).await;
    match found.map_err(|e| ApiError::store(&e))? {
        PayloadText::Whole(text) => Ok(text),
        PayloadText::TooLarge(PayloadRef { sha256, bytes }) => {
            let place = json!({ "sha256": sha256, "bytes": bytes, "downloadUrl": part.url() });
            Ok(json!({ "$payload": place }).to_string().into())
        }
    }
}

/// The beginning of a value.
pub(crate) async fn view(
    ctx: &Context<'_>,
    text: Option<&Arc<str>>,
    part: Part,
    max_bytes: i32,
) -> Result<Option<PayloadView>, ApiError> {
    let session = open(ctx, Permission::RunsRead)?;
    if !(0..=PREVIEW_BYTES_MAX).contains(&max_bytes) {
        return Err(ApiError::input(format!(
            "`maxBytes` must be from 0 to {PREVIEW_BYTES_MAX}"
        )));
    }
    let Some(text) = text else { return Ok(None) };
    let bytes_max = usize::try_from(max_bytes).unwrap_or_default();
    let found = session.orchestrator.payload_preview(text, bytes_max).await;
    let found = found.map_err(|e| ApiError::store(&e))?;
    Ok(Some(PayloadView {
        inline: found.inline,
        is_truncated: found.is_truncated,
        bytes: found.reference.bytes as f64,
        sha256: found.reference.sha256,
        download_url: part.url(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_gets_no_more_than_its_budget() {
        let budget = Budget::default();
        let given: u64 = (0..40)
            .map(|_| budget.take(RESOLVED_BYTES_MAX))
            .filter(|n| *n == RESOLVED_BYTES_MAX)
            .sum();
        assert_eq!(given, REQUEST_BYTES_MAX);
        assert_eq!(budget.take(1), 0);
    }
}
