//! The message of an attempt, made from the run's state, its plan and a completion token.

use std::collections::BTreeMap;

use runnel_engine::run::{Category, RunState, TaskFailure, TaskStatus};
use runnel_engine::{Moment, TaskIx};
use runnel_queue::message::{MESSAGE_BYTES_MAX, MESSAGE_VERSION};
use runnel_queue::{AttemptRef, TaskMessage, TokenKeys};
use serde_json::value::RawValue;

use crate::workflows::CompiledVersion;

/// What is to be sent for an attempt.
#[derive(Debug)]
pub(crate) enum Body {
    /// This text.
    Ready(String),
    /// Nothing: the attempt fails with this.
    Refused(TaskFailure),
    /// Nothing: the attempt is over, or its run is.
    Gone,
}

/// Whether a message of the task is out: on its way, in the queue or at a worker.
pub(crate) fn is_out(status: TaskStatus) -> bool {
    match status {
        TaskStatus::Queued | TaskStatus::Running => true,
        TaskStatus::Blocked
        | TaskStatus::Ready
        | TaskStatus::Waiting
        | TaskStatus::RetryWait
        | TaskStatus::Succeeded
        | TaskStatus::Failed
        | TaskStatus::TimedOut
        | TaskStatus::Cancelled
        | TaskStatus::Skipped
        | TaskStatus::Cached => false,
    }
}

/// The message of an attempt that is still to be executed.
pub(crate) fn body_if_wanted(
    keys: &TokenKeys,
    meta: &CompiledVersion,
    state: &RunState,
    ix: TaskIx,
    attempt: u32,
    moment: &Moment,
) -> Body {
    match state.tasks.get(ix.at()) {
        Some(task) if task.attempt == attempt && is_out(task.status) && !state.status.is_terminal() => {
            body(keys, meta, state, ix, moment)
        }
        Some(_) | None => Body::Gone,
    }
}

fn body(keys: &TokenKeys, meta: &CompiledVersion, state: &RunState, ix: TaskIx, moment: &Moment) -> Body {
    let _ = moment;
    let task = &state.tasks[ix.at()];
    let definition = meta.plan.task(task.template);
    let (run, attempt) = (state.context.id.0, task.attempt);
    let input = task.input.as_deref().unwrap_or("null").to_owned();
    let input = match RawValue::from_string(input) {
        Ok(input) => input,
        Err(error) => return Body::Refused(refusal(Category::Internal, "INPUT_INVALID", error.to_string())),
    };
    let metadata = (!definition.metadata.is_empty()).then(|| serde_json::value::to_raw_value(&definition.metadata));
    let message = TaskMessage {
        v: MESSAGE_VERSION,
        at: AttemptRef { run, task: ix.0, attempt, token: keys.sign(run, ix.0, attempt) },
        namespace: meta.namespace.to_string(),
        workflow: meta.key.to_string(),
        key: state.key(&meta.plan, ix),
        kind: definition.kind.clone(),
        input,
        env: BTreeMap::new(),
        timeout_ms: definition.timeout.map(millis),
        heartbeat_ms: definition.heartbeat.map(millis),
        deadline_us: task.wake_at.map(|at| at.0),
        idempotency_key: format!("{run}/{}", ix.0),
        secrets: Vec::new(),
        secret_mark: String::new(),
        metadata: metadata.and_then(Result::ok),
        traceparent: None,
    };
    match serde_json::to_string(&message) {
        Ok(text) if text.len() > MESSAGE_BYTES_MAX => Body::Refused(too_large(text.len())),
        Ok(text) => Body::Ready(text),
        Err(error) => Body::Refused(refusal(Category::Internal, "MESSAGE_INVALID", error.to_string())),
    }
}

/// The failure of an attempt whose message no queue carries.
pub(crate) fn too_large(bytes: usize) -> TaskFailure {
    let text = format!("the message of the attempt has {bytes} bytes, more than the limit of {MESSAGE_BYTES_MAX}");
    refusal(Category::Input, "MESSAGE_TOO_LARGE", text)
}

/// The failure of an attempt whose message the queue refused for its own sake.
pub(crate) fn refused_by_queue(reason: &str) -> TaskFailure {
    refusal(Category::Input, "MESSAGE_TOO_LARGE", format!("the queue refused the message of the attempt: {reason}"))
}

fn refusal(category: Category, code: &str, message: String) -> TaskFailure {
    TaskFailure {
        category,
        code: code.to_owned(),
        message,
        details: None,
        retryable: false,
        traceback: None,
        retry_after_ms: None,
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
