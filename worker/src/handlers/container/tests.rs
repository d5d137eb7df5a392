use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::*;
use crate::Failure;
use crate::testing::context;

/// A program that stands for docker: it writes down its arguments and variables, and does as it is told. What a real engine does with an
/// image is not tested here.
struct Fake {
    directory: tempfile::TempDir,
}

impl Fake {
    fn new(body: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let script = format!(
            "#!/bin/sh\nhere='{}'\necho \"$@\" >> \"$here/calls\"\nif [ \"$1\" = rm ]; then exit 0; fi\n\
             while [ $# -gt 0 ]; do if [ \"$1\" = --env-file ]; then cp \"$2\" \"$here/env\"; fi; shift; done\nenv > \"$here/own\"\n{body}\n",
            directory.path().display()
        );
        let program = directory.path().join("docker");
        std::fs::write(&program, script).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        Self { directory }
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap_or_default()
    }

    async fn run(&self, input: Value, env: &[(&str, &str)]) -> Result<Value, Failure> {
        let options = ContainerOptions {
            engine: ContainerEngine::Local(self.directory.path().join("docker")),
            arguments: vec!["--network=none".to_owned()],
            ecs: None,
        };
        let mut ctx = context("container", input);
        ctx.env = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let handler = ContainerHandler::new(options, true, Arc::new(Aws::new(None)));
        handler.execute(&ctx).await.map_err(TaskError::into_failure)
    }
}

#[tokio::test]
async fn a_local_engine_is_given_image_command_limits_and_variables() {
    let fake = Fake::new("echo '{\"rows\": 3}'");
    let input = json!({
        "image": "alpine:3.22", "command": ["sh", "-c"], "args": ["date; id"], "env": { "MODE": "full", "N": 5 },
        "resources": { "cpu": 0.5, "memory_mb": 64 },
    });
    let output = fake
        .run(
            input,
            &[("TOKEN", "from the task"), ("DOCKER_HOST", "tcp://elsewhere")],
        )
        .await
        .expect("an output");
    assert_eq!((&output["exit_code"], &output["rows"]), (&json!(0), &json!(3)));
    let calls = fake.read("calls");
    let mut calls = calls.lines();
    let name = "runnel-0190d3b4-0000-7000-8000-000000000001-2-task";
    assert_eq!(
        calls.next(),
        Some(format!("rm --force {name}").as_str()),
        "what an earlier delivery left goes first"
    );
    let run = calls.next().expect("a run");
    assert!(
        run.starts_with(&format!(
            "run --rm --name {name} --security-opt no-new-privileges --env-file "
        )),
        "{run}"
    );
    assert!(
        run.ends_with(" --cpus 0.5 --memory 64m --network=none alpine:3.22 sh -c date; id"),
        "{run}"
    );
    assert!(!run.contains("from the task"), "values are not arguments");
    let env = fake.read("env");
    for line in [
        "MODE=full",
        "N=5",
        "TOKEN=from the task",
        "RUNNEL_ATTEMPT=2",
        "DOCKER_HOST=tcp://elsewhere",
    ] {
        assert!(env.lines().any(|found| found == line), "{line}: {env}");
    }
    assert!(
        !fake.read("own").contains("elsewhere"),
        "a task does not steer the engine"
    );
    assert_eq!(calls.next(), None, "the engine removes what has ended");
}

#[tokio::test]
async fn the_end_of_a_local_container_is_the_tasks() {
    for (body, code, is_retryable) in [
        ("exit 3", "EXIT_CODE", true),
        ("exit 137", "KILLED", true),
        (
            "echo 'no such image' >&2; exit 125",
            "CONTAINER_NOT_STARTED",
            true,
        ),
    ] {
        let failure = Fake::new(body)
            .run(json!({ "image": "a" }), &[])
            .await
            .expect_err("failed");
        assert_eq!(
            (failure.code.as_str(), failure.retryable),
            (code, is_retryable),
            "{}",
            failure.message
        );
    }
}

#[tokio::test]
async fn what_no_engine_could_be_given_is_refused() {
    let fake = Fake::new("");
    for input in [
        json!({}),
        json!({ "image": "--privileged" }),
        json!({ "image": "a b" }),
        json!({ "image": "a", "command": "echo" }),
        json!({ "image": "a", "env": { "A=B": 1 } }),
        json!({ "image": "a", "env": { "A": "one\ntwo" } }),
        json!({ "image": "a", "resources": { "cpu": 0 } }),
        json!({ "image": "a", "resources": { "memory_mb": "1g" } }),
    ] {
        let failure = fake.run(input.clone(), &[]).await.expect_err("refused");
        assert_eq!(failure.code, "INVALID_INPUT", "{input}: {}", failure.message);
    }
    assert_eq!(fake.read("calls"), "");
}

#[tokio::test]
async fn a_worker_without_an_engine_says_so() {
    let none = || ContainerOptions {
        engine: ContainerEngine::None,
        ..ContainerOptions::default()
    };
    let auto = ContainerOptions::default;
    let ecs = || ContainerOptions {
        engine: ContainerEngine::Ecs,
        ..ContainerOptions::default()
    };
    for (options, is_local_allowed, says) in [
        (none(), true, "`none`"),
        (auto(), false, "RUNNEL_ALLOW_COMMANDS"),
        (ecs(), true, "RUNNEL_ECS_CLUSTER"),
    ] {
        let handler = ContainerHandler::new(options, is_local_allowed, Arc::new(Aws::new(None)));
        let failure = handler
            .execute(&context("container", json!({ "image": "a" })))
            .await
            .expect_err("refused")
            .into_failure();
        assert_eq!(
            (failure.code.as_str(), failure.retryable),
            ("CONTAINER_ENGINE_MISSING", false)
        );
        assert!(failure.message.contains(says), "{}", failure.message);
    }
}

/// A stub of ECS: answers by action, the last answer again and again.
type Script = Arc<Mutex<BTreeMap<&'static str, Vec<(u16, Value)>>>>;
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

struct Stub {
    endpoint: String,
    asked: Asked,
}

impl Stub {
    async fn answering(script: &[(&'static str, &[(u16, Value)])]) -> Self {
        let script: Script = Arc::new(Mutex::new(
            script
                .iter()
                .map(|(action, answers)| (*action, answers.to_vec()))
                .collect(),
        ));
        let asked = Asked::default();
        let router = Router::new()
            .fallback(take)
            .with_state((script, Arc::clone(&asked)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { endpoint, asked }
    }

    fn handler(&self) -> ContainerHandler {
        let options = EcsOptions {
            cluster: "tasks".to_owned(),
            subnets: vec!["subnet-1".to_owned()],
            security_groups: vec!["sg-1".to_owned()],
            execution_role: Some("arn:aws:iam::1:role/pull".to_owned()),
            ..EcsOptions::default()
        };
        let aws = Arc::new(Aws::new(Some(self.endpoint.clone())));
        let mut handler = ContainerHandler::new(ContainerOptions::default(), true, Arc::clone(&aws));
        handler.ecs = Some(Ecs::new(options, aws).polling(Duration::from_millis(1)));
        handler
    }

    fn actions(&self) -> Vec<String> {
        self.asked
            .lock()
            .expect("not poisoned")
            .iter()
            .map(|(action, _)| action.clone())
            .collect()
    }

    fn body(&self, action: &str) -> Value {
        let asked = self.asked.lock().expect("not poisoned");
        asked
            .iter()
            .find(|(found, _)| found == action)
            .map(|(_, body)| body.clone())
            .unwrap_or_default()
    }
}

async fn take(State((script, asked)): State<(Script, Asked)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = head.headers["x-amz-target"].to_str().expect("text");
    let action = target.rsplit('.').next().unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
    asked
        .lock()
        .expect("not poisoned")
        .push((action.clone(), serde_json::from_slice(&body).unwrap_or_default()));
    let mut script = script.lock().expect("not poisoned");
    let answers = script.get_mut(action.as_str()).expect("a scripted action");
    let (status, answer) = if answers.len() > 1 {
        answers.remove(0)
    } else {
        answers[0].clone()
    };
    (
        StatusCode::from_u16(status).expect("a status"),
        answer.to_string(),
    )
        .into_response()
}

const ARN: &str = "arn:aws:ecs:eu-west-1:1:task/tasks/1";

fn started() -> Value {
    json!({ "tasks": [{ "taskArn": ARN }], "failures": [] })
}

fn stopped(container: Value) -> Value {
    json!({ "tasks": [{ "lastStatus": "STOPPED", "stoppedReason": "it ended", "containers": [container] }] })
}

#[tokio::test]
async fn ecs_runs_an_image_by_a_definition_of_its_own() {
    let missing = json!({ "__type": "ClientException", "message": "Unable to describe task definition." });
    let stub = Stub::answering(&[
        ("DescribeTaskDefinition", &[(400, missing)]),
        ("RegisterTaskDefinition", &[(200, json!({}))]),
        ("RunTask", &[(200, started())]),
        (
            "DescribeTasks",
            &[
                (200, json!({ "tasks": [{ "lastStatus": "PENDING" }] })),
                (500, json!({ "__type": "ServerException", "message": "not now" })),
                (200, stopped(json!({ "exitCode": 0 }))),
            ],
        ),
    ])
    .await;
    let handler = stub.handler();
    let input = json!({ "image": "alpine:3.22", "command": ["true"], "env": { "A": "1" }, "resources": { "cpu": 0.5, "memory_mb": 1024 } });
    let output = handler
        .execute(&context("container", input.clone()))
        .await
        .expect("an output");
    assert_eq!(output, json!({ "exit_code": 0, "task_arn": ARN }));
    let definition = stub.body("RegisterTaskDefinition");
    assert_eq!(
        (&definition["cpu"], &definition["memory"]),
        (&json!("512"), &json!("1024"))
    );
    assert_eq!(definition["containerDefinitions"][0]["image"], "alpine:3.22");
    let run = stub.body("RunTask");
    assert_eq!(run["taskDefinition"], definition["family"]);
    assert_eq!(
        run["networkConfiguration"]["awsvpcConfiguration"]["subnets"],
        json!(["subnet-1"])
    );
    let container = &run["overrides"]["containerOverrides"][0];
    assert_eq!(container["command"], json!(["true"]));
    assert!(
        container["environment"]
            .as_array()
            .is_some_and(|env| env.contains(&json!({ "name": "A", "value": "1" })))
    );
    // a second delivery of the same attempt asks for the same task; the definition is known by now
    handler
        .execute(&context("container", input))
        .await
        .expect("an output");
    let runs: Vec<Value> = stub
        .asked
        .lock()
        .expect("not poisoned")
        .iter()
        .filter(|(action, _)| action == "RunTask")
        .map(|(_, body)| body["clientToken"].clone())
        .collect();
    assert!(runs.len() == 2 && runs[0] == runs[1], "{runs:?}");
    assert_eq!(
        stub.actions()
            .iter()
            .filter(|action| *action == "RegisterTaskDefinition")
            .count(),
        1
    );
}

#[tokio::test]
async fn the_end_of_a_task_of_ecs_is_classified() {
    for (container, code) in [
        (json!({ "exitCode": 2 }), "EXIT_CODE"),
        (
            json!({ "exitCode": 137, "reason": "OutOfMemoryError: killed" }),
            "KILLED",
        ),
        (
            json!({ "reason": "CannotPullContainerError" }),
            "CONTAINER_NOT_STARTED",
        ),
    ] {
        let stub = Stub::answering(&[
            ("DescribeTaskDefinition", &[(200, json!({}))]),
            ("RunTask", &[(200, started())]),
            ("DescribeTasks", &[(200, stopped(container))]),
        ])
        .await;
        let outcome = stub
            .handler()
            .execute(&context("container", json!({ "image": "a" })))
            .await;
        let failure = outcome.expect_err("failed").into_failure();
        assert_eq!(
            (failure.code.as_str(), failure.retryable),
            (code, true),
            "{}",
            failure.message
        );
        assert_eq!(failure.details.expect("details")["task_arn"], ARN);
    }
    let full = json!({ "tasks": [], "failures": [{ "reason": "RESOURCE:CPU" }] });
    for (run, code, says) in [
        ((200, full), "CONTAINER_NOT_STARTED", "RESOURCE:CPU"),
        (
            (
                400,
                json!({ "__type": "ThrottlingException", "message": "slower" }),
            ),
            "ECS_THROTTLED",
            "slower",
        ),
        (
            (
                400,
                json!({ "__type": "ClusterNotFoundException", "message": "no cluster" }),
            ),
            "ECS_REFUSED",
            "no cluster",
        ),
    ] {
        let stub = Stub::answering(&[
            ("DescribeTaskDefinition", &[(200, json!({}))]),
            ("RunTask", &[run]),
        ])
        .await;
        let outcome = stub
            .handler()
            .execute(&context("container", json!({ "image": "a" })))
            .await;
        let failure = outcome.expect_err("failed").into_failure();
        assert_eq!(failure.code, code, "{}", failure.message);
        assert!(failure.message.contains(says), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_task_of_ecs_is_stopped_with_its_attempt() {
    let stub = Stub::answering(&[
        ("DescribeTaskDefinition", &[(200, json!({}))]),
        ("RunTask", &[(200, started())]),
        (
            "DescribeTasks",
            &[(200, json!({ "tasks": [{ "lastStatus": "RUNNING" }] }))],
        ),
        ("StopTask", &[(200, json!({}))]),
    ])
    .await;
    let ctx = context("container", json!({ "image": "a" }));
    ctx.cancelled.cancel();
    stub.handler().execute(&ctx).await.expect_err("stopped");
    assert_eq!(stub.body("StopTask")["task"], ARN);
}
