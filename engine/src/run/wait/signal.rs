//! Signals: kept in the run until a waiting task takes the oldest of its name that fits.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::outside::{Fit, NAME_BYTES_MAX};
use super::state::WaitState;
use crate::run::machine::{Machine, Note};
use crate::run::scope::parse;
use crate::run::{Outcome, RecordKind, Refusal, Stale};
use crate::{TaskIx, Timestamp};

/// Most signals that a run keeps; they are written with every change of the run.
pub const KEPT_MAX: usize = 100;
/// Largest data of all signals that a run keeps, in bytes of JSON.
pub const KEPT_BYTES_MAX: usize = 128 << 10;
/// Largest data of one signal, in bytes of JSON.
pub const SIGNAL_BYTES_MAX: usize = 32 << 10;
/// How many keys of signals a run remembers, so that a repetition is known; the oldest are forgotten.
const SEEN_MAX: usize = 200;

/// Signals of a run that no task has taken yet, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptSignals {
    /// The signals.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub(super) kept: VecDeque<Kept>,
    /// Keys of the last ones, taken or not.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    seen: VecDeque<String>,
}

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub name: String,
    /// JSON text.
    pub data: String,
    pub by: String,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl KeptSignals {
    /// Whether there is nothing to store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.seen.is_empty()
    }

    /// How many signals no task has taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether a signal with this key came already.
    #[must_use]
    pub fn has_seen(&self, id: &str) -> bool {
        self.seen.iter().any(|seen| seen == id)
    }

    /// The signals of a name with their positions, the oldest first.
    pub(super) fn of_name(&self, name: &str) -> Vec<(usize, Kept)> {
        let all = self.kept.iter().enumerate();
        all.filter(|(_, kept)| kept.name == name)
            .map(|(at, kept)| (at, kept.clone()))
            .collect()
    }

    pub(super) fn take(&mut self, position: usize) {
        self.kept.remove(position);
    }

    fn remember(&mut self, id: Option<&str>) {
        let Some(id) = id else { return };
        if self.seen.len() >= SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(id.to_owned());
    }

    /// Why one more cannot be kept.
    fn refuse(&self, bytes: usize) -> Option<String> {
        if self.kept.len() >= KEPT_MAX {
            return Some(format!(
                "the run keeps {KEPT_MAX} signals that no task has taken, and takes no more"
            ));
        }
        let kept: usize = self.kept.iter().map(|kept| kept.data.len()).sum();
        (kept + bytes > KEPT_BYTES_MAX).then(|| {
            format!(
                "the signals that no task has taken have {kept} bytes; with this one they would have more than {KEPT_BYTES_MAX}"
            )
        })
    }
}

/// What `match` and the task's output see of a signal.
pub(super) fn value(signal: &Kept) -> Value {
    json!({
        "name": signal.name,
        "data": parse(&signal.data),
        "by": signal.by,
        "at": signal.at.to_rfc3339(),
        "id": signal.id,
    })
}

fn refused(message: String) -> Outcome {
    Outcome::Refused(Refusal {
        message,
        allowed: Vec::new(),
    })
}

impl Machine<'_> {
    /// The task that has waited longest takes it, if it fits; else it is kept for a task that will wait for it.
    pub(super) fn on_signal(
        &mut self,
        name: &Arc<str>,
        data: &Arc<str>,
        actor: &Arc<str>,
        id: Option<&str>,
    ) -> Outcome {
        if id.is_some_and(|id| self.state.extra.signals.has_seen(id)) {
            return Outcome::Ignored(Stale::AlreadyInForce);
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return refused(format!("the name of a signal has 1 to {NAME_BYTES_MAX} bytes"));
        }
        if data.len() > SIGNAL_BYTES_MAX {
            return refused(format!(
                "the data of the signal has {} bytes, more than the limit of {SIGNAL_BYTES_MAX}",
                data.len()
            ));
        }
        let signal = Kept {
            name: name.to_string(),
            data: data.to_string(),
            by: actor.to_string(),
            at: self.now(),
            id: id.map(str::to_owned),
        };
        let value = value(&signal);
        let taker = self.find_taker(&signal.name, &value);
        if taker.is_none()
            && let Some(message) = self.state.extra.signals.refuse(data.len())
        {
            return refused(message);
        }
        self.state.extra.signals.remember(id);
        let note = Note {
            actor: Some(actor),
            ..Note::data(json!({"name": signal.name, "bytes": data.len()}))
        };
        match taker {
            Some(ix) => {
                self.task_record(RecordKind::SignalReceived, ix, note);
                self.succeed(ix, Arc::from(value.to_string()));
            }
            None => {
                self.run_record(RecordKind::SignalReceived, note);
                self.state.extra.signals.kept.push_back(signal);
            }
        }
        Outcome::Applied
    }

    fn find_taker(&mut self, name: &str, signal: &Value) -> Option<TaskIx> {
        let waiting: Vec<TaskIx> = self
            .state
            .extra
            .derived
            .signal_waits
            .get(name)
            .into_iter()
            .flatten()
            .map(|(_, ix)| *ix)
            .collect();
        for ix in waiting {
            match self.fits(ix, signal) {
                Fit::Yes => return Some(ix),
                Fit::No => {}
                Fit::Unknown(message) => {
                    if let Some(state @ WaitState::Signal(_)) = self.waiting(ix) {
                        self.note_misfit(ix, state, RecordKind::SignalReceived, &message);
                    }
                }
            }
        }
        None
    }
}
