//! `container`: runs an image to its end, with a local engine (docker, podman) or with Amazon ECS.
//!
//! Input: `image`, `command` and `args` (lists of arguments, one after the other; the image's own when both are absent), `env`, `resources: {cpu, memory_mb}`. The task's `env` counts
//! too. Output: `exit_code`; of a local engine also `stdout` and `stderr` (tails) and the keys of the JSON object on the last line of output; of
//! ECS `task_arn`. Which engine runs it is the worker's setting, never the workflow's.

mod ecs;
mod local;
mod spec;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use runnel_queue::FailureCategory;
use serde_json::Value;

use super::aws::Aws;
use crate::task::{Handler, TaskContext, TaskError};

pub(crate) use ecs::Ecs;
pub use ecs::EcsOptions;
use spec::Spec;

/// Engines that are looked for in `PATH`, in this order.
const LOCAL_ENGINES: [&str; 2] = ["docker", "podman"];

/// Where `container` tasks are run.
#[derive(Debug, Clone, Default)]
pub enum ContainerEngine {
    /// ECS where a cluster is named, else docker or podman where they are installed.
    #[default]
    Auto,
    /// This program, which takes the arguments of docker.
    Local(PathBuf),
    /// ECS only.
    Ecs,
    /// Nowhere.
    None,
}

impl ContainerEngine {
    /// `ecs`, `none`, `auto`, or the name or path of a program.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text {
            "" | "auto" => Self::Auto,
            "ecs" => Self::Ecs,
            "none" => Self::None,
            program => Self::Local(PathBuf::from(program)),
        }
    }
}

/// How containers are run.
#[derive(Debug, Clone, Default)]
pub struct ContainerOptions {
    /// Where.
    pub engine: ContainerEngine,
    /// Further arguments of `run` of a local engine, as `--network=none`.
    pub arguments: Vec<String>,
    /// How ECS is used, where a cluster is named.
    pub ecs: Option<EcsOptions>,
}

/// Handler of `container`.
pub(crate) struct ContainerHandler {
    engine: ContainerEngine,
    arguments: Vec<String>,
    is_local_allowed: bool,
    ecs: Option<Ecs>,
}

impl ContainerHandler {
    /// A local engine is as mighty as commands are, and is used only where those are allowed.
    pub(crate) fn new(options: ContainerOptions, is_local_allowed: bool, aws: Arc<Aws>) -> Self {
        Self {
            engine: options.engine,
            arguments: options.arguments,
            is_local_allowed,
            ecs: options.ecs.map(|ecs| Ecs::new(ecs, aws)),
        }
    }
}

#[async_trait]
impl Handler for ContainerHandler {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let spec = Spec::read(ctx)?;
        match (&self.engine, &self.ecs) {
            (ContainerEngine::Auto | ContainerEngine::Ecs, Some(ecs)) => ecs.run(&spec, ctx).await,
            (ContainerEngine::Ecs, None) => Err(missing(
                "RUNNEL_CONTAINER_ENGINE is `ecs` and RUNNEL_ECS_CLUSTER is not set",
            )),
            (ContainerEngine::None, _) => Err(missing("RUNNEL_CONTAINER_ENGINE is `none`")),
            (ContainerEngine::Auto | ContainerEngine::Local(_), _) if !self.is_local_allowed => Err(missing(
                "commands are not allowed on it (RUNNEL_ALLOW_COMMANDS), and a local engine is one",
            )),
            (ContainerEngine::Local(program), _) => local::run(program, &self.arguments, &spec, ctx).await,
            (ContainerEngine::Auto, None) => match LOCAL_ENGINES.iter().find_map(|name| in_path(name)) {
                Some(program) => local::run(&program, &self.arguments, &spec, ctx).await,
                None => Err(missing("neither docker nor podman is in its PATH")),
            },
        }
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// This worker cannot run containers; another one may, but not by chance.
fn missing(why: &str) -> TaskError {
    let message = format!(
        "this worker has no container engine: {why}; install docker or podman, or set RUNNEL_ECS_CLUSTER, or send the task to another queue"
    );
    TaskError::new(FailureCategory::Unavailable, "CONTAINER_ENGINE_MISSING", message)
}

#[cfg(test)]
mod tests;
