//! GraphQL over HTTP, WebSocket and SSE; the HTTP aliases; health, metrics and GraphiQL.

use std::net::SocketAddr;

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
    /// Allowed `Origin` values of browsers besides the server's own.
    pub allowed_origins: Vec<String>,
    /// Listen on a non-loopback address without a token all the same.
    pub is_insecure: bool,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not a loopback address and no token.
    #[error("{0} is not a loopback address: set RUNNEL_API_TOKEN, or pass --insecure to serve everybody who can reach it")]
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
    let _ = (orchestrator, config, listener, stop);
    unimplemented!()
}

/// The schema as SDL, sorted.
#[must_use]
pub fn sdl() -> String {
    unimplemented!()
}
