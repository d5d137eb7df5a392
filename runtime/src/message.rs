//! The message of an attempt, made from the run's state, its plan and a completion token.

use std::collections::BTreeMap;

use runnel_engine::run::{Category, RunState, TaskFailure, TaskStatus, dispatch_payload};
use runnel_engine::{Moment, TaskIx};
use runnel_queue::message::{MESSAGE_BYTES_MAX, MESSAGE_VERSION};
use runnel_queue::{AttemptRef, PayloadRef, TaskMessage, TokenKeys};
use serde_json::value::{RawValue, to_raw_value};

use crate::trace;
use crate::wait::CallbackAddress;
use crate::workflows::CompiledVersion;

/// What is to be sent for an attempt.
#[derive(Debug)]
pub(crate) enum Body {
    /// This text, and where it is in a trace.
    Ready(String, Option<String>),
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
    callbacks: &CallbackAddress,
    meta: &CompiledVersion,
    state: &RunState,
    ix: TaskIx,
    attempt: u32,
    moment: &Moment,
) -> Body {
    if is_wanted(state, ix, attempt) {
        body(keys, callbacks, meta, state, ix, moment)
    } else {
        Body::Gone
    }
}

/// Whether anybody waits for the end of an attempt.
pub(crate) fn is_wanted(state: &RunState, ix: TaskIx, attempt: u32) -> bool {
    let task = state.tasks.get(ix.at());
    !state.status.is_terminal() && task.is_some_and(|task| task.attempt == attempt && is_out(task.status))
}

fn body(
    keys: &TokenKeys,
    callbacks: &CallbackAddress,
    meta: &CompiledVersion,
    state: &RunState,
    ix: TaskIx,
    moment: &Moment,
) -> Body {
    let Some(mut payload) = dispatch_payload(&meta.plan, state, ix, moment) else {
        return Body::Gone;
    };
    let (run, attempt) = (state.context.id.0, payload.attempt);
    let mut input_marks = BTreeMap::new();
    if !payload.callback_mark.is_empty() {
        input_marks = callbacks.fill(&mut payload, &keys.sign_callback(run, ix.0, attempt));
    }
    let invalid = |what: &str, error: serde_json::Error| {
        Body::Refused(refusal(
            Category::Internal,
            "MESSAGE_INVALID",
            format!("{what}: {error}"),
        ))
    };
    let input_ref = PayloadRef::read(&payload.input);
    let input = if input_ref.is_some() {
        Ok(RawValue::NULL.to_owned())
    } else {
        RawValue::from_string(payload.input.to_string())
    };
    let input = match input {
        Ok(input) => input,
        Err(error) => return invalid("input", error),
    };
    let checkpoint = payload.checkpoint.as_deref().map(str::to_owned);
    let checkpoint = match checkpoint.map(RawValue::from_string).transpose() {
        Ok(checkpoint) => checkpoint,
        Err(error) => return invalid("checkpoint", error),
    };
    let metadata = match (!payload.metadata.is_empty())
        .then(|| to_raw_value(&payload.metadata))
        .transpose()
    {
        Ok(metadata) => metadata,
        Err(error) => return invalid("metadata", error),
    };
    let message = TaskMessage {
        v: MESSAGE_VERSION,
        at: AttemptRef {
            run,
            task: ix.0,
            attempt,
            token: keys.sign(run, ix.0, attempt),
        },
        namespace: meta.namespace.to_string(),
        workflow: meta.key.to_string(),
        key: state.key(&meta.plan, ix),
        kind: payload.kind,
        input,
        input_ref,
        input_marks,
        checkpoint,
        env: payload.env,
        timeout_ms: payload.timeout.map(millis),
        heartbeat_ms: payload.heartbeat.map(millis),
        deadline_us: payload.deadline.map(|at| at.0),
        idempotency_key: payload.idempotency_key,
        secrets: payload.secrets,
        secret_mark: payload.secret_mark,
        metadata,
        traceparent: trace::of_message(state, ix, attempt),
    };
    match serde_json::to_string(&message) {
        Ok(text) if text.len() > MESSAGE_BYTES_MAX => Body::Refused(too_large(text.len())),
        Ok(text) => Body::Ready(text, message.traceparent),
        Err(error) => invalid("message", error),
    }
}

/// The failure of an attempt whose message no queue carries.
fn too_large(bytes: usize) -> TaskFailure {
    let text =
        format!("the message of the attempt has {bytes} bytes, more than the limit of {MESSAGE_BYTES_MAX}");
    refusal(Category::Input, "MESSAGE_TOO_LARGE", text)
}

/// The failure of an attempt whose message the queue refused for its own sake.
pub(crate) fn refused_by_queue(reason: &str) -> TaskFailure {
    refusal(
        Category::Input,
        "MESSAGE_TOO_LARGE",
        format!("the queue refused the message of the attempt: {reason}"),
    )
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
