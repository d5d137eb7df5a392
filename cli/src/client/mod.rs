//! The API as the client commands see it: GraphQL over HTTP for requests, GraphQL over SSE for what is live.
//!
//! Guarantees: every way in which a request can fail maps to one exit code here, and nowhere else.

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};

pub mod documents;
pub mod model;
mod payload;
pub mod problem;
mod run_ref;
pub mod sse;
pub mod watch;

/// Longest wait for a connection; a server that is there answers at once.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);
/// Longest wait for the answer to one request (not for streams).
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: String,
    api_token: Option<String>,
    namespace: Option<String>,
}

impl Client {
    /// A client of the server at this address. Does not connect yet.
    pub fn new(server: &str, api_token: Option<String>) -> Result<Self, Failure> {
        let server = if server.contains("://") {
            server.to_owned()
        } else {
            format!("http://{server}")
        };
        if reqwest::Url::parse(&server).is_err() {
            return Err(Failure::usage(format!(
                "{server} is not an address of a server, as http://127.0.0.1:7420"
            )));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("runnel/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Failure::internal("cannot set up the HTTP client", error))?;
        Ok(Self {
            http,
            server: server.trim_end_matches('/').to_owned(),
            api_token,
            namespace: None,
        })
    }

    /// The same client, acting in a namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: Option<String>) -> Self {
        self.namespace = namespace;
        self
    }

    /// The address of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether a server answers there at all.
    pub async fn is_reachable(&self) -> bool {
        self.http
            .get(format!("{}/livez", self.server))
            .timeout(CONNECT_TIMEOUT)
            .send()
            .await
            .is_ok()
    }

    /// Sends one operation; answers its `data`.
    pub async fn send(&self, document: &str, variables: Value) -> Result<Value, Failure> {
        let answer = self
            .operation("/graphql", document, &variables)
            .header(ACCEPT, "application/graphql-response+json, application/json")
            .timeout(REQUEST_TIMEOUT)
            .send()
            .await
            .map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| self.unreachable(error))?;
        let Ok(mut body) = serde_json::from_str::<Value>(&body) else {
            return Err(self.not_graphql(status));
        };
        problem::check_errors(&body, status)?;
        Ok(body.get_mut("data").map(Value::take).unwrap_or_default())
    }

    /// Sends a mutation whose payload is `data.<field>`; its user errors are failures.
    pub async fn mutate(&self, document: &str, field: &str, input: Value) -> Result<Value, Failure> {
        let mut data = self.send(document, json!({ "input": input })).await?;
        let payload = data.get_mut(field).map(Value::take).unwrap_or_default();
        problem::check_user_errors(&payload)?;
        Ok(payload)
    }

    fn operation(&self, path: &str, document: &str, variables: &Value) -> RequestBuilder {
        let body = json!({ "query": document, "variables": variables });
        let request = self
            .http
            .post(format!("{}{path}", self.server))
            .header(CONTENT_TYPE, "application/json");
        self.with_credentials(request).body(body.to_string())
    }

    fn with_credentials(&self, request: RequestBuilder) -> RequestBuilder {
        let request = match &self.api_token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        match &self.namespace {
            Some(name) => request.header("x-namespace", name),
            None => request,
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let failure = Failure {
            exit: Exit::Unreachable,
            // The address is in the sentence; reqwest would repeat it.
            error: anyhow::Error::from(error.without_url())
                .context(format!("cannot reach a server at {}", self.server)),
            hint: None,
        };
        failure.hint("start one with `runnel dev`, or name another with --server or RUNNEL_SERVER")
    }

    fn not_graphql(&self, status: StatusCode) -> Failure {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => problem::unauthorised(),
            _ => Failure::new(
                Exit::Unreachable,
                format!(
                    "what answers at {} is not a Runnel server (HTTP {status})",
                    self.server
                ),
            ),
        }
    }
}

/// A part of an answer as a type.
pub fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::internal(
            "the server's answer is not what this version of runnel expects",
            error,
        )
    })
}
