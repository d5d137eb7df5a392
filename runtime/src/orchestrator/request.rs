//! What is asked of an orchestrator, and what it answers.

use std::sync::Arc;

use runnel_engine::source::{Format, Reading};
use runnel_engine::trigger::RunTrigger;
use serde_json::{Map, Value};

use crate::view::{RunView, VersionView, WorkflowView};

/// What to publish.
#[derive(Debug, Clone)]
pub struct PublishRequest {
    /// The file as written.
    pub source: String,
    /// How to read it.
    pub format: Format,
    /// Check and number it, store nothing.
    pub is_dry_run: bool,
}

/// What a publish did.
#[derive(Debug, Clone)]
pub struct Published {
    /// The workflow.
    pub workflow: WorkflowView,
    /// The version that holds the content.
    pub version: VersionView,
    /// Whether the version was made now.
    pub is_new: bool,
    /// What the reader said (warnings, conversion).
    pub reading: Reading,
}

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct StartRequest {
    /// Key of the workflow.
    pub workflow: String,
    /// Version number; the latest when `None`.
    pub version: Option<i32>,
    /// Inputs.
    pub inputs: Map<String, Value>,
    /// At most one run per key and namespace; the same request answers the same run.
    pub idempotency_key: Option<String>,
    /// 0–100; the workflow's when `None`.
    pub priority: Option<u8>,
    /// Tags, over the workflow's.
    pub tags: Vec<String>,
    /// What to do when another run holds the idempotency key; `None`: the same request answers it, another is refused.
    pub on_conflict: Option<OnConflict>,
    /// What starts it, when it is not a person or a program through the API.
    pub trigger: Option<Arc<RunTrigger>>,
    /// Every task does its work, also where a kept result would be good; results are kept all the same.
    pub ignores_cache: bool,
}

/// What a start does when a run holds its idempotency key already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Answers that run, whatever it was started with.
    ReturnExisting,
    /// Is refused, also when the request is the same.
    Fail,
    /// Cancels that run if it goes on, takes the key from it, and starts. The same request is a replay all the same.
    CancelExisting,
}

/// What a start did.
#[derive(Debug, Clone)]
pub struct StartedRun {
    /// The run, committed.
    pub run: RunView,
    /// Whether it existed already under the idempotency key.
    pub is_replay: bool,
}
