//! Reading of [`Report`]s.
//!
//! serde reads tagged enums through a buffer, and a buffer cannot hold raw JSON. So a report is read as one flat record of
//! everything that any kind may have, and then sorted into its kind; this is also faster.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Attempt, AttemptRef, Failure, LogLine, Outcome, Progress, Report, Usage};
use crate::payload::PayloadRef;

#[derive(Deserialize)]
pub(super) struct ReportFields {
    kind: String,
    types: Option<Vec<String>>,
    queue: Option<String>,
    slots: Option<u32>,
    run: Option<Uuid>,
    task: Option<u32>,
    attempt: Option<u32>,
    token: Option<String>,
    started_us: Option<i64>,
    finished_us: Option<i64>,
    lines: Option<Vec<LogLine>>,
    reason: Option<String>,
    #[serde(default, deserialize_with = "present")]
    output: Option<Box<RawValue>>,
    output_ref: Option<PayloadRef>,
    error: Option<Failure>,
    progress: Option<Progress>,
    checkpoint: Option<Box<RawValue>>,
    usage: Option<Usage>,
    traceparent: Option<String>,
}

/// `null` is an output like any other, so presence decides and not the value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn required<T>(value: Option<T>, field: &'static str) -> Result<T, String> {
    value.ok_or_else(|| format!("missing field `{field}`"))
}

impl ReportFields {
    fn at(&mut self) -> Result<AttemptRef, String> {
        Ok(AttemptRef {
            run: required(self.run, "run")?,
            task: required(self.task, "task")?,
            attempt: required(self.attempt, "attempt")?,
            token: required(self.token.take(), "token")?,
        })
    }

    fn outcome(&mut self) -> Result<Outcome, String> {
        match (self.output.take(), self.output_ref.take(), self.error.take()) {
            (Some(output), None, None) => Ok(Outcome::Output(output)),
            (None, Some(reference), None) => Ok(Outcome::OutputRef(reference)),
            (None, None, Some(failure)) => Ok(Outcome::Error(failure)),
            _ => Err("exactly one of `output`, `output_ref` and `error` is needed".to_owned()),
        }
    }
}

impl TryFrom<ReportFields> for Report {
    type Error = String;

    fn try_from(mut fields: ReportFields) -> Result<Self, String> {
        Ok(match fields.kind.as_str() {
            "hello" => Self::Hello {
                types: required(fields.types, "types")?,
                queue: required(fields.queue, "queue")?,
                slots: required(fields.slots, "slots")?,
            },
            "goodbye" => Self::Goodbye {},
            "started" => Self::Started {
                at: fields.at()?,
                started_us: required(fields.started_us, "started_us")?,
            },
            "heartbeat" => Self::Heartbeat {
                at: fields.at()?,
                progress: fields.progress,
                checkpoint: fields.checkpoint,
            },
            "log" => Self::Log {
                at: fields.at()?,
                lines: required(fields.lines, "lines")?,
            },
            "returned" => Self::Returned {
                at: fields.at()?,
                reason: required(fields.reason, "reason")?,
            },
            "completed" => Self::Completed(Attempt {
                at: fields.at()?,
                outcome: fields.outcome()?,
                started_us: required(fields.started_us, "started_us")?,
                finished_us: required(fields.finished_us, "finished_us")?,
                usage: fields.usage,
                traceparent: fields.traceparent,
            }),
            other => return Err(format!("unknown kind of report `{other}`")),
        })
    }
}
