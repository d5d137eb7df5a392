//! Reports over HTTP, to the orchestrator's worker endpoint.

use std::time::Duration;

use runnel_queue::{AttemptRef, ReportBatch};
use serde::Deserialize;

use crate::ReportSink;
use crate::handlers::ensure_crypto_provider;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
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
    endpoint: reqwest::Url,
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
        let endpoint = format!("{}/api/v1/worker/reports", api.trim_end_matches('/'));
        let endpoint = reqwest::Url::parse(&endpoint).map_err(|_| invalid())?;
        if !matches!(endpoint.scheme(), "http" | "https") {
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
            endpoint,
            token: token.into(),
        })
    }
}

#[async_trait::async_trait]
impl ReportSink for HttpSink {
    async fn report(&self, batch: ReportBatch) -> anyhow::Result<Vec<AttemptRef>> {
        let request = self
            .client
            .post(self.endpoint.clone())
            .bearer_auth(&self.token)
            .json(&batch);
        let answer: Answer = request.send().await?.error_for_status()?.json().await?;
        Ok(answer.unwanted)
    }
}
