//! What the engine keeps of a wait, within the task's `extra`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Approval;
use crate::Timestamp;
use crate::source::duration::{self, DURATION_MAX};

/// What a task waits (or last waited) for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum WaitState {
    /// An event of a type.
    Event(Outside),
    /// A signal of a name.
    Signal(Outside),
    /// A decision.
    Approval(Box<Approval>),
    /// The use of a token.
    Callback(Callback),
}

/// A wait for an event or a signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outside {
    /// Type of the event, or name of the signal.
    pub name: String,
    /// When the wait is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What happens then.
    #[serde(default)]
    pub on_timeout: OnTimeout,
    /// How often the history says that `match` could not be evaluated.
    #[serde(default)]
    pub misfits: u32,
}

/// What happens when nothing came in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnTimeout {
    /// The task is `TIMED_OUT`.
    #[default]
    Fail,
    /// The task is `SKIPPED`.
    Skip,
    /// The task is `SUCCEEDED` with the output `null`.
    Succeed,
}

/// A wait for the use of a callback token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Callback {
    /// When the worker had reported.
    pub since: Timestamp,
}

/// Reads fields out of a resolved input; every problem is kept, so that all are told at once.
pub(super) struct Fields<'a> {
    input: &'a Value,
    pub problems: Vec<String>,
}

impl<'a> Fields<'a> {
    pub fn of(input: &'a Value) -> Self {
        Self {
            input,
            problems: Vec::new(),
        }
    }

    /// The value under a key; `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.input.get(key).filter(|value| !value.is_null())
    }

    pub fn problem(&mut self, key: &str, message: impl AsRef<str>) {
        self.problems.push(format!("`{key}` {}", message.as_ref()));
    }

    /// A text of 1 to `bytes_max` bytes.
    pub fn text(&mut self, key: &str, bytes_max: usize) -> Option<String> {
        match self.get(key)? {
            Value::String(text) if (1..=bytes_max).contains(&text.len()) => Some(text.clone()),
            Value::String(text) => {
                self.problem(
                    key,
                    format!("has {} bytes; it may have 1 to {bytes_max}", text.len()),
                );
                None
            }
            _ => {
                self.problem(key, "is not a text");
                None
            }
        }
    }

    /// A duration as a text, or a number of seconds as an expression may give it.
    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        let read = match self.get(key)? {
            Value::String(text) => duration::parse(text),
            Value::Number(seconds) => seconds
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .filter(|duration| *duration <= DURATION_MAX)
                .ok_or_else(|| format!("{seconds} seconds cannot be waited for")),
            _ => Err("a duration is a text such as `90s`, or a number of seconds".to_owned()),
        };
        read.map_err(|message| self.problem(key, format!("is no duration: {message}")))
            .ok()
    }

    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            _ => {
                self.problem(key, "is neither true nor false");
                None
            }
        }
    }

    pub fn one_of<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let found = match self.get(key)? {
            Value::String(text) => choices.iter().find(|(name, _)| name == text),
            _ => None,
        };
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.problem(key, format!("is none of {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }
}
