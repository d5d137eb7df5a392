//! A container with an engine of this machine that takes docker's arguments.
//!
//! The container has a name of its own attempt, so one that an attempt left behind (its worker was killed) is removed before the next begins,
//! and none outlives an attempt that was stopped. Values of variables go through a file that only the worker can read, never through
//! arguments, which everybody on the machine sees.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use runnel_queue::FailureCategory;
use serde_json::{Value, json};

use super::spec::Spec;
use crate::handlers::command::{self, CommandOptions, Invocation, Workspace};
use crate::task::{TaskContext, TaskError};

/// Exit code of `run` when the engine itself failed.
const ENGINE_FAILED: i32 = 125;

/// Longest name of a container that engines take without complaint.
const NAME_BYTES_MAX: usize = 120;

/// What engines may read of the worker's own environment: where they are, and who may pull.
const ENGINE_VARIABLES: [&str; 6] = [
    "DOCKER_HOST",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "CONTAINER_HOST",
    "XDG_RUNTIME_DIR",
];

pub(super) async fn run(
    engine: &Path,
    arguments: &[String],
    spec: &Spec,
    ctx: &TaskContext,
) -> Result<Value, TaskError> {
    let workspace = Workspace::create()?;
    let env_file = workspace.path("container.env");
    tokio::fs::write(&env_file, env_text(spec)?)
        .await
        .map_err(|error| {
            TaskError::internal(format!("the variables cannot be handed to the engine: {error}"))
        })?;
    let name = name_of(ctx);
    let container = Container {
        engine: engine.to_owned(),
        name: name.clone(),
    };
    container.remove().await;
    let invocation = Invocation {
        program: engine.as_os_str().to_owned(),
        arguments: run_arguments(spec, arguments, &name, &env_file),
        env: BTreeMap::new(),
    };
    let options = CommandOptions {
        pass_env: ENGINE_VARIABLES.iter().map(|name| (*name).to_owned()).collect(),
        memory_bytes: None,
    };
    // the engine's own environment is the worker's business, not the task's
    let mut engine_ctx = ctx.without_input();
    engine_ctx.env.clear();
    let exit = command::run(invocation, &engine_ctx, &options, &workspace).await?;
    match exit.failure() {
        None => {
            // the engine has removed it
            container.forget();
            Ok(exit.output())
        }
        Some(_) if exit.code() == Some(ENGINE_FAILED) => {
            let message = format!("the container was not started: {}", exit.stderr.tail.trim());
            let error = TaskError::new(FailureCategory::Unavailable, "CONTAINER_NOT_STARTED", message);
            Err(error.retryable().with_details(json!({ "image": spec.image })))
        }
        Some(error) => Err(error),
    }
}

fn run_arguments(spec: &Spec, further: &[String], name: &str, env_file: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "run",
        "--rm",
        "--name",
        name,
        "--security-opt",
        "no-new-privileges",
        "--env-file",
    ]
    .map(OsString::from)
    .to_vec();
    arguments.push(env_file.into());
    if let Some(cpu) = spec.cpu {
        arguments.extend(["--cpus".into(), cpu.to_string().into()]);
    }
    if let Some(memory) = spec.memory_mb {
        arguments.extend(["--memory".into(), format!("{memory}m").into()]);
    }
    arguments.extend(further.iter().map(OsString::from));
    arguments.push((&spec.image).into());
    arguments.extend(spec.command.iter().map(OsString::from));
    arguments
}

fn env_text(spec: &Spec) -> Result<String, TaskError> {
    let mut text = String::new();
    for (name, value) in &spec.env {
        if value.contains(['\n', '\r', '\0']) {
            let message = format!(
                "the variable `{name}` has more than one line, which container engines cannot be given"
            );
            return Err(TaskError::input(message));
        }
        text = text + name + "=" + value + "\n";
    }
    Ok(text)
}

/// The same for every delivery of an attempt.
fn name_of(ctx: &TaskContext) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let key: String = ctx.key.chars().map(legal).collect();
    let mut name = format!("runnel-{}-{}-{key}", ctx.run, ctx.attempt);
    name.truncate(NAME_BYTES_MAX);
    name
}

/// Removes the container when it is dropped, unless it is known to be gone.
struct Container {
    engine: PathBuf,
    name: String,
}

impl Container {
    fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.engine);
        command
            .args(["rm", "--force", &self.name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Removes what an earlier delivery left; that there is nothing is the rule.
    async fn remove(&self) {
        let _ = tokio::process::Command::from(self.command()).status().await;
    }

    fn forget(mut self) {
        self.name.clear();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        // within the runtime its end is waited for by the runtime; without one this process ends too
        let spawned = match tokio::runtime::Handle::try_current() {
            Ok(_) => tokio::process::Command::from(self.command()).spawn().map(drop),
            Err(_) => self.command().spawn().map(drop),
        };
        if let Err(error) = spawned {
            tracing::warn!(%error, container = self.name, "a container may be left behind");
        }
    }
}
