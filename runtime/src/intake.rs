//! What workers report, on its way to the appliers: tokens are verified, reports become inputs, log lines and news of workers.
//!
//! Guarantees: a report without a valid token changes nothing but a counter; everything else is committed when
//! [`Intake::accept`] answers well. Called by the completion consumer and, in process and over HTTP, by the workers' reports.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::future::join_all;
use runnel_engine::run::{Category, Input, TaskFailure, Timings};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_queue::message::CHECKPOINT_BYTES_MAX;
use runnel_queue::payload::{PAYLOAD_BYTES_MAX, PayloadRef};
use runnel_queue::{
    Attempt, AttemptRef, Failure, FailureCategory, LogLine, Outcome, Progress, Report, ReportBatch,
    TokenKeys, Usage,
};
use runnel_telemetry::SpanContext;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::apply::{Appliers, Shell};
use crate::error::StoreError;
use crate::log::{LogChunk, Logs};
use crate::meters::METERS;
use crate::registry::{self, Hello};
use crate::relay::AttemptKey;

/// Largest accepted output of a task, in bytes; a larger one fails its attempt.
pub(crate) const OUTPUT_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;

/// Reports, sorted by what they are for.
#[derive(Debug, Default)]
pub(crate) struct Sorted {
    pub inputs: BTreeMap<RunId, Vec<Input>>,
    logs: Vec<LogChunk>,
    hellos: BTreeMap<String, Hello>,
    goodbyes: Vec<String>,
    pub forged: u64,
}

/// The way in.
#[derive(Clone)]
pub(crate) struct Intake {
    shell: Arc<Shell>,
    appliers: Appliers,
    logs: Logs,
}

impl Intake {
    pub(crate) fn new(shell: Arc<Shell>, appliers: Appliers) -> Self {
        Self {
            shell,
            appliers,
            logs: Logs::default(),
        }
    }

    /// Commits what the batches report.
    ///
    /// # Errors
    /// Some of it is not committed; all of it may be accepted again, because what is committed changes nothing twice.
    pub(crate) async fn accept(&self, batches: &[ReportBatch]) -> Result<(), StoreError> {
        let reports: usize = batches.iter().map(|batch| batch.reports.len()).sum();
        METERS.reports.increment(reports as u64);
        let begun = Instant::now();
        let mut sorted = Sorted::of(&self.shell.token_keys, batches);
        if sorted.forged > 0 {
            METERS.forged.increment(sorted.forged);
            tracing::warn!(
                reports = sorted.forged,
                "reports without a valid token were dropped"
            );
        }
        let now = self.shell.clock.now();
        self.note_workers(sorted.hellos, sorted.goodbyes, now).await?;
        self.logs.save(&self.shell, sorted.logs, now).await?;
        self.fetch_outputs(&mut sorted.inputs).await?;
        let applied = sorted
            .inputs
            .into_iter()
            .map(|(run, inputs)| self.appliers.apply(run, inputs));
        for applied in join_all(applied).await {
            // a run that does not exist any more and an input that is stale are both normal
            applied?;
        }
        METERS.report_seconds.record(begun.elapsed().as_secs_f64());
        Ok(())
    }

    async fn note_workers(
        &self,
        hellos: BTreeMap<String, Hello>,
        goodbyes: Vec<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if !hellos.is_empty() {
            let hellos: Vec<Hello> = hellos.into_values().collect();
            registry::save(&self.shell.store, hellos.clone(), now).await?;
            let news = hellos
                .iter()
                .filter(|hello| self.shell.registry.note(hello, now))
                .count();
            if news > 0 {
                self.shell.relay.look();
            }
        }
        if !goodbyes.is_empty() {
            goodbyes.iter().for_each(|name| self.shell.registry.forget(name));
            registry::leave(&self.shell.store, goodbyes, now).await?;
        }
        Ok(())
    }

    /// Reads the outputs that workers have put into the payload store, side by side. Claimed first, so that none is collected
    /// between here and the commit that refers to it.
    async fn fetch_outputs(&self, inputs: &mut BTreeMap<RunId, Vec<Input>>) -> Result<(), StoreError> {
        let mut outputs: Vec<(PayloadRef, &mut Input)> = inputs
            .values_mut()
            .flatten()
            .filter_map(|input| match input {
                Input::AttemptSucceeded { output, .. } => Some((PayloadRef::read(output)?, input)),
                _ => None,
            })
            .collect();
        if outputs.is_empty() {
            return Ok(());
        }
        let payloads = &self.shell.payloads;
        payloads
            .claim(outputs.iter().map(|(reference, _)| reference))
            .await?;
        let reads = outputs.iter_mut().map(|(reference, input)| async move {
            match payloads.read(reference).await {
                Ok(text) if serde_json::from_str::<&RawValue>(&text).is_ok() => give_output(input, text),
                Ok(_) => refuse_output(
                    input,
                    "OUTPUT_INVALID",
                    "the stored output is not JSON".to_owned(),
                ),
                Err(StoreError::Corrupt { problem, .. }) => refuse_output(input, "PAYLOAD_MISSING", problem),
                Err(error) => return Err(error),
            }
            Ok(())
        });
        futures_util::future::try_join_all(reads).await.map(drop)
    }
}

impl Sorted {
    /// Sorts what the batches report; what has no valid token is only counted.
    pub(crate) fn of(keys: &TokenKeys, batches: &[ReportBatch]) -> Self {
        let mut sorted = Self::default();
        let mut verified: HashMap<&AttemptRef, bool> = HashMap::new();
        for batch in batches {
            let worker: Arc<str> = batch.worker.as_str().into();
            for report in &batch.reports {
                let Some(at) = attempt_of(report) else {
                    sorted.add_worker(batch, report);
                    continue;
                };
                let is_valid = *verified
                    .entry(at)
                    .or_insert_with(|| keys.verify(at.run, at.task, at.attempt, &at.token));
                if is_valid {
                    sorted.add(report, at, &worker);
                } else {
                    sorted.forged += 1;
                }
            }
        }
        sorted
    }

    fn add_worker(&mut self, batch: &ReportBatch, report: &Report) {
        let name = batch.worker.clone();
        match report {
            Report::Hello { types, queue, slots } => {
                let hello = Hello {
                    name: name.clone(),
                    queue: queue.clone(),
                    types: types.clone(),
                    slots: *slots,
                };
                self.hellos.insert(name, hello);
            }
            Report::Goodbye {} => {
                self.hellos.remove(&name);
                self.goodbyes.push(name);
            }
            Report::Started { .. }
            | Report::Heartbeat { .. }
            | Report::Log { .. }
            | Report::Returned { .. }
            | Report::Completed(_) => {}
        }
    }

    fn add(&mut self, report: &Report, at: &AttemptRef, worker: &Arc<str>) {
        let (task, attempt, worker) = (TaskIx(at.task), at.attempt, Arc::clone(worker));
        let input = match report {
            Report::Hello { .. } | Report::Goodbye {} => return,
            Report::Log { lines, .. } => return self.add_log(at, lines),
            Report::Started { started_us, .. } => Input::AttemptStarted {
                task,
                attempt,
                worker,
                at: Timestamp(*started_us),
            },
            Report::Heartbeat {
                progress, checkpoint, ..
            } => Input::Heartbeat {
                task,
                attempt,
                worker,
                progress: progress.clone().and_then(progress_text),
                checkpoint: checkpoint
                    .as_ref()
                    .filter(|checkpoint| checkpoint.get().len() <= CHECKPOINT_BYTES_MAX)
                    .map(|checkpoint| checkpoint.get().into()),
            },
            Report::Returned { reason, .. } => Input::AttemptLost {
                task,
                attempt,
                reason: reason.as_str().into(),
            },
            Report::Completed(attempt) => completed(attempt, worker),
        };
        self.inputs.entry(RunId(at.run)).or_default().push(input);
    }

    fn add_log(&mut self, at: &AttemptRef, lines: &[LogLine]) {
        let key = AttemptKey {
            run: RunId(at.run),
            task: TaskIx(at.task),
            attempt: at.attempt,
        };
        self.logs.push(LogChunk {
            key,
            lines: lines.to_vec(),
        });
    }
}

fn attempt_of(report: &Report) -> Option<&AttemptRef> {
    match report {
        Report::Hello { .. } | Report::Goodbye {} => None,
        Report::Started { at, .. }
        | Report::Heartbeat { at, .. }
        | Report::Log { at, .. }
        | Report::Returned { at, .. } => Some(at),
        Report::Completed(attempt) => Some(&attempt.at),
    }
}

fn completed(report: &Attempt, worker: Arc<str>) -> Input {
    let (task, attempt) = (TaskIx(report.at.task), report.at.attempt);
    let timings = Timings {
        worker,
        started_at: Timestamp(report.started_us),
        finished_at: Timestamp(report.finished_us),
        usage: report.usage.map(usage),
        // what is no trace context is none: a worker of any make may say anything
        trace: report
            .traceparent
            .as_deref()
            .filter(|text| SpanContext::parse(text).is_some())
            .map(Arc::from),
    };
    match &report.outcome {
        Outcome::Output(output) if output.get().len() > OUTPUT_BYTES_MAX => Input::AttemptFailed {
            task,
            attempt,
            failure: output_too_large(output.get().len()),
            timings,
        },
        Outcome::Output(output) => Input::AttemptSucceeded {
            task,
            attempt,
            output: output.get().into(),
            timings,
        },
        Outcome::OutputRef(reference) => Input::AttemptSucceeded {
            task,
            attempt,
            output: reference.to_string().into(),
            timings,
        },
        Outcome::Error(failure) => Input::AttemptFailed {
            task,
            attempt,
            failure: task_failure(failure),
            timings,
        },
    }
}

fn usage(usage: Usage) -> runnel_engine::run::Usage {
    runnel_engine::run::Usage {
        wall_us: usage.wall_us,
        cpu_us: usage.cpu_us,
        memory_bytes: usage.memory_bytes,
        input_bytes: usage.input_bytes,
        output_bytes: usage.output_bytes,
    }
}

fn give_output(input: &mut Input, text: Arc<str>) {
    if let Input::AttemptSucceeded { output, .. } = input {
        *output = text;
    }
}

/// The attempt succeeded, but what it made cannot be had: another attempt may make it again.
fn refuse_output(input: &mut Input, code: &str, message: String) {
    if let Input::AttemptSucceeded {
        task,
        attempt,
        timings,
        ..
    } = input
    {
        *input = Input::AttemptFailed {
            task: *task,
            attempt: *attempt,
            failure: TaskFailure::new(Category::Internal, code, message, true),
            timings: timings.clone(),
        };
    }
}

/// JSON text of a progress, with everything in its range: a worker of another make may say anything.
fn progress_text(progress: Progress) -> Option<Arc<str>> {
    serde_json::to_string(&progress.checked()?).ok().map(Arc::from)
}

fn output_too_large(bytes: usize) -> TaskFailure {
    TaskFailure {
        category: Category::User,
        code: "OUTPUT_TOO_LARGE".to_owned(),
        message: format!("the output has {bytes} bytes, more than the limit of {OUTPUT_BYTES_MAX}"),
        details: None,
        retryable: false,
        traceback: None,
        retry_after_ms: None,
    }
}

fn task_failure(failure: &Failure) -> TaskFailure {
    TaskFailure {
        category: category(failure.category),
        code: failure.code.clone(),
        message: failure.message.clone(),
        details: failure.details.clone(),
        retryable: failure.retryable,
        traceback: failure.traceback.clone(),
        retry_after_ms: failure.retry_after_ms,
    }
}

fn category(category: FailureCategory) -> Category {
    match category {
        FailureCategory::User => Category::User,
        FailureCategory::Timeout => Category::Timeout,
        FailureCategory::Lost => Category::Lost,
        FailureCategory::RateLimited => Category::RateLimited,
        FailureCategory::Unavailable => Category::Unavailable,
        FailureCategory::Expression => Category::Expression,
        FailureCategory::Input => Category::Input,
        FailureCategory::Unauthorised => Category::Unauthorised,
        FailureCategory::Internal => Category::Internal,
    }
}
