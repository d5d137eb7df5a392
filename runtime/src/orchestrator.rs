//! The one handle on a running orchestrator: start it, ask it, stop it.

use std::sync::Arc;
use std::time::Duration;

use runnel_engine::RunId;
use runnel_engine::run::CancelMode;
use runnel_engine::source::{Format, Reading};
use serde_json::{Map, Value};

use crate::actor::Actor;
use crate::config::Config;
use crate::error::{OperateError, PublishError, StartError, StoreError};
use crate::feed::Feed;
use crate::query::Reads;
use crate::view::{RunView, TaskView, VersionView, WorkflowView};
use crate::workflows;

/// A cheap handle; clones share one orchestrator.
#[derive(Clone)]
pub struct Orchestrator {
    inner: Arc<Inner>,
}

struct Inner {
    reads: Reads,
    feed: Feed,
}

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
}

/// What a start did.
#[derive(Debug, Clone)]
pub struct StartedRun {
    /// The run, committed.
    pub run: RunView,
    /// Whether it existed already under the idempotency key.
    pub is_replay: bool,
}

impl Orchestrator {
    /// What reads need.
    pub(crate) fn reads(&self) -> &Reads {
        &self.inner.reads
    }

    /// The doorbells.
    pub(crate) fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    /// Opens the database, migrates it, recovers what a crash left, and starts the loops.
    ///
    /// # Errors
    /// The database cannot be opened or is newer than this program.
    pub async fn start(config: Config) -> Result<Self, StoreError> {
        let _ = config;
        unimplemented!()
    }

    /// Stops taking work, finishes what is in flight within `grace`, closes the database.
    pub async fn stop(&self, grace: Duration) {
        let _ = (&self.inner, grace);
        unimplemented!()
    }

    /// Answers once the database answers and the schema is current; for readiness.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Reads a workflow file without storing anything.
    #[must_use]
    pub fn validate(&self, source: &str, format: Format) -> Reading {
        runnel_engine::source::read(source, format)
    }

    /// Stores a workflow file as a version; identical content answers the version that holds it.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub async fn publish(&self, actor: &Actor, request: PublishRequest) -> Result<Published, PublishError> {
        workflows::publish(self.reads(), actor, request).await
    }

    /// Starts a run. Accepted means committed.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_run(&self, actor: &Actor, request: StartRequest) -> Result<StartedRun, StartError> {
        let _ = (actor, request);
        unimplemented!()
    }

    /// Cancels a run.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn cancel_run(
        &self,
        actor: &Actor,
        run: RunId,
        mode: CancelMode,
        reason: Option<String>,
    ) -> Result<RunView, OperateError> {
        let _ = (actor, run, mode, reason);
        unimplemented!()
    }

    /// Pauses a run: running attempts finish, nothing new starts.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn pause_run(
        &self,
        actor: &Actor,
        run: RunId,
        reason: Option<String>,
    ) -> Result<RunView, OperateError> {
        let _ = (actor, run, reason);
        unimplemented!()
    }

    /// Resumes a paused run.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn resume_run(&self, actor: &Actor, run: RunId) -> Result<RunView, OperateError> {
        let _ = (actor, run);
        unimplemented!()
    }

    /// Retries a failed task.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn retry_task(
        &self,
        actor: &Actor,
        run: RunId,
        task: &str,
    ) -> Result<(RunView, TaskView), OperateError> {
        let _ = (actor, run, task);
        unimplemented!()
    }

    /// Skips a task that has not ended.
    ///
    /// # Errors
    /// See [`OperateError`].
    pub async fn skip_task(
        &self,
        actor: &Actor,
        run: RunId,
        task: &str,
        reason: Option<String>,
    ) -> Result<(RunView, TaskView), OperateError> {
        let _ = (actor, run, task, reason);
        unimplemented!()
    }

    /// Accepts what a worker reports other than through the completion queue (in-process and HTTP control channel).
    /// Invalid tokens are counted and dropped.
    pub async fn report(&self, batch: runnel_queue::ReportBatch) {
        let _ = batch;
        unimplemented!()
    }

    /// Of the given attempts, those whose result is no longer wanted (cancelled, fenced, finished): the answer to a heartbeat.
    pub async fn unwanted(&self, attempts: &[runnel_queue::AttemptRef]) -> Vec<runnel_queue::AttemptRef> {
        let _ = attempts;
        unimplemented!()
    }

    /// Resolves when nothing is in flight: no input waits, the outbox is empty, and no run is due. For tests and drains.
    pub async fn settle(&self) {
        unimplemented!()
    }
}
