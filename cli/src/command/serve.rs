//! `runnel serve`: an orchestrator with its API, for a server. Any number of them may share one database and SQS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use runnel_queue::QueueName;

use crate::command::dev::at_least_one;
use crate::command::options::{print, switch};
use crate::command::version::VERSION;
use crate::exit::{Ended, Exit, Failure};
use crate::host::data_dir::DataDir;
use crate::host::functions::FunctionQueue;
use crate::host::observe::{self, LogFormat, ObserveArgs};
use crate::host::options::{
    ApiArgs, HandlerArgs, KeyArgs, PayloadArgs, PayloadLimitArgs, QueueKind, SecretKeyArgs, SqsArgs,
    database, embedded_queue, ensure_queues, local_worker, shown_database, sqs_queue,
};
use crate::host::{Host, Plan, schema, stop};

/// Attempts at once of the worker that comes with the embedded queue.
const EMBEDDED_CONCURRENCY: usize = 16;

/// Options of `runnel serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Address of the API; port 0 takes a free one
    #[arg(
        long,
        env = "RUNNEL_LISTEN",
        default_value = "127.0.0.1:7420",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// postgres://… or sqlite://…
    #[arg(long, env = "RUNNEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: String,
    /// Which queue carries tasks and completions
    #[arg(long, env = "RUNNEL_QUEUE", value_enum, default_value = "sqs")]
    queue: QueueKind,
    /// Run a worker in this process too, with this many attempts at once
    #[arg(long, env = "RUNNEL_WITH_WORKER", value_parser = at_least_one, value_name = "N")]
    with_worker: Option<usize>,
    /// Task queues of the worker in this process
    #[arg(
        long,
        env = "RUNNEL_QUEUE_NAMES",
        default_value = "default",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    queue_names: Vec<String>,
    /// Task queues that Lambda functions work off, as QUEUE or QUEUE=TYPE,TYPE; without types the built-in ones
    #[arg(
        long,
        env = "RUNNEL_FUNCTIONS",
        value_delimiter = ';',
        value_name = "QUEUE[=TYPES]"
    )]
    functions: Vec<FunctionQueue>,
    /// Directory of generated token keys
    #[arg(long, env = "RUNNEL_DATA_DIR", default_value = ".runnel", value_name = "DIR")]
    data_dir: PathBuf,
    /// Refuse a database with an old schema instead of migrating it
    #[arg(long, env = "RUNNEL_NO_MIGRATE", value_parser = switch())]
    no_migrate: bool,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    secrets: SecretKeyArgs,
    #[command(flatten)]
    payloads: PayloadArgs,
    #[command(flatten)]
    limits: PayloadLimitArgs,
    #[command(flatten)]
    sqs: SqsArgs,
    #[command(flatten)]
    handlers: HandlerArgs,
    #[command(flatten)]
    observe: ObserveArgs,
}

impl Serve {
    /// Form of the log.
    pub fn log_format(&self) -> Option<LogFormat> {
        self.observe.log_format
    }

    /// Runs until it is stopped.
    pub async fn execute(self) -> Ended {
        let begun = Instant::now();
        let stop = stop::on_signal()?;
        observe::begin("serve", &self.observe)?;
        // With SQS replicas share everything but this directory, which then only holds a key: no lock is needed.
        let _lock = match self.queue {
            QueueKind::Embedded => Some(DataDir::open(&self.data_dir)?),
            QueueKind::Sqs => None,
        };
        let token_keys = self.token_keys()?;
        self.warn_about_kept_files();
        let database = database(&self.database_url)?;
        if self.no_migrate {
            schema::require_current(&database).await?;
        }
        let queue = match self.queue {
            QueueKind::Embedded => embedded_queue(),
            QueueKind::Sqs => sqs_queue(&self.sqs).await?,
        };
        let mut names: Vec<QueueName> = self.queue_names.iter().cloned().map(QueueName).collect();
        names.extend(self.functions.iter().map(|function| function.queue.clone()));
        names.push(QueueName::completions());
        ensure_queues(&queue, &names).await?;
        let concurrency = match self.queue {
            QueueKind::Embedded => Some(self.with_worker.unwrap_or(EMBEDDED_CONCURRENCY)),
            QueueKind::Sqs => self.with_worker,
        };
        let worker =
            concurrency.map(|n| local_worker(&self.queue_names, n, self.handlers.http_allow_private));
        let plan = Plan {
            listen: self.listen,
            database,
            queue,
            token_keys,
            payloads: self.limits.config(self.payloads.store_or(&self.data_dir)?)?,
            secret_keys: self.secrets.keys(&self.data_dir)?,
            public_url: self.api.public_url.clone(),
            audit_kept: self.api.audit_kept(),
            runs_kept_days: self.api.runs_kept_days,
            api: self.api.config()?,
            worker,
            functions: self.functions.clone(),
        };
        let host = Host::start(plan).await?;
        let ready = begun.elapsed().as_millis();
        print(&format!(
            "runnel {VERSION} ready in {ready} ms  http://{}\ndatabase  {}\n",
            host.address,
            shown_database(&self.database_url)
        ))?;
        let ended = host.run(stop).await;
        observe::end().await;
        ended.map(|()| Exit::Ok)
    }

    /// What replicas must share and this one keeps for itself.
    fn warn_about_kept_files(&self) {
        if self.queue != QueueKind::Sqs {
            return;
        }
        let data_dir = self.data_dir.display();
        if self.secrets.secret_keys.is_none() && self.secrets.secret_keys_file.is_none() {
            tracing::warn!(
                "encrypting stored secrets with a key kept in {data_dir}; replicas need the same: set RUNNEL_SEALING_KEYS on each"
            );
        }
        if self.payloads.payloads.is_none() {
            tracing::warn!(
                "keeping large values in {data_dir}; replicas and workers need the same place: set RUNNEL_PAYLOADS on each"
            );
        }
    }

    fn token_keys(&self) -> Result<runnel_queue::TokenKeys, Failure> {
        let is_given = self.keys.token_keys.is_some() || self.keys.token_keys_file.is_some();
        if !is_given && self.queue == QueueKind::Sqs {
            // Replicas with different keys would refuse each other's completions.
            tracing::warn!(
                "using a token key kept in {}; replicas need the same keys: set RUNNEL_TOKEN_KEYS on each",
                self.data_dir.display()
            );
        }
        self.keys.keys(&self.data_dir)
    }
}
