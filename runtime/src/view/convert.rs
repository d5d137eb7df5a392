//! From rows to views. A row that cannot be read is named in the error and stops nothing but its own reader.

use std::sync::Arc;

use runnel_engine::run::{Approval, Counts, RunStatus, TaskFailure, TaskStatus, wait_kind};
use runnel_engine::source::Dialect;
use runnel_engine::trigger::RunTrigger;
use runnel_engine::{RunId, TaskIx, Timestamp, WorkflowId, WorkflowVersionId};
use runnel_entity::{run, task, task_log, worker, workflow, workflow_version};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{LogView, ParentView, RunView, TaskView, VersionView, WorkerView, WorkflowView};
use crate::error::StoreError;

pub(crate) fn corrupt(table: &'static str, problem: impl Into<String>) -> StoreError {
    StoreError::Corrupt {
        table,
        problem: problem.into(),
    }
}

/// Parses a JSON column.
pub(crate) fn json<T: DeserializeOwned>(
    table: &'static str,
    id: impl std::fmt::Display,
    column: &str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(table, format!("{column} of {id}: {error}")))
}

pub(crate) fn run_status(row: &run::Model) -> Result<RunStatus, StoreError> {
    RunStatus::from_code(row.status)
        .ok_or_else(|| corrupt("run", format!("status {} of {}", row.status, row.id)))
}

pub(crate) fn task_status(run: uuid::Uuid, ix: i32, code: i16) -> Result<TaskStatus, StoreError> {
    TaskStatus::from_code(code).ok_or_else(|| corrupt("task", format!("status {code} of {run}/{ix}")))
}

pub(crate) fn task_ix(ix: i32) -> TaskIx {
    TaskIx(u32::try_from(ix).unwrap_or(0))
}

/// Columns hold these as signed numbers; a negative one cannot have been written.
fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Name of a dialect in the `dialect` column.
pub(crate) fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V1 => "v1",
        Dialect::Actions => "actions",
        Dialect::Commands => "commands",
        Dialect::Nodes => "nodes",
    }
}

fn dialect_from(row: &workflow_version::Model) -> Result<Dialect, StoreError> {
    [Dialect::V1, Dialect::Actions, Dialect::Commands, Dialect::Nodes]
        .into_iter()
        .find(|dialect| dialect_name(*dialect) == row.dialect)
        .ok_or_else(|| {
            corrupt(
                "workflow_version",
                format!("dialect `{}` of {}", row.dialect, row.id),
            )
        })
}

pub(crate) fn workflow_from_row(row: workflow::Model) -> WorkflowView {
    WorkflowView {
        id: WorkflowId(row.id),
        key: row.key,
        name: row.name,
        latest_version: row.latest_version,
        created_at: Timestamp(row.created_at),
        updated_at: Timestamp(row.updated_at),
    }
}

pub(crate) fn version_from_row(row: workflow_version::Model) -> Result<VersionView, StoreError> {
    let dialect = dialect_from(&row)?;
    Ok(VersionView {
        id: WorkflowVersionId(row.id),
        workflow_id: WorkflowId(row.workflow_id),
        number: row.number,
        hash: row.hash,
        source: row.source,
        dialect,
        task_count: row.task_count,
        created_at: Timestamp(row.created_at),
        created_by: row.created_by,
    })
}

pub(crate) fn run_from_row(row: run::Model) -> Result<RunView, StoreError> {
    let status = run_status(&row)?;
    let id = row.id;
    let error = row
        .error
        .as_deref()
        .map(|text| json::<TaskFailure>("run", id, "error", text))
        .transpose()?;
    Ok(RunView {
        id: RunId(id),
        workflow_id: WorkflowId(row.workflow_id),
        workflow_version_id: WorkflowVersionId(row.workflow_version_id),
        workflow_version: row.workflow_version,
        status,
        is_paused: row.is_paused,
        priority: u8::try_from(row.priority).unwrap_or(0),
        tags: json("run", id, "tags", &row.tags)?,
        idempotency_key: row.idempotency_key,
        counts: json::<Counts>("run", id, "counts", &row.counts)?,
        has_tolerated_failures: row.has_tolerated_failures,
        error,
        has_payloads: true,
        inputs: Arc::from(row.inputs),
        outputs: row.outputs.map(Arc::from),
        created_at: Timestamp(row.created_at),
        created_by: row.created_by,
        started_at: row.started_at.map(Timestamp),
        finished_at: row.finished_at.map(Timestamp),
        wake_at: row.wake_at.map(Timestamp),
        trigger: trigger_of(id, &row.extra)?,
        last_seq: row.next_seq - 1,
        parent: row.parent_run_id.map(|parent| ParentView {
            run: RunId(parent),
            task: task_ix(row.parent_ix.unwrap_or_default()),
            attempt: unsigned(row.parent_attempt.unwrap_or_default()),
        }),
        depth: unsigned(row.depth),
        rerun_of: row
            .rerun_of
            .as_deref()
            .and_then(|id| uuid::Uuid::try_parse(id).ok())
            .map(RunId),
    })
}

/// What the engine keeps of a run is its own; what started it is shown.
#[derive(Deserialize)]
struct Started {
    trigger: Option<RunTrigger>,
}

fn trigger_of(id: uuid::Uuid, extra: &str) -> Result<Option<RunTrigger>, StoreError> {
    // most runs have none, and parse nothing
    if !extra.contains("\"trigger\"") {
        return Ok(None);
    }
    Ok(json::<Started>("run", id, "extra", extra)?.trigger)
}

/// `waiting_for` is left empty: it depends on the run and on the workers.
pub(crate) fn task_from_row(row: task::Model) -> Result<TaskView, StoreError> {
    let status = task_status(row.run_id, row.ix, row.status)?;
    let id = format!("{}/{}", row.run_id, row.ix);
    let error = row
        .error
        .as_deref()
        .map(|text| json::<TaskFailure>("task", &id, "error", text))
        .transpose()?;
    let progress = row
        .progress
        .as_deref()
        .map(|text| json("task", &id, "progress", text))
        .transpose()?;
    let extra = row.extra.as_deref();
    let wait_kind = (status == TaskStatus::Waiting)
        .then(|| wait_kind(extra))
        .flatten();
    let approval = (row.kind == "approval")
        .then(|| Approval::of_extra(extra))
        .flatten()
        .map(Arc::new);
    Ok(TaskView {
        run_id: RunId(row.run_id),
        ix: task_ix(row.ix),
        template: task_ix(row.template),
        key: row.key,
        kind: row.kind,
        queue: row.queue,
        status,
        attempt: unsigned(row.attempt),
        retries: unsigned(row.retries),
        losses: unsigned(row.losses),
        worker: row.worker,
        has_payloads: true,
        input: row.input.map(Arc::from),
        output: row.output.map(Arc::from),
        error,
        progress,
        checkpoint: row.checkpoint.map(Arc::from),
        wake_at: row.wake_at.map(Timestamp),
        ready_at: row.ready_at.map(Timestamp),
        queued_at: row.queued_at.map(Timestamp),
        started_at: row.started_at.map(Timestamp),
        finished_at: row.finished_at.map(Timestamp),
        approval,
        wait_kind,
        waiting_for: None,
    })
}

pub(crate) fn log_from_row(row: task_log::Model) -> Result<LogView, StoreError> {
    Ok(LogView {
        cursor: row.id,
        task: task_ix(row.ix),
        attempt: unsigned(row.attempt),
        lines: json("task_log", row.id, "lines", &row.lines)?,
    })
}

pub(crate) fn worker_from_row(row: worker::Model) -> Result<WorkerView, StoreError> {
    Ok(WorkerView {
        types: json("worker", &row.id, "types", &row.types)?,
        name: row.id,
        queue: row.queue,
        slots: unsigned(row.slots),
        started_at: Timestamp(row.started_at),
        seen_at: Timestamp(row.seen_at),
        left_at: row.left_at.map(Timestamp),
    })
}
