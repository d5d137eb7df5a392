//! An emulator of its own with the templates of `infra/cloudformation` deployed to it, as a user deploys them to AWS.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

use crate::process;
use crate::programs;
use crate::services::ministack::Ministack;

/// An emulator with stacks.
#[derive(Debug)]
pub struct Deployment {
    emulator: Ministack,
}

impl Deployment {
    /// An emulator without any stack.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self {
            emulator: Ministack::start()?,
        })
    }

    /// The address of the emulator.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.emulator.endpoint()
    }

    /// Stores the Lambda worker as `code/worker.zip`.
    ///
    /// # Errors
    /// It was not built, or the emulator refuses.
    pub async fn upload_worker(&self) -> anyhow::Result<()> {
        let program = programs::bootstrap()?;
        let program = program.to_str().context("the path of the program")?;
        self.stack(&["upload", "code", "worker.zip", program])
            .await
            .map(drop)
    }

    /// Makes or updates a stack of the template; answers its outputs. What is not set stays as it was.
    ///
    /// # Errors
    /// The stack does not get complete.
    pub async fn deploy(&self, name: &str, template: &str, settings: &[&str]) -> anyhow::Result<Value> {
        let template = infra(&format!("cloudformation/{template}.yaml"));
        let template = template.to_str().context("the path of the template")?;
        let endpoint = format!("EndpointUrl={}", self.endpoint());
        let mut arguments = vec!["deploy", name, template, &endpoint];
        arguments.extend(settings);
        let mut answer = self.stack(&arguments).await?;
        Ok(answer["outputs"].take())
    }

    /// Deletes a stack.
    ///
    /// # Errors
    /// Something of it cannot be deleted.
    pub async fn delete(&self, name: &str) -> anyhow::Result<()> {
        self.stack(&["delete", name]).await.map(drop)
    }

    async fn stack(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = Command::new(tool("venv/bin/python"));
        command
            .arg(programs::workspace().join("scripts/stack.py"))
            .args(["--endpoint", &self.endpoint()])
            .args(arguments)
            .kill_on_drop(true);
        let ended = process::finish(command).await?;
        anyhow::ensure!(
            ended.status.success(),
            "stack.py {}: {}",
            arguments.join(" "),
            ended.stderr
        );
        serde_json::from_str(&ended.stdout).context("the answer of stack.py")
    }

    /// A command of the product that finds queues and bucket by the outputs of a core stack, as its container would: in the environment.
    ///
    /// # Errors
    /// The product was not built, or an output is missing.
    pub fn command(
        &self,
        core: &Value,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Command> {
        let mut command = process::command(&programs::runnel()?, arguments);
        for (variable, output) in [
            ("RUNNEL_QUEUE_PREFIX", "QueuePrefix"),
            ("RUNNEL_PAYLOADS", "PayloadsPlace"),
        ] {
            command.env(variable, text(core, output)?);
        }
        command
            .env("RUNNEL_SQS_ENDPOINT", self.endpoint())
            .env("RUNNEL_PAYLOADS_ENDPOINT", self.endpoint())
            .envs(variables.iter().copied());
        Ok(command)
    }
}

/// An output of a stack.
///
/// # Errors
/// There is no such output.
pub fn text<'a>(outputs: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    outputs[name]
        .as_str()
        .with_context(|| format!("no output {name}: {outputs:#}"))
}

/// A file of `infra`.
#[must_use]
pub fn infra(path: &str) -> PathBuf {
    programs::workspace().join("infra").join(path)
}

/// A program that scripts/setup-tests.sh installs.
#[must_use]
pub fn tool(path: &str) -> PathBuf {
    programs::workspace().join(".tools").join(path)
}
