//! How the aliases show things: plain JSON in snake case, as in a workflow file.

use std::sync::Arc;

use runnel_engine::Timestamp;
use runnel_engine::run::Counts;
use runnel_runtime::view::{RunView, TaskView, VersionView, WorkflowView};
use runnel_runtime::{Orchestrator, Published};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::call::Failure;
use crate::schema::id;
use crate::schema::payload::{self, Part};

fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::String(at.to_rfc3339()))
}

/// A value that may be stored apart: whole up to a size, else where it is.
async fn whole(orchestrator: &Orchestrator, text: &Arc<str>, part: Part) -> Result<Arc<str>, Failure> {
    Ok(payload::whole(orchestrator, text, part, payload::RESOLVED_BYTES_MAX).await?)
}

/// Puts the output of a task in place of its reference.
pub(super) async fn fill(orchestrator: &Orchestrator, task: &mut TaskView) -> Result<(), Failure> {
    if let Some(output) = &task.output {
        task.output = Some(whole(orchestrator, output, Part::TaskOutput(task.run_id, task.ix)).await?);
    }
    Ok(())
}

/// Stored JSON text goes out as it is.
fn stored(text: Option<&str>) -> Value {
    let raw = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    raw.and_then(|raw| serde_json::to_value(raw).ok())
        .unwrap_or_default()
}

/// A workflow. Its `id` is the key, which every path takes.
pub(super) fn workflow(view: &WorkflowView) -> Value {
    json!({
        "id": view.key,
        "node_id": id::workflow(view.id).0,
        "name": view.name,
        "latest_version": view.latest_version,
        "created_at": time(Some(view.created_at)),
        "updated_at": time(Some(view.updated_at)),
    })
}

/// A workflow that was just published.
pub(super) fn published(published: &Published) -> Value {
    let mut value = workflow(&published.workflow);
    let VersionView {
        number,
        hash,
        task_count,
        ..
    } = &published.version;
    value["version"] = json!({ "number": number, "hash": hash, "task_count": task_count });
    value["is_new"] = published.is_new.into();
    value["warnings"] = serde_json::to_value(&published.reading.diagnostics).unwrap_or_default();
    value
}

/// A run without its tasks.
pub(super) async fn run(
    orchestrator: &Orchestrator,
    actor: &runnel_runtime::Actor,
    view: &RunView,
) -> Result<Value, Failure> {
    let workflows = orchestrator
        .workflows_by_id(actor, &[view.workflow_id])
        .await
        .map_err(Failure::store)?;
    let node_id = id::run(view.id).0;
    let inputs = whole(orchestrator, &view.inputs, Part::RunInputs(view.id)).await?;
    let outputs = match &view.outputs {
        Some(outputs) => Some(whole(orchestrator, outputs, Part::RunOutputs(view.id)).await?),
        None => None,
    };
    Ok(json!({
        "id": node_id,
        "run_id": node_id,
        "workflow": workflows.get(&view.workflow_id).map(|workflow| &workflow.key),
        "version": view.workflow_version,
        "status": view.status,
        "is_paused": view.is_paused,
        "has_tolerated_failures": view.has_tolerated_failures,
        "counts": counts(&view.counts),
        "inputs": stored(Some(&inputs)),
        "outputs": stored(outputs.as_deref()),
        "error": view.error,
        "priority": view.priority,
        "tags": view.tags,
        "created_at": time(Some(view.created_at)),
        "started_at": time(view.started_at),
        "finished_at": time(view.finished_at),
    }))
}

fn counts(counts: &Counts) -> Value {
    json!({
        "blocked": counts.blocked,
        "ready": counts.ready,
        "queued": counts.queued,
        "running": counts.running,
        "waiting": counts.waiting,
        "retry_wait": counts.retry_wait,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "timed_out": counts.timed_out,
        "cancelled": counts.cancelled,
        "skipped": counts.skipped,
        "cached": counts.cached,
    })
}

/// A task.
pub(super) fn task(view: &TaskView) -> Value {
    json!({
        "id": id::task(view.run_id, view.ix).0,
        "key": view.key,
        "type": view.kind,
        "status": view.status,
        "waiting_for": view.waiting_for,
        "attempt": view.attempt,
        "output": stored(view.output.as_deref()),
        "error": view.error,
        "started_at": time(view.started_at),
        "finished_at": time(view.finished_at),
    })
}

/// Tasks by key.
pub(super) fn tasks(views: &[TaskView]) -> Map<String, Value> {
    views.iter().map(|view| (view.key.clone(), task(view))).collect()
}
