//! `llm`: asks an OpenAI-compatible chat endpoint.
//!
//! Input: `prompt` or `messages`, `system`, `model`, `temperature`, `max_tokens`, `timeout_seconds`. Output: `response` and
//! `result` (the same text), `model`, `tokens_used {prompt, completion, total}`.

use std::fmt;

use async_trait::async_trait;
use runnel_queue::FailureCategory;
use serde_json::{Value, json};

use super::http::policy::HttpPolicy;
use super::http::{HttpClient, Request, status_error};
use crate::task::{Handler, TaskContext, TaskError};

/// Where a chat endpoint is.
#[derive(Clone)]
pub struct LlmEndpoint {
    /// Base address, as `https://api.openai.com/v1`.
    pub url: String,
    /// Bearer key, where one is needed.
    pub api_key: Option<String>,
    /// Model for tasks that name none.
    pub model: Option<String>,
}

impl fmt::Debug for LlmEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmEndpoint")
            .field("url", &self.url)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Handler of `llm`.
pub(crate) struct LlmHandler {
    client: Result<HttpClient, TaskError>,
    endpoint: Option<LlmEndpoint>,
}

impl LlmHandler {
    pub(crate) fn new(endpoint: Option<LlmEndpoint>) -> Self {
        // the operator chose the address, so it may be a private one
        let policy = HttpPolicy {
            allow_private: true,
            ..HttpPolicy::default()
        };
        Self {
            client: HttpClient::new(policy),
            endpoint,
        }
    }
}

#[async_trait]
impl Handler for LlmHandler {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let endpoint = self.endpoint.as_ref().ok_or_else(|| {
            let message =
                "no chat endpoint is configured: set RUNNEL_LLM_URL (and RUNNEL_LLM_API_KEY) on the worker";
            TaskError::new(FailureCategory::Input, "LLM_NOT_CONFIGURED", message)
        })?;
        let url = format!("{}/chat/completions", endpoint.url.trim_end_matches('/'));
        let mut request = Request::post_json(ctx, &url, &question(ctx, endpoint)?)?;
        if let Some(key) = &endpoint.api_key {
            request.set_missing("authorization", &format!("Bearer {key}"));
        }
        let answer = client.send(request, &ctx.cancelled).await?;
        if !answer.status.is_success() {
            return Err(status_error(&answer));
        }
        output(&answer.body_value())
    }
}

fn question(ctx: &TaskContext, endpoint: &LlmEndpoint) -> Result<Value, TaskError> {
    let messages = match (ctx.field("messages"), ctx.text("prompt")?) {
        (Some(messages @ Value::Array(_)), None) => messages.clone(),
        (None, Some(prompt)) => {
            let system = ctx
                .text("system")?
                .map(|text| json!({ "role": "system", "content": text }));
            Value::from_iter(
                system
                    .into_iter()
                    .chain([json!({ "role": "user", "content": prompt })]),
            )
        }
        _ => {
            return Err(TaskError::input(
                "either `prompt` (text) or `messages` (list) is needed",
            ));
        }
    };
    let model = ctx.text("model")?.or(endpoint.model.as_deref());
    let model =
        model.ok_or_else(|| TaskError::input("`model` is missing and RUNNEL_LLM_MODEL is not set"))?;
    let mut question = json!({ "model": model, "messages": messages });
    for option in [
        "temperature",
        "max_tokens",
        "top_p",
        "stop",
        "seed",
        "response_format",
    ] {
        if let Some(value) = ctx.field(option) {
            question[option] = value.clone();
        }
    }
    Ok(question)
}

fn output(answer: &Value) -> Result<Value, TaskError> {
    let text = answer
        .pointer("/choices/0/message/content")
        .and_then(Value::as_str)
        .ok_or_else(|| {
            let message = "the endpoint answered without `choices[0].message.content`";
            TaskError::new(FailureCategory::Unavailable, "LLM_BAD_ANSWER", message).retryable()
        })?;
    let tokens = |field: &str| {
        answer
            .pointer(&format!("/usage/{field}"))
            .cloned()
            .unwrap_or(Value::Null)
    };
    Ok(json!({
        "response": text,
        "result": text,
        "model": answer.get("model"),
        "finish_reason": answer.pointer("/choices/0/finish_reason"),
        "tokens_used": {
            "prompt": tokens("prompt_tokens"),
            "completion": tokens("completion_tokens"),
            "total": tokens("total_tokens"),
        },
    }))
}
