//! Reports over HTTP, to the orchestrator's worker endpoint, and what a worker asks it for.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use reqwest::Method;
use runnel_queue::payload::{PAYLOAD_BYTES_MAX, PayloadRef};
use runnel_queue::{AttemptRef, ReportBatch};
use serde::Deserialize;

use crate::handlers::ensure_crypto_provider;
use crate::{ControlChannel, ReportSink};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest time of a large value on its way.
const PAYLOAD_TIMEOUT: Duration = Duration::from_secs(120);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an [`HttpSink`] could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpSinkError {
    /// The address cannot be used.
    #[error("`{url}` is not an http or https address of the Runnel API")]
    Url {
        /// The address as given.
        url: String,
    },
    /// The HTTP client could not be set up.
    #[error("failed to set up the HTTP client for reports")]
    Client(#[source] reqwest::Error),
}

/// Posts each batch to `{api}/api/v1/worker/reports` with a worker token.
#[derive(Clone)]
pub struct HttpSink {
    client: reqwest::Client,
    /// Ends in `/api/v1/worker/`.
    base: reqwest::Url,
    token: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    unwanted: Vec<AttemptRef>,
}

impl HttpSink {
    /// `api` is the base address of the server, as `http://127.0.0.1:7420`.
    ///
    /// # Errors
    /// The address is not one, or TLS cannot be set up.
    pub fn new(api: &str, token: impl Into<String>) -> Result<Self, HttpSinkError> {
        ensure_crypto_provider();
        let invalid = || HttpSinkError::Url { url: api.to_owned() };
        let base = format!("{}/api/v1/worker/", api.trim_end_matches('/'));
        let base = reqwest::Url::parse(&base).map_err(|_| invalid())?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(invalid());
        }
        let client = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(HttpSinkError::Client)?;
        Ok(Self {
            client,
            base,
            token: token.into(),
        })
    }

    fn request(&self, method: reqwest::Method, path: &str) -> anyhow::Result<reqwest::RequestBuilder> {
        let url = self.base.join(path)?;
        Ok(self.client.request(method, url).bearer_auth(&self.token))
    }
}

/// The attempt in whose name something is asked for, with its token.
const ATTEMPT_HEADER: &str = "runnel-attempt";

fn attempt_header(at: &AttemptRef) -> String {
    format!("{}/{}/{}/{}", at.run, at.task, at.attempt, at.token)
}

#[derive(Deserialize)]
struct Secrets {
    secrets: BTreeMap<String, String>,
}

#[async_trait::async_trait]
impl ControlChannel for HttpSink {
    async fn payload(&self, at: &AttemptRef, reference: &PayloadRef) -> anyhow::Result<Bytes> {
        let answer = self
            .request(Method::GET, &format!("payloads/{}", reference.sha256))?
            .header(ATTEMPT_HEADER, attempt_header(at))
            .timeout(PAYLOAD_TIMEOUT)
            .send()
            .await?
            .error_for_status()?;
        let mut value = BytesMut::new();
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            // whoever answers does not decide how much this process holds
            anyhow::ensure!(
                (value.len() + piece.len()) as u64 <= reference.bytes.min(PAYLOAD_BYTES_MAX as u64),
                "the answer is longer than the value"
            );
            value.extend_from_slice(&piece);
        }
        Ok(value.freeze())
    }

    async fn put_payload(&self, at: &AttemptRef, reference: &PayloadRef, value: Bytes) -> anyhow::Result<()> {
        self.request(Method::PUT, &format!("payloads/{}", reference.sha256))?
            .header(ATTEMPT_HEADER, attempt_header(at))
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .timeout(PAYLOAD_TIMEOUT)
            .body(value)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    async fn secrets(&self, at: &AttemptRef, names: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
        let answer = self
            .request(Method::POST, "secrets")?
            .header(ATTEMPT_HEADER, attempt_header(at))
            .json(&serde_json::json!({ "names": names }))
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json::<Secrets>().await?.secrets)
    }
}

#[async_trait::async_trait]
impl ReportSink for HttpSink {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        let request = self.request(Method::POST, "reports")?.json(&batch);
        let answer: Answer = request.send().await?.error_for_status()?.json().await?;
        Ok(answer.unwanted)
    }
}
