//! The spans of one committed turn of a run.

use std::collections::HashSet;

use runnel_engine::run::{Record, RecordKind, RunState, RunStatus, TaskFailure};
use runnel_engine::trigger::RunTrigger;
use runnel_engine::{Plan, TaskIx};
use runnel_telemetry::{DerivedFrom, Kind, Span, SpanContext, SpanId, derived, trace_of};

use super::Heard;
use crate::meters::run_status;

/// Upstreams of a fan-in that are linked; a wider one names the first.
const UPSTREAMS_MAX: usize = 32;

/// What a turn did, as far as spans tell of it.
pub(crate) struct Told<'t> {
    pub plan: &'t Plan,
    pub state: &'t RunState,
    pub namespace: &'t str,
    pub workflow: &'t str,
    pub records: &'t [Record],
    pub heard: &'t Heard,
    /// Whether the run had ended before.
    pub was_terminal: bool,
    /// The span of the run.
    pub run: SpanContext,
    /// `messaging.system`.
    pub system: &'static str,
    /// When the inputs were applied, in microseconds.
    pub begun_us: i64,
    /// When they were committed.
    pub committed_us: i64,
}

/// An end that lets others begin.
#[derive(Debug, Clone, Copy)]
struct Cause {
    task: TaskIx,
    attempt: u32,
    /// Its wait was long: what follows is linked to it.
    is_long: bool,
}

/// The spans that a committed turn has ended.
pub(crate) fn spans_of(told: &Told<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut ended = HashSet::new();
    let mut cause = None;
    for (at, record) in told.records.iter().enumerate() {
        if told.heard.begins.contains(&at) {
            // what one input ends does not cause what the next one begins
            cause = None;
        }
        let Some(task) = record.task else { continue };
        if record.kind == RecordKind::TaskQueued {
            spans.push(told.created(task, record.attempt.unwrap_or(1), cause));
        } else if let Some(outcome) = outcome_of(record.kind)
            && let Some(end) = told.end_of(task, record)
        {
            cause = Some(end);
            if ended.insert((task, end.attempt)) {
                spans.push(told.applied(end, outcome, record));
            }
        }
    }
    if !told.was_terminal && told.state.status.is_terminal() {
        spans.push(told.finished());
    }
    spans
}

impl Told<'_> {
    /// What an end is to those that follow; `None` for what was never sent and never waited.
    fn end_of(&self, task: TaskIx, record: &Record) -> Option<Cause> {
        let definition = self.plan.task(self.state.tasks.get(task.at())?.template);
        let is_wait = matches!(definition.kind.as_str(), "wait" | "approval" | "workflow");
        if matches!(definition.kind.as_str(), "pass" | "eval") || (record.attempt.is_none() && !is_wait) {
            return None;
        }
        Some(Cause {
            task,
            attempt: record.attempt.unwrap_or(0),
            is_long: is_wait || definition.callback,
        })
    }

    fn place(&self, part: DerivedFrom<'_>) -> SpanId {
        derived(self.state.context.id.0, part)
    }

    fn completion(&self, task: TaskIx, attempt: u32) -> SpanId {
        self.place(DerivedFrom::Completion {
            task: task.0,
            attempt,
        })
    }

    /// A message was made: below what let it go, unless that waited long or was an earlier attempt.
    fn created(&self, task: TaskIx, attempt: u32, cause: Option<Cause>) -> Span {
        let place = self.place(DerivedFrom::Dispatch {
            task: task.0,
            attempt,
        });
        let queue = &self.plan.task(self.state.tasks[task.at()].template).queue;
        let (parent, link) = match cause {
            _ if attempt > 1 => (self.run.span, Some(self.completion(task, attempt - 1))),
            Some(cause) if cause.is_long => (self.run.span, Some(self.completion(cause.task, cause.attempt))),
            Some(cause) => (self.completion(cause.task, cause.attempt), None),
            None => (self.run.span, None),
        };
        let links = link.into_iter().chain(self.other_upstreams(task, attempt, cause));
        let span = Span::new(self.run.at(place), Kind::Producer, format!("create {queue}"))
            .below(Some(parent))
            .during(self.begun_us, self.committed_us)
            .linked(links.map(|span| self.run.at(span)))
            .text("messaging.system", self.system)
            .text("messaging.operation.name", "create")
            .text("messaging.operation.type", "create")
            .text("messaging.destination.name", queue.clone());
        self.about(span, task, attempt)
    }

    /// The ends of the upstreams that came before the one that let the task go.
    fn other_upstreams(&self, task: TaskIx, attempt: u32, cause: Option<Cause>) -> Vec<SpanId> {
        let row = &self.state.tasks[task.at()];
        if attempt > 1 || row.item.is_some() {
            return Vec::new();
        }
        let others = self.plan.upstreams(row.template).iter().filter(|upstream| {
            let row = &self.state.tasks[upstream.at()];
            cause.is_none_or(|cause| cause.task != **upstream) && row.attempt > 0 && row.status.is_terminal()
        });
        others
            .take(UPSTREAMS_MAX)
            .map(|upstream| self.completion(*upstream, self.state.tasks[upstream.at()].attempt))
            .collect()
    }

    /// An attempt or a wait ended.
    fn applied(&self, end: Cause, outcome: &'static str, record: &Record) -> Span {
        let row = &self.state.tasks[end.task.at()];
        let kind = &self.plan.task(row.template).kind;
        let is_sent = !matches!(kind.as_str(), "wait" | "approval" | "workflow");
        let dispatch = DerivedFrom::Dispatch {
            task: end.task.0,
            attempt: end.attempt,
        };
        let (name, parent, begun_us) = if is_sent {
            ("apply", self.place(dispatch), self.begun_us)
        } else {
            let since = row.ready_at.or(row.queued_at).map_or(self.begun_us, |at| at.0);
            ("wait", self.run.span, since)
        };
        let execution = self
            .heard
            .executions
            .iter()
            .find_map(|(task, attempt, execution)| {
                (*task == end.task && *attempt == end.attempt).then_some(*execution)
            });
        let place = self.completion(end.task, end.attempt);
        let span = Span::new(self.run.at(place), Kind::Internal, format!("{name} {kind}"))
            .below(Some(parent))
            .during(begun_us, self.committed_us)
            .linked(execution)
            .text("runnel.outcome", outcome);
        let span = self.about(span, end.task, end.attempt);
        match failure_of(record) {
            Some((code, message)) => span.text("error.type", code.to_owned()).failed(message),
            None => span,
        }
    }

    /// The run ended. One that an operator has reopened ends again, in a span below the first.
    fn finished(&self) -> Span {
        let (state, context) = (self.state, &self.state.context);
        let again = DerivedFrom::Dispatch {
            task: u32::MAX,
            attempt: u32::try_from(state.next_seq).unwrap_or(u32::MAX),
        };
        let (name, place, parent, begun) = match state.extra.reopened_at {
            Some(at) => ("run again", self.place(again), Some(self.run.span), at),
            None => (
                "run",
                self.run.span,
                super::parent_of(state).map(|parent| parent.span),
                context.created_at,
            ),
        };
        let span = Span::new(
            self.run.at(place),
            Kind::Internal,
            format!("{name} {}", self.workflow),
        )
        .below(parent)
        .during(begun.0, state.finished_at.map_or(self.committed_us, |at| at.0))
        .linked(self.started_by())
        .text("runnel.run.id", context.id.to_string())
        .text("runnel.run.status", run_status(state.status))
        .text("runnel.namespace", self.namespace.to_owned())
        .text("runnel.workflow", self.workflow.to_owned())
        .int("runnel.workflow.version", context.workflow_version)
        .int("runnel.run.tasks", state.tasks.len());
        match (&state.error, state.status) {
            (Some(error), _) => with_error(span, error),
            (None, RunStatus::Failed | RunStatus::TimedOut | RunStatus::CompensationFailed) => {
                span.failed(run_status(state.status))
            }
            (None, _) => span,
        }
    }

    /// What started the run and went on by itself: a parent's task, or a schedule, event or webhook.
    fn started_by(&self) -> Vec<SpanContext> {
        let extra = &self.state.extra;
        let stored = extra.trace.as_ref().and_then(|trace| trace.link.as_deref());
        let fired = extra
            .trigger
            .as_deref()
            .map(|trigger| firing(trigger, self.run.is_sampled));
        stored
            .and_then(SpanContext::parse)
            .into_iter()
            .chain(fired)
            .collect()
    }

    fn about(&self, span: Span, task: TaskIx, attempt: u32) -> Span {
        let row = &self.state.tasks[task.at()];
        span.text("runnel.run.id", self.state.context.id.to_string())
            .text("runnel.namespace", self.namespace.to_owned())
            .text("runnel.workflow", self.workflow.to_owned())
            .text("runnel.task.key", self.state.key(self.plan, task))
            .text("runnel.task.type", self.plan.task(row.template).kind.clone())
            .int("runnel.task.attempt", attempt)
    }
}

/// The span of a firing, at the head of a trace of its own.
fn firing(trigger: &RunTrigger, is_sampled: bool) -> SpanContext {
    SpanContext {
        trace: trace_of(trigger.outcome),
        span: derived(trigger.outcome, DerivedFrom::Firing),
        is_sampled,
    }
}

/// A schedule, event or webhook has started a run; `None` for a run that something else started.
pub(crate) fn of_firing(told: &Told<'_>) -> Option<Span> {
    let trigger = told.state.extra.trigger.as_deref()?;
    let kind = format!("{:?}", trigger.kind).to_lowercase();
    let span = Span::new(
        firing(trigger, told.run.is_sampled),
        Kind::Internal,
        format!("fire {kind}"),
    )
    .during(told.begun_us, told.committed_us)
    .linked([told.run])
    .text("runnel.trigger.kind", kind)
    .text("runnel.trigger.key", trigger.key.clone())
    .text("runnel.namespace", told.namespace.to_owned())
    .text("runnel.run.id", told.state.context.id.to_string());
    Some(span)
}

fn with_error(span: Span, error: &TaskFailure) -> Span {
    span.text("error.type", error.code.clone())
        .failed(error.message.clone())
}

/// How an attempt or a wait ended by this record; `None` when it did not.
fn outcome_of(kind: RecordKind) -> Option<&'static str> {
    let outcomes = [
        (RecordKind::TaskSucceeded, "succeeded"),
        (RecordKind::TaskRepeated, "succeeded"),
        (RecordKind::AttemptFailed, "failed"),
        (RecordKind::TaskFailed, "failed"),
        (RecordKind::AttemptTimedOut, "timed_out"),
        (RecordKind::TaskTimedOut, "timed_out"),
        (RecordKind::AttemptLost, "lost"),
        (RecordKind::TaskCancelled, "cancelled"),
    ];
    let found = outcomes.into_iter().find(|(end, _)| *end == kind);
    found.map(|(_, outcome)| outcome)
}

fn failure_of(record: &Record) -> Option<(&str, String)> {
    let data = record.data.as_ref()?;
    let text = |name: &str| data.get(name)?.as_str();
    Some((text("code")?, text("message")?.to_owned()))
}
