//! A container with Amazon ECS: one task on Fargate.
//!
//! An image cannot be chosen when a task is run, so there is a task definition for each image and size, made once. The token of `RunTask` is
//! that of the attempt: a second delivery of its message finds the same task, and does not start another. When the attempt is stopped, the
//! task is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use runnel_queue::{FailureCategory, PayloadRef};
use serde_json::{Value, json};

use super::spec::Spec;
use crate::handlers::aws::{self, Answer, Aws, Call};
use crate::task::{TaskContext, TaskError};

/// How often ECS is asked whether the task has ended; its calls are limited for a whole account.
const POLL: Duration = Duration::from_secs(5);

/// Longest JSON of the overrides of a task, a limit of ECS.
const OVERRIDES_BYTES_MAX: usize = 8192;

/// Failed polls in a row before the attempt gives up watching.
const POLL_FAILURES_MAX: u32 = 12;

/// Name of the one container in each task definition.
const CONTAINER: &str = "task";

const CPU_DEFAULT: f64 = 0.25;
const MEMORY_MB_DEFAULT: u64 = 512;

/// Where and as whom tasks run.
#[derive(Debug, Clone, Default)]
pub struct EcsOptions {
    /// Name or ARN of the cluster.
    pub cluster: String,
    /// Subnets of the tasks.
    pub subnets: Vec<String>,
    /// Security groups of the tasks; those of the network by default.
    pub security_groups: Vec<String>,
    /// Whether tasks get public addresses, which they need to pull images in a public subnet.
    pub has_public_ip: bool,
    /// Role that pulls the image and writes the log.
    pub execution_role: Option<String>,
    /// Role that the container itself has.
    pub task_role: Option<String>,
    /// CloudWatch log group of the containers' output.
    pub log_group: Option<String>,
}

/// Runs tasks.
pub(crate) struct Ecs {
    options: EcsOptions,
    aws: Arc<Aws>,
    poll: Duration,
    /// Families of task definitions that are known to be there.
    defined: Mutex<HashSet<String>>,
}

impl Ecs {
    pub(crate) fn new(options: EcsOptions, aws: Arc<Aws>) -> Self {
        Self {
            options,
            aws,
            poll: POLL,
            defined: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn polling(mut self, poll: Duration) -> Self {
        self.poll = poll;
        self
    }

    pub(super) async fn run(&self, spec: &Spec, ctx: &TaskContext) -> Result<Value, TaskError> {
        let family = self.define(spec).await?;
        let task = self.start(&family, spec, ctx).await?;
        let ended = tokio::select! {
            ended = self.ended(&task) => ended?,
            () = ctx.cancelled.cancelled() => {
                self.stop(&task).await;
                return Err(TaskError::internal("the attempt was stopped"));
            }
        };
        outcome(&task, &ended)
    }

    /// The family of the task definition, which is made where it is missing.
    async fn define(&self, spec: &Spec) -> Result<String, TaskError> {
        let (cpu, memory) = size(spec);
        let mut container = json!({ "name": CONTAINER, "image": spec.image, "essential": true });
        if let Some(group) = &self.options.log_group {
            container["logConfiguration"] = json!({
                "logDriver": "awslogs",
                "options": { "awslogs-group": group, "awslogs-stream-prefix": "runnel", "mode": "non-blocking" },
            });
        }
        let mut definition = json!({
            "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": cpu, "memory": memory,
            "containerDefinitions": [container],
        });
        if let Some(role) = &self.options.execution_role {
            definition["executionRoleArn"] = json!(role);
        }
        if let Some(role) = &self.options.task_role {
            definition["taskRoleArn"] = json!(role);
        }
        // what is the same has the same name
        let digest = PayloadRef::of(definition.to_string().as_bytes()).sha256;
        let family = format!("runnel-{}", digest.get(..24).unwrap_or(&digest));
        if self.known().contains(&family) {
            return Ok(family);
        }
        let found = self
            .ask("DescribeTaskDefinition", &json!({ "taskDefinition": family }))
            .await?;
        let status = found.status;
        if status.is_server_error() || status.as_u16() == 429 || status.as_u16() == 403 {
            return Err(aws::refused("ECS", &found));
        }
        if !status.is_success() {
            definition["family"] = json!(family);
            self.told("RegisterTaskDefinition", &definition).await?;
        }
        self.known().insert(family.clone());
        Ok(family)
    }

    async fn start(&self, family: &str, spec: &Spec, ctx: &TaskContext) -> Result<String, TaskError> {
        let env = spec
            .env
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }));
        let mut container = json!({ "name": CONTAINER, "environment": env.collect::<Vec<_>>() });
        if !spec.command.is_empty() {
            container["command"] = json!(spec.command);
        }
        let overrides = json!({ "containerOverrides": [container] });
        let bytes = overrides.to_string().len();
        if bytes > OVERRIDES_BYTES_MAX {
            let message = format!("`command` and `env` have {bytes} bytes; ECS takes {OVERRIDES_BYTES_MAX}");
            return Err(TaskError::new(
                FailureCategory::Input,
                "PAYLOAD_TOO_LARGE",
                message,
            ));
        }
        let attempt = format!("{}/{}/{}", ctx.run, ctx.key, ctx.attempt);
        let token = PayloadRef::of(attempt.as_bytes()).sha256;
        let public_ip = if self.options.has_public_ip {
            "ENABLED"
        } else {
            "DISABLED"
        };
        let started = self
            .told("RunTask", &json!({
                "cluster": self.options.cluster, "taskDefinition": family, "launchType": "FARGATE", "count": 1,
                "clientToken": token, "startedBy": "runnel", "overrides": overrides,
                "networkConfiguration": { "awsvpcConfiguration": {
                    "subnets": self.options.subnets, "securityGroups": self.options.security_groups, "assignPublicIp": public_ip,
                } },
            }))
            .await?;
        if let Some(arn) = started["tasks"][0]["taskArn"].as_str() {
            return Ok(arn.to_owned());
        }
        let reason = started["failures"][0]["reason"]
            .as_str()
            .unwrap_or("no reason given");
        let message = format!("ECS has not started the task: {reason}");
        Err(TaskError::new(FailureCategory::Unavailable, "CONTAINER_NOT_STARTED", message).retryable())
    }

    /// Waits for the end of the task, and answers its description.
    async fn ended(&self, task: &str) -> Result<Value, TaskError> {
        let mut failures = 0;
        let which = json!({ "cluster": self.options.cluster, "tasks": [task] });
        loop {
            match self.told("DescribeTasks", &which).await {
                Ok(mut found) => {
                    failures = 0;
                    if found["tasks"][0]["lastStatus"] == "STOPPED" {
                        return Ok(found["tasks"][0].take());
                    }
                    if found["tasks"].as_array().is_none_or(Vec::is_empty) {
                        let message = format!("ECS does not know the task {task} any more");
                        return Err(
                            TaskError::new(FailureCategory::Lost, "CONTAINER_LOST", message).retryable()
                        );
                    }
                }
                // the container goes on whether it is watched or not
                Err(error) if failures < POLL_FAILURES_MAX => {
                    failures += 1;
                    tracing::warn!(%error, task, "the task cannot be watched now");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(self.poll).await;
        }
    }

    async fn stop(&self, task: &str) {
        let which =
            json!({ "cluster": self.options.cluster, "task": task, "reason": "the attempt was stopped" });
        if let Err(error) = self.told("StopTask", &which).await {
            tracing::warn!(%error, task, "a task may be left behind");
        }
    }

    /// The answer of a call that must succeed.
    async fn told(&self, action: &str, body: &Value) -> Result<Value, TaskError> {
        let answer = self.ask(action, body).await?;
        if !answer.status.is_success() {
            return Err(aws::refused("ECS", &answer));
        }
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    async fn ask(&self, action: &str, body: &Value) -> Result<Answer, TaskError> {
        self.aws
            .call(Call {
                service: "ecs",
                method: Method::POST,
                path: "/".to_owned(),
                headers: vec![
                    ("content-type", "application/x-amz-json-1.1".to_owned()),
                    (
                        "x-amz-target",
                        format!("AmazonEC2ContainerServiceV20141113.{action}"),
                    ),
                ],
                body: body.to_string(),
                region: None,
            })
            .await
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.defined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Units of processor and memory as Fargate has them; which go together is for ECS to say.
fn size(spec: &Spec) -> (String, String) {
    let units = (spec.cpu.unwrap_or(CPU_DEFAULT) * 1024.0).round();
    (
        format!("{units}"),
        spec.memory_mb.unwrap_or(MEMORY_MB_DEFAULT).to_string(),
    )
}

fn outcome(task: &str, ended: &Value) -> Result<Value, TaskError> {
    let container = &ended["containers"][0];
    let reason = container["reason"]
        .as_str()
        .or_else(|| ended["stoppedReason"].as_str())
        .unwrap_or_default();
    let details = json!({ "task_arn": task, "exit_code": container["exitCode"], "reason": reason });
    let error = |category, code: &str, message: String| {
        Err(TaskError::new(category, code, message)
            .retryable()
            .with_details(details.clone()))
    };
    match container["exitCode"].as_i64() {
        Some(0) => Ok(json!({ "exit_code": 0, "task_arn": task })),
        Some(_) if reason.contains("OutOfMemory") => error(
            FailureCategory::User,
            "KILLED",
            format!("the container ran out of memory: {reason}"),
        ),
        Some(code) => error(
            FailureCategory::User,
            "EXIT_CODE",
            format!("the container ended with exit code {code}"),
        ),
        // the image cannot be pulled, there is no capacity, Spot took it back
        None => error(
            FailureCategory::Unavailable,
            "CONTAINER_NOT_STARTED",
            format!("the container did not run: {reason}"),
        ),
    }
}
