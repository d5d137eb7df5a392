//! `runnel dev`: everything on this machine, kept in one directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::command::options::{DEFAULT_LISTEN, print, switch};
use crate::command::version::VERSION;
use crate::exit::{Ended, Exit};
use crate::host::data_dir::DataDir;
use crate::host::observe::{self, LogFormat, ObserveArgs};
use crate::host::options::{
    ApiArgs, PayloadArgs, PayloadLimitArgs, SecretKeyArgs, SqsArgs, database, embedded_queue, local_worker,
    shown_database, sqs_queue,
};
use crate::host::{Host, Plan, keys, stop};

/// Options of `runnel dev`.
#[derive(Debug, Args)]
pub struct Dev {
    /// Address of the API; port 0 takes a free one
    #[arg(long, env = "RUNNEL_LISTEN", default_value = DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Directory of the database and keys
    #[arg(long, env = "RUNNEL_DATA_DIR", default_value = ".runnel", value_name = "DIR")]
    data_dir: PathBuf,
    /// Keep nothing after the end
    #[arg(long, env = "RUNNEL_EPHEMERAL", conflicts_with = "database_url", value_parser = switch())]
    ephemeral: bool,
    /// Another database than the one in the data directory
    #[arg(long, env = "RUNNEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Attempts at once
    #[arg(long, env = "RUNNEL_CONCURRENCY", default_value_t = 16, value_parser = at_least_one, value_name = "N")]
    concurrency: usize,
    /// Task queues the worker receives from
    #[arg(
        long,
        env = "RUNNEL_QUEUE_NAMES",
        default_value = "default",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    queue_names: Vec<String>,
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
    observe: ObserveArgs,
}

impl Dev {
    /// Form of the log.
    pub fn log_format(&self) -> Option<LogFormat> {
        self.observe.log_format
    }

    /// Runs until it is stopped.
    pub async fn execute(self) -> Ended {
        let begun = Instant::now();
        let stop = stop::on_signal()?;
        observe::begin("dev", &self.observe)?;
        let dir = if self.ephemeral {
            DataDir::temporary()?
        } else {
            DataDir::open(&self.data_dir)?
        };
        let url = self.database_url.clone().unwrap_or_else(|| dir.database_url());
        // An endpoint is the one thing that says: use SQS. AWS itself is for `serve`.
        let queue = match &self.sqs.sqs_endpoint {
            Some(_) => sqs_queue(&self.sqs).await?,
            None => embedded_queue(),
        };
        let plan = Plan {
            listen: self.listen,
            database: database(&url)?,
            queue,
            token_keys: keys::kept(dir.path())?,
            payloads: self.limits.config(self.payloads.store_or(dir.path())?)?,
            secret_keys: self.secrets.keys(dir.path())?,
            public_url: self.api.public_url.clone(),
            audit_kept: self.api.audit_kept(),
            runs_kept_days: self.api.runs_kept_days,
            api: self.api.config()?,
            worker: Some(local_worker(&self.queue_names, self.concurrency, true)),
            functions: Vec::new(),
        };
        let host = Host::start(plan).await?;
        print(&self.banner(&host, &dir, begun))?;
        let ended = host.run(stop).await;
        observe::end().await;
        ended.map(|()| Exit::Ok)
    }

    /// The first line holds the address, for scripts that chose port 0.
    fn banner(&self, host: &Host, dir: &DataDir, begun: Instant) -> String {
        let base = format!("http://{}", host.address);
        let ready = begun.elapsed().as_millis();
        let database = match &self.database_url {
            Some(url) => shown_database(url),
            None if dir.is_temporary() => format!("{} (discarded at the end)", dir.database_file().display()),
            None => format!("{} (kept; --ephemeral to discard)", dir.database_file().display()),
        };
        let queue = self.sqs.sqs_endpoint.as_deref().unwrap_or("embedded");
        format!(
            "runnel {VERSION} ready in {ready} ms  {base}\n\
             graphql   {base}/graphql\n\
             graphiql  {base}/graphiql\n\
             metrics   {base}/metrics\n\
             database  {database}\n\
             queue     {queue}, {} attempts at once\n",
            self.concurrency
        )
    }
}

/// Zero workers would leave every task waiting without a word.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a number of at least 1".to_owned()),
        Ok(count) => Ok(count),
    }
}
