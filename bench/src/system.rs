//! The system under load: an orchestrator, a worker that does nothing, and a database, all started here.
//!
//! There is one database server for all workloads and a new database for each, so that none finds what another has left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
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

use crate::options::Database;
use crate::services::postgres::{Durability, PrivatePostgres};
use crate::sql::Sql;
use crate::{figures, machine};

/// The task type of every task here.
pub const KIND: &str = "nothing";
/// The type of tasks that take the time `ms` of their input.
pub const NAP: &str = "nap";

/// Naps from this time on are not noted.
pub const LONG_NAP_MS: u64 = 1_000;

/// Attempts that the worker runs at once; they take no time, so this bounds a batch of the worker.
const CONCURRENCY: usize = 256;

/// A running system.
pub struct System {
    /// The orchestrator.
    pub orchestrator: Orchestrator,
    /// Who acts.
    pub actor: Actor,
    /// When which task began.
    pub begun: Arc<Moments>,
    /// When which nap ended.
    pub napped: Arc<Moments>,
    /// Connection of the benchmark's own to the same database.
    pub sql: Sql,
    directory: TempDir,
    worker: Mutex<Option<JoinHandle<anyhow::Result<()>>>>,
    stop: CancellationToken,
}

/// Where databases are made.
#[derive(Debug)]
pub struct Server {
    database: Database,
    postgres: Option<PrivatePostgres>,
    made: AtomicU32,
}

impl Server {
    /// Starts a server, where the database has one.
    pub async fn start(database: Database, is_unsynced: bool) -> anyhow::Result<Self> {
        let durability = if is_unsynced {
            Durability::None
        } else {
            Durability::Full
        };
        let postgres = match database {
            Database::Sqlite => None,
            Database::Postgres => {
                Some(tokio::task::spawn_blocking(move || PrivatePostgres::start(durability)).await??)
            }
        };
        Ok(Self {
            database,
            postgres,
            made: AtomicU32::new(0),
        })
    }

    /// Which database it is.
    pub fn database(&self) -> Database {
        self.database
    }

    /// The address of a new and empty database, and a directory, in which that of SQLite is.
    pub async fn make_database(&self) -> anyhow::Result<(String, TempDir)> {
        // on the disk, not in memory: the disk is part of the figure
        let directory = tempfile::Builder::new().prefix("runnel-bench-").tempdir()?;
        let Some(postgres) = &self.postgres else {
            let file = directory.path().join("bench.db");
            return Ok((format!("sqlite://{}?mode=rwc", file.display()), directory));
        };
        let name = format!("bench_{}", self.made.fetch_add(1, Ordering::Relaxed));
        let maintenance = Sql::open(&postgres.url("postgres"), 1).await?;
        maintenance.run(format!("CREATE DATABASE {name}")).await?;
        maintenance.close().await;
        Ok((postgres.url(&name), directory))
    }

    /// CPU time so far of the server's processes; zero where the database is in the process of its user.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let cpu = self
            .postgres
            .as_ref()
            .map(|postgres| machine::tree_cpu(postgres.server_pid()));
        Ok(cpu.transpose()?.unwrap_or_default())
    }
}

/// Moments of tasks, by run.
#[derive(Debug, Default)]
pub struct Moments(Mutex<HashMap<String, Vec<Instant>>>);

impl Moments {
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

/// Takes the time that its input says, and notes the end of those that are followed or that follow.
struct Nap(Arc<Moments>);

#[async_trait]
impl Handler for Nap {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let ms = ctx.input["ms"].as_u64().unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(ms)).await;
        if ms < LONG_NAP_MS {
            self.0.note(&ctx.run);
        }
        Ok(Value::Null)
    }
}

struct DoNothing(Arc<Moments>);

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
    /// Starts everything on a database of its own.
    pub async fn start(server: &Server) -> anyhow::Result<Self> {
        let (url, directory) = server.make_database().await?;
        let queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig::default()));
        let key = TokenKey {
            id: "bench".to_owned(),
            secret: vec![1; 32],
        };
        let orchestrator = Orchestrator::start(Config {
            database: DatabaseConfig {
                url: url.clone(),
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
            poll_interval: Duration::from_secs(8),
            payloads: PayloadConfig::new(PayloadStore::directory(&directory.path().join("payloads"))?),
            secret_keys: None,
            public_url: None,
            audit_kept: runnel_runtime::config::AUDIT_KEPT,
            // what is to be removed, and when, the workload says
            runs_kept_days: 0,
            local_types: vec![KIND.to_owned(), NAP.to_owned()],
        })
        .await?;
        // after the orchestrator, which makes the tables
        let sql = Sql::open(&url, 1).await?;
        let (begun, napped) = (Arc::new(Moments::default()), Arc::new(Moments::default()));
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
            handlers: Handlers::none()
                .register(KIND, DoNothing(Arc::clone(&begun)))
                .register(NAP, Nap(Arc::clone(&napped))),
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
            napped,
            sql,
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
        self.sql.close().await;
        Ok(())
    }
}
