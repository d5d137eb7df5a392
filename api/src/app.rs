//! What every handler shares.

use std::sync::Arc;

use runnel_runtime::Orchestrator;
use tokio_util::sync::CancellationToken;

use crate::auth::Credentials;
use crate::metrics::Metrics;
use crate::origin::Origins;
use crate::schema::ApiSchema;

/// The state of one server.
pub(crate) struct App {
    /// The GraphQL schema.
    pub(crate) schema: ApiSchema,
    /// The same, for mutations.
    pub(crate) mutations: ApiSchema,
    /// Everything durable.
    pub(crate) orchestrator: Orchestrator,
    /// Who is let in.
    pub(crate) credentials: Credentials,
    /// From where browsers are let in.
    pub(crate) origins: Origins,
    /// Renders the metrics of this process.
    pub(crate) metrics: Metrics,
    /// Cancelled when the server stops: streams end, connections drain.
    pub(crate) stop: CancellationToken,
}

/// A cheap handle.
pub(crate) type SharedApp = Arc<App>;
