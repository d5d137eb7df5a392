//! A whole worker program: handlers, and where they run.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use anyhow::Context as _;
use runnel_queue::{QueueName, SqsQueue, TaskQueue};
use runnel_telemetry::WithIds;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::handlers::ensure_crypto_provider;
use crate::lambda::LambdaWorker;
use crate::settings::Settings;
use crate::{Handler, Handlers, TaskContext, TaskError, WorkerConfig, sink, typed};

/// Attempts at once of a worker that receives by itself.
const CONCURRENCY: usize = 16;

/// A worker with handlers of one's own, as a whole program.
///
/// The same program is a Lambda function where `AWS_LAMBDA_RUNTIME_API` is set, and a container worker that receives from SQS everywhere
/// else. It is configured by its environment: [`crate::settings`].
///
/// ```no_run
/// use runnel_worker::{Classify as _, TaskContext, TaskError, Worker};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct Page { text: String }
///
/// #[derive(Serialize)]
/// struct Words { count: usize }
///
/// async fn count_words(page: Page, ctx: TaskContext) -> Result<Words, TaskError> {
///     let text = tokio::fs::read_to_string(&page.text).await.or_retry("NOT_THERE_YET")?;
///     ctx.checkpoint(&serde_json::json!({ "read": text.len() }));
///     Ok(Words { count: text.split_whitespace().count() })
/// }
///
/// #[tokio::main]
/// async fn main() -> anyhow::Result<()> {
///     Worker::new().register("count_words", count_words).run().await
/// }
/// ```
pub struct Worker {
    handlers: Handlers,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Worker").field(&self.handlers).finish()
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl Worker {
    /// Without any task type.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handlers: Handlers::none(),
        }
    }

    /// With the built-in task types, as the environment configures them.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            handlers: Handlers::builtin(),
        }
    }

    /// Executes tasks of a type with an async function; see [`typed::function`]. Replaces what the type had before.
    #[must_use]
    pub fn register<F, I, O, E, Fut>(self, kind: impl Into<String>, function: F) -> Self
    where
        F: Fn(I, TaskContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
        I: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        E: Into<TaskError> + Send + 'static,
    {
        self.handler(kind, typed::function(function))
    }

    /// Executes tasks of a type with a [`Handler`].
    #[must_use]
    pub fn handler(mut self, kind: impl Into<String>, handler: impl Handler + 'static) -> Self {
        self.handlers = self.handlers.register(kind, handler);
        self
    }

    /// Runs as a Lambda function where there is a Lambda Runtime API, and as a container worker elsewhere.
    ///
    /// # Errors
    /// The environment is not usable, or the queue does not exist.
    pub async fn run(self) -> anyhow::Result<()> {
        if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
            self.run_as_function().await
        } else {
            self.run_as_container().await
        }
    }

    /// Serves invocations with batches of an SQS event source, for as long as the process lives.
    ///
    /// # Errors
    /// The environment is not usable, or there is no Lambda Runtime API.
    pub async fn run_as_function(self) -> anyhow::Result<()> {
        let _ = lines().try_init();
        ensure_crypto_provider();
        runnel_telemetry::install("lambda")?;
        let settings = Settings::from_env()?;
        let prefix = settings.sqs.queue_prefix.clone();
        let queue = connect(&settings).await;
        let name = settings
            .name
            .or_else(|| std::env::var("AWS_LAMBDA_LOG_STREAM_NAME").ok());
        let worker = LambdaWorker::new(
            name.unwrap_or_else(|| "lambda".to_owned()),
            sink::from_env(Arc::clone(&queue))?,
            self.handlers,
            sink::supplies_from_env()?,
        )
        .with_queue(queue, prefix);
        match settings.concurrency {
            Some(attempts) => worker.with_concurrency(attempts),
            None => worker,
        }
        .run()
        .await
    }

    /// Receives from the task queue until SIGTERM or ctrl-C, then lets attempts end for the time of the drain grace.
    ///
    /// # Errors
    /// The environment is not usable, or the queue does not exist.
    pub async fn run_as_container(self) -> anyhow::Result<()> {
        let _ = lines().try_init();
        ensure_crypto_provider();
        runnel_telemetry::install("worker")?;
        let stop = stop_on_signal()?;
        let settings = Settings::from_env()?;
        let queue = connect(&settings).await;
        queue
            .ensure(&QueueName::completions())
            .await
            .context("the worker cannot report")?;
        let config = WorkerConfig {
            name: settings.name.unwrap_or_else(|| name_of(&settings.task_queue)),
            sink: sink::from_env(Arc::clone(&queue))?,
            queue,
            task_queue: settings.task_queue,
            concurrency: settings.concurrency.unwrap_or(CONCURRENCY),
            visibility: settings.visibility,
            drain_grace: settings.drain_grace,
            handlers: self.handlers,
            supplies: sink::supplies_from_env()?,
        };
        let ended = crate::run(config, stop).await;
        runnel_telemetry::flush().await;
        ended
    }
}

async fn connect(settings: &Settings) -> Arc<dyn TaskQueue> {
    ensure_crypto_provider();
    Arc::new(SqsQueue::connect(settings.sqs.clone()).await)
}

/// One JSON object a line. Where the program has set up a log of its own, that stands: installing a second one fails, and that is ignored.
fn lines() -> tracing_subscriber::fmt::SubscriberBuilder<
    tracing_subscriber::fmt::format::JsonFields,
    WithIds<tracing_subscriber::fmt::format::Format<tracing_subscriber::fmt::format::Json>>,
    EnvFilter,
> {
    let filter = EnvFilter::try_from_env("RUNNEL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .event_format(WithIds::json())
}

/// Cancelled by the first SIGTERM or ctrl-C.
fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let failed = "signals cannot be listened for";
    let mut terminate = signal(SignalKind::terminate()).context(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).context(failed)?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: draining what is in flight");
        asked.cancel();
    });
    Ok(stop)
}

/// Unique among live workers: host, process and queue.
fn name_of(queue: &QueueName) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim())
        .filter(|host| !host.is_empty())
        .unwrap_or("worker");
    format!("{host}-{}-{queue}", std::process::id())
}
