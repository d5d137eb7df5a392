//! `wait {event}` and `wait {signal}`: begin, what fits, and what happens when nothing came in time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::state::{Fields, OnTimeout, Outside, WaitState};
use super::{WaitSubject, signal};
use crate::TaskIx;
use crate::run::machine::{Machine, Note};
use crate::run::scope::{RunScope, parse};
use crate::run::{Category, Outcome, RecordKind, Stale, TaskFailure, TaskStatus};

/// How far before its begin a wait for an event looks, when the file does not say.
pub(crate) const LOOK_BACK: Duration = Duration::from_secs(600);
/// Longest type of an event and name of a signal, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Most events and signals of one wait that could not be compared with `match` and are in the history.
const MISFITS_MAX: u32 = 3;

pub(crate) const ON_TIMEOUT: &[(&str, OnTimeout)] = &[
    ("fail", OnTimeout::Fail),
    ("skip", OnTimeout::Skip),
    ("succeed", OnTimeout::Succeed),
];

/// Whether a `wait` with this input waits for something from outside and not only for a time.
pub(in crate::run) fn is_for_outside(input: &Value) -> bool {
    ["event", "signal"]
        .iter()
        .any(|key| input.get(key).is_some_and(|value| !value.is_null()))
}

/// Whether something that came fits a wait.
pub(super) enum Fit {
    Yes,
    No,
    /// `match` could not be evaluated.
    Unknown(String),
}

impl Machine<'_> {
    /// The input of a `wait` names an event or a signal.
    pub fn begin_outside(&mut self, ix: TaskIx, input: &Value) {
        let now = self.now();
        let mut fields = Fields::of(input);
        let event = fields.text("event", NAME_BYTES_MAX);
        let signal = fields.text("signal", NAME_BYTES_MAX);
        let timeout = fields.duration("timeout").or(self.definition(ix).timeout);
        let look_back = fields.duration("look_back").unwrap_or(LOOK_BACK);
        let on_timeout = fields.one_of("on_timeout", ON_TIMEOUT).unwrap_or_default();
        let (name, is_event) = match (event, signal, fields.problems.is_empty()) {
            (Some(name), None, true) => (name, true),
            (None, Some(name), true) => (name, false),
            (_, _, is_clean) => {
                let message = if is_clean {
                    "`wait` takes either `event` or `signal`".to_owned()
                } else {
                    fields.problems.join("; ")
                };
                return self.fail_task(ix, TaskFailure::new(Category::Input, "INPUT", message, false));
            }
        };
        let wait = Outside {
            name: name.clone(),
            deadline: timeout.map(|timeout| now.after(timeout)),
            on_timeout,
            misfits: 0,
        };
        let mut shown = input.clone();
        if let Some(takes) = self.definition(ix).input.get("match") {
            shown["match"] = takes.clone();
        }
        self.task_mut(ix).input = Some(Arc::from(shown.to_string()));
        let until = wait.deadline.map(crate::Timestamp::to_rfc3339);
        if is_event {
            let subject = WaitSubject::Event(Arc::from(name.as_str()), now.before(look_back));
            self.enter_wait(ix, WaitState::Event(wait), subject);
            self.note_waiting(ix, "EVENT", json!({"event": name, "until": until}));
        } else {
            self.begin_signal_wait(ix, wait);
        }
    }

    pub(super) fn note_waiting(&mut self, ix: TaskIx, reason: &str, data: Value) {
        let note = Note {
            reason: Some(reason),
            ..Note::data(data)
        };
        self.task_record(RecordKind::TaskWaiting, ix, note);
    }

    /// An event that may be what the task waits for. One that does not fit changes nothing.
    pub(super) fn on_event(&mut self, ix: TaskIx, attempt: u32, text: &Arc<str>) -> Outcome {
        let Some(task) = self.state.tasks.get(ix.at()) else {
            return Outcome::Ignored(Stale::OldAttempt);
        };
        if task.attempt != attempt {
            return Outcome::Ignored(Stale::OldAttempt);
        }
        if task.status.is_terminal() {
            return Outcome::Ignored(Stale::TaskIsTerminal);
        }
        let Some(WaitState::Event(wait)) = self.waiting(ix) else {
            return Outcome::Ignored(Stale::NothingDue);
        };
        let event = parse(text);
        if event.get("type").and_then(Value::as_str) != Some(wait.name.as_str()) {
            return Outcome::Ignored(Stale::NothingDue);
        }
        match self.fits(ix, &event) {
            Fit::Yes => {
                let data = json!({"id": event.get("id"), "source": event.get("source"), "type": wait.name});
                self.task_record(RecordKind::EventReceived, ix, Note::data(data));
                self.succeed(ix, Arc::clone(text));
                Outcome::Applied
            }
            Fit::No => Outcome::Ignored(Stale::NothingDue),
            Fit::Unknown(message) => {
                if self.note_misfit(ix, WaitState::Event(wait), RecordKind::EventReceived, &message) {
                    Outcome::Applied
                } else {
                    Outcome::Ignored(Stale::NothingDue)
                }
            }
        }
    }

    /// Whether `match` holds for what came. What cannot be evaluated does not fit: a stranger's event must not fail the task.
    pub(super) fn fits(&self, ix: TaskIx, event: &Value) -> Fit {
        let compiled = self.plan.compiled(self.task(ix).template);
        let Some(takes) = &compiled.takes else {
            return Fit::Yes;
        };
        let scope = RunScope::new(self.plan, self.state, Some(ix)).with_event(event);
        match takes.eval(&scope) {
            Ok(Value::Bool(true)) => Fit::Yes,
            Ok(Value::Bool(false)) => Fit::No,
            Ok(_) => Fit::Unknown("`match` is neither true nor false".to_owned()),
            Err(error) => Fit::Unknown(format!("match: {}", error.message)),
        }
    }

    /// Says in the history that `match` failed, a few times at most; whether it did.
    pub(super) fn note_misfit(
        &mut self,
        ix: TaskIx,
        mut state: WaitState,
        kind: RecordKind,
        message: &str,
    ) -> bool {
        let (WaitState::Event(wait) | WaitState::Signal(wait)) = &mut state else {
            return false;
        };
        if wait.misfits >= MISFITS_MAX {
            return false;
        }
        wait.misfits += 1;
        self.set_wait(ix, Some(state));
        let note = Note {
            reason: Some("MATCH_FAILED"),
            ..Note::data(json!({"message": message}))
        };
        self.task_record(kind, ix, note);
        true
    }

    /// Nothing that fits came in time.
    pub(super) fn on_outside_timeout(&mut self, ix: TaskIx, wait: &Outside, what: &str) {
        match wait.on_timeout {
            OnTimeout::Fail => {
                let message = format!("no {what} `{}` that fits came in time", wait.name);
                let failure = TaskFailure::new(Category::Timeout, "WAIT_TIMEOUT", message, false);
                self.fail_task(ix, failure);
            }
            OnTimeout::Skip => self.skip(ix, Note::reason("WAIT_TIMED_OUT")),
            OnTimeout::Succeed => self.succeed(ix, Arc::from("null")),
        }
    }

    /// Signals that were sent before the wait began come first, the oldest before the others.
    fn begin_signal_wait(&mut self, ix: TaskIx, wait: Outside) {
        let kept = self.state.extra.signals.of_name(&wait.name);
        let name = wait.name.clone();
        for (position, kept) in kept {
            if matches!(self.fits(ix, &signal::value(&kept)), Fit::Yes) {
                self.state.extra.signals.take(position);
                let note = Note {
                    actor: Some(&kept.by),
                    reason: Some("KEPT"),
                    ..Note::data(json!({"name": name}))
                };
                self.task_record(RecordKind::SignalReceived, ix, note);
                self.succeed(ix, Arc::from(signal::value(&kept).to_string()));
                return;
            }
        }
        let until = wait.deadline.map(crate::Timestamp::to_rfc3339);
        self.enter_wait(
            ix,
            WaitState::Signal(wait),
            WaitSubject::Signal(Arc::from(name.as_str())),
        );
        debug_assert_eq!(self.task(ix).status, TaskStatus::Waiting);
        let key = (self.task(ix).started_at, ix);
        self.derived()
            .signal_waits
            .entry(name.clone())
            .or_default()
            .insert(key);
        self.note_waiting(ix, "SIGNAL", json!({"signal": name, "until": until}));
    }
}
