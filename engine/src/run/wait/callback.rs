//! `callback: true`: a worker sets something going, and the task ends when somebody uses the attempt's token.
//!
//! The token itself never passes through here: it is made of run, task and attempt when a message is rendered, and a mark stands for
//! it until then. What fences it is the attempt, as with a worker's report.

use std::sync::Arc;

use serde_json::json;

use super::state::{Callback, WaitState};
use super::{TaskExtra, WaitSubject};
use crate::run::machine::{Machine, Note, mix};
use crate::run::{Category, Outcome, RecordKind, Refusal, Stale, TaskFailure, TaskStatus};
use crate::{TaskIx, Timestamp};

/// Separates the marks of callbacks from those of secrets that are made of the same entropy.
const PURPOSE: u64 = 0x6361_6c6c_6261_636b;

/// What stands for the token of an attempt until its message is rendered.
#[must_use]
pub fn callback_token_mark(mark: &str) -> String {
    format!("‹callback:token:{mark}›")
}

/// What stands for the address that takes the token.
#[must_use]
pub fn callback_url_mark(mark: &str) -> String {
    format!("‹callback:url:{mark}›")
}

impl Machine<'_> {
    /// Unguessable part of the marks of the next attempt; empty for a task that is not called back.
    pub fn callback_mark(&self, ix: TaskIx) -> String {
        if self.definition(ix).callback {
            format!("{:016x}", mix(self.entropy(ix) ^ PURPOSE))
        } else {
            String::new()
        }
    }

    /// The worker has done its part: the task waits without it. Its name stays, as that of who set things going.
    pub fn await_callback(&mut self, ix: TaskIx) {
        let now = self.now();
        self.task_mut(ix).heartbeat_at = None;
        self.enter_wait(
            ix,
            WaitState::Callback(Callback { since: now }),
            WaitSubject::Callback,
        );
        let until = self.wait_due(ix).map(Timestamp::to_rfc3339);
        self.note_waiting(ix, "CALLBACK", json!({"until": until}));
    }

    /// The token is used: by its attempt, before or after the worker's report, once.
    pub(super) fn on_callback(
        &mut self,
        ix: TaskIx,
        attempt: u32,
        result: &Result<Arc<str>, TaskFailure>,
        actor: &str,
    ) -> Outcome {
        if let Some(refusal) = self.refuse_callback(ix, attempt) {
            return Outcome::Refused(refusal);
        }
        let data = json!({"isError": result.is_err()});
        let note = Note {
            actor: Some(actor),
            ..Note::data(data)
        };
        self.task_record(RecordKind::CallbackReceived, ix, note);
        match result {
            Ok(output) => self.succeed(ix, Arc::clone(output)),
            Err(failure) => self.fail_attempt(ix, failure.clone()),
        }
        Outcome::Applied
    }

    /// Whoever holds the token says that the work goes on.
    pub(super) fn on_callback_alive(&mut self, ix: TaskIx, attempt: u32) -> Outcome {
        if let Some(refusal) = self.refuse_callback(ix, attempt) {
            return Outcome::Refused(refusal);
        }
        if self.task(ix).status == TaskStatus::Queued {
            // the attempt is not known to have begun; its lease has not either
            return Outcome::Ignored(Stale::NothingDue);
        }
        let now = self.now();
        self.task_mut(ix).heartbeat_at = Some(now);
        self.rearm(ix);
        Outcome::Applied
    }

    /// Why the token of this attempt is not good (any more).
    fn refuse_callback(&self, ix: TaskIx, attempt: u32) -> Option<Refusal> {
        let refuse = |message: &str| {
            Some(Refusal {
                message: message.to_owned(),
                allowed: Vec::new(),
            })
        };
        let Some(task) = self.state.tasks.get(ix.at()) else {
            return refuse("the callback token is of no task");
        };
        if !self.definition(ix).callback || attempt != task.attempt {
            return refuse("the callback token belongs to an attempt that is over");
        }
        let is_open = match task.status {
            TaskStatus::Queued | TaskStatus::Running => true,
            TaskStatus::Waiting => matches!(TaskExtra::of(task).wait, Some(WaitState::Callback(_))),
            TaskStatus::Blocked
            | TaskStatus::Ready
            | TaskStatus::RetryWait
            | TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::TimedOut
            | TaskStatus::Cancelled
            | TaskStatus::Skipped
            | TaskStatus::Cached => false,
        };
        if is_open {
            None
        } else {
            refuse("the callback token has been used, or its attempt is over")
        }
    }

    /// End of the attempt's timeout, or of the longest silence.
    pub(super) fn callback_due(&self, ix: TaskIx, callback: &Callback) -> Option<Timestamp> {
        let (timeout, silence) = self.callback_limits(ix, callback);
        timeout.into_iter().chain(silence).min()
    }

    fn callback_limits(&self, ix: TaskIx, callback: &Callback) -> (Option<Timestamp>, Option<Timestamp>) {
        let (task, definition) = (self.task(ix), self.definition(ix));
        let from = task.started_at.unwrap_or(callback.since);
        let alive_at = task.heartbeat_at.unwrap_or(callback.since).max(callback.since);
        (
            definition.timeout.map(|limit| from.after(limit)),
            definition.heartbeat.map(|gap| alive_at.after(gap)),
        )
    }

    pub(super) fn on_callback_due(&mut self, ix: TaskIx, callback: &Callback) {
        let (timeout, _) = self.callback_limits(ix, callback);
        let (code, message) = if timeout.is_some_and(|at| at <= self.now()) {
            ("TIMEOUT", "nobody used the callback token within the timeout")
        } else {
            (
                "CALLBACK_SILENT",
                "nobody used the callback token or said that the work goes on within `heartbeat`",
            )
        };
        let failure = TaskFailure::new(Category::Timeout, code, message, true);
        self.fail_attempt(ix, failure);
    }
}
