//! What the service commands are put together from: orchestrator, API and worker in one process.
//!
//! [`Host`] owns their order: the orchestrator is up before the API listens to anybody and before the worker receives;
//! on stop the worker drains first, while the orchestrator still accepts its reports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use runnel_api::ApiConfig;
use runnel_queue::{PayloadStore, QueueName, TaskQueue, TokenKeys};
use runnel_runtime::{
    Config, DatabaseConfig, Orchestrator, PayloadConfig, SecretKeys, StoreError, SystemClock, SystemEntropy,
};
use runnel_worker::{Supplies, WorkerConfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Failure};

pub mod clock;
pub mod data_dir;
pub mod functions;
pub mod keys;
pub mod observe;
pub mod options;
pub mod people;
pub mod schema;
pub mod sink;
pub mod stop;

/// Visibility of a received task; the worker extends it while it works.
const VISIBILITY: Duration = Duration::from_secs(60);

/// What to start.
pub struct Plan {
    /// Where the API listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The database.
    pub database: DatabaseConfig,
    /// The queue of tasks and completions.
    pub queue: Arc<dyn TaskQueue>,
    /// Keys of completion tokens.
    pub token_keys: TokenKeys,
    /// Where large values go.
    pub payloads: PayloadConfig,
    /// Keys that stored secrets are sealed with.
    pub secret_keys: SecretKeys,
    /// Who may call the API.
    pub api: ApiConfig,
    /// Address under which others reach it, when that is not where it listens.
    pub public_url: Option<String>,
    /// How long rows of the audit log are kept.
    pub audit_kept: Duration,
    /// Days for which ended runs are kept; 0: for ever.
    pub runs_kept_days: u32,
    /// The worker in this process, if there is one.
    pub worker: Option<LocalWorker>,
    /// Queues whose messages are given to functions.
    pub functions: Vec<functions::FunctionQueue>,
}

/// A worker in the same process as the orchestrator.
pub struct LocalWorker {
    /// Task queues to receive from.
    pub queues: Vec<QueueName>,
    /// Attempts at once, for each queue.
    pub concurrency: usize,
    /// Whether its `http` tasks may call addresses of private networks.
    pub is_private_http_allowed: bool,
    /// How long attempts may go on after a stop.
    pub drain_grace: Duration,
}

/// A running orchestrator with its API and workers.
pub struct Host {
    /// Where the API listens.
    pub address: SocketAddr,
    orchestrator: Orchestrator,
    drain_grace: Duration,
    stop_workers: CancellationToken,
    stop_api: CancellationToken,
    workers: Vec<JoinHandle<anyhow::Result<()>>>,
    api: JoinHandle<Result<(), runnel_api::ServeError>>,
}

impl Host {
    /// Starts all parts.
    pub async fn start(plan: Plan) -> Result<Self, Failure> {
        // The port is taken first: a second server must fail before it touches the database.
        let listener = TcpListener::bind(plan.listen).await.map_err(|error| {
            Failure::caused(
                Exit::Unreachable,
                "cannot listen",
                anyhow::Error::from(error).context(plan.listen.to_string()),
            )
            .hint("choose another address with --listen; 127.0.0.1:0 takes a free port")
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::internal("cannot tell the listening address", error))?;
        let is_open = plan.api.api_token.is_none() && plan.api.people.is_empty();
        if is_open && !plan.api.is_insecure && !address.ip().is_loopback() {
            return Err(refused_to_serve(runnel_api::ServeError::Unprotected(address)));
        }
        let orchestrator = Orchestrator::start(config(&plan)).await.map_err(store_failed)?;
        let stop_api = CancellationToken::new();
        let api = tokio::spawn(runnel_api::serve(
            orchestrator.clone(),
            plan.api,
            listener,
            stop_api.clone(),
        ));
        let stop_workers = CancellationToken::new();
        functions::announce(&plan.functions, &orchestrator, &stop_workers);
        let drain_grace = plan
            .worker
            .as_ref()
            .map_or(stop::DRAIN_GRACE, |worker| worker.drain_grace);
        let workers = plan
            .worker
            .map(|worker| worker.start(&plan.queue, &plan.payloads.store, &orchestrator, &stop_workers))
            .unwrap_or_default();
        Ok(Self {
            address,
            orchestrator,
            drain_grace,
            stop_workers,
            stop_api,
            workers,
            api,
        })
    }

    /// Runs until `stop` is cancelled or a part ends by itself, then drains.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), Failure> {
        let ended_early = tokio::select! {
            () = stop.cancelled() => None,
            ended = &mut self.api => Some(ended),
        };
        match ended_early {
            None => self.stop().await,
            Some(ended) => {
                self.stop_workers.cancel();
                self.orchestrator.stop(self.drain_grace).await;
                match ended {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(refused_to_serve(error)),
                    Err(error) => Err(Failure::internal("the API server panicked", error)),
                }
            }
        }
    }

    /// Stops the parts in the order in which they depend on each other.
    pub async fn stop(self) -> Result<(), Failure> {
        self.stop_workers.cancel();
        for worker in self.workers {
            match worker.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("worker ended with an error: {error:#}"),
                Err(error) => tracing::error!("worker panicked: {error}"),
            }
        }
        self.stop_api.cancel();
        let api = self.api.await;
        self.orchestrator.stop(self.drain_grace).await;
        match api {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(refused_to_serve(error)),
            Err(error) => Err(Failure::internal("the API server panicked", error)),
        }
    }
}

impl LocalWorker {
    fn start(
        &self,
        queue: &Arc<dyn TaskQueue>,
        payloads: &PayloadStore,
        orchestrator: &Orchestrator,
        stop: &CancellationToken,
    ) -> Vec<JoinHandle<anyhow::Result<()>>> {
        self.queues
            .iter()
            .map(|task_queue| {
                let sink = Arc::new(sink::LocalSink::new(orchestrator.clone()));
                let config = WorkerConfig {
                    name: options::worker_name(task_queue),
                    queue: Arc::clone(queue),
                    task_queue: task_queue.clone(),
                    sink: Arc::<sink::LocalSink>::clone(&sink),
                    supplies: Supplies {
                        payloads: Some(payloads.clone()),
                        channel: Some(sink),
                    },
                    concurrency: self.concurrency,
                    visibility: VISIBILITY,
                    drain_grace: self.drain_grace,
                    handlers: options::handlers(self.is_private_http_allowed),
                };
                tokio::spawn(runnel_worker::run(config, stop.clone()))
            })
            .collect()
    }
}

fn config(plan: &Plan) -> Config {
    Config {
        database: plan.database.clone(),
        queue: Arc::clone(&plan.queue),
        token_keys: plan.token_keys.clone(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        vars: Arc::new(options::vars(std::env::vars_os())),
        payloads: plan.payloads.clone(),
        secret_keys: Some(plan.secret_keys.clone()),
        appliers: 2,
        batch_max: 300,
        outstanding_max: 10_000,
        poll_interval: Duration::from_secs(8),
        public_url: plan.public_url.clone(),
        audit_kept: plan.audit_kept,
        runs_kept_days: plan.runs_kept_days,
        local_types: plan
            .worker
            .as_ref()
            .map(|w| options::handlers(w.is_private_http_allowed).types())
            .unwrap_or_default(),
    }
}

fn refused_to_serve(error: runnel_api::ServeError) -> Failure {
    let exit = match &error {
        runnel_api::ServeError::Unprotected(_) => Exit::Usage,
        runnel_api::ServeError::Listen(_) => Exit::Unreachable,
    };
    Failure {
        exit,
        error: error.into(),
        hint: None,
    }
}

/// A store that cannot be opened is out of reach; anything else is ours.
pub fn store_failed(error: StoreError) -> Failure {
    let exit = match &error {
        StoreError::Open(_) | StoreError::Busy { .. } => Exit::Unreachable,
        StoreError::NewerSchema { .. } => Exit::Conflict,
        _ => Exit::Failed,
    };
    Failure {
        exit,
        error: error.into(),
        hint: None,
    }
}
