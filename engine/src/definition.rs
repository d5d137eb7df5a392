//! The v1 workflow as a value: what is stored as a version and what a plan is built from.
//!
//! Values of this type come only from [`crate::source::read`] (checked) or from a stored version (checked when it was
//! stored). Serialised as JSON with stable field order, so that its hash identifies a version.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

mod policy;

pub use policy::{
    Axis, CachePolicy, Circuit, CompensateOn, Compensation, CompensationError, CompensationOrder,
    Concurrency, Matrix, OnConflict, OnExhausted, RateLimit, Repeat, Sla,
};

/// A v1 workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    /// Key: `[a-z][a-z0-9_-]{0,127}`.
    pub id: String,
    /// Display name; the key when the file gives none.
    pub name: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels for filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Tags given to every run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// JSON Schema (draft 7) of each input; `default` may be an expression.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// Templates of the run's outputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// Environment of every command.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub env: Map<String, Value>,
    /// 0–100; 50 when the file gives none.
    pub priority: u8,
    /// Ends the run as `TIMED_OUT`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub timeout: Option<Duration>,
    /// Cancel everything else on the first failure that counts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fail_fast: bool,
    /// How long running attempts get after a graceful cancel. 30 s when the file gives none.
    #[serde(with = "ms")]
    pub cancel_grace: Duration,
    /// Limit of runs at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// When and how tasks with `compensate` are undone; the defaults when the file gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<Compensation>,
    /// Times that are only alerted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// Tasks in the order of the file.
    pub tasks: Vec<Task>,
    /// Handler tasks after the run has failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<Task>,
    /// Handler tasks after the run has succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_success: Vec<Task>,
    /// Handler tasks at the end in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finally: Vec<Task>,
    /// Parts of the file that are kept as written and interpreted elsewhere (`triggers`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// One task of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Key: `[A-Za-z_][A-Za-z0-9_]{0,127}`.
    pub key: String,
    /// Display name; the key when the file gives none.
    pub name: String,
    /// Task type: `shell` for `run:`, else the `type` of the file.
    #[serde(rename = "type")]
    pub kind: String,
    /// Template of the input. For `shell`: `{"run": "<script>"}`, never interpolated.
    #[serde(default)]
    pub input: Value,
    /// Upstreams with the statuses that satisfy each edge, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// How many upstreams must be satisfied.
    #[serde(default)]
    pub join: Join,
    /// CEL condition without its `${{ }}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Environment (templates) of a command, over the workflow's.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub env: Map<String, Value>,
    /// Fan-out over items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<ForEach>,
    /// What happens after a failed attempt.
    pub retry: Retry,
    /// Losses of a worker that are forgiven before the task fails as `LOST`.
    pub max_losses: u32,
    /// Longest time of one attempt; retryable.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub timeout: Option<Duration>,
    /// Longest wait in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub start_within: Option<Duration>,
    /// Longest time over all attempts.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub complete_within: Option<Duration>,
    /// Longest gap between heartbeats; past it the attempt is lost.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub heartbeat: Option<Duration>,
    /// Task queue; `default` when the file gives none.
    pub queue: String,
    /// 0–100; the workflow's when the file gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// A failure counts as decided and the run may still succeed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continue_on_error: bool,
    /// Template of the key for side effects; derived from run and task when the file gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Fan-out over combinations; never beside `for_each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Matrix>,
    /// Bounded loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Repeat>,
    /// Limit of tasks at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Limit of starts in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Circuit breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Circuit>,
    /// Results are kept for later runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CachePolicy>,
    /// What undoes this task; its key is `<key>.compensate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Box<Task>>,
    /// Once this task has succeeded, neither it nor what it depends on is undone.
    #[serde(default, skip_serializing_if = "is_false")]
    pub point_of_no_return: bool,
    /// The task ends when its callback token is used, not when its worker reports.
    #[serde(default, skip_serializing_if = "is_false")]
    pub callback: bool,
    /// What happens when the retries are used up.
    #[serde(default, skip_serializing_if = "is_fail")]
    pub on_exhausted: OnExhausted,
    /// JSON Schema (draft 7) of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Times that are only alerted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    /// Kept from foreign dialects, readable as `task.metadata`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Parts kept as written and interpreted elsewhere (`labels`, `tags`, `resources`, `description`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// One edge: the upstream, and the final statuses of it that satisfy the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Key of the upstream.
    pub task: String,
    /// Statuses that satisfy the edge.
    pub accepts: Accepts,
}

/// Which final statuses of an upstream satisfy an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accepts {
    /// `SUCCEEDED` and `CACHED`.
    pub succeeded: bool,
    /// `FAILED` and `TIMED_OUT`.
    pub failed: bool,
    /// `SKIPPED`.
    pub skipped: bool,
    /// `CANCELLED`.
    pub cancelled: bool,
}

/// How many edges must be satisfied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Every edge.
    #[default]
    All,
    /// One edge.
    Any,
    /// This many edges.
    AtLeast(u32),
}

/// Fan-out of one task over a list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ForEach {
    /// Template that gives the list, or the list.
    pub items: Value,
    /// Template of an item's key; the position when the file gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Most items in flight; `None`: no own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Failures that are forgiven.
    #[serde(default)]
    pub tolerate: Tolerate,
    /// This many items in a row are one item: a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
}

/// How many items of a fan-out may fail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerate {
    /// At most this many.
    Count(u32),
    /// At most this percentage of the items, 0–100.
    Percent(f64),
}

impl Default for Tolerate {
    fn default() -> Self {
        Self::Count(0)
    }
}

/// Retry policy of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Retries after the first attempt.
    pub limit: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// First delay.
    #[serde(with = "ms")]
    pub delay: Duration,
    /// Growth per retry of an exponential backoff.
    pub factor: f64,
    /// Longest delay.
    #[serde(with = "ms")]
    pub max_delay: Duration,
    /// Spread of the delay.
    pub jitter: Jitter,
    /// Only failures of these categories or codes (lower case, as written); empty: every retryable failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// Never failures of these categories or codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_on: Vec<String>,
    /// Only failures for which this CEL condition holds; it reads `error` and `task.attempt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// No retry begins later than this after the first attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "opt_ms")]
    pub budget: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            limit: 0,
            backoff: Backoff::Exponential,
            delay: Self::DELAY,
            factor: Self::FACTOR,
            max_delay: Self::MAX_DELAY,
            jitter: Jitter::Full,
            on: Vec::new(),
            not_on: Vec::new(),
            when: None,
            budget: None,
        }
    }
}

impl Retry {
    /// First delay when the file gives none.
    pub const DELAY: Duration = Duration::from_secs(1);
    /// Growth when the file gives none.
    pub const FACTOR: f64 = 2.0;
    /// Longest delay when the file gives none; a longer first delay raises it.
    pub const MAX_DELAY: Duration = Duration::from_secs(60);

    /// Retries when the file gives none: `http` knows which of its failures are worth another try, commands do not.
    #[must_use]
    pub fn default_limit(kind: &str) -> u32 {
        if kind == "http" { 3 } else { 0 }
    }
}

/// Growth of the retry delay: `delay`, `delay * n`, or `delay * factor^(n-1)` before retry n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// The same delay each time.
    Fixed,
    /// Grows by the delay.
    Linear,
    /// Grows by the factor.
    Exponential,
}

/// Spread of the retry delay (AWS Architecture Blog, "Exponential Backoff And Jitter").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Exactly the delay.
    None,
    /// Uniform in `[0, delay]`.
    Full,
    /// Uniform in `[delay/2, delay]`.
    Equal,
}

impl Workflow {
    /// The stored form. The same workflow gives the same JSON: fields in the order of the types, keys of free mappings
    /// sorted but for those whose order means something (`tasks` is a list already).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        sort_keys(&mut value);
        value
    }

    /// SHA-256 of the stored form in hex: identifies a version, whatever its comments, its layout and its format were.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.to_json().to_string()))
    }
}

/// Recursion is bounded by the depth of what [`crate::source::read`] accepts.
fn sort_keys(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort_keys),
        Value::Object(map) => {
            map.sort_keys();
            map.values_mut().for_each(sort_keys);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Task {
    /// Losses that are forgiven when the file gives none.
    pub const MAX_LOSSES: u32 = 3;
    /// Task queue when the file gives none.
    pub const QUEUE: &str = "default";
}

impl Default for Workflow {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            description: None,
            labels: BTreeMap::new(),
            tags: Vec::new(),
            inputs: Map::new(),
            outputs: Map::new(),
            env: Map::new(),
            priority: 50,
            timeout: None,
            fail_fast: false,
            cancel_grace: Duration::from_secs(30),
            concurrency: None,
            compensation: None,
            sla: None,
            tasks: Vec::new(),
            on_failure: Vec::new(),
            on_success: Vec::new(),
            finally: Vec::new(),
            extra: Map::new(),
        }
    }
}

impl Default for Task {
    fn default() -> Self {
        Self {
            key: String::new(),
            name: String::new(),
            kind: String::new(),
            input: Value::Null,
            needs: Vec::new(),
            join: Join::All,
            condition: None,
            env: Map::new(),
            for_each: None,
            retry: Retry::default(),
            max_losses: Self::MAX_LOSSES,
            timeout: None,
            start_within: None,
            complete_within: None,
            heartbeat: None,
            queue: Self::QUEUE.to_owned(),
            priority: None,
            continue_on_error: false,
            idempotency_key: None,
            matrix: None,
            repeat: None,
            concurrency: None,
            rate_limit: None,
            circuit: None,
            cache: None,
            compensate: None,
            point_of_no_return: false,
            callback: false,
            on_exhausted: OnExhausted::Fail,
            output_schema: None,
            sla: None,
            metadata: Map::new(),
            extra: Map::new(),
        }
    }
}

fn is_false(b: &bool) -> bool {
    !*b
}

fn is_fail(on_exhausted: &OnExhausted) -> bool {
    *on_exhausted == OnExhausted::Fail
}

mod ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(d)?))
    }
}

mod opt_ms {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => super::ms::serialize(d, s),
            None => s.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(d)?.map(Duration::from_millis))
    }
}
