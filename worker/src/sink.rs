//! Where a worker's reports go.

mod http;
mod queue;
mod split;

pub use http::{HttpSink, HttpSinkError};
pub use queue::QueueSink;
pub use split::SplitSink;

use std::sync::Arc;

use runnel_queue::TaskQueue;

use crate::ReportSink;

/// The sink of a worker process: the completion queue, and beside it the control channel where `RUNNEL_API_URL` and
/// `RUNNEL_WORKER_TOKEN` are set.
///
/// # Errors
/// The address cannot be used.
pub fn from_env(queue: Arc<dyn TaskQueue>) -> Result<Arc<dyn ReportSink>, HttpSinkError> {
    let durable: Arc<dyn ReportSink> = Arc::new(QueueSink::new(queue));
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (variable("RUNNEL_API_URL"), variable("RUNNEL_WORKER_TOKEN")) {
        (Some(api), Some(token)) => Ok(Arc::new(SplitSink::new(
            durable,
            Arc::new(HttpSink::new(&api, token)?),
        ))),
        _ => Ok(durable),
    }
}
