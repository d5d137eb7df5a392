//! Functions that execute tasks, as Lambda functions behind a queue.
//!
//! A worker that receives by itself says that it is there, and only then is a task of its types sent. A function is nowhere until it is
//! given something to do. So the server is told of it, and says in its name what a worker would. Every replica says the same; the name
//! is one, and so is the row.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use runnel_queue::message::MESSAGE_VERSION;
use runnel_queue::{QueueName, Report, ReportBatch};
use runnel_runtime::Orchestrator;
use tokio_util::sync::CancellationToken;

use crate::host::options;

/// As often as a worker says that it is there.
const HELLO_EVERY: Duration = Duration::from_secs(30);

/// What an account runs at once unless it is allowed more; only shown.
const SLOTS: u32 = 1_000;

/// A task queue whose messages are given to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionQueue {
    /// The queue.
    pub queue: QueueName,
    /// Task types that the function executes; none means the built-in ones.
    types: Vec<String>,
}

impl FromStr for FunctionQueue {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (queue, types) = text.split_once('=').unwrap_or((text, ""));
        let types = types
            .split(',')
            .map(str::trim)
            .filter(|kind| !kind.is_empty())
            .map(str::to_owned);
        Ok(Self {
            queue: QueueName(queue.trim().to_owned()),
            types: types.collect(),
        })
    }
}

impl FunctionQueue {
    fn hello(&self) -> ReportBatch {
        let types = if self.types.is_empty() {
            options::handlers(false).types()
        } else {
            self.types.clone()
        };
        ReportBatch {
            v: MESSAGE_VERSION,
            worker: format!("functions-{}", self.queue),
            reports: vec![Report::Hello {
                types,
                queue: self.queue.to_string(),
                slots: SLOTS,
            }],
        }
    }
}

/// Says until `stop` that the functions are there.
pub fn announce(functions: &[FunctionQueue], orchestrator: &Orchestrator, stop: &CancellationToken) {
    for function in functions {
        let (hello, orchestrator, stop) = (function.hello(), orchestrator.clone(), stop.clone());
        tokio::spawn(async move {
            let mut every = tokio::time::interval(HELLO_EVERY);
            while stop.run_until_cancelled(every.tick()).await.is_some() {
                orchestrator.report(hello.clone()).await;
            }
            // no goodbye: other replicas go on, and the function does too
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> (String, Vec<String>) {
        let function: FunctionQueue = text.parse().unwrap_or_else(|never| match never {});
        match function.hello().reports.remove(0) {
            Report::Hello { types, queue, .. } => (queue, types),
            other => panic!("not a hello: {other:?}"),
        }
    }

    #[test]
    fn a_function_executes_the_named_types_or_the_built_in_ones() {
        let (queue, types) = said("gpu = train, resize ,");
        assert_eq!(
            (queue.as_str(), types.as_slice()),
            ("gpu", &["train".to_owned(), "resize".to_owned()][..])
        );
        let (queue, types) = said("default");
        assert_eq!(queue, "default");
        assert!(types.contains(&"http".to_owned()), "{types:?}");
    }
}
