//! Orchestrators, workers and an API in this process, on real databases and real queues.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use runnel_api::ApiConfig;
use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_engine::source::Format;
use runnel_queue::{QueueName, TaskQueue, TokenKey, TokenKeys};
use runnel_runtime::feed::Topic;
use runnel_runtime::view::{EventView, PageRequest, RunView, TaskFilter, TaskView};
use runnel_runtime::{
    Actor, Config, DatabaseConfig, Orchestrator, PayloadConfig, PublishRequest, Published, SecretKeys,
    StartRequest,
};
use runnel_worker::{BuiltinOptions, Handlers, QueueSink, Supplies, WorkerConfig};
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::clock::TestClock;
use crate::databases::TestDatabase;
use crate::scripted::ScriptedWorker;
use crate::stack::Stack;
use crate::supply::Direct;

/// The longest that anything is waited for. It only turns a hang into a failure.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Token of workers that speak to [`Cluster::serve`].
pub const WORKER_TOKEN: &str = "a token of test workers";

/// A running system of one or more replicas.
pub struct Cluster {
    /// What it runs on.
    pub stack: Stack,
    /// The queue service, shared by all replicas and workers.
    pub queue: Arc<dyn TaskQueue>,
    /// Time of the orchestrators.
    pub clock: Arc<TestClock>,
    /// The replicas; never empty.
    pub replicas: Vec<Orchestrator>,
    /// Who acts.
    pub actor: Actor,
    /// Where large values go; shared by all replicas and workers.
    pub payloads: PayloadConfig,
    /// Keys that secrets are sealed with.
    pub secret_keys: Option<SecretKeys>,
    database: TestDatabase,
    _payload_directory: Option<tempfile::TempDir>,
    background: Vec<JoinHandle<anyhow::Result<()>>>,
    stop: CancellationToken,
}

impl Cluster {
    /// One replica on a stack.
    ///
    /// # Errors
    /// A service is missing.
    pub async fn start(stack: Stack) -> anyhow::Result<Self> {
        Self::start_with(stack, stack.queue().await?).await
    }

    /// One replica on a queue of the caller's.
    ///
    /// # Errors
    /// A service is missing.
    pub async fn start_with(stack: Stack, queue: Arc<dyn TaskQueue>) -> anyhow::Result<Self> {
        // the HTTP handlers of workers and the clients of tests need a TLS provider; an error means that there is one
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (store, directory) = stack.payloads().await?;
        let mut cluster = Self {
            payloads: PayloadConfig::new(store),
            secret_keys: SecretKeys::new([("test".to_owned(), vec![9; 32])]),
            _payload_directory: directory,
            stack,
            queue,
            clock: Arc::default(),
            replicas: Vec::new(),
            actor: Actor {
                name: "test".into(),
                namespace: "default".into(),
            },
            database: stack.database().await?,
            background: Vec::new(),
            stop: CancellationToken::new(),
        };
        cluster.add_replica().await?;
        Ok(cluster)
    }

    /// Starts one more replica on the same database and queue.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn add_replica(&mut self) -> anyhow::Result<Orchestrator> {
        let replica = Orchestrator::start(self.config()?)
            .await
            .context("starting an orchestrator")?;
        self.replicas.push(replica.clone());
        Ok(replica)
    }

    /// Stops the only replica and starts another one on the same database and queue.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        for replica in self.replicas.drain(..) {
            replica.stop(Duration::from_secs(10)).await;
        }
        self.add_replica().await?;
        Ok(())
    }

    fn config(&self) -> anyhow::Result<Config> {
        let key = TokenKey {
            id: "test".to_owned(),
            secret: vec![7; 32],
        };
        Ok(Config {
            database: DatabaseConfig {
                url: self.database.url.clone(),
                connections: 6,
                is_sqlite_relaxed: false,
            },
            queue: Arc::clone(&self.queue),
            token_keys: TokenKeys::new(vec![key]).context("a key of 32 bytes")?,
            clock: self.clock.clone(),
            entropy: Arc::new(runnel_runtime::clock::SystemEntropy),
            vars: Arc::new(Map::from_iter([("region".to_owned(), Value::from("eu"))])),
            appliers: 2,
            batch_max: 300,
            outstanding_max: self.stack.outstanding_max(),
            // short, because the clock jumps in tests: nothing else tells the waker that time has passed
            poll_interval: Duration::from_millis(100),
            payloads: self.payloads.clone(),
            secret_keys: self.secret_keys.clone(),
            public_url: None,
            audit_kept: runnel_runtime::config::AUDIT_KEPT,
            runs_kept_days: runnel_runtime::config::RUNS_KEPT_DAYS,
            local_types: Vec::new(),
        })
    }

    /// The first replica.
    ///
    /// # Panics
    /// Never: a cluster starts with one.
    #[must_use]
    pub fn orchestrator(&self) -> &Orchestrator {
        &self.replicas[0]
    }

    /// Address of the database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// A scripted worker of the given task types.
    ///
    /// # Errors
    /// The queue service does not answer.
    pub async fn scripted(&self, name: &str, types: &[&str]) -> anyhow::Result<ScriptedWorker> {
        ScriptedWorker::register(Arc::clone(&self.queue), name, types).await
    }

    /// Starts a real worker with the built-in handlers. It stops with the cluster.
    pub fn add_worker(&mut self, name: &str) {
        self.add_worker_with(name, BuiltinOptions::default());
    }

    /// The same, with options for the handlers; private addresses are always allowed, since the origins of tests have one.
    pub fn add_worker_with(&mut self, name: &str, options: BuiltinOptions) {
        let supplies = Supplies {
            payloads: Some(self.payloads.store.clone()),
            channel: Some(Arc::new(Direct(self.orchestrator().clone()))),
        };
        self.add_worker_from(name, options, supplies);
    }

    /// The same, with another way to large values and stored secrets.
    pub fn add_worker_from(&mut self, name: &str, mut options: BuiltinOptions, supplies: Supplies) {
        options.http.allow_private = true;
        let config = WorkerConfig {
            name: name.to_owned(),
            queue: Arc::clone(&self.queue),
            task_queue: QueueName("default".to_owned()),
            sink: Arc::new(QueueSink::new(Arc::clone(&self.queue))),
            concurrency: 16,
            visibility: Duration::from_secs(60),
            drain_grace: Duration::from_secs(10),
            handlers: Handlers::builtin_with(options),
            supplies,
        };
        self.background
            .push(tokio::spawn(runnel_worker::run(config, self.stop.clone())));
    }

    /// Serves the API of the first replica on a free port, for anonymous administrators and workers with the token.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn serve(&mut self) -> anyhow::Result<Client> {
        self.serve_with(ApiConfig {
            worker_token: Some(WORKER_TOKEN.to_owned()),
            ..ApiConfig::default()
        })
        .await
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn serve_with(&mut self, config: ApiConfig) -> anyhow::Result<Client> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let client = Client::new(&format!("http://{}", listener.local_addr()?))?;
        // the server says so itself once it runs; what is dispatched before would not know
        self.orchestrator().suggest_public_url(&client.base);
        let served = runnel_api::serve(self.orchestrator().clone(), config, listener, self.stop.clone());
        self.background
            .push(tokio::spawn(async move { Ok(served.await?) }));
        Ok(client)
    }

    /// Publishes a workflow file.
    ///
    /// # Errors
    /// It is refused.
    pub async fn publish(&self, source: &str) -> anyhow::Result<Published> {
        let request = PublishRequest {
            source: source.to_owned(),
            format: Format::Auto,
            is_dry_run: false,
        };
        self.orchestrator()
            .publish(&self.actor, request)
            .await
            .map_err(|refused| match refused {
                runnel_runtime::PublishError::Invalid(found) => {
                    anyhow::anyhow!("the file is refused: {found:#?}")
                }
                runnel_runtime::PublishError::Store(error) => error.into(),
            })
    }

    /// Publishes a workflow and starts a run of it.
    ///
    /// # Errors
    /// It is refused.
    pub async fn launch(&self, workflow: &Value) -> anyhow::Result<RunId> {
        self.launch_source(&workflow.to_string(), Map::new()).await
    }

    /// Publishes a workflow file and starts a run of it.
    ///
    /// # Errors
    /// It is refused.
    pub async fn launch_source(&self, source: &str, inputs: Map<String, Value>) -> anyhow::Result<RunId> {
        let workflow = self.publish(source).await?.workflow.key;
        let request = StartRequest {
            workflow,
            inputs,
            ..StartRequest::default()
        };
        Ok(self.orchestrator().start_run(&self.actor, request).await?.run.id)
    }

    /// The run as it is now.
    ///
    /// # Errors
    /// The store fails, or there is no such run.
    pub async fn run(&self, run: RunId) -> anyhow::Result<RunView> {
        self.orchestrator()
            .find_run(&self.actor, run)
            .await?
            .context("the run is gone")
    }

    /// The task as it is now.
    ///
    /// # Errors
    /// The store fails, or there is no such task.
    pub async fn task(&self, run: RunId, key: &str) -> anyhow::Result<TaskView> {
        let found = self.orchestrator().find_task(&self.actor, run, key).await?;
        found.with_context(|| format!("the task {key} is gone"))
    }

    /// All tasks of a run.
    ///
    /// # Errors
    /// The store fails.
    pub async fn tasks(&self, run: RunId) -> anyhow::Result<Vec<TaskView>> {
        let mut tasks: Vec<TaskView> = Vec::new();
        loop {
            let page = PageRequest {
                first: 200,
                after: tasks.last().map(|task| task.ix),
            };
            let page = self
                .orchestrator()
                .list_tasks(&self.actor, run, TaskFilter::default(), page)
                .await?;
            tasks.extend(page.items);
            if !page.has_next {
                return Ok(tasks);
            }
        }
    }

    /// The whole history of a run.
    ///
    /// # Errors
    /// The store fails.
    pub async fn history(&self, run: RunId) -> anyhow::Result<Vec<EventView>> {
        let mut events: Vec<EventView> = Vec::new();
        loop {
            let page = PageRequest {
                first: 200,
                after: events.last().map(|event| event.record.seq),
            };
            let page = self.orchestrator().run_events(&self.actor, run, page).await?;
            events.extend(page.items);
            if !page.has_next {
                return Ok(events);
            }
        }
    }

    /// Waits until a run is as described, and answers it.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn until(
        &self,
        run: RunId,
        what: &str,
        is_so: impl Fn(&RunView) -> bool,
    ) -> anyhow::Result<RunView> {
        let mut bell = self.orchestrator().doorbell(Topic::Run(run));
        let watched = async {
            loop {
                let now = self.run(run).await?;
                if is_so(&now) {
                    return Ok(now);
                }
                anyhow::ensure!(bell.rung().await, "the orchestrator stopped");
            }
        };
        match tokio::time::timeout(PATIENCE, watched).await {
            Ok(answer) => answer,
            Err(_) => anyhow::bail!("run did not become {what}: {}", self.describe(run).await?),
        }
    }

    /// Waits until a task is as described, and answers it.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn until_task(
        &self,
        run: RunId,
        key: &str,
        is_so: impl Fn(&TaskView) -> bool,
    ) -> anyhow::Result<TaskView> {
        let mut bell = self.orchestrator().doorbell(Topic::Run(run));
        let watched = async {
            loop {
                let now = self.task(run, key).await?;
                if is_so(&now) {
                    return Ok(now);
                }
                anyhow::ensure!(bell.rung().await, "the orchestrator stopped");
            }
        };
        match tokio::time::timeout(PATIENCE, watched).await {
            Ok(answer) => answer,
            Err(_) => anyhow::bail!(
                "task {key} did not become as expected: {}",
                self.describe(run).await?
            ),
        }
    }

    /// Waits for the end of a run, and for what ends with it.
    ///
    /// # Errors
    /// It ends otherwise, or not at all.
    pub async fn ends(&self, run: RunId, expected: RunStatus) -> anyhow::Result<RunView> {
        let ended = self
            .until(run, "terminal", |run| run.status.is_terminal())
            .await?;
        anyhow::ensure!(
            ended.status == expected,
            "run ended as {:?} and not as {expected:?}: {}",
            ended.status,
            self.describe(run).await?
        );
        Ok(ended)
    }

    /// Status of every task, by key.
    ///
    /// # Errors
    /// The store fails.
    pub async fn statuses(&self, run: RunId) -> anyhow::Result<Vec<(String, TaskStatus)>> {
        Ok(self
            .tasks(run)
            .await?
            .into_iter()
            .map(|task| (task.key, task.status))
            .collect())
    }

    /// Everything about a run, for a failure's message.
    ///
    /// # Errors
    /// The store fails.
    pub async fn describe(&self, run: RunId) -> anyhow::Result<String> {
        let view = self.run(run).await?;
        let tasks = self.tasks(run).await?;
        let live = tasks
            .iter()
            .filter(|task| task.status != TaskStatus::Succeeded)
            .take(20);
        let live: Vec<String> = live
            .map(|task| {
                format!(
                    "{} {:?} attempt {} {:?}",
                    task.key, task.status, task.attempt, task.error
                )
            })
            .collect();
        let history = self.history(run).await?;
        let last: Vec<String> = history
            .iter()
            .rev()
            .take(20)
            .map(|event| {
                format!(
                    "{} {:?} {:?}",
                    event.record.seq, event.record.kind, event.record.key
                )
            })
            .collect();
        Ok(format!(
            "{:?} paused {} wake {:?} error {:?}\ntasks: {}\nlast events: {}",
            view.status,
            view.is_paused,
            view.wake_at,
            view.error,
            live.join("\n  "),
            last.join("\n  ")
        ))
    }

    /// Stops everything in order, so that the check at the end of the scenario finds what is left.
    ///
    /// # Errors
    /// A part failed meanwhile.
    pub async fn finish(self) -> anyhow::Result<()> {
        self.stop.cancel();
        for part in self.background {
            part.await.context("a part of the cluster panicked")??;
        }
        for replica in &self.replicas {
            replica.stop(Duration::from_secs(10)).await;
        }
        Ok(())
    }
}

/// A workflow as JSON, from its tasks.
#[must_use]
pub fn workflow(id: &str, tasks: Value) -> Value {
    json!({ "version": 1, "id": id, "tasks": tasks })
}

/// A file of the repository.
///
/// # Errors
/// It cannot be read.
pub fn repository_file(path: impl AsRef<Path>) -> anyhow::Result<String> {
    let path = crate::programs::workspace().join(path);
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}
