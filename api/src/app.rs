//! What every handler shares.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use runnel_runtime::Orchestrator;
use runnel_runtime::namespace::is_namespace_name;
use tokio_util::sync::CancellationToken;

use crate::SocketConfig;
use crate::auth::{Credentials, Viewer};
use crate::error::{ApiError, Code};
use crate::metrics::Metrics;
use crate::origin::Origins;
use crate::schema::ApiSchema;

/// The state of one server.
pub(crate) struct App {
    /// The GraphQL schema.
    pub(crate) schema: ApiSchema,
    /// The same, for mutations.
    pub(crate) mutations: ApiSchema,
    /// How long a loader waits for further keys.
    pub(crate) loader_delay: Duration,
    /// Everything durable.
    pub(crate) orchestrator: Orchestrator,
    /// How patient a WebSocket is.
    pub(crate) socket: SocketConfig,
    /// Who is let in.
    pub(crate) credentials: Credentials,
    /// From where browsers are let in.
    pub(crate) origins: Origins,
    /// Renders the metrics of this process.
    pub(crate) metrics: Metrics,
    /// Cancelled when the server stops: streams end, connections drain.
    pub(crate) stop: CancellationToken,
    /// Namespaces that are known to exist: they are never deleted.
    pub(crate) namespaces: Namespaces,
}

/// A cheap handle.
pub(crate) type SharedApp = Arc<App>;

/// Header that names the namespace to act in.
pub(crate) const NAMESPACE: &str = "x-namespace";

/// Names seen so far.
#[derive(Debug, Default)]
pub(crate) struct Namespaces(Mutex<HashSet<String>>);

/// Most names that are remembered; beyond it each request asks.
const NAMESPACES_MAX: usize = 10_000;

impl App {
    /// The caller of a request, in the namespace that the request names.
    pub(crate) async fn viewer(&self, headers: &HeaderMap) -> Result<Viewer, ApiError> {
        let viewer = self.credentials.of_headers(headers)?;
        match headers.get(NAMESPACE) {
            None => Ok(viewer),
            Some(name) => self.enter(viewer, name.to_str().unwrap_or_default()).await,
        }
    }

    /// The caller in a namespace that exists.
    pub(crate) async fn enter(&self, viewer: Viewer, name: &str) -> Result<Viewer, ApiError> {
        let missing = || ApiError::new(Code::NotFound, "the namespace of `x-namespace` does not exist");
        if !is_namespace_name(name) {
            return Err(missing());
        }
        if !self.namespaces.has(name) {
            let there = self.orchestrator.namespace(name).await;
            let exists = there.map(|namespace| namespace.is_some());
            if !exists.map_err(|e| ApiError::store(&e))? {
                return Err(missing());
            }
            self.namespaces.add(name);
        }
        Ok(viewer.in_namespace(name))
    }
}

impl Namespaces {
    fn has(&self, name: &str) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(name)
    }

    fn add(&self, name: &str) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < NAMESPACES_MAX {
            names.insert(name.to_owned());
        }
    }
}
