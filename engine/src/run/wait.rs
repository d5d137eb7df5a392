//! Waiting for the outside: events, signals, approvals and callbacks. No worker and no message is held meanwhile.
//!
//! Guarantees: whichever way a task leaves its wait (done, timeout, skip, cancel, a result set by hand), the shell hears of it
//! ([`WaitCommand::End`]); what comes for a task that does not wait changes nothing; a signal is never lost while its run goes on, and
//! taken once; a callback token is good once.

mod approval;
mod approving;
mod callback;
mod outside;
mod signal;
mod state;

use std::sync::Arc;

use serde_json::Value;

use super::extra::TaskExtra;
use super::machine::Machine;
use super::{Input, Outcome, RunState, Stale, TaskFailure, TaskState, TaskStatus};
use crate::{TaskIx, Timestamp};

pub(crate) use approval::{APPROVERS_MAX, ON_EXPIRE, ON_REJECT, QUORUM_MAX, REMIND_EVERY_MIN};
pub use approval::{Approval, DecisionProblem, OnExpire, OnReject, Vote, Voter};
pub use callback::{callback_token_mark, callback_url_mark};
pub(crate) use outside::ON_TIMEOUT;
pub(super) use outside::is_for_outside;
pub use signal::{KEPT_MAX, KeptSignals, SIGNAL_BYTES_MAX};
pub(crate) use state::WaitState;

/// Something from outside that a task may wait for.
#[derive(Debug, Clone, PartialEq)]
pub enum WaitInput {
    /// An event of the type that a task waits for arrived, now or within its look-back.
    Event {
        /// The waiting task.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// The CloudEvent as JSON text.
        event: Arc<str>,
    },
    /// A signal was sent to the run; kept until a task takes it.
    Signal {
        /// Its name.
        name: Arc<str>,
        /// JSON text of its data.
        data: Arc<str>,
        /// Who sent it.
        actor: Arc<str>,
        /// The same for each repetition of one signal; `None`: it is not repeated.
        id: Option<Arc<str>>,
    },
    /// A person decided on an approval.
    Decision {
        /// The approval.
        task: TaskIx,
        /// For or against.
        is_approved: bool,
        /// The filled form.
        form: Option<Value>,
        /// A note.
        note: Option<Arc<str>>,
        /// Who.
        actor: Arc<str>,
        /// The groups that the person belongs to; `*` is all of them.
        groups: Vec<Arc<str>>,
    },
    /// Somebody used the callback token of an attempt.
    Callback {
        /// The task.
        task: TaskIx,
        /// The attempt that the token belongs to.
        attempt: u32,
        /// JSON text of the output, or the failure.
        result: Result<Arc<str>, TaskFailure>,
        /// Who, as far as that is known.
        actor: Arc<str>,
    },
    /// Somebody who holds a callback token says that the work goes on.
    CallbackAlive {
        /// The task.
        task: TaskIx,
        /// The attempt that the token belongs to.
        attempt: u32,
    },
}

/// What the shell must do so that something from outside reaches a waiting task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitCommand {
    /// Remember that the task waits.
    Begin {
        /// The task.
        task: TaskIx,
        /// Its attempt.
        attempt: u32,
        /// For what.
        subject: WaitSubject,
    },
    /// Forget it.
    End {
        /// The task.
        task: TaskIx,
    },
}

/// What a task waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitSubject {
    /// An event of this type that arrives from this moment on, which may lie before the wait began.
    Event(Arc<str>, Timestamp),
    /// A signal of this name.
    Signal(Arc<str>),
    /// A person's decision.
    Approval,
    /// The use of a callback token.
    Callback,
}

/// Kind of a wait for the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the subjects")]
pub enum WaitKind {
    Event,
    Signal,
    Approval,
    Callback,
}

/// What a task in `WAITING` waits for, read from its stored `extra`; `None`: a timer, or the tasks that it made.
#[must_use]
pub fn wait_kind(extra: Option<&str>) -> Option<WaitKind> {
    match TaskExtra::read(extra?).wait? {
        WaitState::Event(_) => Some(WaitKind::Event),
        WaitState::Signal(_) => Some(WaitKind::Signal),
        WaitState::Approval(_) => Some(WaitKind::Approval),
        WaitState::Callback(_) => Some(WaitKind::Callback),
    }
}

/// The name of the signal that the task waits for now.
pub(super) fn signal_waited_for(task: &TaskState) -> Option<String> {
    if task.status != TaskStatus::Waiting {
        return None;
    }
    match TaskExtra::of(task).wait? {
        WaitState::Signal(wait) => Some(wait.name),
        WaitState::Event(_) | WaitState::Approval(_) | WaitState::Callback(_) => None,
    }
}

/// A signal that ended its run may be repeated: its sender may not have heard that it arrived.
pub(super) fn stale_after_the_end(state: &RunState, input: &Input) -> Stale {
    match input {
        Input::Wait(WaitInput::Signal { id: Some(id), .. }) if state.extra.signals.has_seen(id) => {
            Stale::AlreadyInForce
        }
        _ => Stale::RunIsTerminal,
    }
}

impl Machine<'_> {
    pub fn on_wait_input(&mut self, input: &WaitInput) -> Outcome {
        match input {
            WaitInput::Event { task, attempt, event } => self.on_event(*task, *attempt, event),
            WaitInput::Signal {
                name,
                data,
                actor,
                id,
            } => self.on_signal(name, data, actor, id.as_deref()),
            WaitInput::Decision {
                task,
                is_approved,
                form,
                note,
                actor,
                groups,
            } => self.on_decision(
                *task,
                approving::Decision {
                    is_approved: *is_approved,
                    form: form.as_ref(),
                    note: note.as_deref(),
                    voter: Voter { name: actor, groups },
                },
            ),
            WaitInput::Callback {
                task,
                attempt,
                result,
                actor,
            } => self.on_callback(*task, *attempt, result, actor),
            WaitInput::CallbackAlive { task, attempt } => self.on_callback_alive(*task, *attempt),
        }
    }

    /// The task waits from now on.
    fn enter_wait(&mut self, ix: TaskIx, state: WaitState, subject: WaitSubject) {
        self.set_wait(ix, Some(state));
        self.set_status(ix, TaskStatus::Waiting);
        let attempt = self.task(ix).attempt;
        self.command(super::Command::Wait(WaitCommand::Begin {
            task: ix,
            attempt,
            subject,
        }));
    }

    /// The task waits no more, whatever the reason. Called for each change of a status away from `WAITING`.
    pub fn leave_wait(&mut self, ix: TaskIx) {
        let Some(state) = TaskExtra::of(self.task(ix)).wait else {
            return;
        };
        if let WaitState::Signal(wait) = &state {
            let key = (self.task(ix).started_at, ix);
            let waits = &mut self.derived().signal_waits;
            if let Some(of_name) = waits.get_mut(&wait.name) {
                of_name.remove(&key);
                if of_name.is_empty() {
                    waits.remove(&wait.name);
                }
            }
        }
        self.command(super::Command::Wait(WaitCommand::End { task: ix }));
    }

    /// A round of a loop ended, and the task goes on waiting, for the next round: not for what ended this one.
    pub fn end_wait_of_round(&mut self, ix: TaskIx) {
        if self.task(ix).status == TaskStatus::Waiting {
            self.leave_wait(ix);
        }
        self.set_wait(ix, None);
    }

    fn set_wait(&mut self, ix: TaskIx, state: Option<WaitState>) {
        let mut extra = TaskExtra::of(self.task(ix));
        extra.wait = state;
        self.task_mut(ix).extra = extra.store();
    }

    /// What the task waits for now; `None` when there is no such task or it does not wait for the outside.
    fn waiting(&self, ix: TaskIx) -> Option<WaitState> {
        let task = self.state.tasks.get(ix.at())?;
        if task.status != TaskStatus::Waiting {
            return None;
        }
        TaskExtra::of(task).wait
    }

    /// When something of the wait is due next.
    pub fn wait_due(&self, ix: TaskIx) -> Option<Timestamp> {
        let task = self.task(ix);
        match TaskExtra::of(task).wait {
            Some(WaitState::Event(wait) | WaitState::Signal(wait)) => wait.deadline,
            Some(WaitState::Approval(approval)) => approval.next_due(),
            Some(WaitState::Callback(callback)) => self.callback_due(ix, &callback),
            None if self.definition(ix).kind == "wait" => {
                super::inline::waits_until(task.input.as_deref()).or(task.wake_at)
            }
            None => None,
        }
    }

    /// Something of the wait is due.
    pub fn on_wait_due(&mut self, ix: TaskIx) {
        match TaskExtra::of(self.task(ix)).wait {
            Some(WaitState::Event(wait)) => self.on_outside_timeout(ix, &wait, "event"),
            Some(WaitState::Signal(wait)) => self.on_outside_timeout(ix, &wait, "signal"),
            Some(WaitState::Approval(approval)) => self.on_approval_due(ix, *approval),
            Some(WaitState::Callback(callback)) => self.on_callback_due(ix, &callback),
            None => self.end_wait(ix),
        }
    }
}
