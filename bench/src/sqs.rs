//! The product as it is deployed: a server, two workers as processes of their own, PostgreSQL, and an SQS emulator. CPU is printed
//! by process, and beside it how many messages the emulator carries when nobody else does anything: here it, and not Runnel, is
//! the limit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use runnel_queue::{Outgoing, QueueName, SqsConfig, SqsQueue, TaskQueue};
use runnel_worker::{Handler, Handlers, QueueSink, TaskContext, TaskError, WorkerConfig};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::client::Client;
use crate::figures::Figures;
use crate::machine;
use crate::options::{Options, SqsWorker};
use crate::process::Process;
use crate::services::ministack::Ministack;
use crate::system::{KIND, Server};

/// Workers.
const WORKERS: u32 = 2;
/// Attempts that each runs at once.
const CONCURRENCY: usize = 32;
/// Tasks of the wave: the cost of the emulator grows with what waits in it.
const WIDTH: u32 = 200;
/// Clients, each of which starts a run when its last one has ended.
const CLIENTS: u32 = 4;
/// Runs of each client.
const RUNS: (u32, u32) = (2, 10);
/// How long the emulator is measured alone.
const ALONE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// Messages of one request, the most that SQS takes.
const BATCH: usize = 10;
/// About what a task's message has.
const MESSAGE_BYTES: usize = 600;
/// A task is a message to a worker and one back.
const MESSAGES_PER_TASK: f64 = 2.0;
/// Begin of the queues' names.
const PREFIX: &str = "bench-";

/// What has started, for as long as it is measured.
struct Fleet {
    emulator: Ministack,
    server: Process,
    workers: Vec<Process>,
    client: Client,
}

/// CPU time of each kind of process.
#[derive(Debug, Clone, Copy)]
struct Cpu {
    runnel: Duration,
    workers: Duration,
    emulator: Duration,
    database: Duration,
}

/// Starts everything, runs a wave again and again, and prints who took what.
pub async fn measure(server: &Server, figures: &Figures, options: &Options) -> anyhow::Result<()> {
    let runnel = match options.find_runnel() {
        Ok(program) => program.canonicalize()?,
        Err(reason) => return figures.skip("sqs", &reason),
    };
    let given = options.ministack.clone();
    let start = move || match given {
        Some(program) => Ministack::start_program(&program),
        None => Ministack::start(),
    };
    let emulator = match tokio::task::spawn_blocking(start).await? {
        Ok(emulator) => emulator,
        Err(reason) => return figures.skip("sqs", &format!("{reason:#}")),
    };
    let alone = if options.quick { ALONE.0 } else { ALONE.1 };
    let messages = messages_per_s(&emulator.endpoint(), alone).await?;
    figures.print("sqs", "emulator_messages", messages, "1/s")?;
    let (url, directory) = server.make_database().await?;
    let fleet = Fleet::start(emulator, &runnel, &url, directory.path()).await?;
    fleet.client.publish(&wave()).await?;
    fleet.run().await?;

    let runs = if options.quick { RUNS.0 } else { RUNS.1 };
    let (begun, before) = (Instant::now(), fleet.cpu(server)?);
    let fleet = &fleet;
    let clients = (0..CLIENTS).map(|_| async move {
        for _ in 0..runs {
            fleet.run().await?;
        }
        anyhow::Ok(())
    });
    try_join_all(clients).await?;
    let (elapsed, after) = (begun.elapsed(), fleet.cpu(server)?);
    let tasks = f64::from(CLIENTS * runs * (WIDTH + 2));
    let rate = tasks / elapsed.as_secs_f64();
    figures.print("sqs", "tasks", rate, "1/s")?;
    figures.print(
        "sqs",
        "emulator_ratio",
        messages / (rate * MESSAGES_PER_TASK),
        "1",
    )?;
    for (name, before, after) in [
        ("runnel", before.runnel, after.runnel),
        ("workers", before.workers, after.workers),
        ("emulator", before.emulator, after.emulator),
        ("database", before.database, after.database),
    ] {
        let cpu = after.saturating_sub(before).as_secs_f64();
        figures.print("sqs", &format!("cpu_{name}_per_task"), cpu * 1e3 / tasks, "ms")?;
        let share = cpu * 100.0 / elapsed.as_secs_f64();
        figures.print("sqs", &format!("cpu_{name}"), share, "% of a core")?;
    }
    let resident = machine::resident_mib(fleet.server.pid()?)?;
    figures.print("sqs", "resident_runnel", resident, "MiB")
}

/// One task, then many, then one.
fn wave() -> Value {
    let wide: Vec<String> = (0..WIDTH).map(|n| format!("w{n}")).collect();
    let mut tasks = Map::from_iter([("first".to_owned(), json!({ "type": KIND }))]);
    for key in &wide {
        tasks.insert(key.clone(), json!({ "type": KIND, "needs": ["first"] }));
    }
    tasks.insert("last".to_owned(), json!({ "type": KIND, "needs": wide }));
    json!({ "version": 1, "id": "wave", "tasks": tasks })
}

impl Fleet {
    async fn start(
        emulator: Ministack,
        runnel: &std::path::Path,
        database: &str,
        directory: &std::path::Path,
    ) -> anyhow::Result<Self> {
        let endpoint = emulator.endpoint();
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--queue",
            "sqs",
            "--database-url",
            database,
            "--sqs-endpoint",
            &endpoint,
            "--queue-prefix",
            PREFIX,
        ];
        let mut server = Process::start("runnel serve", runnel, &arguments, directory)?;
        let client = Client::new(&server.address().await?)?;
        let own: PathBuf = std::env::current_exe()?;
        let mut workers = Vec::new();
        for n in 1..=WORKERS {
            let name = format!("bench-{n}");
            let arguments = [
                "sqs-worker",
                "--name",
                &name,
                "--endpoint",
                &endpoint,
                "--prefix",
                PREFIX,
            ];
            workers.push(Process::start(&name, &own, &arguments, directory)?);
        }
        Ok(Self {
            emulator,
            server,
            workers,
            client,
        })
    }

    async fn run(&self) -> anyhow::Result<()> {
        let run = self.client.start("wave").await?;
        self.client.ended(&run).await
    }

    fn cpu(&self, database: &Server) -> anyhow::Result<Cpu> {
        let mut workers = Duration::ZERO;
        for worker in &self.workers {
            workers += machine::tree_cpu(worker.pid()?)?;
        }
        Ok(Cpu {
            runnel: machine::tree_cpu(self.server.pid()?)?,
            workers,
            emulator: machine::tree_cpu(self.emulator.server_pid())?,
            database: database.cpu()?,
        })
    }
}

/// How many messages a second the emulator takes, hands out and deletes for as many clients as there are in the fleet.
async fn messages_per_s(endpoint: &str, time: Duration) -> anyhow::Result<f64> {
    let config = SqsConfig {
        endpoint: Some(endpoint.to_owned()),
        queue_prefix: PREFIX.to_owned(),
        create_queues: true,
        ..SqsConfig::default()
    };
    let (queue, name) = (SqsQueue::connect(config).await, QueueName("alone".to_owned()));
    queue.ensure(&name).await?;
    let body = "x".repeat(MESSAGE_BYTES);
    let (queue, name, body) = (&queue, &name, body.as_str());
    let begun = Instant::now();
    let clients = (0..CLIENTS).map(|_| async move {
        let mut carried = 0;
        while begun.elapsed() < time {
            let message = Outgoing {
                body: body.to_owned(),
                delay: Duration::ZERO,
                traceparent: None,
            };
            let failed = queue.send(name, vec![message; BATCH]).await?;
            anyhow::ensure!(failed.is_empty(), "{failed:?}");
            let taken = queue
                .receive(name, BATCH, Duration::ZERO, Duration::from_secs(60))
                .await?;
            let receipts: Vec<_> = taken.into_iter().map(|message| message.receipt).collect();
            queue.delete(name, &receipts).await?;
            carried += u32::try_from(receipts.len())?;
        }
        anyhow::Ok(carried)
    });
    let carried: u32 = try_join_all(clients).await?.into_iter().sum();
    Ok(f64::from(carried) / begun.elapsed().as_secs_f64())
}

struct DoNothing;

#[async_trait::async_trait]
impl Handler for DoNothing {
    async fn execute(&self, _: &TaskContext) -> Result<Value, TaskError> {
        Ok(Value::Null)
    }
}

/// A worker process: does nothing with what SQS brings, until it is killed.
pub async fn work(worker: &SqsWorker) -> anyhow::Result<()> {
    let config = SqsConfig {
        endpoint: Some(worker.endpoint.clone()),
        queue_prefix: worker.prefix.clone(),
        create_queues: true,
        ..SqsConfig::default()
    };
    let queue: Arc<dyn TaskQueue> = Arc::new(SqsQueue::connect(config).await);
    queue.ensure(&QueueName::completions()).await?;
    let config = WorkerConfig {
        name: worker.name.clone(),
        sink: Arc::new(QueueSink::new(Arc::clone(&queue))),
        queue,
        task_queue: QueueName("default".to_owned()),
        supplies: runnel_worker::Supplies::default(),
        concurrency: CONCURRENCY,
        visibility: Duration::from_secs(60),
        drain_grace: Duration::ZERO,
        handlers: Handlers::none().register(KIND, DoNothing),
    };
    runnel_worker::run(config, CancellationToken::new()).await
}
