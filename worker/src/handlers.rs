//! The built-in task types.
//!
//! Every handler classifies its failures itself, caps what it reads and writes, and stops when its attempt is cancelled.

mod aws;
mod command;
mod container;
mod http;
mod lambda;
mod llm;
mod measure;
mod output;
mod python;
mod shell;
mod sqs;
mod watch;

use std::sync::{Arc, Once};

pub use command::CommandOptions;
pub use container::{ContainerEngine, ContainerOptions, EcsOptions};
pub use http::policy::HttpPolicy;
pub use llm::LlmEndpoint;

use crate::task::Handlers;

/// What the built-in handlers may do and where they find things.
#[derive(Debug, Clone)]
pub struct BuiltinOptions {
    /// Whether `shell` and `python` are there at all.
    pub allow_commands: bool,
    /// How commands are run.
    pub command: CommandOptions,
    /// Python interpreter of `python`.
    pub python: String,
    /// Module search path of `python` callables; the current directory when `None`.
    pub python_path: Option<String>,
    /// Where `http` may connect to.
    pub http: HttpPolicy,
    /// Where `llm` asks; the type is there without it and says what is missing.
    pub llm: Option<LlmEndpoint>,
    /// Endpoint of `sqs`; AWS itself when `None`.
    pub sqs_endpoint: Option<String>,
    /// How `container` tasks are run.
    pub containers: ContainerOptions,
    /// Endpoint of `lambda` and of ECS; AWS itself when `None`.
    pub aws_endpoint: Option<String>,
}

impl Default for BuiltinOptions {
    fn default() -> Self {
        Self {
            allow_commands: true,
            command: CommandOptions::default(),
            python: "python3".to_owned(),
            python_path: None,
            http: HttpPolicy::default(),
            llm: None,
            sqs_endpoint: None,
            containers: ContainerOptions::default(),
            aws_endpoint: None,
        }
    }
}

impl BuiltinOptions {
    /// Reads `RUNNEL_ALLOW_COMMANDS`, `RUNNEL_COMMAND_ENV`, `RUNNEL_COMMAND_MEMORY_MB`, `RUNNEL_PYTHON`, `RUNNEL_PYTHONPATH`,
    /// `RUNNEL_HTTP_ALLOW_PRIVATE`, `RUNNEL_HTTP_ALLOW`, `RUNNEL_LLM_URL`, `RUNNEL_LLM_API_KEY`, `RUNNEL_LLM_MODEL`,
    /// `RUNNEL_SQS_ENDPOINT`, `RUNNEL_AWS_ENDPOINT`, `RUNNEL_CONTAINER_ENGINE`, `RUNNEL_CONTAINER_ARGUMENTS`, `RUNNEL_ECS_CLUSTER`,
    /// `RUNNEL_ECS_SUBNETS`, `RUNNEL_ECS_SECURITY_GROUPS`, `RUNNEL_ECS_PUBLIC_IP`, `RUNNEL_ECS_EXECUTION_ROLE`,
    /// `RUNNEL_ECS_TASK_ROLE` and `RUNNEL_ECS_LOG_GROUP`.
    #[must_use]
    pub fn from_env() -> Self {
        let defaults = Self::default();
        Self {
            allow_commands: flag("RUNNEL_ALLOW_COMMANDS").unwrap_or(true),
            command: CommandOptions {
                pass_env: list("RUNNEL_COMMAND_ENV"),
                memory_bytes: text("RUNNEL_COMMAND_MEMORY_MB")
                    .and_then(|mb| mb.parse::<u64>().ok())
                    .map(|mb| mb << 20),
            },
            python: text("RUNNEL_PYTHON").unwrap_or(defaults.python),
            python_path: text("RUNNEL_PYTHONPATH"),
            http: HttpPolicy {
                allow_private: flag("RUNNEL_HTTP_ALLOW_PRIVATE").unwrap_or(false),
                allow: list("RUNNEL_HTTP_ALLOW"),
            },
            llm: text("RUNNEL_LLM_URL").map(|url| LlmEndpoint {
                url,
                api_key: text("RUNNEL_LLM_API_KEY"),
                model: text("RUNNEL_LLM_MODEL"),
            }),
            sqs_endpoint: text("RUNNEL_SQS_ENDPOINT"),
            containers: ContainerOptions {
                engine: ContainerEngine::read(&text("RUNNEL_CONTAINER_ENGINE").unwrap_or_default()),
                arguments: text("RUNNEL_CONTAINER_ARGUMENTS")
                    .map(|text| text.split_whitespace().map(str::to_owned).collect())
                    .unwrap_or_default(),
                ecs: text("RUNNEL_ECS_CLUSTER").map(|cluster| EcsOptions {
                    cluster,
                    subnets: list("RUNNEL_ECS_SUBNETS"),
                    security_groups: list("RUNNEL_ECS_SECURITY_GROUPS"),
                    has_public_ip: flag("RUNNEL_ECS_PUBLIC_IP").unwrap_or(false),
                    execution_role: text("RUNNEL_ECS_EXECUTION_ROLE"),
                    task_role: text("RUNNEL_ECS_TASK_ROLE"),
                    log_group: text("RUNNEL_ECS_LOG_GROUP"),
                }),
            },
            aws_endpoint: text("RUNNEL_AWS_ENDPOINT"),
        }
    }
}

pub(crate) fn register_builtin(handlers: Handlers, options: BuiltinOptions) -> Handlers {
    ensure_crypto_provider();
    let aws = Arc::new(aws::Aws::new(options.aws_endpoint));
    let containers =
        container::ContainerHandler::new(options.containers, options.allow_commands, Arc::clone(&aws));
    let handlers = handlers
        .register("container", containers)
        .register("lambda", lambda::LambdaHandler::new(aws))
        .register("http", http::HttpHandler::new(options.http))
        .register("llm", llm::LlmHandler::new(options.llm))
        .register("sqs", sqs::SqsHandler::new(options.sqs_endpoint));
    if !options.allow_commands {
        return handlers;
    }
    handlers
        .register("shell", shell::ShellHandler::new(options.command.clone()))
        .register(
            "python",
            python::PythonHandler::new(options.python, options.python_path, options.command),
        )
}

/// Picks the TLS provider of the process, once; rustls has no default when features do not settle it.
pub(crate) fn ensure_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // an error means that the process has picked one already
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

fn text(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

fn flag(variable: &str) -> Option<bool> {
    match text(variable)?.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn list(variable: &str) -> Vec<String> {
    let value = text(variable).unwrap_or_default();
    value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod lambda_tests;
#[cfg(test)]
mod llm_tests;
#[cfg(test)]
mod sqs_tests;
