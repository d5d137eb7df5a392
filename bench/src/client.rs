//! The API as somebody outside calls it.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::system::System;

/// No answer takes longer, or something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of a server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// The API of a system of this process, on a port of its own; ends when it is dropped.
#[derive(Debug)]
pub struct Served {
    /// Its address.
    pub base: String,
    stop: CancellationToken,
}

impl Served {
    /// Serves.
    pub async fn start(system: &System) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let served = runnel_api::serve(
            system.orchestrator.clone(),
            runnel_api::ApiConfig::default(),
            listener,
            stop.clone(),
        );
        tokio::spawn(served);
        Ok(Self { base, stop })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Client {
    /// A client of the server at this address.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self {
            base: base.to_owned(),
            http,
        })
    }

    /// The data of a request that must succeed.
    pub async fn data(&self, query: &str, variables: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(format!("{}/graphql", self.base))
            .json(&json!({ "query": query, "variables": variables }));
        let mut body: Value = request
            .send()
            .await
            .context("sending a GraphQL request")?
            .json()
            .await?;
        // one error says enough: a page has one for each of its rows
        if let Some(first) = body.get("errors").map(|errors| &errors[0]) {
            anyhow::bail!("refused: {first}");
        }
        Ok(body["data"].take())
    }

    /// Publishes a workflow.
    pub async fn publish(&self, workflow: &Value) -> anyhow::Result<()> {
        let query = "mutation($input: WorkflowPublishInput!) { workflowPublish(input: $input) \
                     { workflow { key } userErrors { message } } }";
        let data = self
            .data(query, &json!({ "input": { "source": workflow.to_string() } }))
            .await?;
        anyhow::ensure!(
            data["workflowPublish"]["workflow"]["key"].is_string(),
            "refused: {data:#}"
        );
        Ok(())
    }

    /// Starts a run; answers its id.
    pub async fn start(&self, workflow: &str) -> anyhow::Result<String> {
        let query = "mutation($input: RunStartInput!) { runStart(input: $input) { run { id } userErrors { message } } }";
        let data = self
            .data(query, &json!({ "input": { "workflow": workflow } }))
            .await?;
        data["runStart"]["run"]["id"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("refused: {data:#}"))
    }

    /// Waits on a subscription until a run has succeeded.
    pub async fn ended(&self, run: &str) -> anyhow::Result<()> {
        let query = "subscription($id: ID!) { runUpdates(id: $id) { kind run { status } } }";
        let request = self
            .http
            .post(format!("{}/graphql/stream", self.base))
            .timeout(10 * PATIENCE)
            .header("accept", "text/event-stream")
            .json(&json!({ "query": query, "variables": { "id": run } }));
        let mut stream = request.send().await?.error_for_status()?.bytes_stream();
        let mut text = String::new();
        while !text.contains(r#""kind":"END""#) {
            let chunk = stream.next().await.context("the stream ended before the run")??;
            text += &String::from_utf8_lossy(&chunk);
        }
        anyhow::ensure!(
            text.contains(r#""status":"SUCCEEDED""#),
            "the run did not succeed: {text}"
        );
        Ok(())
    }
}
