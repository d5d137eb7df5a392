//! The system under load: an orchestrator, a worker that does nothing, and a database, all started here.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_trait::async_trait;
use runnel_engine::source::Format;
use runnel_queue::{
    AttemptRef, EmbeddedConfig, EmbeddedQueue, PayloadStore, QueueName, ReportBatch, TokenKey, TokenKeys,
};
use runnel_runtime::clock::{SystemClock, SystemEntropy};
use runnel_runtime::{Actor, Config, DatabaseConfig, Orchestrator, PayloadConfig, PublishRequest};
use runnel_worker::{Handler, Handlers, ReportSink, TaskContext, TaskError, WorkerConfig};
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::services::postgres::{Durability, PrivatePostgres};
use crate::{Database, figures, machine};

/// The task type of every task here.
pub const KIND: &str = "nothing";

/// Attempts that the worker runs at once; they take no time, so this bounds a batch of the worker.
const CONCURRENCY: usize = 256;

/// A running system.
pub struct System {
    /// The orchestrator.
    pub orchestrator: Orchestrator,
    /// Who acts.
    pub actor: Actor,
    /// When which task began.
    pub begun: Arc<Begun>,
    postgres: Option<PrivatePostgres>,
    directory: TempDir,
    worker: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
    stop: CancellationToken,
}

/// Moments at which tasks began, by run and key.
#[derive(Debug, Default)]
pub struct Begun(Mutex<HashMap<String, Vec<Instant>>>);

impl Begun {
    fn note(&self, run: &str) {
        let now = Instant::now();
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match begun.get_mut(run) {
            Some(moments) => moments.push(now),
            None => drop(begun.insert(run.to_owned(), vec![now])),
        }
    }

    /// The moments of a run, in order; forgets them.
    pub fn take(&self, run: &str) -> Vec<Instant> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(run)
            .unwrap_or_default()
    }
}

struct DoNothing(Arc<Begun>);

#[async_trait]
impl Handler for DoNothing {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        self.0.note(&ctx.run);
        Ok(Value::Null)
    }
}

/// Reports without a queue between, as in `runnel dev`.
struct LocalSink(Orchestrator);

#[async_trait]
impl ReportSink for LocalSink {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        self.0.report(batch).await;
        Ok(Vec::new())
    }
}

impl System {
    /// Starts everything.
    pub async fn start(database: Database, is_unsynced: bool) -> anyhow::Result<Self> {
        // beside the databases of the product, not in memory: the disk is part of the figure
        let directory = tempfile::Builder::new().prefix("runnel-bench-").tempdir()?;
        let (url, postgres) = open(database, is_unsynced, directory.path()).await?;
        let queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig::default()));
        let key = TokenKey {
            id: "bench".to_owned(),
            secret: vec![1; 32],
        };
        let orchestrator = Orchestrator::start(Config {
            database: DatabaseConfig {
                url,
                connections: 16,
                is_sqlite_relaxed: false,
            },
            queue: queue.clone(),
            token_keys: TokenKeys::new(vec![key]).context("a key of 32 bytes")?,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            vars: Arc::new(Map::new()),
            appliers: 2,
            batch_max: 300,
            outstanding_max: 10_000,
            poll_interval: Duration::from_secs(5),
            payloads: PayloadConfig::new(PayloadStore::directory(&directory.path().join("payloads"))?),
            secret_keys: None,
            public_url: None,
            audit_kept: runnel_runtime::config::AUDIT_KEPT,
            local_types: vec![KIND.to_owned()],
        })
        .await?;
        let begun = Arc::new(Begun::default());
        let stop = CancellationToken::new();
        let worker = WorkerConfig {
            name: "bench".to_owned(),
            queue,
            task_queue: QueueName("default".to_owned()),
            sink: Arc::new(LocalSink(orchestrator.clone())),
            supplies: runnel_worker::Supplies::default(),
            concurrency: CONCURRENCY,
            visibility: Duration::from_secs(60),
            drain_grace: Duration::from_secs(5),
            handlers: Handlers::none().register(KIND, DoNothing(Arc::clone(&begun))),
        };
        let worker = tokio::spawn(runnel_worker::run(worker, stop.clone()));
        let actor = Actor {
            name: "bench".into(),
            namespace: "default".into(),
        };
        Ok(Self {
            orchestrator,
            actor,
            begun,
            postgres,
            directory,
            worker: Mutex::new(Some(worker)),
            stop,
        })
    }

    /// Stores a workflow.
    pub async fn publish(&self, workflow: &Value) -> anyhow::Result<()> {
        let request = PublishRequest {
            source: workflow.to_string(),
            format: Format::Json,
            is_dry_run: false,
        };
        self.orchestrator.publish(&self.actor, request).await?;
        Ok(())
    }

    /// CPU time so far of everything: this process and the database server.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let server = self
            .postgres
            .as_ref()
            .map(|postgres| machine::server_cpu(postgres.server_pid()))
            .transpose()?;
        Ok(machine::own_cpu()? + server.unwrap_or_default())
    }

    /// Median time of a sync on the disk of the database.
    pub fn sync_p50_us(&self) -> anyhow::Result<f64> {
        Ok(figures::quantile(
            &mut machine::sync_times(self.directory.path())?,
            0.5,
        ))
    }

    /// Stops everything.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.stop.cancel();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            worker.await??;
        }
        self.orchestrator.stop(Duration::from_secs(10)).await;
        Ok(())
    }
}

/// The address of an empty database, and the cluster that it is in.
async fn open(
    database: Database,
    is_unsynced: bool,
    directory: &Path,
) -> anyhow::Result<(String, Option<PrivatePostgres>)> {
    if database == Database::Sqlite {
        return Ok((
            format!("sqlite://{}?mode=rwc", directory.join("bench.db").display()),
            None,
        ));
    }
    let durability = if is_unsynced {
        Durability::None
    } else {
        Durability::Full
    };
    let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(durability)).await??;
    Ok((postgres.url("postgres"), Some(postgres)))
}
