//! The worker as a Lambda function: SQS batch in, partial batch failures out, completions over the completion queue.
//!
//! Configured by `RUNNEL_SQS_ENDPOINT`, `RUNNEL_QUEUE_PREFIX`, `RUNNEL_API_URL`, `RUNNEL_WORKER_TOKEN`, `RUNNEL_PAYLOADS` and the
//! variables of the built-in handlers.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use runnel_queue::{SqsConfig, SqsQueue};
use runnel_worker::lambda::{LambdaWorker, remaining_until};
use runnel_worker::{Handlers, sink};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let filter = EnvFilter::try_from_env("RUNNEL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .without_time()
        .init();
    let worker = worker().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let worker = worker.clone();
        async move {
            let remaining = remaining_until(event.context.deadline);
            Ok::<_, Error>(worker.handle(event.payload, remaining).await)
        }
    }))
    .await
}

async fn worker() -> Result<LambdaWorker, Error> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let defaults = SqsConfig::default();
    let config = SqsConfig {
        endpoint: variable("RUNNEL_SQS_ENDPOINT"),
        queue_prefix: variable("RUNNEL_QUEUE_PREFIX").unwrap_or_else(|| defaults.queue_prefix.clone()),
        ..defaults
    };
    // the handlers set up TLS for the process, so they come first
    let handlers = Handlers::builtin();
    let queue = Arc::new(SqsQueue::connect(config).await);
    let name = variable("RUNNEL_WORKER_NAME").or_else(|| variable("AWS_LAMBDA_LOG_STREAM_NAME"));
    Ok(LambdaWorker {
        name: name.unwrap_or_else(|| "lambda".to_owned()),
        sink: sink::from_env(queue)?,
        handlers,
        supplies: sink::supplies_from_env()?,
    })
}
