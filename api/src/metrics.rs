//! The metrics of this process, in the text format of Prometheus.

use std::sync::OnceLock;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// GraphQL operations by kind and outcome.
const GRAPHQL_OPERATIONS: &str = "runnel_graphql_operations_total";
/// Always 1; its labels say what runs.
const BUILD_INFO: &str = "runnel_build_info";
/// Histograms are drained this often, scraped or not; otherwise they grow without end.
const UPKEEP: Duration = Duration::from_secs(5);
/// Seconds from half a millisecond to five minutes, for everything that is called `…_seconds`.
const BUCKETS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0,
];

/// Renders what was recorded. One recorder serves the whole process, also when it runs several servers (tests do).
#[derive(Clone)]
pub(crate) struct Metrics(Option<PrometheusHandle>);

impl Metrics {
    /// Installs the recorder at the first call.
    pub(crate) fn install() -> Self {
        static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let builder =
                PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS);
            let installed = builder.and_then(PrometheusBuilder::install_recorder);
            // the embedding program may have a recorder of its own: then this page is empty, nothing else is wrong
            installed
                .inspect_err(|error| tracing::warn!(%error, "metrics are recorded elsewhere"))
                .ok()
        });
        describe_counter!(GRAPHQL_OPERATIONS, "GraphQL operations by kind and outcome");
        describe_gauge!(BUILD_INFO, "Always 1; its labels say what runs");
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Self(handle.clone())
    }

    /// The page.
    pub(crate) fn render(&self) -> String {
        self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }

    /// Drains histograms until the server stops.
    pub(crate) async fn upkeep(self, stop: CancellationToken) {
        let Some(handle) = self.0 else { return };
        while tokio::time::timeout(UPKEEP, stop.cancelled()).await.is_err() {
            handle.run_upkeep();
        }
    }
}

/// Counts one operation.
pub(crate) fn graphql_operation(kind: OperationType, is_ok: bool) {
    let kind = match kind {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    };
    counter!(GRAPHQL_OPERATIONS, "kind" => kind, "outcome" => if is_ok { "ok" } else { "error" })
        .increment(1);
}
