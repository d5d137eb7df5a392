//! What CloudWatch hears of an invocation: one line in the embedded metric format, which its log turns into metrics without a call.
//!
//! One dimension, the function, so that what it costs does not grow with workflows or task types.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runnel_queue::{Outcome, Usage};
use serde_json::{Map, Value, json};

use crate::attempt::Ended;
use crate::clock;

const NAMESPACE: &str = "Runnel";

/// Most values of one metric in a line, the limit of the format.
const VALUES_MAX: usize = 100;

/// Counted while an invocation runs.
pub(crate) struct Figures {
    is_cold: bool,
    succeeded: AtomicU64,
    failed: AtomicU64,
    returned: AtomicU64,
    millis: Mutex<Vec<u64>>,
}

impl Figures {
    pub(crate) fn new() -> Self {
        static IS_WARM: AtomicBool = AtomicBool::new(false);
        Self {
            is_cold: !IS_WARM.swap(true, Ordering::Relaxed),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            millis: Mutex::default(),
        }
    }

    /// An attempt left.
    pub(crate) fn ended(&self, ended: &Ended, usage: Option<&Usage>) {
        let counter = match ended {
            Ended::Completed(Outcome::Output(_) | Outcome::OutputRef(_)) => &self.succeeded,
            Ended::Completed(Outcome::Error(_)) => &self.failed,
            Ended::Returned => &self.returned,
            Ended::Unwanted | Ended::Lost => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let wall = usage.and_then(|usage| usage.wall_us).unwrap_or(0) / 1_000;
        let mut millis = self.millis.lock().unwrap_or_else(PoisonError::into_inner);
        if millis.len() < VALUES_MAX {
            millis.push(wall);
        }
    }

    /// Prints the line where this is a function; anywhere else nobody reads it.
    pub(crate) fn print(self, records: usize, left: usize, took: Duration) {
        if let Ok(function) = std::env::var("AWS_LAMBDA_FUNCTION_NAME") {
            println!(
                "{}",
                self.line(&function, clock::now_us() / 1_000, records, left, took)
            );
        }
    }

    fn line(self, function: &str, at_ms: i64, records: usize, left: usize, took: Duration) -> Value {
        let millis = self.millis.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut metrics = vec![
            ("Records", "Count", json!(records)),
            ("RecordsLeft", "Count", json!(left)),
            ("AttemptsSucceeded", "Count", json!(self.succeeded.into_inner())),
            ("AttemptsFailed", "Count", json!(self.failed.into_inner())),
            ("AttemptsReturned", "Count", json!(self.returned.into_inner())),
            ("InvocationDuration", "Milliseconds", json!(took.as_millis())),
            ("ColdStarts", "Count", json!(u8::from(self.is_cold))),
        ];
        if !millis.is_empty() {
            metrics.push(("AttemptDuration", "Milliseconds", json!(millis)));
        }
        let declared: Vec<Value> = metrics
            .iter()
            .map(|(name, unit, _)| json!({ "Name": name, "Unit": unit }))
            .collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": at_ms,
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [["FunctionName"]],
                    "Metrics": declared,
                }],
            }),
        );
        line.insert("FunctionName".to_owned(), function.into());
        line.extend(
            metrics
                .into_iter()
                .map(|(name, _, value)| (name.to_owned(), value)),
        );
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_every_metric_that_it_holds_and_one_dimension() {
        let figures = Figures::new();
        let usage = Usage {
            wall_us: Some(12_000),
            ..Usage::default()
        };
        for _ in 0..300 {
            figures.ended(&Ended::Returned, Some(&usage));
        }
        let line = figures.line("tasks", 1_700_000_000_000, 300, 300, Duration::from_millis(40));
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Namespace"], "Runnel");
        assert_eq!(declared["Dimensions"], json!([["FunctionName"]]));
        assert_eq!(line["FunctionName"], "tasks");
        for metric in declared["Metrics"].as_array().unwrap() {
            let value = &line[metric["Name"].as_str().unwrap()];
            assert!(value.is_number() || value.is_array(), "{metric}");
        }
        assert_eq!(line["AttemptsReturned"], 300);
        assert_eq!(line["AttemptDuration"].as_array().unwrap().len(), VALUES_MAX);
    }
}
