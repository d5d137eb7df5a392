//! How a task repeats, waits for its turn, fails and is undone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Tolerate, ms, opt_ms};

/// Fan-out over the product of several lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Matrix {
    /// In the order of the file, which is the order of the combinations and of the words in their keys.
    pub axes: Vec<Axis>,
    /// Each extends the combinations that it does not contradict, or is one more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<Value>,
    /// Combinations taken out of it: each leaves out what has all of its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Value>,
    /// Most combinations in flight; `None`: no own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Failures that are forgiven.
    #[serde(default)]
    pub tolerate: Tolerate,
}

/// One axis of a matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Its name, read as `matrix.<name>`.
    pub name: String,
    /// Template of the list of its values, or the list.
    pub values: Value,
}

/// Bounded loop of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// CEL condition, read after each round, that ends the loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Most rounds.
    pub max: u32,
    /// Pause between two rounds.
    #[serde(with = "ms")]
    pub every: Duration,
}

/// At most so many holders of a group at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// Template of the group's name within the namespace; the workflow (and task) when the file gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Most holders.
    pub limit: u32,
    /// What a newcomer does when the group is full.
    #[serde(default)]
    pub on_conflict: OnConflict,
}

/// What a newcomer does when its concurrency group is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Waits.
    #[default]
    Queue,
    /// Gives up: a run ends as `CANCELLED`, a task as `SKIPPED`.
    Skip,
    /// Cancels the holders and takes the place of the oldest.
    CancelRunning,
}

/// At most so many starts in a unit of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Template of the limit's name within the namespace.
    pub key: String,
    /// Starts per `per`.
    pub count: u32,
    /// The unit of time.
    #[serde(with = "ms")]
    pub per: Duration,
}

/// Circuit breaker over all tasks of the namespace with the same key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Circuit {
    /// Template of the breaker's name within the namespace.
    pub key: String,
    /// Failures in the window that open it.
    pub failures: u32,
    /// The window.
    #[serde(with = "ms")]
    pub window: Duration,
    /// From opening to the probe.
    #[serde(with = "ms")]
    pub cooldown: Duration,
}

/// Results kept for later runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachePolicy {
    /// Template of the key, within namespace, workflow and task; derived from the resolved input when the file gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// How long a result is good.
    #[serde(with = "ms")]
    pub ttl: Duration,
}

/// What happens to a task whose retries are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExhausted {
    /// It fails.
    #[default]
    Fail,
    /// The run is paused, and the task is tried anew when it is resumed.
    Pause,
    /// It fails, and a dead letter is kept from which the run can be finished.
    DeadLetter,
}

/// When and how succeeded tasks are undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compensation {
    /// Outcomes of the main graph that start it.
    pub on: Vec<CompensateOn>,
    /// In which order.
    #[serde(default)]
    pub order: CompensationOrder,
    /// What a compensation that fails does to the others.
    #[serde(default)]
    pub on_error: CompensationError,
}

impl Default for Compensation {
    fn default() -> Self {
        Self {
            on: vec![
                CompensateOn::Failed,
                CompensateOn::Cancelled,
                CompensateOn::TimedOut,
            ],
            order: CompensationOrder::Reverse,
            on_error: CompensationError::Continue,
        }
    }
}

/// Outcome of the main graph that starts the compensation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the run's statuses")]
pub enum CompensateOn {
    Failed,
    Cancelled,
    TimedOut,
}

/// Order of compensations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompensationOrder {
    /// A task is undone when all that depended on it are.
    #[default]
    Reverse,
    /// All at once.
    Parallel,
}

/// What a compensation that fails does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompensationError {
    /// Those that have not begun are skipped.
    Halt,
    /// The others go on.
    #[default]
    Continue,
}

/// Times that are only alerted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sla {
    /// From acceptance (or eligibility) to the end.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub finish_within: Option<Duration>,
    /// From acceptance (or eligibility) to the start.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub start_within: Option<Duration>,
}
