//! What a task handler sees and answers, and the registry of handlers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use runnel_queue::message::CHECKPOINT_BYTES_MAX;
use runnel_queue::{Failure, FailureCategory, LogStream, Progress};
use serde_json::Value;
use serde_json::value::to_raw_value;
use tokio_util::sync::CancellationToken;

use crate::handlers::{self, BuiltinOptions};
use crate::log::AttemptLog;
use crate::said::Said;

/// Code that executes tasks of one type.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Executes one attempt and answers its output.
    ///
    /// The future is dropped when the attempt is cancelled and has not ended within a few seconds; a handler that holds
    /// something outside the process watches [`TaskContext::cancelled`]. A panic fails this attempt only.
    ///
    /// # Errors
    /// The handler classifies its failure; the classification decides about a retry.
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError>;
}

/// One attempt as its handler sees it. Secrets are already resolved in `input` and `env`.
#[derive(Debug)]
pub struct TaskContext {
    /// Namespace of the run.
    pub namespace: String,
    /// Key of the workflow.
    pub workflow: String,
    /// Id of the run.
    pub run: String,
    /// Key of the task, with `[item]` for an item of a fan-out.
    pub key: String,
    /// Task type.
    pub kind: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Resolved input.
    pub input: Value,
    /// Resolved environment for commands.
    pub env: BTreeMap<String, String>,
    /// Kept from foreign dialects.
    pub metadata: Option<Value>,
    /// Longest time of this attempt; enforced by the worker.
    pub timeout: Option<Duration>,
    /// The same for all attempts of the task; for use in side effects.
    pub idempotency_key: String,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Cancelled when the result is not wanted any more, at the timeout and when the worker stops.
    pub cancelled: CancellationToken,
    /// Log of the attempt.
    pub log: AttemptLog,
    pub(crate) checkpoint: Option<Value>,
    pub(crate) said: Arc<Said>,
}

impl TaskContext {
    /// Says how far the attempt is. The last word counts; it reaches those who watch about a second later.
    pub fn progress(&self, progress: Progress) {
        if let Some(mut progress) = progress.checked() {
            progress.message = progress.message.map(|message| self.log.redact(message));
            self.said.progress(progress);
        }
    }

    /// Says from where another attempt could go on, should this one be lost or fail. The last word counts. Secret values in it
    /// are replaced. False when it is larger than [`CHECKPOINT_BYTES_MAX`]: then the one before stands, and the log says so.
    pub fn checkpoint(&self, checkpoint: &Value) -> bool {
        let mut checkpoint = checkpoint.clone();
        self.log.redact_value(&mut checkpoint);
        let is_taken = to_raw_value(&checkpoint).is_ok_and(|raw| self.said.checkpoint(raw));
        if !is_taken {
            self.log.push(
                LogStream::System,
                format!("a checkpoint has more than {CHECKPOINT_BYTES_MAX} bytes; the one before it stands"),
            );
        }
        is_taken
    }

    /// The same attempt for a function that is given its input apart: the log, the stop and what is said of progress are shared.
    pub(crate) fn without_input(&self) -> Self {
        Self {
            namespace: self.namespace.clone(),
            workflow: self.workflow.clone(),
            run: self.run.clone(),
            key: self.key.clone(),
            kind: self.kind.clone(),
            attempt: self.attempt,
            input: Value::Null,
            env: self.env.clone(),
            metadata: self.metadata.clone(),
            timeout: self.timeout,
            idempotency_key: self.idempotency_key.clone(),
            traceparent: self.traceparent.clone(),
            cancelled: self.cancelled.clone(),
            log: self.log.clone(),
            checkpoint: self.checkpoint.clone(),
            said: Arc::clone(&self.said),
        }
    }

    /// The last checkpoint that an earlier attempt of the task has reported.
    #[must_use]
    pub fn last_checkpoint(&self) -> Option<&Value> {
        self.checkpoint.as_ref()
    }

    /// Field of the input, when the input is an object that has it and it is not null.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.input.get(name).filter(|value| !value.is_null())
    }

    /// Text field of the input.
    ///
    /// # Errors
    /// The field is there and is not a string.
    pub fn text(&self, name: &str) -> Result<Option<&str>, TaskError> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TaskError::input(format!("`{name}` must be a string"))),
        }
    }

    /// Text field of the input that must be there.
    ///
    /// # Errors
    /// The field is missing or is not a string.
    pub fn required_text(&self, name: &str) -> Result<&str, TaskError> {
        self.text(name)?
            .ok_or_else(|| TaskError::input(format!("`{name}` is missing")))
    }
}

/// A classified failure of an attempt.
#[derive(Debug, Clone)]
pub struct TaskError(Box<Failure>);

impl TaskError {
    /// A failure that another attempt cannot mend, unless [`TaskError::retryable`] says otherwise.
    #[must_use]
    pub fn new(category: FailureCategory, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            category,
            code: code.into(),
            message: message.into(),
            details: None,
            retryable: false,
            traceback: None,
            retry_after_ms: None,
        }))
    }

    /// The input of the task is not what the handler needs.
    #[must_use]
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(FailureCategory::Input, "INVALID_INPUT", message)
    }

    /// The worker itself could not do its part.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FailureCategory::Internal, "INTERNAL", message).retryable()
    }

    /// Another attempt may succeed.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// Adds structured details.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Adds a traceback.
    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<String>) -> Self {
        self.0.traceback = Some(traceback.into());
        self
    }

    /// Asks that the next attempt waits.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after_ms = wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// The failure as it is reported.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.0
    }

    /// Gives up the failure.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        *self.0
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for TaskError {}

/// Handlers by task type.
#[derive(Clone, Default)]
pub struct Handlers {
    by_type: BTreeMap<String, Arc<dyn Handler>>,
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.by_type.keys()).finish()
    }
}

impl Handlers {
    /// No handlers.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// `http`, `shell`, `python`, `llm` and `sqs`, as the environment configures them (see [`BuiltinOptions::from_env`]).
    #[must_use]
    pub fn builtin() -> Self {
        Self::builtin_with(BuiltinOptions::from_env())
    }

    /// The built-in handlers with explicit options.
    #[must_use]
    pub fn builtin_with(options: BuiltinOptions) -> Self {
        handlers::register_builtin(Self::none(), options)
    }

    /// Adds or replaces the handler of a type.
    #[must_use]
    pub fn register(mut self, kind: impl Into<String>, handler: impl Handler + 'static) -> Self {
        self.by_type.insert(kind.into(), Arc::new(handler));
        self
    }

    /// The task types, sorted.
    #[must_use]
    pub fn types(&self) -> Vec<String> {
        self.by_type.keys().cloned().collect()
    }

    /// The handler of a type.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<Arc<dyn Handler>> {
        self.by_type.get(kind).cloned()
    }
}
