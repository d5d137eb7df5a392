//! Tasks that take no worker: `pass` and `eval` at once, `wait` when its time has come.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::machine::{Machine, Note};
use super::{Category, RecordKind, TaskFailure, TaskStatus};
use crate::source::duration::{self, DURATION_MAX};
use crate::{TaskIx, Timestamp};

impl Machine<'_> {
    /// The output of `pass` and `eval` is their resolved input.
    pub fn run_inline(&mut self, ix: TaskIx) {
        let Some(input) = self.begin_inline(ix) else {
            return;
        };
        if input.get("simulate_failure") == Some(&Value::Bool(true)) {
            let failure = TaskFailure::new(Category::User, "SIMULATED", "the input asks for a failure", true);
            self.fail_attempt(ix, failure);
            return;
        }
        self.succeed(ix, Arc::from(input.to_string()));
    }

    /// `wait {for}` or `wait {until}`; a wait for the outside has its own rules.
    pub fn begin_wait(&mut self, ix: TaskIx) {
        let Some(input) = self.begin_inline(ix) else {
            return;
        };
        if super::wait::is_for_outside(&input) {
            return self.begin_outside(ix, &input);
        }
        match wait_until(&input, self.now()) {
            Ok(until) => {
                self.task_mut(ix).input = Some(Arc::from(json!({"until": until}).to_string()));
                self.set_status(ix, TaskStatus::Waiting);
                let data = json!({"until": until.to_rfc3339()});
                self.task_record(
                    RecordKind::TaskWaiting,
                    ix,
                    Note {
                        reason: Some("TIMER"),
                        ..Note::data(data)
                    },
                );
            }
            Err(message) => self.fail_task(ix, TaskFailure::new(Category::Input, "INPUT", message, false)),
        }
    }

    /// The timer of a `wait` elapsed.
    pub fn end_wait(&mut self, ix: TaskIx) {
        let until = waits_until(self.task(ix).input.as_deref()).unwrap_or_else(|| self.now());
        self.succeed(ix, Arc::from(json!({"until": until.to_rfc3339()}).to_string()));
    }

    /// Counts the attempt and resolves the input; `None` when that failed the task.
    pub fn begin_inline(&mut self, ix: TaskIx) -> Option<Value> {
        match self.resolve(ix) {
            Ok(resolved) => {
                let now = self.now();
                let task = self.task_mut(ix);
                task.attempt = task.attempt.saturating_add(1);
                task.started_at = Some(now);
                Some(resolved.input)
            }
            Err(failure) => {
                self.fail_task(ix, *failure);
                None
            }
        }
    }

    /// The attempt has its output; that is the task's, unless it repeats. One that its schema refuses fails the attempt.
    pub fn succeed(&mut self, ix: TaskIx, output: Arc<str>) {
        if let Some(failure) = self.refuse_output(ix, &output) {
            return self.fail_attempt(ix, failure);
        }
        match self.loop_of(ix) {
            Some(repeat) => self.end_round(ix, repeat, output),
            None => self.complete(ix, output),
        }
    }

    /// The task has its output.
    pub fn complete(&mut self, ix: TaskIx, output: Arc<str>) {
        let task = self.task_mut(ix);
        task.output = Some(output);
        task.error = None;
        self.set_status(ix, TaskStatus::Succeeded);
        self.task_record(RecordKind::TaskSucceeded, ix, Note::default());
    }
}

/// The moment that the resolved input of a waiting timer names.
pub(super) fn waits_until(input: Option<&str>) -> Option<Timestamp> {
    super::scope::parse(input?).get("until")?.as_i64().map(Timestamp)
}

/// A number of `for` counts seconds, as an expression may give it.
fn wait_until(input: &Value, now: Timestamp) -> Result<Timestamp, String> {
    let until = match (input.get("for"), input.get("until")) {
        (Some(Value::String(text)), None) => now.after(duration::parse(text)?),
        (Some(Value::Number(seconds)), None) => {
            let by = seconds
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            now.after(by.ok_or_else(|| format!("`for` cannot be {seconds} seconds"))?)
        }
        (None, Some(Value::String(text))) => {
            let moment = chrono::DateTime::parse_from_rfc3339(text.trim());
            Timestamp(
                moment
                    .map_err(|_| "`until` is not a moment as RFC 3339".to_owned())?
                    .timestamp_micros(),
            )
        }
        _ => {
            return Err(
                "`wait` needs one of `for` (a duration), `until` (a moment as RFC 3339), `event` and `signal`"
                    .to_owned(),
            );
        }
    };
    if until.since(now) > DURATION_MAX {
        return Err("`wait` is limited to 366 days".to_owned());
    }
    Ok(until)
}
