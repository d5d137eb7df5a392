//! What a worker tells of an attempt beside its result: where it was in a trace, what it took, and how often which ended how.
//!
//! Costs of an attempt without a tracer: two readings of a clock and one counter.

mod figures;

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
};
use metrics::{gauge, histogram};
use runnel_queue::{Outcome, TaskMessage, Usage};
use runnel_telemetry::{DerivedFrom, Kind, LogContext, Span, SpanContext, SpanId, Tracer, derived, trace_of};
use tokio::time::Instant;

use crate::attempt::Ended;
use crate::clock;
pub(crate) use figures::Figures;

/// An attempt that is being executed.
pub(crate) struct Execution {
    begun: Instant,
    started_us: i64,
    input_bytes: u64,
    kind: String,
    trace: Option<Traced>,
}

/// The part of it that is only there with a tracer.
struct Traced {
    tracer: &'static Tracer,
    context: SpanContext,
    parent: Option<SpanId>,
    span: Span,
}

impl Execution {
    /// Begins. The message carries on where it is: handlers pass it to what they call.
    pub(crate) fn begin(message: &mut TaskMessage, worker: &str, queue: &str, started_us: i64) -> Self {
        let trace = runnel_telemetry::tracer().map(|tracer| Traced::begin(tracer, message, worker, queue));
        if let Some(traced) = &trace {
            message.traceparent = Some(traced.context.traceparent());
        }
        METERS.in_flight.increment(1.0);
        Self {
            begun: Instant::now(),
            started_us,
            input_bytes: message.input.get().len() as u64,
            kind: message.kind.clone(),
            trace,
        }
    }

    /// Does the work; every line that is logged meanwhile says which attempt it is about.
    pub(crate) async fn watched<F: Future>(message: &TaskMessage, work: F) -> F::Output {
        let place = message.traceparent.as_deref().and_then(SpanContext::parse);
        let context = LogContext {
            run: message.at.run,
            task: message.key.as_str().into(),
            attempt: message.at.attempt,
            trace: place.map(|place| place.trace),
        };
        let told = async {
            tracing::debug!(kind = message.kind, "attempt begins");
            let done = work.await;
            tracing::debug!("attempt ended");
            done
        };
        runnel_telemetry::with_log_context(context, told).await
    }

    /// Ends; answers what it took, and where it was.
    pub(crate) fn end(self, ended: &Ended, measured: Usage) -> (Option<Usage>, Option<String>) {
        let took = self.begun.elapsed();
        let (result, output_bytes) = told(ended);
        METERS.in_flight.decrement(1.0);
        METERS.ended(&self.kind, result, took);
        let usage = Usage {
            wall_us: Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
            input_bytes: Some(self.input_bytes),
            output_bytes,
            ..measured
        };
        METERS.used(&usage);
        let place = self
            .trace
            .map(|traced| traced.end(self.started_us, ended, result));
        (Some(usage), place)
    }
}

impl Traced {
    fn begin(tracer: &'static Tracer, message: &TaskMessage, worker: &str, queue: &str) -> Self {
        let (run, task, attempt) = (message.at.run, message.at.task, message.at.attempt);
        let span = derived(
            run,
            DerivedFrom::Process {
                task,
                attempt,
                worker,
            },
        );
        let sender = message.traceparent.as_deref().and_then(SpanContext::parse);
        let context = match sender {
            Some(sender) => sender.at(span),
            None => {
                let trace = trace_of(run);
                SpanContext {
                    trace,
                    span,
                    is_sampled: tracer.keeps(trace),
                }
            }
        };
        let span = Span::new(context, Kind::Consumer, format!("process {queue}"))
            .text("messaging.operation.name", "process")
            .text("messaging.operation.type", "process")
            .text("messaging.destination.name", queue.to_owned())
            .text("runnel.run.id", run.to_string())
            .text("runnel.namespace", message.namespace.clone())
            .text("runnel.workflow", message.workflow.clone())
            .text("runnel.task.key", message.key.clone())
            .text("runnel.task.type", message.kind.clone())
            .int("runnel.task.attempt", attempt)
            .text("runnel.worker", worker.to_owned());
        Self {
            tracer,
            context,
            parent: sender.map(|sender| sender.span),
            span,
        }
    }

    fn end(self, started_us: i64, ended: &Ended, result: &'static str) -> String {
        let span = self
            .span
            .below(self.parent)
            .during(started_us, clock::now_us())
            .text("runnel.outcome", result);
        let span = match ended {
            Ended::Completed(Outcome::Error(failure)) => span
                .text("error.type", failure.code.clone())
                .failed(failure.message.clone()),
            Ended::Completed(Outcome::Output(_) | Outcome::OutputRef(_))
            | Ended::Returned
            | Ended::Unwanted
            | Ended::Lost => span,
        };
        self.tracer.export(vec![span]);
        self.context.traceparent()
    }
}

/// How an attempt left the worker, and the bytes of its output where it has one.
fn told(ended: &Ended) -> (&'static str, Option<u64>) {
    match ended {
        Ended::Completed(Outcome::Output(output)) => ("succeeded", Some(output.get().len() as u64)),
        Ended::Completed(Outcome::OutputRef(reference)) => ("succeeded", Some(reference.bytes)),
        Ended::Completed(Outcome::Error(_)) => ("failed", None),
        Ended::Returned => ("returned", None),
        Ended::Unwanted => ("unwanted", None),
        Ended::Lost => ("lost", None),
    }
}

const ATTEMPTS: &str = "runnel_worker_attempts_total";
const DURATION: &str = "runnel_worker_attempt_seconds";
const IN_FLIGHT: &str = "runnel_worker_in_flight";
const SLOTS: &str = "runnel_worker_slots";
const CPU: &str = "runnel_worker_cpu_seconds";
const MEMORY: &str = "runnel_worker_memory_bytes";
const INPUT: &str = "runnel_worker_input_bytes_total";
const OUTPUT: &str = "runnel_worker_output_bytes_total";
const RECEIVE_ERRORS: &str = "runnel_worker_receive_errors_total";
const RECEIVED: &str = "runnel_worker_received_total";

/// Says what the metrics of a worker mean. For the program, once its recorder is there.
pub fn describe() {
    describe_counter!(
        ATTEMPTS,
        Unit::Count,
        "Attempts that left the worker, by type and result (succeeded, failed, returned, unwanted, lost)"
    );
    describe_histogram!(
        DURATION,
        Unit::Seconds,
        "Time from the receipt of an attempt to its result"
    );
    describe_gauge!(IN_FLIGHT, Unit::Count, "Attempts that run now");
    describe_gauge!(SLOTS, Unit::Count, "Attempts that may run at once");
    describe_histogram!(
        CPU,
        Unit::Seconds,
        "CPU time of the processes of an attempt, where it has any"
    );
    describe_histogram!(
        MEMORY,
        Unit::Bytes,
        "Most memory of a process of an attempt, where it has any"
    );
    describe_counter!(INPUT, Unit::Bytes, "Bytes of the inputs in task messages");
    describe_counter!(OUTPUT, Unit::Bytes, "Bytes of the outputs of attempts");
    describe_counter!(
        RECEIVE_ERRORS,
        Unit::Count,
        "Receive calls that the queue service did not answer"
    );
    describe_counter!(RECEIVED, Unit::Count, "Messages received");
}

/// Counters that are looked up once.
pub(crate) static METERS: LazyLock<Meters> = LazyLock::new(Meters::new);

pub(crate) struct Meters {
    in_flight: Gauge,
    pub(crate) slots: Gauge,
    pub(crate) receive_errors: Counter,
    pub(crate) received: Counter,
    duration: Histogram,
    cpu: Histogram,
    memory: Histogram,
    input: Counter,
    output: Counter,
    /// By type and result. Types are those that the worker has handlers for, so there are few.
    attempts: Mutex<HashMap<String, HashMap<&'static str, Counter>>>,
}

impl Meters {
    fn new() -> Self {
        Self {
            in_flight: gauge!(IN_FLIGHT),
            slots: gauge!(SLOTS),
            receive_errors: counter!(RECEIVE_ERRORS),
            received: counter!(RECEIVED),
            duration: histogram!(DURATION),
            cpu: histogram!(CPU),
            memory: histogram!(MEMORY),
            input: counter!(INPUT),
            output: counter!(OUTPUT),
            attempts: Mutex::default(),
        }
    }

    fn ended(&self, kind: &str, result: &'static str, took: Duration) {
        self.duration.record(took.as_secs_f64());
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = attempts.get(kind).and_then(|results| results.get(result)) {
            return counter.increment(1);
        }
        let counter = counter!(ATTEMPTS, "type" => kind.to_owned(), "result" => result);
        counter.increment(1);
        attempts
            .entry(kind.to_owned())
            .or_default()
            .insert(result, counter);
    }

    fn used(&self, usage: &Usage) {
        self.input.increment(usage.input_bytes.unwrap_or(0));
        self.output.increment(usage.output_bytes.unwrap_or(0));
        if let Some(cpu_us) = usage.cpu_us {
            self.cpu.record(Duration::from_micros(cpu_us).as_secs_f64());
        }
        if let Some(bytes) = usage.memory_bytes {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a histogram of bytes has coarser buckets"
            )]
            self.memory.record(bytes as f64);
        }
    }
}
