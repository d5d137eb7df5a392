//! Where a worker's reports go.

mod http;
mod queue;
mod split;

pub use http::{HttpSink, HttpSinkError};
pub use queue::QueueSink;
pub use split::SplitSink;
