//! The wire format, JSON, version 1. Additive changes keep the version; anything else raises it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::payload::PayloadRef;

/// Version written and the newest one understood.
pub const MESSAGE_VERSION: u32 = 1;

/// Largest message in bytes: the limit of SQS for a message and for a batch.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Largest checkpoint in bytes of JSON; a larger one is left out, and the log of the attempt says so.
pub const CHECKPOINT_BYTES_MAX: usize = 64 << 10;

/// Longest message of a progress, in bytes; the rest of a longer one is cut off.
pub const PROGRESS_MESSAGE_BYTES_MAX: usize = 500;

/// Which attempt of which task; the fence of every report.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AttemptRef {
    /// The run.
    pub run: Uuid,
    /// Index of the task in the run.
    pub task: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Completion token: HMAC over run, task and attempt (see [`crate::token`]).
    pub token: String,
}

/// One task to execute: everything that a worker needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskMessage {
    /// [`MESSAGE_VERSION`].
    pub v: u32,
    /// The fence.
    #[serde(flatten)]
    pub at: AttemptRef,
    /// Namespace of the run.
    pub namespace: String,
    /// Key of the workflow.
    pub workflow: String,
    /// Key of the task, with `[item]` for an item of a fan-out.
    pub key: String,
    /// Task type, as `http` or `shell`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Resolved input; secrets appear as marks (see `secrets`). `null` when it is in the payload store.
    pub input: Box<RawValue>,
    /// Where the input is when it is too large for the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_ref: Option<PayloadRef>,
    /// Texts that occur in the input at `input_ref`, and what the worker puts in their places: what is made only when a message is
    /// rendered, as a callback's token, is in no stored value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_marks: BTreeMap<String, String>,
    /// Resolved environment of commands.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Longest time of this attempt in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Longest gap between heartbeats in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_ms: Option<u64>,
    /// Moment after which the result is not wanted (microseconds since the epoch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_us: Option<i64>,
    /// The same for all attempts of the task; for use in side effects.
    pub idempotency_key: String,
    /// Names of the secrets whose marks `‹secret:NAME:mark›` occur in `input` or `env`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The unguessable part of the secret marks of this message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub secret_mark: String,
    /// The last checkpoint that an earlier attempt of the task has reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Box<RawValue>>,
    /// Kept from foreign dialects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
    /// W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What a worker tells the orchestrator; several travel in one message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportBatch {
    /// [`MESSAGE_VERSION`].
    pub v: u32,
    /// Name of the worker.
    pub worker: String,
    /// The reports, in the order in which they happened.
    pub reports: Vec<Report>,
}

/// One report.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "wire::ReportFields")]
pub enum Report {
    /// The worker is there: sent at start and every 30 s.
    Hello {
        /// Task types it has handlers for.
        types: Vec<String>,
        /// Task queue it receives from.
        queue: String,
        /// Attempts it runs at once.
        slots: u32,
    },
    /// The worker leaves; it takes no more tasks.
    Goodbye {},
    /// An attempt that has run for a while (over 200 ms) has begun.
    Started {
        /// The attempt.
        #[serde(flatten)]
        at: AttemptRef,
        /// When (microseconds since the epoch, worker's clock).
        started_us: i64,
    },
    /// The attempt is alive.
    Heartbeat {
        /// The attempt.
        #[serde(flatten)]
        at: AttemptRef,
        /// How far it is, as the JSON of a [`Progress`], where that changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<Progress>,
        /// What another attempt would need to go on from here, where that changed; at most [`CHECKPOINT_BYTES_MAX`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<Box<RawValue>>,
    },
    /// Log lines of an attempt.
    Log {
        /// The attempt.
        #[serde(flatten)]
        at: AttemptRef,
        /// The lines, in order.
        lines: Vec<LogLine>,
    },
    /// The attempt is handed back unfinished (drain, too little time left).
    Returned {
        /// The attempt.
        #[serde(flatten)]
        at: AttemptRef,
        /// Why, one sentence.
        reason: String,
    },
    /// The attempt ended.
    Completed(Attempt),
}

/// The end of an attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// The attempt.
    #[serde(flatten)]
    pub at: AttemptRef,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Begin of execution (microseconds since the epoch, worker's clock).
    pub started_us: i64,
    /// End of execution.
    pub finished_us: i64,
    /// What it took, as far as that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// W3C trace context of the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// What an attempt took; what was not measured is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Time of the handler in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_us: Option<u64>,
    /// CPU time of its processes in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<u64>,
    /// Most memory that one of its processes had, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_bytes: Option<u64>,
    /// Bytes of its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// How far an attempt is, as it says itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// From 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
    /// Units done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<f64>,
    /// Units there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// One sentence; at most [`PROGRESS_MESSAGE_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Output as JSON.
    Output(Box<RawValue>),
    /// Output that is too large for a message; it is in the payload store.
    OutputRef(PayloadRef),
    /// Classified failure.
    Error(Failure),
}

/// A classified failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind; decides about a retry.
    pub category: FailureCategory,
    /// Stable code within the category.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Structured details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// Whether another attempt may succeed.
    pub retryable: bool,
    /// Traceback where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// `Retry-After` of the other side, in milliseconds from the end of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// Kind of a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "explained in docs/semantics.md")]
pub enum FailureCategory {
    User,
    Timeout,
    Lost,
    RateLimited,
    Unavailable,
    Expression,
    Input,
    Unauthorised,
    Internal,
}

/// One line of output of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When (microseconds since the epoch, worker's clock).
    pub at_us: i64,
    /// From which stream.
    pub stream: LogStream,
    /// The text without its line end; at most 16 KiB.
    pub text: String,
}

/// Where a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output of a command.
    Stdout,
    /// Standard error of a command.
    Stderr,
    /// The worker or handler itself.
    System,
}

/// Why a message cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Written by a newer Runnel: keep it for a newer reader.
    #[error("message version {found} is newer than {understood}; upgrade this process to read it")]
    NewerVersion {
        /// Version of the message.
        found: u32,
        /// Newest version understood here.
        understood: u32,
    },
    /// Not a Runnel message at all.
    #[error("message is not valid: {0}")]
    Malformed(String),
    /// Over the limit.
    #[error("message has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

/// Writes a task message.
///
/// # Errors
/// [`MessageError::TooLarge`] when it exceeds [`MESSAGE_BYTES_MAX`].
pub fn encode_task(message: &TaskMessage) -> Result<String, MessageError> {
    encode(message)
}

/// Writes a batch of reports.
///
/// # Errors
/// [`MessageError::TooLarge`] when it exceeds [`MESSAGE_BYTES_MAX`].
pub fn encode_reports(batch: &ReportBatch) -> Result<String, MessageError> {
    encode(batch)
}

/// Reads a task message. A newer version is refused even where it could be read, so that it is never misread.
///
/// # Errors
/// [`MessageError`] tells a newer version (keep) from a malformed text (poison).
pub fn decode_task(body: &str) -> Result<TaskMessage, MessageError> {
    decode(body, |message: &TaskMessage| message.v)
}

/// As [`decode_task`], for reports.
///
/// # Errors
/// See [`decode_task`].
pub fn decode_reports(body: &str) -> Result<ReportBatch, MessageError> {
    decode(body, |batch: &ReportBatch| batch.v)
}

fn encode<T: Serialize>(message: &T) -> Result<String, MessageError> {
    let body = serde_json::to_string(message).map_err(|e| MessageError::Malformed(e.to_string()))?;
    check_size(&body)?;
    Ok(body)
}

fn decode<T: DeserializeOwned>(body: &str, version: impl Fn(&T) -> u32) -> Result<T, MessageError> {
    check_size(body)?;
    match serde_json::from_str(body) {
        Ok(message) => check_version(version(&message)).map(|()| message),
        // only a text that cannot be read pays for a second look at its version
        Err(error) => Err(version_error(body).unwrap_or_else(|| MessageError::Malformed(error.to_string()))),
    }
}

fn version_error(body: &str) -> Option<MessageError> {
    #[derive(Deserialize)]
    struct Head {
        v: u32,
    }
    check_version(serde_json::from_str::<Head>(body).ok()?.v).err()
}

fn check_version(found: u32) -> Result<(), MessageError> {
    if found > MESSAGE_VERSION {
        return Err(MessageError::NewerVersion {
            found,
            understood: MESSAGE_VERSION,
        });
    }
    Ok(())
}

fn check_size(body: &str) -> Result<(), MessageError> {
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(MessageError::TooLarge {
            bytes: body.len(),
            limit: MESSAGE_BYTES_MAX,
        });
    }
    Ok(())
}

mod progress;
mod wire;

#[cfg(test)]
mod tests;
