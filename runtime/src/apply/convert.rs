//! Between stored rows and the engine's state. A row that cannot be understood is an error that names it, never a guess.

use std::sync::Arc;

use runnel_engine::run::{Counts, Item, RunContext, RunState, RunStatus, TaskState, TaskStatus};
use runnel_engine::{Plan, RunId, TaskIx, Timestamp};
use runnel_entity::{run, task};
use runnel_queue::PayloadRef;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::offload::Stored;
use crate::error::StoreError;

/// What is stored of the item of a fan-out.
#[derive(Serialize, Deserialize)]
struct StoredItem {
    parent: u32,
    index: u32,
    key: String,
    value: Box<RawValue>,
    /// Where the value is when it is too large for the row; `value` is null then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value_ref: Option<PayloadRef>,
}

/// How the text of an item with a large value ends; no other does, because keys of JSON come in the order of the fields.
const LARGE_ITEM: &str = "}}";

/// Where the value of a stored item is, when it is not in its row.
pub(crate) fn large_item(text: &str) -> Option<PayloadRef> {
    // small items, which are nearly all, are not parsed for it
    if !text.ends_with(LARGE_ITEM) || !text.contains("\"value\":null,\"value_ref\":{") {
        return None;
    }
    parse::<StoredItem>(text).ok()?.value_ref
}

/// A stored item with its value in place of the reference.
pub(super) fn item_with_value(text: &str, value: &str) -> Result<String, StoreError> {
    let mut item: StoredItem = parse(text).map_err(|problem| corrupt("task", problem))?;
    item.value = RawValue::from_string(value.to_owned())
        .map_err(|e| corrupt("task", format!("item {} is not JSON: {e}", item.key)))?;
    item.value_ref = None;
    json_text(&item)
}

/// JSON text of an item.
pub(super) fn item_text(item: &Item, stored: &Stored) -> Result<String, StoreError> {
    let value_ref = PayloadRef::read(stored.of(&item.value));
    let value = if value_ref.is_some() { "null" } else { &item.value };
    let value = RawValue::from_string(value.to_owned())
        .map_err(|e| corrupt("task", format!("item {} is not JSON: {e}", item.key)))?;
    json_text(&StoredItem {
        parent: item.parent.0,
        index: item.index,
        key: item.key.to_string(),
        value,
        value_ref,
    })
}

/// JSON text of a value that the engine made.
pub(super) fn json_text<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| corrupt("run", format!("a value has no JSON form: {e}")))
}

/// The state of a run from its rows; the tasks must be complete and in index order.
pub(super) fn state(plan: &Plan, row: &run::Model, tasks: Vec<task::Model>) -> Result<RunState, StoreError> {
    let bad = |what: String| corrupt("run", format!("{}: {what}", row.id));
    let mut states = Vec::with_capacity(tasks.len());
    for (at, task) in tasks.into_iter().enumerate() {
        if usize::try_from(task.ix) != Ok(at) {
            return Err(bad(format!("task {at} is missing")));
        }
        states.push(task_state(plan, task)?);
    }
    if states.len() < plan.len() {
        return Err(bad(format!("has {} tasks of {}", states.len(), plan.len())));
    }
    let state = RunState {
        context: RunContext {
            id: RunId(row.id),
            inputs: Arc::new(parse(&row.inputs).map_err(&bad)?),
            vars: Arc::new(parse(&row.vars).map_err(&bad)?),
            workflow_version: row.workflow_version,
            priority: u8::try_from(row.priority).map_err(|_| bad(format!("priority {}", row.priority)))?,
            created_at: Timestamp(row.created_at),
            created_by: Arc::from(row.created_by.as_str()),
        },
        status: RunStatus::from_code(row.status).ok_or_else(|| bad(format!("status {}", row.status)))?,
        is_paused: row.is_paused,
        next_seq: row.next_seq,
        wake_at: row.wake_at.map(Timestamp),
        started_at: row.started_at.map(Timestamp),
        finished_at: row.finished_at.map(Timestamp),
        outputs: row.outputs.as_deref().map(Arc::from),
        error: row.error.as_deref().map(parse).transpose().map_err(&bad)?,
        has_tolerated_failures: row.has_tolerated_failures,
        tasks: states,
        counts: parse::<Counts>(&row.counts).map_err(&bad)?,
        extra: parse(&row.extra).map_err(&bad)?,
    };
    Ok(RunState::restore(plan, state))
}

fn task_state(plan: &Plan, row: task::Model) -> Result<TaskState, StoreError> {
    let name = format!("{} {}", row.run_id, row.ix);
    let bad = |what: String| corrupt("task", format!("{name}: {what}"));
    let count = |n: i32| u32::try_from(n).map_err(|_| bad(format!("negative number {n}")));
    let template = TaskIx(count(row.template)?);
    if template.at() >= plan.len() {
        return Err(bad(format!("template {}", row.template)));
    }
    let item = row
        .item
        .as_deref()
        .map(parse::<StoredItem>)
        .transpose()
        .map_err(&bad)?
        .map(|item| Item {
            parent: TaskIx(item.parent),
            index: item.index,
            key: item.key.into(),
            value: Box::<str>::from(item.value).into(),
        });
    let is_output_read = plan.is_output_read(template) || item.is_some();
    Ok(TaskState {
        template,
        item,
        status: TaskStatus::from_code(row.status).ok_or_else(|| bad(format!("status {}", row.status)))?,
        attempt: count(row.attempt)?,
        retries: count(row.retries)?,
        losses: count(row.losses)?,
        wake_at: row.wake_at.map(Timestamp),
        ready_at: row.ready_at.map(Timestamp),
        queued_at: row.queued_at.map(Timestamp),
        started_at: row.started_at.map(Timestamp),
        heartbeat_at: row.heartbeat_at.map(Timestamp),
        finished_at: row.finished_at.map(Timestamp),
        worker: row.worker.map(Arc::from),
        input: row.input.map(Arc::from),
        output: row.output.filter(|_| is_output_read).map(Arc::from),
        error: row.error.as_deref().map(parse).transpose().map_err(&bad)?,
        progress: row.progress.map(Arc::from),
        checkpoint: row.checkpoint.map(Arc::from),
        extra: row.extra.map(Arc::from),
    })
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}

pub(super) fn corrupt(table: &'static str, problem: String) -> StoreError {
    StoreError::Corrupt { table, problem }
}
