//! An orchestrator on a database of its own, and a worker that does what the test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_engine::source::Format;
use runnel_engine::{RunId, Timestamp};
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_queue::message::{MESSAGE_VERSION, decode_task};
use runnel_queue::{
    Attempt, Failure, FailureCategory, Outcome, PayloadStore, QueueName, Report, ReportBatch, TaskMessage,
    TaskQueue, TokenKey, TokenKeys,
};
use runnel_runtime::clock::{ManualClock, SeededEntropy};
use runnel_runtime::feed::Topic;
use runnel_runtime::view::{PageRequest, RunView, TaskFilter, TaskView};
use runnel_runtime::{
    Actor, Config, DatabaseConfig, Orchestrator, PayloadConfig, PublishRequest, SecretKeys, StartRequest,
};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Where the fake clock begins.
pub const NOON: Timestamp = Timestamp(1_800_000_000_000_000);

/// What several orchestrators on one database share.
pub struct Fixture {
    pub url: String,
    pub clock: Arc<ManualClock>,
    pub queue: Arc<EmbeddedQueue>,
    /// What the orchestrator sees instead of the queue.
    pub service: Option<Arc<dyn TaskQueue>>,
    pub outstanding_max: usize,
    pub appliers: usize,
    pub poll_interval: Duration,
    pub local_types: Vec<String>,
    pub payloads: PayloadConfig,
    seed: u64,
    _dir: tempfile::TempDir,
}

impl Fixture {
    /// One on each database that is there.
    pub async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite()];
        if let Ok(server) = std::env::var("RUNNEL_TEST_POSTGRES_URL") {
            all.push(Self::postgres(&server).await);
        }
        all
    }

    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::new(
            format!("sqlite://{}/runnel.db?mode=rwc", dir.path().display()),
            dir,
        )
    }

    async fn postgres(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "orchestrator_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::SeqCst)
        );
        let admin = Database::connect(server).await.unwrap();
        admin
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Self::new(format!("{base}/{name}"), tempfile::tempdir().unwrap())
    }

    fn new(url: String, dir: tempfile::TempDir) -> Self {
        Self {
            url,
            clock: Arc::new(ManualClock::new(NOON)),
            queue: Arc::new(EmbeddedQueue::new(EmbeddedConfig::default())),
            service: None,
            outstanding_max: 10_000,
            appliers: 2,
            poll_interval: Duration::from_secs(5),
            local_types: vec!["job".to_owned()],
            payloads: PayloadConfig::new(PayloadStore::in_memory()),
            seed: 0,
            _dir: dir,
        }
    }

    /// Runs a statement beside the orchestrator, as a person with a database client may.
    pub async fn execute(&self, sql: &str) {
        let db = Database::connect(&self.url).await.unwrap();
        db.execute_unprepared(sql).await.unwrap();
        db.close().await.unwrap();
    }

    /// The id as a literal of the database.
    pub fn literal(&self, run: RunId) -> String {
        if self.url.starts_with("sqlite") {
            format!("x'{}'", run.0.simple())
        } else {
            format!("'{}'", run.0)
        }
    }

    /// A number from the database.
    pub async fn number(&self, sql: &str) -> i64 {
        let db = Database::connect(&self.url).await.unwrap();
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let number = db
            .query_one_raw(statement)
            .await
            .unwrap()
            .unwrap()
            .try_get_by_index(0)
            .unwrap();
        db.close().await.unwrap();
        number
    }

    /// The same database and a queue that has forgotten everything, as after a crash.
    pub fn forget_queue(&mut self) {
        self.queue = Arc::new(EmbeddedQueue::new(EmbeddedConfig::default()));
    }

    pub async fn start(&mut self) -> Orchestrator {
        self.seed += 1;
        Orchestrator::start(Config {
            database: DatabaseConfig {
                url: self.url.clone(),
                connections: 4,
                is_sqlite_relaxed: true,
            },
            queue: self.service.clone().unwrap_or_else(|| self.queue.clone()),
            token_keys: TokenKeys::new(vec![TokenKey {
                id: "k1".into(),
                secret: vec![7; 32],
            }])
            .unwrap(),
            clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::new(self.seed)),
            vars: Arc::default(),
            appliers: self.appliers,
            batch_max: 300,
            outstanding_max: self.outstanding_max,
            poll_interval: self.poll_interval,
            audit_kept: runnel_runtime::config::AUDIT_KEPT,
            runs_kept_days: runnel_runtime::config::RUNS_KEPT_DAYS,
            payloads: self.payloads.clone(),
            secret_keys: SecretKeys::new([("test".to_owned(), vec![9; 32])]),
            public_url: None,
            local_types: self.local_types.clone(),
        })
        .await
        .unwrap()
    }

    /// Takes the messages that wait in the default queue now, without waiting for more.
    pub async fn take(&self) -> Vec<TaskMessage> {
        let queue = QueueName("default".to_owned());
        let received = self
            .queue
            .receive(&queue, 100_000, Duration::ZERO, Duration::from_secs(600))
            .await
            .unwrap();
        let receipts: Vec<_> = received.iter().map(|delivery| delivery.receipt.clone()).collect();
        self.queue.delete(&queue, &receipts).await.unwrap();
        received
            .iter()
            .map(|delivery| decode_task(&delivery.body).unwrap())
            .collect()
    }

    /// Plays a worker that succeeds at everything until nothing is left. Answers the executed attempts.
    pub async fn work(&self, orchestrator: &Orchestrator) -> Vec<TaskMessage> {
        let mut done = Vec::new();
        loop {
            orchestrator.settle().await;
            let tasks = self.take().await;
            if tasks.is_empty() {
                return done;
            }
            orchestrator
                .report(batch(tasks.iter().map(succeeded).collect()))
                .await;
            done.extend(tasks);
        }
    }
}

pub fn actor() -> Actor {
    Actor {
        name: "tester".into(),
        namespace: "default".into(),
    }
}

pub async fn publish(orchestrator: &Orchestrator, source: &str) {
    let request = PublishRequest {
        source: source.to_owned(),
        format: Format::Yaml,
        is_dry_run: false,
    };
    orchestrator.publish(&actor(), request).await.unwrap();
}

pub fn request(workflow: &str) -> StartRequest {
    StartRequest {
        workflow: workflow.to_owned(),
        ..StartRequest::default()
    }
}

pub async fn start(orchestrator: &Orchestrator, workflow: &str) -> RunId {
    orchestrator
        .start_run(&actor(), request(workflow))
        .await
        .unwrap()
        .run
        .id
}

pub fn batch(reports: Vec<Report>) -> ReportBatch {
    ReportBatch {
        v: MESSAGE_VERSION,
        worker: "w1".to_owned(),
        reports,
    }
}

pub fn succeeded(task: &TaskMessage) -> Report {
    succeeded_with(task, "{}")
}

pub fn succeeded_with(task: &TaskMessage, output: &str) -> Report {
    completed(
        task,
        Outcome::Output(RawValue::from_string(output.to_owned()).unwrap()),
    )
}

pub fn failed(task: &TaskMessage, retryable: bool) -> Report {
    completed(
        task,
        Outcome::Error(Failure {
            category: FailureCategory::User,
            code: "BROKEN".to_owned(),
            message: "it broke".to_owned(),
            details: None,
            retryable,
            traceback: None,
            retry_after_ms: None,
        }),
    )
}

fn completed(task: &TaskMessage, outcome: Outcome) -> Report {
    Report::Completed(Attempt {
        at: task.at.clone(),
        outcome,
        started_us: NOON.0,
        finished_us: NOON.0,
        usage: None,
        traceparent: None,
    })
}

pub async fn view(orchestrator: &Orchestrator, run: RunId) -> RunView {
    orchestrator.find_run(&actor(), run).await.unwrap().unwrap()
}

pub async fn status(orchestrator: &Orchestrator, run: RunId) -> RunStatus {
    view(orchestrator, run).await.status
}

pub async fn task(orchestrator: &Orchestrator, run: RunId, key: &str) -> TaskView {
    orchestrator.find_task(&actor(), run, key).await.unwrap().unwrap()
}

pub async fn statuses(orchestrator: &Orchestrator, run: RunId) -> Vec<TaskStatus> {
    let page = PageRequest {
        first: 200,
        after: None,
    };
    let tasks = orchestrator
        .list_tasks(&actor(), run, TaskFilter::default(), page)
        .await
        .unwrap();
    tasks.items.into_iter().map(|task| task.status).collect()
}

/// Waits, without a clock, until the run has ended.
pub async fn ended(orchestrator: &Orchestrator, run: RunId) -> RunStatus {
    let mut bell = orchestrator.doorbell(Topic::Run(run));
    loop {
        let status = status(orchestrator, run).await;
        if status.is_terminal() || !bell.rung().await {
            return status;
        }
    }
}

/// Sequence numbers of the run's history.
pub async fn sequence(orchestrator: &Orchestrator, run: RunId) -> Vec<i64> {
    let mut seqs = Vec::new();
    loop {
        let page = PageRequest {
            first: 200,
            after: seqs.last().copied(),
        };
        let page = orchestrator.run_events(&actor(), run, page).await.unwrap();
        seqs.extend(page.items.iter().map(|event| event.record.seq));
        if !page.has_next {
            return seqs;
        }
    }
}

/// Asserts what must hold of every run, whatever happened to it.
pub async fn assert_sound(orchestrator: &Orchestrator, run: RunId) {
    let seqs = sequence(orchestrator, run).await;
    assert_eq!(
        seqs,
        (1..=view(orchestrator, run).await.last_seq).collect::<Vec<_>>(),
        "the history has no gap"
    );
}

pub fn keys(tasks: &[TaskMessage]) -> Vec<String> {
    let mut keys: Vec<String> = tasks.iter().map(|task| task.key.clone()).collect();
    keys.sort();
    keys
}

pub fn inputs(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}
