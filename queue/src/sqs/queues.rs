//! Names, addresses and creation of queues.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;

use super::{SqsConfig, describe, reachable_url};
use crate::task_queue::{QueueError, QueueName, is_dead_letter};

/// Longest name at SQS.
const NAME_BYTES_MAX: usize = 80;

/// Fourteen days, the longest that SQS keeps a message.
const RETENTION_SECONDS: &str = "1209600";

/// The limit below which throttling could make dead letters of healthy messages.
const RECEIVE_COUNT_MIN: u32 = 20;

#[derive(Debug)]
pub(super) struct Queues {
    client: Client,
    config: SqsConfig,
    urls: RwLock<HashMap<QueueName, Arc<str>>>,
}

impl Queues {
    pub(super) fn new(client: Client, config: SqsConfig) -> Self {
        Self {
            client,
            config,
            urls: RwLock::default(),
        }
    }

    /// The address of a queue, created where that is allowed. Asked for once.
    pub(super) async fn url(&self, queue: &QueueName) -> Result<Arc<str>, QueueError> {
        if let Some(url) = self
            .urls
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(queue)
        {
            return Ok(Arc::clone(url));
        }
        let url: Arc<str> = match self.find(queue).await? {
            Some(url) => url,
            None if self.config.create_queues => self.create(queue).await?,
            None => return Err(self.not_found(queue)),
        }
        .into();
        self.urls
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(queue.clone(), Arc::clone(&url));
        Ok(url)
    }

    /// Turns a failed call into an error, and forgets the address of a queue that is gone.
    pub(super) fn failed<E>(&self, action: &'static str, queue: &QueueName, error: SdkError<E>) -> QueueError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        if is_missing(&error) {
            self.urls
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(queue);
            return self.not_found(queue);
        }
        QueueError::Unavailable {
            action,
            queue: queue.to_string(),
            source: Box::new(describe(&error)),
        }
    }

    async fn find(&self, queue: &QueueName) -> Result<Option<String>, QueueError> {
        match self
            .client
            .get_queue_url()
            .queue_name(self.service_name(queue))
            .send()
            .await
        {
            Ok(answer) => Ok(answer.queue_url().map(|url| self.reachable(url))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.failed("find", queue, error)),
        }
    }

    async fn create(&self, queue: &QueueName) -> Result<String, QueueError> {
        if is_dead_letter(queue) {
            return self.create_with(queue, None).await;
        }
        let dead_letter = QueueName(format!("{queue}-dlq"));
        let dead_letter_url = self.create_with(&dead_letter, None).await?;
        let attributes = self
            .client
            .get_queue_attributes()
            .queue_url(dead_letter_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map_err(|error| self.failed("read the name of", &dead_letter, error))?;
        let arn = attributes
            .attributes()
            .and_then(|all| all.get(&QueueAttributeName::QueueArn));
        let policy = serde_json::json!({
            "deadLetterTargetArn": arn,
            "maxReceiveCount": self.config.max_receive_count.max(RECEIVE_COUNT_MIN),
        });
        self.create_with(queue, Some(policy.to_string())).await
    }

    async fn create_with(
        &self,
        queue: &QueueName,
        redrive_policy: Option<String>,
    ) -> Result<String, QueueError> {
        let mut create = self
            .client
            .create_queue()
            .queue_name(self.service_name(queue))
            .attributes(QueueAttributeName::MessageRetentionPeriod, RETENTION_SECONDS);
        if let Some(policy) = redrive_policy {
            create = create.attributes(QueueAttributeName::RedrivePolicy, policy);
        }
        match create.send().await {
            Ok(answer) => {
                tracing::info!(queue = self.service_name(queue), "queue created");
                Ok(self.reachable(answer.queue_url().unwrap_or_default()))
            }
            // somebody else created it with other attributes meanwhile; theirs stand
            Err(error) => match self.find(queue).await? {
                Some(url) => Ok(url),
                None => Err(self.failed("create", queue, error)),
            },
        }
    }

    fn reachable(&self, url: &str) -> String {
        reachable_url(url, self.config.endpoint.as_deref())
    }

    fn not_found(&self, queue: &QueueName) -> QueueError {
        let name = self.service_name(queue);
        QueueError::NotFound {
            queue: queue.to_string(),
            hint: format!(
                "create `{name}` and `{name}-dlq` at SQS (a template is in infra/), or allow Runnel to create queues"
            ),
        }
    }

    /// The name at the service.
    pub(super) fn name_at_service(&self, queue: &QueueName) -> String {
        self.service_name(queue)
    }

    /// The name at the service, which allows only letters, digits, `-` and `_`.
    fn service_name(&self, queue: &QueueName) -> String {
        let legal = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        };
        let name = self.config.queue_prefix.chars().chain(queue.0.chars());
        name.map(legal).take(NAME_BYTES_MAX).collect()
    }
}

/// Whether the service said that the queue does not exist.
fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let code = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
        .unwrap_or_default();
    code.contains("NonExistentQueue") || code.contains("QueueDoesNotExist")
}
