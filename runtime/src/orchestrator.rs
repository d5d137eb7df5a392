//! The one handle on a running orchestrator: start it, ask it, stop it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use runnel_engine::source::{Format, Reading};
use runnel_engine::trigger::RunTrigger;
use runnel_queue::{AttemptRef, QueueName, ReportBatch, TaskQueue};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actor::Actor;
use crate::announcer::Announcer;
use crate::apply::{Applier, Appliers, Inbox, Shell, Sql};
use crate::bulk;
use crate::child::{self, ErrandBell, Errands};
use crate::clock::{Clock, Entropy};
use crate::config::Config;
use crate::consumer::{Consumer, DeadLetters};
use crate::error::{PublishError, StoreError};
use crate::feed::Feed;
use crate::gate::{GateHandle, Gatekeeper};
use crate::intake::Intake;
use crate::payload::{Collector, Payloads};
use crate::query::Reads;
use crate::registry::Registry;
use crate::relay::{self, CallReceiver, Relay, RelayHandle};
use crate::schedule::{self, ScheduleBell, Scheduler};
use crate::secret::Vault;
use crate::store::{Schema, Store};
use crate::trigger::Refusals;
use crate::view::{RunView, VersionView, WorkflowView};
use crate::wait::{self, CallbackAddress, Waits};
use crate::waker::{Alarm, Waker};
use crate::{recovery, unwanted, workflows};

/// Places where a test kills the process; nothing may be lost at any of them.
pub const CRASH_POINTS: &[&str] = &[
    "start.before_commit",
    "start.after_commit",
    "relay.before_send",
    "relay.after_send",
    "complete.before_commit",
    "complete.after_commit",
    "gate.after_grant",
];

/// Open long polls of the completion queue: one receives while the others apply.
const CONSUMERS: usize = 4;

/// First pause of a report that could not be committed; doubles up to [`REPORT_PAUSE_MAX`].
const REPORT_PAUSE: Duration = Duration::from_millis(50);
const REPORT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// How often [`Orchestrator::settle`] looks.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

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
    loops: Loops,
}

/// The loops in the order of their end: first those that bring work, then those that do it, then those that carry it on.
#[derive(Default)]
struct Loops {
    bringing: Group,
    applying: Group,
    relaying: Group,
    telling: Group,
    feed_tasks: TaskTracker,
}

/// Loops that stop together.
#[derive(Default)]
struct Group {
    stop: CancellationToken,
    tasks: TaskTracker,
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

/// What the appliers have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Batches begun.
    pub batches: u64,
    /// Statements that read or save them.
    pub statements: u64,
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

    /// Ids.
    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.inner.shell.entropy
    }

    /// The stored secrets.
    pub(crate) fn vault(&self) -> &Vault {
        &self.inner.secrets
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
        let poll_interval = config.poll_interval;
        let orchestrator = Self {
            inner: Arc::new(Inner::assemble(config, store)),
        };
        let scheduler = Scheduler::new(orchestrator.clone(), poll_interval);
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

    /// Answers once the database answers and the schema is current; for readiness.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        if self.inner.loops.bringing.stop.is_cancelled() {
            return Err(StoreError::Stopping);
        }
        self.inner.reads.store.check().await
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

    /// Resolves when nothing is in flight: no input waits, the outbox holds nothing that can be sent, and no run is due.
    /// For tests and drains.
    pub async fn settle(&self) {
        loop {
            match self.is_settled().await {
                Ok(true) | Err(StoreError::Stopping) => return,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "cannot see yet whether all is settled"),
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    }

    /// What the appliers have done so far; tests assert that a batch takes a constant number of statements.
    #[must_use]
    pub fn applied(&self) -> Applied {
        let shell = &self.inner.shell;
        Applied {
            batches: shell.batches.load(Ordering::Relaxed),
            statements: shell.batch_store.statements(),
        }
    }

    /// Statements sent to the database so far, by whatever part of the orchestrator.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.inner.shell.store.statements()
    }

    /// Of those, the ones that answer questions (and publish workflows): a loop sends one only while it has
    /// work.
    #[must_use]
    pub fn read_statements(&self) -> u64 {
        self.inner.reads.store.statements()
    }

    async fn is_settled(&self) -> Result<bool, StoreError> {
        let shell = &self.inner.shell;
        if self.inner.loops.bringing.stop.is_cancelled() {
            return Err(StoreError::Stopping);
        }
        if self.is_moving() {
            return Ok(false);
        }
        if Waker::is_due(shell).await? {
            shell.alarm.ring();
            return Ok(false);
        }
        if child::is_due(shell).await? {
            shell.errands.ring();
            return Ok(false);
        }
        if schedule::is_due(self).await? {
            shell.schedules.ring();
            return Ok(false);
        }
        let now = shell.clock.now();
        if shell.gate.is_due(now) {
            shell.gate.ring();
            return Ok(false);
        }
        let waiting = relay::waiting(shell, now).await?;
        let is_sendable = |queue: &str, kind: &str| {
            shell.registry.is_served(queue, kind, now) && shell.relay.has_room(queue)
        };
        if waiting
            .iter()
            .any(|(queue, kinds)| kinds.iter().any(|kind| is_sendable(queue, kind)))
        {
            shell.relay.look();
            return Ok(false);
        }
        // something may have arrived while the database was asked
        Ok(!self.is_moving())
    }

    fn is_moving(&self) -> bool {
        let inner = &self.inner;
        inner.appliers.unfinished() > 0
            || inner.shell.errands.is_busy()
            || inner.shell.schedules.is_busy()
            || inner.shell.gate.is_moving()
            || inner.bulk_bell.is_busy()
            || inner.shell.waits.is_busy()
            || inner.shell.relay.unfinished() > 0
            || inner.consumer.is_busy()
    }
}

impl Inner {
    fn assemble(config: Config, store: Store) -> Self {
        let loops = Loops::default();
        let (clock, entropy) = (Arc::clone(&config.clock), Arc::clone(&config.entropy));
        let reads = Reads::new(
            store.clone(),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            config.local_types.clone(),
        );
        let payloads = Payloads::new(config.payloads, store.clone(), Arc::clone(&clock));
        let instance = entropy.uuid(clock.now());
        let feed = Feed::new(
            store.backend(),
            instance,
            config.poll_interval,
            loops.telling.stop.clone(),
        );
        feed.start(&store, &loops.feed_tasks);
        let (relay, calls) = RelayHandle::new(config.outstanding_max);
        let (appliers, inboxes) = Appliers::new(config.appliers);
        let backend = store.backend().into();
        let shell = Arc::new(Shell {
            batch_store: store.counted_apart(),
            batches: AtomicU64::new(0),
            store,
            backend,
            sql: Sql::new(backend),
            versions: reads.versions.clone(),
            clock,
            entropy,
            token_keys: config.token_keys,
            relay,
            alarm: Alarm::new(),
            errands: ErrandBell::default(),
            gate: GateHandle::new(),
            announcer: Announcer::new(feed.clone()),
            registry: Registry::new(config.local_types),
            waits: Waits::default(),
            callbacks: CallbackAddress::new(config.public_url.as_deref()),
            schedules: ScheduleBell::default(),
            refusals: Refusals::default(),
            batch_max: config.batch_max.max(1),
            appliers: inboxes.len(),
            payloads,
        });
        let intake = Intake::new(Arc::clone(&shell), appliers.clone());
        let consumer = Consumer::new(intake.clone(), Arc::clone(&config.queue));
        let (queue, poll_interval) = (config.queue, config.poll_interval);
        loops.run_errands(&shell, &appliers, &config.vars, poll_interval);
        loops.run(
            &shell,
            &appliers,
            &consumer,
            Arc::clone(&queue),
            poll_interval,
            (inboxes, calls),
        );
        Self {
            reads,
            feed,
            shell,
            appliers,
            intake,
            consumer,
            queue,
            vars: config.vars,
            secrets: Vault::new(config.secret_keys),
            bulk_bell: Arc::default(),
            loops,
        }
    }
}

impl Loops {
    fn run_errands(
        &self,
        shell: &Arc<Shell>,
        appliers: &Appliers,
        vars: &Arc<Map<String, Value>>,
        poll_interval: Duration,
    ) {
        let errands = Errands::new(
            Arc::clone(shell),
            appliers.clone(),
            Arc::clone(vars),
            poll_interval,
        );
        self.bringing.spawn(|stop| errands.run(stop));
    }

    fn run(
        &self,
        shell: &Arc<Shell>,
        appliers: &Appliers,
        consumer: &Consumer,
        queue: Arc<dyn TaskQueue>,
        poll_interval: Duration,
        (inboxes, calls): (Vec<Inbox>, CallReceiver),
    ) {
        for inbox in inboxes {
            self.applying
                .spawn(|stop| Applier::new(Arc::clone(shell), inbox).run(stop));
        }
        let relay = Relay::new(
            Arc::clone(shell),
            appliers.clone(),
            Arc::clone(&queue),
            poll_interval,
            calls,
        );
        self.relaying.spawn(|stop| relay.run(stop));
        for _ in 0..CONSUMERS {
            self.bringing.spawn(|stop| consumer.clone().run(stop));
        }
        let dead = DeadLetters {
            shell: Arc::clone(shell),
            appliers: appliers.clone(),
            queue,
            poll_interval,
        };
        self.bringing.spawn(|stop| dead.run(stop));
        let collector = Collector {
            payloads: shell.payloads.clone(),
        };
        self.bringing.spawn(|stop| collector.run(stop));
        let waits = wait::Loop::new(Arc::clone(shell), appliers.clone(), poll_interval);
        self.bringing.spawn(|stop| waits.run(stop));
        let waker = Waker::new(Arc::clone(shell), appliers.clone(), poll_interval);
        self.bringing.spawn(|stop| waker.run(stop));
        let gatekeeper = Gatekeeper::new(Arc::clone(shell), appliers.clone(), poll_interval);
        self.bringing.spawn(|stop| gatekeeper.run(stop));
        self.telling
            .spawn(|stop| shell.announcer.clone().run(shell.store.clone(), stop));
    }
}

impl Group {
    fn spawn<F>(&self, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(work(self.stop.clone()));
    }

    async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
