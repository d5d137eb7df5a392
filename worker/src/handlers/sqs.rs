//! `sqs`: sends one message to a queue.
//!
//! Input: `queue` (name or URL) or `queue_url`, `body` (text, or anything else as JSON), `delay_seconds`, `group_id`,
//! `deduplication_id`, `attributes`. Output: `message_id`.

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::MessageAttributeValue;
use runnel_queue::FailureCategory;
use runnel_queue::sqs::{SqsConfig, connect_client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::task::{Handler, TaskContext, TaskError};

/// Handler of `sqs`.
pub(crate) struct SqsHandler {
    endpoint: Option<String>,
    client: OnceCell<Client>,
}

impl SqsHandler {
    pub(crate) fn new(endpoint: Option<String>) -> Self {
        Self {
            endpoint,
            client: OnceCell::new(),
        }
    }

    async fn client(&self) -> &Client {
        let connect = || async {
            connect_client(&SqsConfig {
                endpoint: self.endpoint.clone(),
                ..SqsConfig::default()
            })
            .await
        };
        self.client.get_or_init(connect).await
    }

    async fn queue_url(&self, queue: &str) -> Result<String, TaskError> {
        let client = self.client().await;
        if queue.contains("://") && self.endpoint.is_none() {
            return Ok(queue.to_owned());
        }
        let name = queue.rsplit('/').next().unwrap_or(queue);
        let found = client
            .get_queue_url()
            .queue_name(name)
            .send()
            .await
            .map_err(|error| classify(&error))?;
        let url = found.queue_url().unwrap_or_default();
        Ok(runnel_queue::sqs::reachable_url(url, self.endpoint.as_deref()))
    }
}

#[async_trait]
impl Handler for SqsHandler {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let body = match ctx.field("body") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => return Err(TaskError::input("`body` is missing")),
        };
        let queue = match ctx.text("queue_url")? {
            Some(url) => url,
            None => ctx.required_text("queue")?,
        };
        let url = self.queue_url(queue).await?;
        let mut send = self
            .client()
            .await
            .send_message()
            .queue_url(url)
            .message_body(body);
        if let Some(delay) = ctx.field("delay_seconds") {
            let seconds = delay.as_i64().and_then(|delay| i32::try_from(delay).ok());
            send = send
                .delay_seconds(seconds.ok_or_else(|| TaskError::input("`delay_seconds` must be a number"))?);
        }
        send = send.set_message_group_id(ctx.text("group_id")?.map(str::to_owned));
        send = send.set_message_deduplication_id(ctx.text("deduplication_id")?.map(str::to_owned));
        if let Some(Value::Object(attributes)) = ctx.field("attributes") {
            for (name, value) in attributes {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let attribute = MessageAttributeValue::builder()
                    .data_type("String")
                    .string_value(text)
                    .build();
                let attribute =
                    attribute.map_err(|e| TaskError::input(format!("attribute `{name}`: {e}")))?;
                send = send.message_attributes(name, attribute);
            }
        }
        let answer = send.send().await.map_err(|error| classify(&error))?;
        Ok(json!({ "message_id": answer.message_id() }))
    }
}

fn classify<E>(error: &SdkError<E>) -> TaskError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let text = DisplayErrorContext(error).to_string();
    let Some(service) = error.as_service_error() else {
        return TaskError::new(FailureCategory::Unavailable, "SQS_UNAVAILABLE", text).retryable();
    };
    let code = service.code().unwrap_or_default();
    if code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist") {
        return TaskError::new(FailureCategory::User, "QUEUE_NOT_FOUND", text);
    }
    if code.contains("AccessDenied") || code.contains("InvalidClientTokenId") || code.contains("Signature") {
        return TaskError::new(FailureCategory::Unauthorised, "SQS_ACCESS_DENIED", text);
    }
    if code.contains("Throttl") {
        return TaskError::new(FailureCategory::RateLimited, "SQS_THROTTLED", text).retryable();
    }
    let status = error
        .raw_response()
        .map_or(0, |response| response.status().as_u16());
    if status >= 500 {
        return TaskError::new(FailureCategory::Unavailable, "SQS_UNAVAILABLE", text).retryable();
    }
    TaskError::new(FailureCategory::User, "SQS_REFUSED", text)
}
