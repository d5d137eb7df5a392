//! A client of the API, as somebody outside would write it.

use anyhow::Context as _;
use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::cluster::PATIENCE;

/// A server, seen from outside.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its address, without a slash at the end.
    pub base: String,
    /// For requests of any other kind.
    pub http: reqwest::Client,
}

impl Client {
    /// A client of the server at `base`.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        // an error means that there is a provider already
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            http,
        })
    }

    /// The address of a path.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a GraphQL request; answers the HTTP status and the body.
    ///
    /// # Errors
    /// The server does not answer, or not with JSON.
    pub async fn post(&self, query: &str, variables: Value) -> anyhow::Result<(StatusCode, Value)> {
        let request = self
            .http
            .post(self.at("/graphql"))
            .header("accept", "application/graphql-response+json")
            .json(&json!({ "query": query, "variables": variables }));
        let answer = request.send().await.context("sending a GraphQL request")?;
        let status = answer.status();
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).with_context(|| format!("status {status}, body {text}"))?;
        Ok((status, body))
    }

    /// Sends a GraphQL request that must succeed; answers its data.
    ///
    /// # Errors
    /// There are top-level errors.
    pub async fn data(&self, query: &str, variables: Value) -> anyhow::Result<Value> {
        let (status, mut body) = self.post(query, variables).await?;
        anyhow::ensure!(
            status.is_success() && body.get("errors").is_none(),
            "status {status}: {body:#}"
        );
        Ok(body["data"].take())
    }

    /// Sends a mutation with one `input`; answers its payload.
    ///
    /// # Errors
    /// There are top-level errors.
    pub async fn mutate(&self, name: &str, input: Value, selection: &str) -> anyhow::Result<Value> {
        let mut type_name = name.to_owned();
        if let Some(first) = type_name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let input_type = match name {
            "runPause" | "runResume" => "RunIdInput".to_owned(),
            "taskRetry" | "taskSkip" => "TaskIdInput".to_owned(),
            "deadLetterReplay" => "DeadLetterIdsInput".to_owned(),
            _ => format!("{type_name}Input"),
        };
        let query = format!(
            "mutation($input: {input_type}!) {{ {name}(input: $input) {{ {selection} userErrors {{ code message path }} }} }}"
        );
        let mut data = self.data(&query, json!({ "input": input })).await?;
        Ok(data[name].take())
    }

    /// Publishes a file; answers the key of the workflow.
    ///
    /// # Errors
    /// It is refused.
    pub async fn publish(&self, source: &str) -> anyhow::Result<String> {
        let payload = self
            .mutate(
                "workflowPublish",
                json!({ "source": source }),
                "workflow { key } isNew",
            )
            .await?;
        payload["workflow"]["key"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("refused: {payload:#}"))
    }

    /// Starts a run; answers its id.
    ///
    /// # Errors
    /// It is refused.
    pub async fn start(&self, input: Value) -> anyhow::Result<String> {
        let payload = self.mutate("runStart", input, "run { id }").await?;
        payload["run"]["id"]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("refused: {payload:#}"))
    }

    /// The status of a run.
    ///
    /// # Errors
    /// The server does not answer, or knows no such run.
    pub async fn status(&self, run: &str) -> anyhow::Result<String> {
        let data = self
            .data(
                "query($id: ID!) { run(id: $id) { status } }",
                json!({ "id": run }),
            )
            .await?;
        data["run"]["status"]
            .as_str()
            .map(str::to_owned)
            .context("no such run")
    }

    /// A run with its counts and tasks.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn show(&self, run: &str) -> anyhow::Result<Value> {
        let query = "query($id: ID!) { run(id: $id) { status outputs error { code message } \
                     tasks(first: 200) { nodes { key type status attempt output error { code message } } } } }";
        let mut data = self.data(query, json!({ "id": run })).await?;
        Ok(data["run"].take())
    }

    /// Waits for the end of a run, on a subscription; answers it with its tasks.
    ///
    /// # Errors
    /// The stream breaks, or the run does not end.
    pub async fn until_ended(&self, run: &str) -> anyhow::Result<Value> {
        let query = "subscription($id: ID!) { runUpdates(id: $id) { kind } }";
        let request = self
            .http
            .post(self.at("/graphql/stream"))
            // the limit is below: a run may rightly wait until the messages of a killed process are visible again
            .timeout(2 * PATIENCE)
            .header("accept", "text/event-stream")
            .json(&json!({ "query": query, "variables": { "id": run } }));
        let answer = request.send().await.context("subscribing to a run")?;
        anyhow::ensure!(
            answer.status().is_success(),
            "{}: {}",
            answer.status(),
            answer.text().await?
        );
        let watched = async {
            let mut stream = answer.bytes_stream();
            let mut text = String::new();
            while !text.contains(r#""kind":"END""#) {
                let chunk = stream.next().await.context("the stream ended before the run")??;
                text += &String::from_utf8_lossy(&chunk);
            }
            anyhow::Ok(())
        };
        match tokio::time::timeout(2 * PATIENCE, watched).await {
            Ok(ended) => ended?,
            Err(_) => anyhow::bail!("the run did not end: {:#}", self.show(run).await?),
        }
        self.show(run).await
    }

    /// The whole history of a run: kind and task of each event.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn history(&self, run: &str) -> anyhow::Result<Vec<(String, String)>> {
        let query = "query($id: ID!, $after: String) { run(id: $id) { events(first: 200, after: $after) { \
                     pageInfo { hasNextPage endCursor } nodes { kind task } } } }";
        let mut events = Vec::new();
        let mut after = Value::Null;
        loop {
            let data = self.data(query, json!({ "id": run, "after": after })).await?;
            let page = &data["run"]["events"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            events.extend(
                page["nodes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|node| (text(&node["kind"]), text(&node["task"]))),
            );
            if page["pageInfo"]["hasNextPage"] != true {
                return Ok(events);
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
    }
}
