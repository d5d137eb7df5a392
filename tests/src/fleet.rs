//! The product as it is deployed: server and worker processes, a database, a queue service; each can be killed and started
//! again.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::client::Client;
use crate::databases::TestDatabase;
use crate::process::{self, Process};
use crate::stack::{Stack, unique};
use crate::{programs, services, verify};

/// After this time without a sign of life another worker gets the message of a killed one.
const VISIBILITY: &str = "2s";

/// Which program a process runs, and where it kills itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The product as it is.
    None,
    /// The product with crash points, at the n-th passage of the named one.
    CrashAt(String, u32),
}

/// A server and its workers.
#[derive(Debug)]
pub struct Fleet {
    /// The server; with SQLite it executes tasks, too.
    pub server: Process,
    /// Separate workers; none with SQLite.
    pub workers: Vec<Process>,
    /// A client of the server. The address survives a restart.
    pub client: Client,
    stack: Stack,
    database: TestDatabase,
    directory: TempDir,
    address: String,
    prefix: String,
    options: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Fleet {
    /// Starts a server that is ready, and no worker yet.
    ///
    /// # Errors
    /// A program or a service is missing.
    pub async fn start(stack: Stack, fault: &Fault) -> anyhow::Result<Self> {
        Self::start_with(stack, fault, &unique("fleet-"), &[]).await
    }

    /// The same with queues of this prefix, and further options of the server.
    ///
    /// # Errors
    /// A program or a service is missing.
    pub async fn start_with(
        stack: Stack,
        fault: &Fault,
        prefix: &str,
        options: &[&str],
    ) -> anyhow::Result<Self> {
        Self::launch(stack, fault, prefix, options, Vec::new()).await
    }

    /// The same as [`Fleet::start`], with variables in the environment of all processes.
    ///
    /// # Errors
    /// A program or a service is missing.
    pub async fn start_in(
        stack: Stack,
        fault: &Fault,
        environment: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        Self::launch(stack, fault, &unique("fleet-"), &[], environment).await
    }

    async fn launch(
        stack: Stack,
        fault: &Fault,
        prefix: &str,
        options: &[&str],
        environment: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let database = stack.database().await?;
        let directory = tempfile::Builder::new().prefix("runnel-fleet-").tempdir()?;
        let address = format!("127.0.0.1:{}", services::free_port()?);
        let mut command = server(stack, &database.url, directory.path(), &address, prefix, fault)?;
        command.args(options).envs(environment.iter().cloned());
        let server = Process::start("server", command)?;
        let client = server.client().await?;
        Ok(Self {
            server,
            workers: Vec::new(),
            client,
            stack,
            database,
            directory,
            address,
            prefix: prefix.to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            environment,
        })
    }

    /// Starts the server again, which is not running any more.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart_server(&mut self) -> anyhow::Result<()> {
        let url = &self.database.url;
        let mut command = server(
            self.stack,
            url,
            self.directory.path(),
            &self.address,
            &self.prefix,
            &Fault::None,
        )?;
        command.args(&self.options).envs(self.environment.iter().cloned());
        self.server = Process::start("server", command)?;
        self.client = self.server.client().await?;
        Ok(())
    }

    /// Starts one more worker, where workers are processes of their own.
    ///
    /// # Errors
    /// It does not start.
    pub fn add_worker(&mut self, fault: &Fault) -> anyhow::Result<()> {
        self.add_worker_with(fault, &[])
    }

    /// The same with further options.
    ///
    /// # Errors
    /// It does not start.
    pub fn add_worker_with(&mut self, fault: &Fault, options: &[&str]) -> anyhow::Result<()> {
        if self.stack != Stack::PostgresSqs {
            return Ok(());
        }
        let name = format!("worker-{}", self.workers.len() + 1);
        let endpoint = services::sqs_endpoint()?;
        let mut command = program(fault)?;
        command.args([
            "worker",
            "--worker-name",
            &name,
            "--sqs-endpoint",
            &endpoint,
            "--visibility",
            VISIBILITY,
        ]);
        command.args(["--queue-prefix", &self.prefix, "--http-allow-private"]);
        command.args(options).envs(self.environment.iter().cloned());
        self.workers.push(Process::start(&name, command)?);
        Ok(())
    }

    /// Address of its database.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Stops everything with SIGTERM, expects orderly ends, and checks the invariants.
    ///
    /// # Errors
    /// A process ends otherwise, or an invariant is broken.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        for worker in &mut self.workers {
            let status = worker.terminate().await?;
            anyhow::ensure!(
                status.success(),
                "a worker ended with {status}:\n{}",
                worker.output()
            );
        }
        let status = self.server.terminate().await?;
        anyhow::ensure!(
            status.success(),
            "the server ended with {status}:\n{}",
            self.server.output()
        );
        verify::assert_command_finds_nothing(&self.database.url).await
    }

    /// Everything that all processes have printed, for a failure's message.
    #[must_use]
    pub fn output(&self) -> String {
        let parts = std::iter::once(&self.server).chain(&self.workers);
        parts.map(Process::output).collect::<Vec<_>>().join("\n--\n")
    }

    /// Waits for the end of a run; answers it with its tasks.
    ///
    /// # Errors
    /// It does not end.
    pub async fn ended(&self, run: &str) -> anyhow::Result<Value> {
        self.client.until_ended(run).await.with_context(|| self.output())
    }
}

fn program(fault: &Fault) -> anyhow::Result<Command> {
    match fault {
        Fault::None => Ok(process::command(&programs::runnel()?, &[])),
        Fault::CrashAt(name, nth) => {
            let mut command = process::command(&programs::runnel_with_faults()?, &[]);
            command.env("RUNNEL_CRASH_AT", format!("{name}:{nth}"));
            Ok(command)
        }
    }
}

fn server(
    stack: Stack,
    database: &str,
    directory: &Path,
    address: &str,
    prefix: &str,
    fault: &Fault,
) -> anyhow::Result<Command> {
    let data: PathBuf = directory.join("data");
    let mut command = program(fault)?;
    match stack {
        Stack::SqliteEmbedded | Stack::PostgresEmbedded => {
            command
                .args([
                    "dev",
                    "--listen",
                    address,
                    "--database-url",
                    database,
                    "--data-dir",
                ])
                .arg(data);
        }
        Stack::PostgresSqs => {
            let endpoint = services::sqs_endpoint()?;
            command.args([
                "serve",
                "--listen",
                address,
                "--database-url",
                database,
                "--queue",
                "sqs",
            ]);
            command
                .args([
                    "--sqs-endpoint",
                    &endpoint,
                    "--queue-prefix",
                    prefix,
                    "--data-dir",
                ])
                .arg(data);
        }
    }
    Ok(command)
}
