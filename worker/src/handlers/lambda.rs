//! `lambda`: invokes a function of AWS Lambda.
//!
//! Input: `function` (name, ARN or partial ARN), `payload` (any JSON, `{}` by default), `qualifier` (version or alias), `wait` (true: the task
//! ends with the function; false: as soon as Lambda has taken the event). Output: what the function answers; without waiting `status_code`
//! and `request_id`. The function finds `idempotency_key`, `run`, `task` and `attempt` in its client context.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use runnel_queue::FailureCategory;
use serde_json::{Value, json};

use super::aws::{self, Answer, Aws, Call};
use crate::task::{Handler, TaskContext, TaskError};

/// Largest payload of an invocation that is waited for, and of one that is not: limits of Lambda.
const PAYLOAD_BYTES_MAX: usize = 6 << 20;
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Longest `function` that Lambda allows.
const FUNCTION_BYTES_MAX: usize = 200;

/// Handler of `lambda`.
pub(crate) struct LambdaHandler {
    aws: Arc<Aws>,
}

impl LambdaHandler {
    pub(crate) fn new(aws: Arc<Aws>) -> Self {
        Self { aws }
    }
}

#[async_trait]
impl Handler for LambdaHandler {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let is_waited_for = match ctx.field("wait") {
            None => true,
            Some(Value::Bool(wait)) => *wait,
            Some(_) => return Err(TaskError::input("`wait` must be true or false")),
        };
        let answer = self.aws.call(call(ctx, is_waited_for)?).await?;
        let request_id = header(&answer, "x-amzn-requestid");
        if !answer.status.is_success() {
            return Err(refused(&answer));
        }
        if let Some(kind) = header(&answer, "x-amz-function-error") {
            return Err(failed(&answer, &kind));
        }
        if !is_waited_for {
            return Ok(json!({ "status_code": answer.status.as_u16(), "request_id": request_id }));
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let message = format!("the function's answer is not JSON: {error}");
            TaskError::new(FailureCategory::User, "FUNCTION_ANSWER", message)
        })
    }
}

fn call(ctx: &TaskContext, is_waited_for: bool) -> Result<Call<'static>, TaskError> {
    let function = ctx.required_text("function")?;
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "-_:$.".contains(c);
    if function.is_empty() || function.len() > FUNCTION_BYTES_MAX || !function.chars().all(is_legal) {
        let message = "`function` must be the name or the ARN of a function, at most 200 letters, digits, `-`, `_` and `:`";
        return Err(TaskError::input(message));
    }
    let mut path = format!(
        "/2015-03-31/functions/{}/invocations",
        function.replace('$', "%24").replace(':', "%3A")
    );
    if let Some(qualifier) = ctx.text("qualifier")? {
        if qualifier.is_empty() || !qualifier.chars().all(is_legal) {
            return Err(TaskError::input("`qualifier` must be a version or an alias"));
        }
        path = format!("{path}?Qualifier={}", qualifier.replace('$', "%24"));
    }
    let body = ctx
        .field("payload")
        .map_or_else(|| "{}".to_owned(), Value::to_string);
    let limit = if is_waited_for {
        PAYLOAD_BYTES_MAX
    } else {
        EVENT_BYTES_MAX
    };
    if body.len() > limit {
        let message = format!(
            "`payload` has {} bytes of JSON; Lambda takes {limit} for this kind of invocation",
            body.len()
        );
        return Err(TaskError::new(
            FailureCategory::Input,
            "PAYLOAD_TOO_LARGE",
            message,
        ));
    }
    let context = json!({ "custom": {
        "run": ctx.run, "task": ctx.key, "attempt": ctx.attempt.to_string(), "idempotency_key": ctx.idempotency_key,
    } });
    let invocation = if is_waited_for { "RequestResponse" } else { "Event" };
    Ok(Call {
        service: "lambda",
        method: Method::POST,
        path,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-amz-invocation-type", invocation.to_owned()),
            (
                "x-amz-client-context",
                BASE64_STANDARD.encode(context.to_string()),
            ),
        ],
        body,
        // an ARN says where its function is
        region: function
            .starts_with("arn:")
            .then(|| function.split(':').nth(3))
            .flatten()
            .map(str::to_owned),
    })
}

fn header(answer: &Answer, name: &str) -> Option<String> {
    answer.headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn refused(answer: &Answer) -> TaskError {
    let (code, message) = aws::refusal(answer);
    let error = |category, ours: &str| TaskError::new(category, ours, format!("{code}: {message}"));
    match code.as_str() {
        "ResourceNotFoundException" => error(FailureCategory::User, "FUNCTION_NOT_FOUND"),
        "RequestTooLargeException" => error(FailureCategory::Input, "PAYLOAD_TOO_LARGE"),
        // the function is being made or changed
        "ResourceConflictException" | "ResourceNotReadyException" => {
            error(FailureCategory::Unavailable, "FUNCTION_NOT_READY").retryable()
        }
        _ => aws::refused("LAMBDA", answer),
    }
}

/// The function itself failed: with an error of its own, or by running out of time or memory.
fn failed(answer: &Answer, kind: &str) -> TaskError {
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error_type = told["errorType"].as_str().unwrap_or_default();
    let message = told["errorMessage"]
        .as_str()
        .unwrap_or("the function failed and does not say why");
    let is_timeout = error_type == "Sandbox.Timedout" || message.contains("Task timed out");
    let (category, code) = if is_timeout {
        (FailureCategory::Timeout, "FUNCTION_TIMEOUT")
    } else {
        (FailureCategory::User, "FUNCTION_ERROR")
    };
    let trace = ["stackTrace", "trace"]
        .iter()
        .find_map(|name| told[*name].as_array());
    let error = TaskError::new(category, code, message)
        .retryable()
        .with_details(json!({ "type": error_type, "kind": kind }));
    match trace {
        Some(lines) => {
            let text: Vec<String> = lines
                .iter()
                .map(|line| line.as_str().map_or_else(|| line.to_string(), str::to_owned))
                .collect();
            error.with_traceback(text.join("\n"))
        }
        None => error,
    }
}
