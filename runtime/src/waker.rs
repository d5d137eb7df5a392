//! The alarm clock: finds runs that are due and lets them tick.
//!
//! Which runs are due is a hint: a tick of a run that another replica has ticked already does nothing. Sleeps until the
//! next alarm, at most the poll interval; an alarm that moves earlier wakes it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use runnel_engine::run::Input;
use runnel_engine::{RunId, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::apply::{Appliers, Column, Kind, RowSet, Shell, source};
use crate::error::StoreError;

/// Runs that tick in one turn.
const DUE_MAX: i64 = 500;

/// How long a run that could not be applied is left alone.
const QUARANTINE: Duration = Duration::from_secs(60);

/// Where the appliers set the alarm.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    inner: Arc<AlarmInner>,
}

#[derive(Debug)]
struct AlarmInner {
    /// The moment the waker sleeps until.
    next: AtomicI64,
    rung: Notify,
    /// Runs that could not be applied, and until when they are left alone.
    quarantined: Mutex<HashMap<RunId, Timestamp>>,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::new(AlarmInner {
                next: AtomicI64::new(i64::MAX),
                rung: Notify::new(),
                quarantined: Mutex::default(),
            }),
        }
    }

    /// Something is due at this moment; wakes the waker when it would sleep longer.
    pub(crate) fn set(&self, at: Timestamp) {
        if self.inner.next.fetch_min(at.0, Ordering::SeqCst) > at.0 {
            self.inner.rung.notify_one();
        }
    }

    /// Leaves a run alone for a while.
    fn quarantine(&self, run: RunId, now: Timestamp) {
        self.quarantined().insert(run, now.after(QUARANTINE));
    }

    /// The runs that are left alone now.
    fn set_aside(&self, now: Timestamp) -> Vec<RunId> {
        let mut quarantined = self.quarantined();
        quarantined.retain(|_, until| *until > now);
        quarantined.keys().copied().collect()
    }

    fn quarantined(&self) -> MutexGuard<'_, HashMap<RunId, Timestamp>> {
        self.inner
            .quarantined
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the waker now: time may have moved.
    pub(crate) fn ring(&self) {
        self.inner.rung.notify_one();
    }
}

/// The loop.
pub(crate) struct Waker {
    shell: Arc<Shell>,
    appliers: Appliers,
    poll_interval: Duration,
}

impl Waker {
    pub(crate) fn new(shell: Arc<Shell>, appliers: Appliers, poll_interval: Duration) -> Self {
        Self {
            shell,
            appliers,
            poll_interval,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            self.shell.alarm.inner.next.store(i64::MAX, Ordering::SeqCst);
            let pause = match self.turn().await {
                Ok(Some(next)) => {
                    self.shell.alarm.inner.next.fetch_min(next.0, Ordering::SeqCst);
                    let next = Timestamp(self.shell.alarm.inner.next.load(Ordering::SeqCst));
                    next.since(self.shell.clock.now()).min(self.poll_interval)
                }
                Ok(None) => self.poll_interval,
                Err(error) => {
                    tracing::warn!(%error, "waker could not look for due runs");
                    self.poll_interval
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.shell.alarm.inner.rung.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Ticks what is due; answers when the next run is.
    async fn turn(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut ticked = HashSet::new();
        loop {
            let now = self.shell.clock.now();
            let runs = earliest(&self.shell, now, DUE_MAX).await?;
            let next = runs.iter().map(|(_, at)| *at).find(|at| *at > now);
            let due: Vec<_> = runs.into_iter().filter(|(_, at)| *at <= now).collect();
            if due.is_empty() {
                return Ok(next);
            }
            self.tick(&due, &mut ticked, now).await?;
        }
    }

    /// Ticks runs. One that fails, or is due as before after its tick, is set aside: asking it again at once would only
    /// spin, and keep those behind it waiting.
    async fn tick(
        &self,
        due: &[(RunId, Timestamp)],
        ticked: &mut HashSet<(RunId, Timestamp)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ticks = due
            .iter()
            .map(|(run, _)| self.appliers.apply(*run, vec![Input::Tick]));
        for (alarm, tick) in due.iter().zip(join_all(ticks).await) {
            let is_again = !ticked.insert(*alarm);
            match tick {
                Ok(_) if !is_again => {}
                Err(StoreError::Stopping) => return Err(StoreError::Stopping),
                // the applier has logged an error
                Ok(_) | Err(_) => self.shell.alarm.quarantine(alarm.0, now),
            }
        }
        Ok(())
    }

    /// Whether a run is due that can be applied.
    pub(crate) async fn is_due(shell: &Shell) -> Result<bool, StoreError> {
        let now = shell.clock.now();
        let first = earliest(shell, now, 1).await?;
        Ok(first.first().is_some_and(|(_, at)| *at <= now))
    }
}

const RUN_ID: &[Column] = &[("id", Kind::Id)];

/// The next alarms, the earliest first, without those of runs that are set aside: however many these are, they hide no
/// other.
async fn earliest(shell: &Shell, now: Timestamp, max: i64) -> Result<Vec<(RunId, Timestamp)>, StoreError> {
    let aside = shell.alarm.set_aside(now);
    let statement = if aside.is_empty() {
        let sql =
            format!("SELECT id, wake_at FROM run WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT {max}");
        shell.store.backend().statement(sql, [])
    } else {
        let mut rows = RowSet::new(shell.backend, RUN_ID);
        for run in aside {
            rows.id(run.0);
        }
        let sql = format!(
            "SELECT id, wake_at FROM run WHERE wake_at IS NOT NULL AND id NOT IN (SELECT c.id FROM {}) \
             ORDER BY wake_at LIMIT {max}",
            source(shell.backend, RUN_ID)
        );
        rows.bind(shell.backend, &sql, vec![])
    };
    let pair = |row: &sea_orm::QueryResult| {
        let id: uuid::Uuid = row.try_get_by_index(0)?;
        let at: i64 = row.try_get_by_index(1)?;
        Ok((RunId(id), Timestamp(at)))
    };
    shell.store.rows("find due runs", statement, pair).await
}
