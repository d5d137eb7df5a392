//! A Lambda function of the emulator behind one of its queues: the emulator runs the real program as a process of this machine, speaks the
//! Lambda Runtime API with it, and feeds it by a real event source mapping.
//!
//! Only what the tests need of Lambda and SQS, spoken directly; the emulator checks no signatures.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::services;

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// What is deployed.
#[derive(Debug)]
pub struct Deploy<'a> {
    /// The program.
    pub program: &'a Path,
    /// Begin of the names of all queues.
    pub prefix: &'a str,
    /// The logical name of the queue that the function works off.
    pub queue: &'a str,
    /// The function is killed after this time.
    pub timeout_s: u32,
    /// How long a message that was given to the function stays invisible.
    pub visibility_s: u32,
    /// Deliveries before a message is a dead letter.
    pub receives_max: u32,
    /// Messages of one invocation.
    pub batch: u32,
    /// Variables of the function, besides those that connect it.
    pub env: &'a [(&'a str, &'a str)],
}

impl<'a> Deploy<'a> {
    /// A function with room and time for whatever a test does.
    #[must_use]
    pub fn new(program: &'a Path, prefix: &'a str) -> Self {
        Self {
            program,
            prefix,
            queue: "default",
            timeout_s: 60,
            visibility_s: 60,
            receives_max: 20,
            batch: 10,
            env: &[],
        }
    }
}

/// A deployed function, its queue and their mapping.
#[derive(Debug)]
pub struct Function {
    name: String,
    queue: String,
    mapping: String,
    http: reqwest::Client,
    endpoint: String,
}

impl Function {
    /// Makes the queues that are missing, the function and the mapping.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn deploy(what: &Deploy<'_>) -> anyhow::Result<Self> {
        let mut function = Self {
            name: format!("{}function", what.prefix),
            queue: format!("{}{}", what.prefix, what.queue),
            mapping: String::new(),
            http: reqwest::Client::builder().no_proxy().build()?,
            endpoint: services::sqs_endpoint()?,
        };
        let dead = format!("{}-dlq", function.queue);
        function.create_queue(&dead, json!({})).await?;
        let redrive =
            json!({ "deadLetterTargetArn": queue_arn(&dead), "maxReceiveCount": what.receives_max });
        let attributes = json!({
            "VisibilityTimeout": what.visibility_s.to_string(),
            "RedrivePolicy": redrive.to_string(),
        });
        function.create_queue(&function.queue.clone(), attributes).await?;
        function.create(what).await?;
        let mapping = json!({
            "EventSourceArn": queue_arn(&function.queue),
            "FunctionName": function.name,
            "BatchSize": what.batch,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": { "MaximumConcurrency": 4 },
        });
        let made = function
            .lambda(Method::POST, "/2015-03-31/event-source-mappings", &mapping)
            .await?;
        function.mapping = made["UUID"].as_str().context("the id of the mapping")?.to_owned();
        Ok(function)
    }

    async fn create(&self, what: &Deploy<'_>) -> anyhow::Result<()> {
        let mut variables = Map::from_iter([
            (
                "PATH".to_owned(),
                json!(std::env::var("PATH").unwrap_or_default()),
            ),
            ("RUNNEL_SQS_ENDPOINT".to_owned(), json!(self.endpoint)),
            ("RUNNEL_QUEUE_PREFIX".to_owned(), json!(what.prefix)),
            ("RUNNEL_HTTP_ALLOW_PRIVATE".to_owned(), json!("true")),
        ]);
        for (name, value) in what.env {
            variables.insert((*name).to_owned(), json!(value));
        }
        // an unoptimised program is too large to be carried about: the package refers to it, and becomes it
        let script = format!("#!/bin/sh\nexec '{}'\n", what.program.display());
        let body = json!({
            "FunctionName": self.name,
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Role": format!("arn:aws:iam::{ACCOUNT}:role/worker"),
            "Timeout": what.timeout_s,
            "MemorySize": 256,
            "Code": { "ZipFile": BASE64_STANDARD.encode(zip("bootstrap", script.as_bytes())) },
            "Environment": { "Variables": variables },
        });
        self.lambda(Method::POST, "/2015-03-31/functions", &body)
            .await
            .map(drop)
    }

    /// Its name, for those who invoke it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stops the mapping from taking messages.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.enable(false).await
    }

    /// Lets the mapping take messages again.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn resume(&self) -> anyhow::Result<()> {
        self.enable(true).await
    }

    async fn enable(&self, is_enabled: bool) -> anyhow::Result<()> {
        let path = format!("/2015-03-31/event-source-mappings/{}", self.mapping);
        let body = json!({ "Enabled": is_enabled });
        self.lambda(Method::PUT, &path, &body).await.map(drop)
    }

    /// Allows so many invocations at once; what comes beyond is throttled.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn reserve(&self, invocations: u32) -> anyhow::Result<()> {
        let path = format!("/2017-10-31/functions/{}/concurrency", self.name);
        let body = json!({ "ReservedConcurrentExecutions": invocations });
        self.lambda(Method::PUT, &path, &body).await.map(drop)
    }

    /// Invokes the function with an event of messages with these bodies; answers what the function answers.
    ///
    /// # Errors
    /// The emulator refuses, or the function fails.
    pub async fn invoke(&self, bodies: &[String]) -> anyhow::Result<Value> {
        let records = bodies.iter().enumerate().map(|(index, body)| {
            json!({ "messageId": format!("m{index}"), "receiptHandle": "none", "body": body, "attributes": {}, "messageAttributes": {} })
        });
        let path = format!("/2015-03-31/functions/{}/invocations", self.name);
        let event = json!({ "Records": records.collect::<Vec<_>>() });
        self.lambda(Method::POST, &path, &event).await
    }

    /// What the mapping says of its last batch.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn last_result(&self) -> anyhow::Result<String> {
        let path = format!("/2015-03-31/event-source-mappings/{}", self.mapping);
        let mapping = self.lambda(Method::GET, &path, &Value::Null).await?;
        Ok(mapping["LastProcessingResult"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// An attribute of the function's queue, as a number.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn queue_number(&self, attribute: &str) -> anyhow::Result<u64> {
        let url = format!("{}/{ACCOUNT}/{}", self.endpoint, self.queue);
        let asked = json!({ "QueueUrl": url, "AttributeNames": [attribute] });
        let answer = self.sqs("GetQueueAttributes", &asked).await?;
        let text = answer["Attributes"][attribute].as_str();
        Ok(text.context("the attribute")?.parse()?)
    }

    /// Waits until the function's queue has no message any more, neither waiting nor given out.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn until_queue_is_empty(&self) -> anyhow::Result<()> {
        self.until("its queue is empty", async || {
            let waiting = self.queue_number("ApproximateNumberOfMessages").await?;
            let given = self.queue_number("ApproximateNumberOfMessagesNotVisible").await?;
            Ok(waiting + given == 0)
        })
        .await
    }

    /// Waits for something that only the emulator knows, and that it has to be asked for.
    ///
    /// # Errors
    /// It does not become so.
    pub async fn until(
        &self,
        what: &str,
        is_so: impl AsyncFn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let mut every = tokio::time::interval(std::time::Duration::from_millis(50));
        let watched = async {
            while !is_so().await? {
                every.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(crate::cluster::PATIENCE, watched)
            .await
            .with_context(|| format!("waiting until {what}"))?
    }

    async fn create_queue(&self, name: &str, attributes: Value) -> anyhow::Result<()> {
        let body = json!({ "QueueName": name, "Attributes": attributes });
        self.sqs("CreateQueue", &body).await.map(drop)
    }

    async fn sqs(&self, action: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(&self.endpoint)
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", scope("sqs"))
            .body(body.to_string());
        answer(request).await.with_context(|| action.to_owned())
    }

    async fn lambda(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.endpoint))
            .header("authorization", scope("lambda"))
            .json(body);
        answer(request).await.with_context(|| path.to_owned())
    }
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let (status, failed) = (
        answer.status(),
        answer.headers().contains_key("x-amz-function-error"),
    );
    let text = answer.text().await?;
    anyhow::ensure!(status.is_success() && !failed, "{status}: {text}");
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Tells the emulator account, region and service; nobody checks the rest.
fn scope(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

/// A ZIP archive of one executable file, not compressed.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    const MODE: u32 = 0o100_755 << 16;
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
    let name_size = u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes();
    // version, flags, method, time, date; then what is the same in both places
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend(crc32(content).to_le_bytes());
    common.extend(size.into_iter().chain(size).chain(name_size));
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(common.iter().chain(&[0, 0]));
    archive.extend(name.as_bytes().iter().chain(content));
    let directory_at = u32::try_from(archive.len()).unwrap_or(u32::MAX);
    // made by Unix; no extra field, no comment, first disk, a plain file
    archive.extend(b"PK\x01\x02\x14\x03".iter().chain(&common).chain(&[0; 8]));
    archive.extend(MODE.to_le_bytes().iter().chain(&[0; 4]));
    archive.extend(name.as_bytes());
    let directory_size = u32::try_from(archive.len()).unwrap_or(u32::MAX) - directory_at;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(directory_size.to_le_bytes());
    archive.extend(directory_at.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    !crc
}
