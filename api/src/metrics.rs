//! The metrics of this process, in the text format of Prometheus.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use axum::Router;
use axum::routing::get;
use http::StatusCode;
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{health, reply, server};

const GRAPHQL_OPERATIONS: &str = "runnel_graphql_operations_total";
const SUBSCRIPTIONS: &str = "runnel_subscriptions";
const BUILD_INFO: &str = "runnel_build_info";
/// Histograms are drained this often, scraped or not; otherwise they grow without end.
const UPKEEP: Duration = Duration::from_secs(5);
/// Seconds from half a millisecond to five minutes, for everything that is called `…_seconds`.
const SECONDS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0,
];
/// Bytes from 1 MiB to 16 GiB, for `…_bytes` that are distributed.
const BYTES: [f64; 8] = [
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
    17_179_869_184.0,
];
/// Inputs of a batch, up to the largest one.
const ITEMS: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 300.0];

/// Content type of the page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders what was recorded. One recorder serves the whole process, also when it runs several servers (tests do).
#[derive(Clone)]
pub(crate) struct Metrics(Option<PrometheusHandle>);

impl Metrics {
    /// Installs the recorder at the first call.
    pub(crate) fn install() -> Self {
        static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
                .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &BYTES))
                .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_items".into()), &ITEMS));
            let installed = builder.and_then(PrometheusBuilder::install_recorder);
            // the embedding program may have a recorder of its own: then this page is empty, nothing else is wrong
            installed
                .inspect_err(|error| tracing::warn!(%error, "metrics are recorded elsewhere"))
                .ok()
        });
        describe();
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

fn describe() {
    describe_counter!(
        GRAPHQL_OPERATIONS,
        Unit::Count,
        "GraphQL operations by kind (query, mutation, subscription) and outcome (ok, error)"
    );
    describe_gauge!(SUBSCRIPTIONS, Unit::Count, "Subscriptions that are open");
    describe_gauge!(
        BUILD_INFO,
        Unit::Count,
        "Always 1; its label says which version runs"
    );
    runnel_runtime::describe_metrics();
}

/// `/metrics` and `/livez` for a process without an API. The page tells nothing about any run.
pub(crate) async fn serve(listener: TcpListener, stop: CancellationToken) {
    let metrics = Metrics::install();
    let upkeep = tokio::spawn(metrics.clone().upkeep(stop.clone()));
    let page = move || {
        let metrics = metrics.clone();
        async move { reply::body(StatusCode::OK, CONTENT_TYPE, metrics.render()) }
    };
    let router = Router::new()
        .route("/metrics", get(page))
        .route("/livez", get(health::live));
    server::run(listener, router, stop).await;
    upkeep.abort();
}

/// Counters that are looked up once: of each kind the good ones and the bad ones.
static OPERATIONS: LazyLock<[(Counter, Counter); 3]> = LazyLock::new(|| {
    ["query", "mutation", "subscription"].map(|kind| {
        let of = |outcome| counter!(GRAPHQL_OPERATIONS, "kind" => kind, "outcome" => outcome);
        (of("ok"), of("error"))
    })
});

/// Counts one operation.
pub(crate) fn graphql_operation(kind: OperationType, is_ok: bool) {
    let (ok, error) = match kind {
        OperationType::Query => &OPERATIONS[0],
        OperationType::Mutation => &OPERATIONS[1],
        OperationType::Subscription => &OPERATIONS[2],
    };
    if is_ok { ok } else { error }.increment(1);
}

/// Counts a subscription for as long as it lives.
pub(crate) struct OpenSubscription(Gauge);

impl OpenSubscription {
    pub(crate) fn begin() -> Self {
        static OPEN: LazyLock<Gauge> = LazyLock::new(|| gauge!(SUBSCRIPTIONS));
        OPEN.increment(1.0);
        Self(OPEN.clone())
    }
}

impl Drop for OpenSubscription {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
