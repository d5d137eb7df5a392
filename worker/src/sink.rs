//! Where a worker's reports go.

mod http;
mod queue;
mod split;

pub use http::{HttpSink, HttpSinkError};
pub use queue::QueueSink;
pub use split::SplitSink;

use std::sync::Arc;

use anyhow::Context as _;
use runnel_queue::{PayloadLocation, PayloadStore, TaskQueue};

use crate::handlers::ensure_crypto_provider;
use crate::{ControlChannel, ReportSink, Supplies};

/// The sink of a worker process: the completion queue, and beside it the control channel where `RUNNEL_API_URL` and
/// `RUNNEL_WORKER_TOKEN` are set.
///
/// # Errors
/// The address cannot be used.
pub fn from_env(queue: Arc<dyn TaskQueue>) -> Result<Arc<dyn ReportSink>, HttpSinkError> {
    let durable: Arc<dyn ReportSink> = Arc::new(QueueSink::new(queue));
    match http_from_env()? {
        Some(control) => Ok(Arc::new(SplitSink::new(durable, Arc::new(control)))),
        None => Ok(durable),
    }
}

/// What a worker process is supplied from: the payload store at `RUNNEL_PAYLOADS` (with `RUNNEL_PAYLOADS_ENDPOINT` and
/// `RUNNEL_PAYLOADS_REGION`), and the control channel where [`from_env`] has one.
///
/// # Errors
/// One of the addresses cannot be used.
pub fn supplies_from_env() -> anyhow::Result<Supplies> {
    // the client of the store is built on the process's TLS provider
    ensure_crypto_provider();
    let payloads = match variable("RUNNEL_PAYLOADS") {
        None => None,
        Some(place) => {
            let location: PayloadLocation = place.parse()?;
            let (endpoint, region) = (
                variable("RUNNEL_PAYLOADS_ENDPOINT"),
                variable("RUNNEL_PAYLOADS_REGION"),
            );
            let store = PayloadStore::open(&location, endpoint.as_deref(), region.as_deref());
            Some(store.context("RUNNEL_PAYLOADS cannot be used")?)
        }
    };
    let channel = http_from_env()?.map(|http| Arc::new(http) as Arc<dyn ControlChannel>);
    Ok(Supplies { payloads, channel })
}

fn http_from_env() -> Result<Option<HttpSink>, HttpSinkError> {
    match (variable("RUNNEL_API_URL"), variable("RUNNEL_WORKER_TOKEN")) {
        (Some(api), Some(token)) => HttpSink::new(&api, token).map(Some),
        _ => Ok(None),
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
