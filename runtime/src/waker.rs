//! The alarm clock: finds runs that are due and lets them tick.
//!
//! Which runs are due is a hint: a tick of a run that another replica has ticked already does nothing. Sleeps until the
//! next alarm, at most the poll interval; an alarm that moves earlier wakes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use runnel_engine::run::Input;
use runnel_engine::{RunId, Timestamp};
use sea_orm::ConnectionTrait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::apply::{Appliers, Shell};
use crate::error::StoreError;
use crate::store::failed_to;

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
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            inner: Arc::new(AlarmInner {
                next: AtomicI64::new(i64::MAX),
                rung: Notify::new(),
            }),
        }
    }

    /// Something is due at this moment; wakes the waker when it would sleep longer.
    pub(crate) fn set(&self, at: Timestamp) {
        if self.inner.next.fetch_min(at.0, Ordering::SeqCst) > at.0 {
            self.inner.rung.notify_one();
        }
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
    /// Runs that could not be applied, and until when they are left alone.
    quarantined: HashMap<RunId, Timestamp>,
}

impl Waker {
    pub(crate) fn new(shell: Arc<Shell>, appliers: Appliers, poll_interval: Duration) -> Self {
        Self {
            shell,
            appliers,
            poll_interval,
            quarantined: HashMap::new(),
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
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
    async fn turn(&mut self) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let now = self.shell.clock.now();
            self.quarantined.retain(|_, until| *until > now);
            let runs = self.earliest().await?;
            let is_full = i64::try_from(runs.len()) == Ok(DUE_MAX);
            let next = runs.iter().map(|(_, at)| *at).find(|at| *at > now);
            let due = runs
                .into_iter()
                .filter(|(run, at)| *at <= now && !self.quarantined.contains_key(run));
            let due: Vec<RunId> = due.map(|(run, _)| run).collect();
            if due.is_empty() {
                return Ok(next);
            }
            let ticks = due.iter().map(|run| self.appliers.apply(*run, vec![Input::Tick]));
            for (run, ticked) in due.iter().zip(futures_util::future::join_all(ticks).await) {
                match ticked {
                    Ok(_) => {}
                    Err(StoreError::Stopping) => return Err(StoreError::Stopping),
                    // the applier has logged it; asking again at once would only spin
                    Err(_) => drop(self.quarantined.insert(*run, now.after(QUARANTINE))),
                }
            }
            if !is_full {
                return Ok(self
                    .earliest()
                    .await?
                    .into_iter()
                    .map(|(_, at)| at)
                    .find(|at| *at > now));
            }
        }
    }

    async fn earliest(&self) -> Result<Vec<(RunId, Timestamp)>, StoreError> {
        let sql = self.shell.store.backend().pick(
            "SELECT id, wake_at FROM run WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT $1",
            "SELECT id, wake_at FROM run WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT ?1",
        );
        let statement = self.shell.store.backend().statement(sql, [DUE_MAX.into()]);
        let failed = failed_to("find due runs");
        let rows = self
            .shell
            .store
            .read()
            .query_all_raw(statement)
            .await
            .map_err(failed)?;
        let pair = |row: &sea_orm::QueryResult| {
            let id: uuid::Uuid = row.try_get_by_index(0)?;
            let at: i64 = row.try_get_by_index(1)?;
            Ok((RunId(id), Timestamp(at)))
        };
        rows.iter()
            .map(pair)
            .collect::<Result<_, sea_orm::DbErr>>()
            .map_err(failed)
    }

    /// Whether a run is due that can be applied.
    pub(crate) async fn is_due(shell: &Shell) -> Result<bool, StoreError> {
        let sql = shell.store.backend().pick(
            "SELECT 1 FROM run WHERE wake_at <= $1 LIMIT 1",
            "SELECT 1 FROM run WHERE wake_at <= ?1 LIMIT 1",
        );
        let statement = shell.store.backend().statement(sql, [shell.clock.now().0.into()]);
        let found = shell
            .store
            .read()
            .query_one_raw(statement)
            .await
            .map_err(failed_to("find due runs"))?;
        Ok(found.is_some())
    }
}
