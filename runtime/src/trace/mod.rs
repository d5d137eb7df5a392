//! Runs in traces: which span stands for what, and how they hang together.
//!
//! ```text
//! request ─ run ─┬─ create a ─┬─ process a            (the worker's)
//!                │            └─ apply a ── create b ─┬─ process b
//!                │                 ⤷ process a        └─ apply b ── …
//!                ├─ create a (attempt 2)  ⤷ apply a (attempt 1)
//!                └─ wait approval  ← create c ⤷ (below the run, linked to the wait)
//! ```
//!
//! Guarantees: every span below a run is connected with it although nobody asks anybody, because its ids follow from run, task
//! and attempt; a span is handed over only after the commit that it tells of, by the process that committed; a parent is never a
//! worker's span, which may die with its worker; what comes after a long wait is linked and not below it. Without a tracer
//! nothing here costs more than looking for one.

mod spans;

use runnel_engine::TaskIx;
use runnel_engine::run::{Input, RunState, RunTrace, Timings};
use runnel_telemetry::{DerivedFrom, SpanContext, Tracer, derived, trace_of};

pub(crate) use spans::{Told, of_firing, spans_of};

/// What a turn remembers for its spans, while there is a tracer.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// How many records there were before each input.
    pub begins: Vec<usize>,
    /// Where reported attempts were executed.
    pub executions: Vec<(TaskIx, u32, SpanContext)>,
}

impl Heard {
    /// An input is about to be applied, after so many records.
    pub(crate) fn hear(&mut self, input: &Input, records: usize) {
        if runnel_telemetry::tracer().is_none() {
            return;
        }
        self.begins.push(records);
        if let Input::AttemptSucceeded {
            task,
            attempt,
            timings,
            ..
        }
        | Input::AttemptFailed {
            task,
            attempt,
            timings,
            ..
        } = input
        {
            let execution = execution_of(timings);
            self.executions
                .extend(execution.map(|execution| (*task, *attempt, execution)));
        }
    }
}

fn execution_of(timings: &Timings) -> Option<SpanContext> {
    SpanContext::parse(timings.trace.as_deref()?)
}

/// The span of a run: in the trace of whoever started it, or at the head of its own.
pub(crate) fn of_run(state: &RunState, tracer: &Tracer) -> SpanContext {
    let run = state.context.id.0;
    let span = derived(run, DerivedFrom::Run);
    match parent_of(state) {
        Some(parent) => parent.at(span),
        None => {
            let trace = trace_of(run);
            SpanContext {
                trace,
                span,
                is_sampled: tracer.keeps(trace),
            }
        }
    }
}

/// The span that a run is below.
pub(crate) fn parent_of(state: &RunState) -> Option<SpanContext> {
    SpanContext::parse(state.extra.trace.as_ref()?.parent.as_deref()?)
}

/// What the message of an attempt says of its place: the span of the message, or without a tracer the caller's, who may have one.
pub(crate) fn of_message(state: &RunState, task: TaskIx, attempt: u32) -> Option<String> {
    let context = match runnel_telemetry::tracer() {
        Some(tracer) => {
            let place = DerivedFrom::Dispatch {
                task: task.0,
                attempt,
            };
            of_run(state, tracer).at(derived(state.context.id.0, place))
        }
        None => parent_of(state)?,
    };
    Some(context.traceparent())
}

/// What a run keeps of its place, as it is stored with it.
pub(crate) fn stored(parent: Option<SpanContext>, link: Option<SpanContext>) -> Option<RunTrace> {
    let text = |context: SpanContext| context.traceparent().into();
    (parent.is_some() || link.is_some()).then(|| RunTrace {
        parent: parent.map(text),
        link: link.map(text),
    })
}

/// The wait of a task for a child run, from what is stored of the task's run; `None` without a tracer.
pub(crate) fn of_waiting_parent(
    run: runnel_engine::RunId,
    task: TaskIx,
    attempt: u32,
    extra: &str,
) -> Option<SpanContext> {
    /// The part of the stored state that is needed.
    #[derive(serde::Deserialize)]
    struct Extra {
        trace: Option<RunTrace>,
    }
    let tracer = runnel_telemetry::tracer()?;
    let stored = serde_json::from_str::<Extra>(extra)
        .ok()
        .and_then(|extra| extra.trace);
    let parent = stored.and_then(|trace| SpanContext::parse(trace.parent.as_deref()?));
    let span = derived(
        run.0,
        DerivedFrom::Completion {
            task: task.0,
            attempt,
        },
    );
    Some(match parent {
        Some(parent) => parent.at(span),
        None => {
            let trace = trace_of(run.0);
            SpanContext {
                trace,
                span,
                is_sampled: tracer.keeps(trace),
            }
        }
    })
}
