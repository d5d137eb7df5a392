//! GraphQL over HTTP, WebSocket and SSE; the HTTP aliases; health, metrics and GraphiQL.
//!
//! Guarantees: nothing is served without limits of size, time and cost; every caller is authenticated before anything
//! is read; a mutation runs to its end whether or not its client waits; no text of the store or of the code reaches a
//! client. Decides nothing about workflows and runs: that is `runtime`, which is the only crate called for them.

mod app;
mod auth;
mod body;
mod error;
mod graphql;
mod health;
mod metrics;
mod origin;
mod pages;
mod reply;
mod request_id;
mod rest;
mod routes;
mod schema;
mod server;
#[cfg(test)]
mod tests;
mod trace;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use runnel_runtime::Orchestrator;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What the server is started with.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Bearer token of the API; `None`: anonymous administrator, allowed on a loopback address only.
    pub api_token: Option<String>,
    /// Bearer token of workers for the control channel; `None`: as the API.
    pub worker_token: Option<String>,
    /// People with tokens of their own.
    pub people: Vec<Person>,
    /// Allowed `Origin` values of browsers besides the server's own.
    pub allowed_origins: Vec<String>,
    /// Listen on a non-loopback address without a token all the same.
    pub is_insecure: bool,
    /// How long a loader waits for further keys of the same level of a query before it asks for all of them at once.
    pub loader_delay: Duration,
    /// How patient the WebSockets of subscriptions are.
    pub socket: SocketConfig,
}

/// How patient a WebSocket is with its client. Each limit closes it with a code of its own, and a subscription goes on in a
/// new one where its last cursor says.
#[derive(Debug, Clone, Copy)]
pub struct SocketConfig {
    /// How long a client may take to introduce itself (4408).
    pub init_wait: Duration,
    /// A client that does not take a message in this time is cut off (4500).
    pub send_wait: Duration,
    /// Between two pings of the server.
    pub ping_every: Duration,
    /// Pings without any sign of life before the client is given up (4499).
    pub pings_max: u32,
    /// How long a client gets to read why the socket is closed.
    pub close_wait: Duration,
}

impl Default for SocketConfig {
    fn default() -> Self {
        Self {
            init_wait: Duration::from_secs(5),
            send_wait: Duration::from_secs(10),
            ping_every: Duration::from_secs(12),
            pings_max: 3,
            close_wait: Duration::from_millis(500),
        }
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            api_token: None,
            worker_token: None,
            people: Vec::new(),
            allowed_origins: Vec::new(),
            is_insecure: false,
            loader_delay: Duration::from_millis(1),
            socket: SocketConfig::default(),
        }
    }
}

/// Somebody who calls under an own name.
#[derive(Clone)]
pub struct Person {
    /// Name, as the history and approvals show it.
    pub name: String,
    /// Bearer token.
    pub token: String,
    /// Groups, for approvals.
    pub groups: Vec<String>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("name", &self.name)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not a loopback address and no token.
    #[error(
        "{0} is not a loopback address: set RUNNEL_API_TOKEN, or pass --insecure to serve everybody who can reach it"
    )]
    Unprotected(SocketAddr),
    /// The listener failed.
    #[error("cannot listen")]
    Listen(#[source] std::io::Error),
}

/// Serves until `stop` is cancelled, then drains.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    orchestrator: Orchestrator,
    config: ApiConfig,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listen)?;
    let credentials = auth::Credentials::new(config.api_token.as_deref(), config.worker_token.as_deref())
        .with_people(&config.people);
    // an address that means all of them is none that somebody could call
    let reachable = match address {
        all if all.ip().is_unspecified() => format!("http://127.0.0.1:{}", all.port()),
        one => format!("http://{one}"),
    };
    orchestrator.suggest_public_url(&reachable);
    if credentials.is_open() && !address.ip().is_loopback() {
        if !config.is_insecure {
            return Err(ServeError::Unprotected(address));
        }
        tracing::warn!(%address, "everybody who can reach this address is an administrator");
    }
    // an open server that was made to listen on every address is called by its names, whatever they are
    let is_loopback_only = credentials.is_open() && address.ip().is_loopback();
    let metrics = metrics::Metrics::install();
    let app = Arc::new(app::App {
        schema: schema::build(orchestrator.clone()),
        mutations: schema::build_for_mutations(orchestrator.clone()),
        loader_delay: config.loader_delay,
        socket: config.socket,
        orchestrator,
        credentials,
        origins: origin::Origins::new(&config.allowed_origins, is_loopback_only),
        metrics: metrics.clone(),
        stop: stop.clone(),
        namespaces: app::Namespaces::default(),
    });
    let upkeep = tokio::spawn(metrics.upkeep(stop.clone()));
    server::run(listener, routes::router(app), stop).await;
    upkeep.abort();
    Ok(())
}

/// Begins to record metrics, for `/metrics`; what happens before is not counted. Any number of times.
pub fn install_metrics() {
    metrics::Metrics::install();
}

/// Serves `/metrics` and `/livez` alone, for processes without an API, until `stop` is cancelled.
pub async fn serve_metrics(listener: TcpListener, stop: CancellationToken) {
    metrics::serve(listener, stop).await;
}

/// The schema as SDL, sorted.
#[must_use]
pub fn sdl() -> String {
    schema::sdl()
}

/// The members of the schema, one a line, sorted: what clients can depend on.
#[must_use]
pub fn schema_members() -> String {
    schema::members::listed(&schema::members::members(&sdl()))
}
