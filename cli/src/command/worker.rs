//! `runnel worker`: executes tasks from SQS. Knows neither database nor API address, unless it is given one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use runnel_queue::{QueueName, TaskQueue};
use runnel_worker::{ControlChannel, HttpSink, QueueSink, ReportSink, SplitSink, Supplies, WorkerConfig};

use crate::command::dev::at_least_one;
use crate::command::options::print_line;
use crate::command::version::VERSION;
use crate::exit::{Ended, Exit, Failure};
use crate::host::observe::{self, LogFormat, ObserveArgs};
use crate::host::options::{
    HandlerArgs, PayloadArgs, SqsArgs, duration, ensure_queues, handlers, sqs_queue, worker_name,
};
use crate::host::stop;

/// Options of `runnel worker`.
#[derive(Debug, Args)]
pub struct Worker {
    /// Task queue to receive from
    #[arg(
        long,
        env = "RUNNEL_QUEUE_NAME",
        default_value = "default",
        value_name = "NAME"
    )]
    queue_name: String,
    /// Attempts at once
    #[arg(long, env = "RUNNEL_CONCURRENCY", default_value_t = 16, value_parser = at_least_one, value_name = "N")]
    concurrency: usize,
    /// Name of this worker [default: from host, process and queue]
    #[arg(long, env = "RUNNEL_WORKER_NAME", value_name = "NAME")]
    worker_name: Option<String>,
    /// How long a received task stays invisible to others; extended while it runs
    #[arg(long, env = "RUNNEL_VISIBILITY", default_value = "60s", value_parser = duration, value_name = "DURATION")]
    visibility: Duration,
    /// How long running attempts may go on after SIGTERM
    #[arg(long, env = "RUNNEL_DRAIN_GRACE", default_value = "30s", value_parser = duration, value_name = "DURATION")]
    drain_grace: Duration,
    /// Address of the API for heartbeats, logs and cancels; without it all reports go through the queue
    #[arg(long, env = "RUNNEL_API_URL", value_name = "URL")]
    api_url: Option<String>,
    /// Bearer token of workers
    #[arg(
        long,
        env = "RUNNEL_WORKER_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        requires = "api_url"
    )]
    worker_token: Option<String>,
    /// Address of `/metrics` and `/livez`; port 0 takes a free one [default: none]
    #[arg(long, env = "RUNNEL_METRICS_LISTEN", value_name = "ADDRESS")]
    metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    payloads: PayloadArgs,
    #[command(flatten)]
    sqs: SqsArgs,
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    observe: ObserveArgs,
}

impl Worker {
    /// Form of the log.
    pub fn log_format(&self) -> Option<LogFormat> {
        self.observe.log_format
    }

    /// Runs until it is stopped.
    pub async fn execute(self) -> Ended {
        let begun = Instant::now();
        let stop = stop::on_signal()?;
        observe::begin("worker", &self.observe)?;
        let queue = sqs_queue(&self.sqs).await?;
        let task_queue = QueueName(self.queue_name.clone());
        ensure_queues(&queue, &[task_queue.clone(), QueueName::completions()]).await?;
        let name = self
            .worker_name
            .clone()
            .unwrap_or_else(|| worker_name(&task_queue));
        let config = WorkerConfig {
            name: name.clone(),
            sink: self.sink(&queue)?,
            supplies: Supplies {
                payloads: self.payloads.store()?,
                channel: self
                    .control()?
                    .map(|http| Arc::new(http) as Arc<dyn ControlChannel>),
            },
            queue,
            task_queue,
            concurrency: self.concurrency,
            visibility: self.visibility,
            drain_grace: self.drain_grace,
            handlers: handlers(self.handlers.http_allow_private),
        };
        let metrics = match self.metrics_listen {
            Some(address) => Some(observe::serve_metrics(address, stop.clone()).await?),
            None => None,
        };
        let ready = begun.elapsed().as_millis();
        print_line(&format!(
            "runnel {VERSION} worker ready in {ready} ms  {name} on queue {}, {} attempts at once",
            self.queue_name, self.concurrency
        ))?;
        if let Some(address) = metrics {
            print_line(&format!("metrics   http://{address}/metrics"))?;
        }
        let ended = runnel_worker::run(config, stop).await;
        observe::end().await;
        ended.map(|()| Exit::Ok).map_err(|error| Failure {
            exit: Exit::Unreachable,
            error: error.context("the worker stopped"),
            hint: None,
        })
    }

    fn sink(&self, queue: &Arc<dyn TaskQueue>) -> Result<Arc<dyn ReportSink>, Failure> {
        let durable: Arc<dyn ReportSink> = Arc::new(QueueSink::new(Arc::clone(queue)));
        match self.control()? {
            Some(control) => Ok(Arc::new(SplitSink::new(durable, Arc::new(control)))),
            None => Ok(durable),
        }
    }

    fn control(&self) -> Result<Option<HttpSink>, Failure> {
        let Some(url) = &self.api_url else {
            return Ok(None);
        };
        HttpSink::new(url, self.worker_token.clone().unwrap_or_default())
            .map(Some)
            .map_err(|error| Failure {
                exit: Exit::Usage,
                error: error.into(),
                hint: None,
            })
    }
}
