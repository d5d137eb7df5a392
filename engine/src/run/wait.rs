//! Waiting for the outside: events, signals, approvals and callbacks. No worker and no message is held meanwhile.

use std::sync::Arc;

use serde_json::Value;

use super::machine::Machine;
use super::{Outcome, Stale, TaskFailure};
use crate::TaskIx;

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
        /// The same for each repetition of one signal.
        id: Arc<str>,
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
        /// The groups that the person belongs to.
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
    /// An event of this type.
    Event(Arc<str>),
    /// A signal of this name.
    Signal(Arc<str>),
    /// A person's decision.
    Approval,
    /// The use of a callback token.
    Callback,
}

impl Machine<'_> {
    pub fn on_wait_input(&mut self, input: &WaitInput) -> Outcome {
        let _ = input;
        Outcome::Ignored(Stale::NothingDue)
    }
}
