//! The one handle on a running orchestrator: start it, ask it, stop it.

mod assemble;
mod loops;
mod request;
mod settle;

use std::sync::{Arc, Weak};
use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_engine::source::{Format, Reading};
use runnel_queue::{AttemptRef, QueueName, ReportBatch, TaskQueue};
use serde_json::{Map, Value};

use crate::actor::Actor;
use crate::apply::{Appliers, Shell};
use crate::bulk;
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::consumer::Consumer;
use crate::error::{PublishError, StoreError};
use crate::feed::Feed;
use crate::intake::Intake;
use crate::measure::Measuring;
use crate::payload::Payloads;
use crate::query::Reads;
use crate::schedule::{ScheduleBell, Scheduler};
use crate::secret::Vault;
use crate::store::{Schema, Store};
use crate::{recovery, unwanted, workflows};

pub use request::{OnConflict, PublishRequest, Published, StartRequest, StartedRun};
pub use settle::Applied;

use loops::Loops;

/// First pause of a report that could not be committed; doubles up to [`REPORT_PAUSE_MAX`].
const REPORT_PAUSE: Duration = Duration::from_millis(50);
const REPORT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// A cheap handle; clones share one orchestrator.
#[derive(Clone)]
pub struct Orchestrator {
    inner: Arc<Inner>,
}

/// A handle that keeps nothing alive: for loops that work through the orchestrator itself.
#[derive(Clone)]
pub(crate) struct WeakOrchestrator(Weak<Inner>);

impl WeakOrchestrator {
    /// The orchestrator, unless it is gone.
    pub(crate) fn upgrade(&self) -> Option<Orchestrator> {
        let inner = self.0.upgrade()?;
        Some(Orchestrator { inner })
    }
}

struct Inner {
    reads: Reads,
    feed: Feed,
    shell: Arc<Shell>,
    appliers: Appliers,
    intake: Intake,
    consumer: Consumer,
    queue: Arc<dyn TaskQueue>,
    vars: Arc<Map<String, Value>>,
    secrets: Vault,
    bulk_bell: Arc<bulk::Bell>,
    measuring: Measuring,
    loops: Loops,
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

    /// The way to the runs.
    pub(crate) fn appliers(&self) -> &Appliers {
        &self.inner.appliers
    }

    /// What the loops share.
    pub(crate) fn shell(&self) -> &Shell {
        &self.inner.shell
    }

    /// Wakes the scheduler.
    pub(crate) fn schedule_bell(&self) -> &ScheduleBell {
        &self.inner.shell.schedules
    }

    /// Lets the gatekeeper look now.
    pub(crate) fn ring_gates(&self) {
        self.inner.shell.gate.ring();
    }

    /// The time.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.shell.clock
    }

    /// The time, as everything here takes it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock().now()
    }

    /// Ids.
    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.inner.shell.entropy
    }

    /// The stored secrets.
    pub(crate) fn vault(&self) -> &Vault {
        &self.inner.secrets
    }

    /// When the states were last read.
    pub(crate) fn measuring(&self) -> &Measuring {
        &self.inner.measuring
    }

    /// The way to large values.
    pub(crate) fn payloads(&self) -> &Payloads {
        &self.inner.shell.payloads
    }

    /// The queues.
    pub(crate) fn queue(&self) -> &dyn TaskQueue {
        &*self.inner.queue
    }

    /// Tells the loop of operations on many runs that there is one.
    pub(crate) fn bulk_bell(&self) -> Arc<bulk::Bell> {
        Arc::clone(&self.inner.bulk_bell)
    }

    /// `vars.X` of new runs.
    pub(crate) fn vars(&self) -> &Arc<Map<String, Value>> {
        &self.inner.vars
    }

    /// Opens the database, migrates it, recovers what a crash left, and starts the loops.
    ///
    /// # Errors
    /// The database cannot be opened or is newer than this program.
    pub async fn start(config: Config) -> Result<Self, StoreError> {
        let store = Store::open(&config.database, Arc::clone(&config.entropy), Schema::Migrate).await?;
        let queue = &config.queue;
        if let Err(error) = queue.ensure(&QueueName::completions()).await {
            // the consumer goes on trying; what is accepted meanwhile waits in the outbox
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the completion queue is not there"
            );
        }
        let again = recovery::run(&store, &*config.clock, queue.is_durable()).await?;
        if again > 0 {
            tracing::info!(
                attempts = again,
                "attempts of before the start are dispatched again"
            );
        }
        let (poll_interval, audit_kept) = (config.poll_interval, config.audit_kept);
        let orchestrator = Self {
            inner: Arc::new(Inner::assemble(config, store)),
        };
        let scheduler = Scheduler::new(orchestrator.clone(), poll_interval, audit_kept);
        orchestrator
            .inner
            .loops
            .bringing
            .spawn(|stop| scheduler.run(stop));
        let weak = WeakOrchestrator(Arc::downgrade(&orchestrator.inner));
        let bringing = &orchestrator.inner.loops.bringing;
        bringing.spawn(|stop| bulk::work_off(weak, poll_interval, stop));
        Ok(orchestrator)
    }

    /// Stops taking work, finishes what is in flight within `grace`, closes the database.
    pub async fn stop(&self, grace: Duration) {
        let loops = &self.inner.loops;
        let stopped = async {
            loops.bringing.stop().await;
            loops.applying.stop().await;
            loops.relaying.stop().await;
            loops.telling.stop().await;
            loops.feed_tasks.close();
            loops.feed_tasks.wait().await;
        };
        if tokio::time::timeout(grace, stopped).await.is_err() {
            tracing::warn!("the grace of the stop is over; what is unfinished goes on after the next start");
            for group in [&loops.bringing, &loops.applying, &loops.relaying, &loops.telling] {
                group.stop.cancel();
            }
        }
        self.inner.reads.store.close().await;
    }

    /// Answers once the database answers and has the schema that this program needs; for readiness.
    ///
    /// A newer schema has it too, because migrations only add: while an upgrade goes on, its first step must not make every server of the
    /// old version unready at once.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        if self.inner.loops.bringing.stop.is_cancelled() {
            return Err(StoreError::Stopping);
        }
        match self.inner.reads.store.check().await {
            Err(StoreError::NewerSchema { .. }) => Ok(()),
            checked => checked,
        }
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
        let published = workflows::publish(self.reads(), actor, request).await;
        // its schedules may be due earlier than what the scheduler sleeps until
        self.schedule_bell().ring();
        published
    }

    /// Accepts what a worker reports other than through the completion queue (in-process and HTTP control channel), and
    /// answers after the commit. Invalid tokens are counted and dropped. While the database is away it goes on trying: a
    /// worker that was told that its report is accepted may forget it.
    pub async fn report(&self, batch: ReportBatch) {
        let intake = self.inner.intake.clone();
        let accepting = tokio::spawn(async move {
            let batches = [batch];
            let mut pause = REPORT_PAUSE;
            loop {
                match intake.accept(&batches).await {
                    Ok(()) | Err(StoreError::Stopping) => return,
                    Err(StoreError::Corrupt { .. }) => return, // quarantined and logged; trying again changes nothing
                    Err(error) => tracing::warn!(%error, "reports are tried again"),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(REPORT_PAUSE_MAX);
            }
        });
        // the task ends by itself; a caller that goes away does not stop it
        let _ = accepting.await;
    }

    /// Of the given attempts, those whose result is no longer wanted (cancelled, fenced, finished): the answer to a heartbeat.
    pub async fn unwanted(&self, attempts: &[AttemptRef]) -> Vec<AttemptRef> {
        match unwanted::find(&self.inner.shell, attempts).await {
            Ok(unwanted) => unwanted,
            Err(error) => {
                // a worker that is told nothing goes on; the fence refuses what is late
                tracing::warn!(%error, "heartbeats are answered without cancels");
                Vec::new()
            }
        }
    }
}
