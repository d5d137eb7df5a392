//! The attempts this worker holds: kept visible to nobody else, reported alive, stopped when nobody wants them.
//!
//! An entry lives from the receipt of its message until its report is accepted and the message is deleted or released. So a
//! completion that waits for the orchestrator to come back keeps its message, and its heartbeats go on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use runnel_queue::{AttemptRef, QueueName, Receipt, Report, TaskMessage, TaskQueue};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::control::Control;
use crate::said::Said;

/// An attempt is reported as started when it has run for this long; shorter ones are only reported as completed.
const STARTED_AFTER: Duration = Duration::from_millis(200);

/// How often the attempts are looked through while there are any.
const PULSE: Duration = Duration::from_millis(200);

const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// How long a handler may take to end by itself once it is told to; then it is dropped.
const STOP_GRACE: Duration = Duration::from_secs(8);

/// Progress and checkpoints are gathered for this long: whatever a handler says, it costs one report a second.
const NEWS_EVERY: Duration = Duration::from_secs(1);

/// Why an attempt is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The orchestrator does not want the result.
    Unwanted,
    /// The message belongs to somebody else by now.
    ReceiptLost,
    /// The worker ends.
    Drain,
}

/// One held attempt.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: u64,
    pub(crate) at: AttemptRef,
    pub(crate) receipt: Receipt,
    pub(crate) started_us: i64,
    /// Cancelled with a reason to stop the attempt.
    pub(crate) stop: CancellationToken,
    /// How long its handler may then take to end by itself.
    pub(crate) stop_grace: Duration,
    reason: OnceLock<StopReason>,
    begun: Instant,
    heartbeat_every: Duration,
    has_ended: AtomicBool,
    /// What the attempt says of itself.
    pub(crate) said: Arc<Said>,
    pulse: Mutex<Pulse>,
}

#[derive(Debug)]
struct Pulse {
    is_started: bool,
    heartbeat_at: Instant,
    /// News are told no earlier.
    news_at: Instant,
    held_until: Instant,
    extend_at: Instant,
}

impl Held {
    pub(crate) fn stop(&self, reason: StopReason) {
        let _ = self.reason.set(reason); // the first reason stands
        self.stop.cancel();
    }

    pub(crate) fn stop_reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// The handler has ended; only the report is left.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The report that is due now, if any.
    fn due_report(&self, now: Instant) -> Option<Report> {
        let mut pulse = self.pulse();
        if !pulse.is_started && !self.has_ended.load(Ordering::Acquire) && now >= self.begun + STARTED_AFTER {
            pulse.is_started = true;
            return Some(Report::Started {
                at: self.at.clone(),
                started_us: self.started_us,
            });
        }
        if now >= pulse.heartbeat_at {
            pulse.heartbeat_at = now + self.heartbeat_every;
            pulse.news_at = now + NEWS_EVERY;
            return Some(self.said.all(&self.at));
        }
        if now >= pulse.news_at && self.said.has_news() {
            pulse.news_at = now + NEWS_EVERY;
            return Some(self.said.news(&self.at));
        }
        None
    }
}

/// All held attempts.
#[derive(Debug)]
pub(crate) struct Running {
    visibility: Duration,
    stop_grace: Duration,
    held: Mutex<HashMap<u64, Arc<Held>>>,
    added: Notify,
    last_id: AtomicU64,
}

impl Running {
    pub(crate) fn new(visibility: Duration) -> Self {
        Self {
            visibility,
            stop_grace: STOP_GRACE,
            held: Mutex::default(),
            added: Notify::new(),
            last_id: AtomicU64::new(0),
        }
    }

    /// Gives handlers no longer than this to end by themselves, where less time is left than usual.
    pub(crate) fn with_stop_grace(mut self, at_most: Duration) -> Self {
        self.stop_grace = self.stop_grace.min(at_most);
        self
    }

    /// Holds a message received at `received`.
    pub(crate) fn hold(&self, message: &TaskMessage, receipt: Receipt, received: Instant) -> Arc<Held> {
        let gap = message.heartbeat_ms.map(Duration::from_millis);
        let heartbeat_every = gap.map_or(HEARTBEAT_EVERY, |gap| (gap / 3).clamp(PULSE, HEARTBEAT_EVERY));
        let now = Instant::now();
        let held = Arc::new(Held {
            id: self.last_id.fetch_add(1, Ordering::Relaxed),
            at: message.at.clone(),
            receipt,
            started_us: clock::now_us(),
            stop: CancellationToken::new(),
            stop_grace: self.stop_grace,
            reason: OnceLock::new(),
            begun: now,
            heartbeat_every,
            has_ended: AtomicBool::new(false),
            said: Arc::default(),
            pulse: Mutex::new(Pulse {
                is_started: false,
                heartbeat_at: now + heartbeat_every,
                news_at: now,
                held_until: received + self.visibility,
                extend_at: received + self.visibility / 3,
            }),
        });
        self.lock().insert(held.id, Arc::clone(&held));
        self.added.notify_waiters();
        held
    }

    pub(crate) fn release(&self, held: &Held) {
        self.lock().remove(&held.id);
    }

    /// Whether the same attempt is held already: the queue delivered its message twice.
    pub(crate) fn holds(&self, at: &AttemptRef) -> bool {
        self.lock().values().any(|held| held.at == *at)
    }

    pub(crate) fn stop_all(&self, unwanted: &[AttemptRef], reason: StopReason) {
        if !unwanted.is_empty() {
            self.snapshot()
                .iter()
                .filter(|held| unwanted.contains(&held.at))
                .for_each(|held| held.stop(reason));
        }
    }

    pub(crate) fn drain(&self) {
        self.snapshot()
            .iter()
            .for_each(|held| held.stop(StopReason::Drain));
    }

    /// Reports starts and heartbeats for as long as it is polled.
    pub(crate) async fn keep_reported(&self, control: &Control) {
        loop {
            let due: Vec<_> = self.wait_for_any().await;
            let now = Instant::now();
            for report in due.iter().filter_map(|held| held.due_report(now)) {
                // when the channel is full, the next pulse or heartbeat tells the same
                let _ = control.offer(report);
            }
            tokio::time::sleep(PULSE).await;
        }
    }

    /// Extends the visibility of held messages at a third of it, for as long as it is polled; stops attempts whose message is
    /// lost.
    pub(crate) async fn keep_invisible(&self, queue: &dyn TaskQueue, name: &QueueName) {
        let tick = (self.visibility / 12).clamp(Duration::from_millis(10), Duration::from_secs(5));
        loop {
            let now = Instant::now();
            let due: Vec<_> = self
                .wait_for_any()
                .await
                .into_iter()
                .filter(|held| now >= held.pulse().extend_at)
                .collect();
            if !due.is_empty() {
                self.extend(queue, name, &due).await;
            }
            tokio::time::sleep(tick).await;
        }
    }

    async fn extend(&self, queue: &dyn TaskQueue, name: &QueueName, due: &[Arc<Held>]) {
        let receipts: Vec<_> = due.iter().map(|held| held.receipt.clone()).collect();
        let asked = Instant::now();
        let answer = queue.extend(name, &receipts, self.visibility).await;
        for held in due {
            match &answer {
                Ok(lost) if lost.contains(&held.receipt) => held.stop(StopReason::ReceiptLost),
                Ok(_) => {
                    let mut pulse = held.pulse();
                    pulse.held_until = asked + self.visibility;
                    pulse.extend_at = asked + self.visibility / 3;
                }
                // another worker may have it by now, and two must not run it for long
                Err(_) if Instant::now() >= held.pulse().held_until => held.stop(StopReason::ReceiptLost),
                Err(_) => {}
            }
        }
        if let Err(error) = answer {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                held = due.len(),
                "visibility not extended"
            );
        }
    }

    async fn wait_for_any(&self) -> Vec<Arc<Held>> {
        loop {
            let added = self.added.notified();
            let held = self.snapshot();
            if !held.is_empty() {
                return held;
            }
            added.await;
        }
    }

    fn snapshot(&self) -> Vec<Arc<Held>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Held>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
