//! Executes one attempt: secrets, time limit, panic, cancel, output cap. Knows neither queue nor sink.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use runnel_queue::payload::INLINE_BYTES_DEFAULT;
use runnel_queue::{AttemptRef, Failure, FailureCategory, LogStream, Outcome, TaskMessage};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::clock;
use crate::control::Control;
use crate::log::{AttemptLog, truncate};
use crate::panic;
use crate::running::{Held, StopReason};
use crate::secret::{self, Redactor, Secrets};
use crate::supply::Supplies;
use crate::task::{Handler, TaskContext, TaskError};

/// Outputs above this many bytes of JSON go to the payload store; the orchestrator stores what is smaller in its rows.
const INLINE_BYTES_MAX: usize = INLINE_BYTES_DEFAULT;

const MESSAGE_BYTES_MAX: usize = 8 * 1024;
const TRACEBACK_BYTES_MAX: usize = 32 * 1024;
const DETAILS_BYTES_MAX: usize = 64 * 1024;

/// How an attempt left the worker.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With a result to report.
    Completed(Outcome),
    /// Unfinished: another worker shall have it.
    Returned,
    /// Nobody wants to hear of it; the message can go.
    Unwanted,
    /// Another worker has the message; it will report.
    Lost,
}

/// Executes the attempt.
pub(crate) async fn execute(
    message: &TaskMessage,
    handler: Arc<dyn Handler>,
    held: &Held,
    control: &Control,
    supplies: &Supplies,
) -> (Ended, AttemptLog) {
    let (ctx, redactor) = match prepare(message, held, supplies).await {
        Ok(ready) => ready,
        Err(error) => return (failed(error), AttemptLog::new(Redactor::default())),
    };
    let log = ctx.log.clone();
    if let Some(error) = refusal(message, &ctx.input) {
        return (failed(error), log);
    }
    let ended = match supervise(&ctx, handler, held, control).await {
        Verdict::Result(result) => Ended::Completed(outcome(result, &redactor, &held.at, supplies).await),
        Verdict::Stopped(StopReason::Drain) => Ended::Returned,
        Verdict::Stopped(StopReason::Unwanted) => Ended::Unwanted,
        Verdict::Stopped(StopReason::ReceiptLost) => Ended::Lost,
    };
    (ended, log)
}

/// What the attempt needs from elsewhere: secrets, and an input that is too large for its message.
async fn prepare(
    message: &TaskMessage,
    held: &Held,
    supplies: &Supplies,
) -> Result<(TaskContext, Redactor), TaskError> {
    let secrets = Secrets::resolve(message, supplies).await?;
    match &message.input_ref {
        Some(reference) => {
            let input = supplies.fetch(&message.at, reference).await?;
            context(message, &input, secrets, held)
        }
        None => context(message, &message.input, secrets, held),
    }
}

enum Verdict {
    Result(Result<Value, TaskError>),
    Stopped(StopReason),
}

/// Polls the handler and sends its log until it ends, its time is over or it is stopped.
async fn supervise(ctx: &TaskContext, handler: Arc<dyn Handler>, held: &Held, control: &Control) -> Verdict {
    let work = panic::caught(handler.execute(ctx));
    let pump = ctx.log.pump(&held.at, control);
    let limit = async {
        match ctx.timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(work, pump);
    let is_timeout = tokio::select! {
        // a handler that watches the stop may end in the same moment
        result = &mut work => return verdict(held.stop_reason(), Some(result)),
        never = &mut pump => match never {},
        () = limit => true,
        () = held.stop.cancelled() => false,
    };
    ctx.cancelled.cancel();
    let result = tokio::select! {
        result = &mut work => Some(result),
        never = &mut pump => match never {},
        () = tokio::time::sleep(held.stop_grace) => None,
    };
    if is_timeout {
        return Verdict::Result(Err(timed_out(ctx.timeout.unwrap_or_default())));
    }
    verdict(held.stop_reason(), result)
}

/// A success that was reached in spite of a drain counts; a failure then is only the drain's.
fn verdict(reason: Option<StopReason>, result: Option<Result<Value, TaskError>>) -> Verdict {
    match (reason, result) {
        (None, Some(result)) => Verdict::Result(result),
        (Some(StopReason::Drain), Some(Ok(output))) => Verdict::Result(Ok(output)),
        (Some(reason), _) => Verdict::Stopped(reason),
        (None, None) => Verdict::Stopped(StopReason::Drain),
    }
}

fn timed_out(timeout: Duration) -> TaskError {
    let message = format!("the attempt took longer than its timeout of {timeout:?}");
    TaskError::new(FailureCategory::Timeout, "TIMEOUT", message).retryable()
}

fn context(
    message: &TaskMessage,
    input: &RawValue,
    secrets: Secrets,
    held: &Held,
) -> Result<(TaskContext, Redactor), TaskError> {
    let invalid = |e: serde_json::Error| TaskError::input(format!("the input is not valid JSON: {e}"));
    let mut input: Value = serde_json::from_str(input.get()).map_err(invalid)?;
    let metadata = message
        .metadata
        .as_ref()
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(invalid)?;
    let mut env = message.env.clone();
    let checkpoint = message
        .checkpoint
        .as_ref()
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(invalid)?;
    if message.input_ref.is_some() {
        secret::fill(&mut input, &message.input_marks);
    }
    secrets.reveal(&mut input);
    secrets.reveal_env(&mut env);
    let redactor = secrets.into_redactor();
    let ctx = TaskContext {
        namespace: message.namespace.clone(),
        workflow: message.workflow.clone(),
        run: message.at.run.to_string(),
        key: message.key.clone(),
        kind: message.kind.clone(),
        attempt: message.at.attempt,
        input,
        env,
        metadata,
        timeout: message.timeout_ms.map(Duration::from_millis),
        idempotency_key: message.idempotency_key.clone(),
        traceparent: message.traceparent.clone(),
        cancelled: held.stop.child_token(),
        log: AttemptLog::new(redactor.clone()),
        checkpoint,
        said: Arc::clone(&held.said),
    };
    Ok((ctx, redactor))
}

/// Why the attempt is not even tried.
fn refusal(message: &TaskMessage, input: &Value) -> Option<TaskError> {
    if message
        .deadline_us
        .is_some_and(|deadline| clock::now_us() > deadline)
    {
        let text = "the deadline passed before a worker had room";
        return Some(TaskError::new(FailureCategory::Timeout, "DEADLINE_EXPIRED", text));
    }
    if input.get("simulate_failure").and_then(Value::as_bool) == Some(true) {
        let text = "the input asks for a failure (`simulate_failure: true`)";
        return Some(TaskError::new(FailureCategory::User, "SIMULATED", text).retryable());
    }
    None
}

fn failed(error: TaskError) -> Ended {
    Ended::Completed(Outcome::Error(error.into_failure()))
}

async fn outcome(
    result: Result<Value, TaskError>,
    redactor: &Redactor,
    at: &AttemptRef,
    supplies: &Supplies,
) -> Outcome {
    let outcome = match result {
        Ok(mut output) => {
            redactor.value(&mut output);
            encode_output(&output, at, supplies).await
        }
        Err(error) => Err(error),
    };
    outcome.unwrap_or_else(|error| {
        let mut failure = error.into_failure();
        redactor.failure(&mut failure);
        cap_failure(&mut failure);
        Outcome::Error(failure)
    })
}

/// Secrets are out of the output by now: nothing else is ever stored.
async fn encode_output(output: &Value, at: &AttemptRef, supplies: &Supplies) -> Result<Outcome, TaskError> {
    let encoded =
        to_raw_value(output).map_err(|e| TaskError::internal(format!("the output is not JSON: {e}")))?;
    if encoded.get().len() <= INLINE_BYTES_MAX {
        return Ok(Outcome::Output(encoded));
    }
    let text: Box<str> = encoded.into();
    let value = Bytes::from(text.into_string());
    supplies.store(at, value).await.map(Outcome::OutputRef)
}

fn cap_failure(failure: &mut Failure) {
    truncate(&mut failure.message, MESSAGE_BYTES_MAX);
    if let Some(traceback) = &mut failure.traceback {
        truncate(traceback, TRACEBACK_BYTES_MAX);
    }
    if failure
        .details
        .as_ref()
        .is_some_and(|details| details.to_string().len() > DETAILS_BYTES_MAX)
    {
        failure.details = None;
    }
}

/// Writes a line of the worker itself into the log of an attempt.
pub(crate) fn note(log: &AttemptLog, text: &str) {
    log.push(LogStream::System, text.to_owned());
}
