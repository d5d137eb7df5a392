//! States of the whole that are asked for and not counted along: how many runs go on, what waits where, since when.
//!
//! Read when somebody asks, at most every few seconds, and less often where reading takes long: a server that nobody scrapes spends
//! nothing, and one with a hundred thousand tasks at work spends a twentieth of one connection.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use metrics::gauge;
use runnel_engine::Timestamp;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_queue::{QueueError, QueueName};
use sea_orm::QueryResult;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::meters::{self, METERS};
use crate::orchestrator::Orchestrator;
use crate::registry::WORKER_TTL;

/// Shortest time between two readings.
const EVERY: Duration = Duration::from_secs(5);

/// A reading that takes long is repeated after so many times its length.
const REST: u32 = 20;

/// Queues whose depth is asked for; each costs two calls to the queue service.
const QUEUES_MAX: usize = 50;

/// Longest wait for the queue service: the page has more to show.
const QUEUE_WAIT: Duration = Duration::from_secs(2);

/// When the next reading may be, and what the last one found: what is gone since must be shown as none.
#[derive(Debug, Default)]
pub(crate) struct Measuring {
    next_at: AtomicI64,
    shown: tokio::sync::Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    queues: BTreeSet<String>,
    worker_queues: BTreeSet<String>,
}

/// Attempts of one queue and status.
struct QueueRow {
    queue: String,
    status: i16,
    count: i64,
    oldest: Option<i64>,
}

impl Orchestrator {
    /// Reads the states into the metrics of this process, unless that was done a moment ago.
    pub async fn measure(&self) {
        let measuring = self.measuring();
        let now = self.clock().now();
        if now.0 < measuring.next_at.load(Ordering::Relaxed) {
            return;
        }
        // somebody else is at it
        let Ok(mut shown) = measuring.shown.try_lock() else {
            return;
        };
        let begun = Instant::now();
        self.measure_pool();
        if let Err(error) = self.read_states(&mut shown, now).await {
            tracing::debug!(%error, "metrics show what was read before");
        }
        let rest = (begun.elapsed() * REST).max(EVERY);
        measuring.next_at.store(now.after(rest).0, Ordering::Relaxed);
    }

    fn measure_pool(&self) {
        gauge!(meters::APPLIER_WAITING).set(float(self.appliers().unfinished()));
        if let Some(pool) = self.reads().store.postgres() {
            let idle = pool.num_idle();
            let open = usize::try_from(pool.size()).unwrap_or(usize::MAX);
            gauge!(meters::CONNECTIONS, "state" => "idle").set(float(idle));
            gauge!(meters::CONNECTIONS, "state" => "used").set(float(open.saturating_sub(idle)));
            gauge!(meters::CONNECTIONS_MAX).set(f64::from(pool.options().get_max_connections()));
        }
    }

    async fn read_states(&self, shown: &mut Shown, now: Timestamp) -> Result<(), StoreError> {
        self.read_runs().await?;
        let queues = self.read_queues(shown, now).await?;
        self.read_waiting(now).await?;
        self.read_workers(shown, now).await?;
        self.read_depths(queues).await;
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since the epoch are far below 2^53"
        )]
        gauge!(meters::MEASURED).set(now.0 as f64 / 1_000_000.0);
        Ok(())
    }

    async fn rows<T>(
        &self,
        action: &'static str,
        sql: &str,
        read: impl Fn(&QueryResult) -> Result<T, sea_orm::DbErr>,
    ) -> Result<Vec<T>, StoreError> {
        let store = &self.reads().store;
        store.rows(action, store.backend().statement(sql, []), read).await
    }

    async fn read_runs(&self) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT status, count(*) FROM run WHERE status < {} GROUP BY status",
            ENDED
        );
        let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        let found: Vec<(i16, i64)> = self.rows("count runs", &sql, read).await?;
        for status in RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let count = found.iter().find(|(code, _)| *code == status as i16);
            gauge!(meters::RUNS, "status" => meters::run_status(status))
                .set(float(count.map_or(0, |(_, count)| *count)));
        }
        Ok(())
    }

    /// Tasks by status, and of those that are out by queue; answers the queues.
    async fn read_queues(&self, shown: &mut Shown, now: Timestamp) -> Result<BTreeSet<String>, StoreError> {
        let sql = format!(
            "SELECT t.queue, t.status, count(*), min(t.queued_at) FROM run r JOIN task t ON t.run_id = r.id \
             WHERE r.status < {ENDED} GROUP BY t.queue, t.status"
        );
        let read = |row: &QueryResult| {
            Ok(QueueRow {
                queue: row.try_get_by_index(0)?,
                status: row.try_get_by_index(1)?,
                count: row.try_get_by_index(2)?,
                oldest: row.try_get_by_index(3)?,
            })
        };
        let found = self.rows("count tasks", &sql, read).await?;
        for status in TaskStatus::ALL {
            let of: i64 = found
                .iter()
                .filter(|row| row.status == status as i16)
                .map(|row| row.count)
                .sum();
            gauge!(meters::TASKS, "status" => task_status(status)).set(float(of));
        }
        let is_out =
            |row: &&QueueRow| [TaskStatus::Queued as i16, TaskStatus::Running as i16].contains(&row.status);
        shown
            .queues
            .extend(found.iter().filter(is_out).map(|row| row.queue.clone()));
        for queue in &shown.queues {
            let label = METERS.queue(queue).to_owned();
            let of = |status: TaskStatus| {
                found
                    .iter()
                    .find(|row| row.queue == *queue && row.status == status as i16)
            };
            for (status, state) in [(TaskStatus::Queued, "queued"), (TaskStatus::Running, "running")] {
                gauge!(meters::QUEUE_TASKS, "queue" => label.clone(), "state" => state)
                    .set(float(of(status).map_or(0, |row| row.count)));
            }
            let oldest = of(TaskStatus::Queued).and_then(|row| row.oldest);
            gauge!(meters::QUEUE_OLDEST, "queue" => label).set(age(now, oldest));
        }
        let mut queues = shown.queues.clone();
        queues.extend(self.shell().registry.queues());
        Ok(queues)
    }

    async fn read_waiting(&self, now: Timestamp) -> Result<(), StoreError> {
        let pair = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        let outbox: Vec<(i64, Option<i64>)> = self
            .rows(
                "count the outbox",
                "SELECT count(*), min(created_at) FROM outbox",
                pair,
            )
            .await?;
        let (rows, oldest) = outbox.first().copied().unwrap_or_default();
        gauge!(meters::OUTBOX_ROWS).set(float(rows));
        gauge!(meters::OUTBOX_OLDEST).set(age(now, oldest));
        let one = |row: &QueryResult| row.try_get_by_index::<Option<i64>>(0);
        let letters = "SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL";
        let letters = self.rows("count dead letters", letters, one).await?;
        gauge!(meters::DEAD_LETTERS).set(float(letters.first().copied().flatten().unwrap_or(0)));
        let alarm = format!("SELECT min(wake_at) FROM run WHERE status < {ENDED}");
        let alarm = self.rows("look for the earliest alarm", &alarm, one).await?;
        gauge!(meters::OVERDUE).set(age(now, alarm.first().copied().flatten()));
        Ok(())
    }

    async fn read_workers(&self, shown: &mut Shown, now: Timestamp) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT queue, count(*), CAST(sum(slots) AS BIGINT) FROM worker WHERE left_at IS NULL AND seen_at > {} GROUP BY queue",
            now.before(WORKER_TTL).0
        );
        let read = |row: &QueryResult| {
            Ok((
                row.try_get_by_index(0)?,
                row.try_get_by_index(1)?,
                row.try_get_by_index(2)?,
            ))
        };
        let found: Vec<(String, i64, i64)> = self.rows("count workers", &sql, read).await?;
        shown
            .worker_queues
            .extend(found.iter().map(|(queue, ..)| queue.clone()));
        for queue in &shown.worker_queues {
            let label = METERS.queue(queue).to_owned();
            let (_, workers, slots) = found
                .iter()
                .find(|(of, ..)| of == queue)
                .cloned()
                .unwrap_or_default();
            gauge!(meters::WORKERS, "queue" => label.clone()).set(float(workers));
            gauge!(meters::SLOTS, "queue" => label).set(float(slots));
        }
        Ok(())
    }

    /// Asks the queue service, all queues side by side.
    async fn read_depths(&self, queues: BTreeSet<String>) {
        let asked = queues.into_iter().take(QUEUES_MAX).map(|name| async move {
            let queue = QueueName(name.clone());
            let depth = tokio::time::timeout(QUEUE_WAIT, self.queue().depth(&queue)).await;
            if let Ok(Ok(depth)) = depth {
                let label = METERS.queue(&name).to_owned();
                let states = [
                    ("visible", depth.visible),
                    ("in_flight", depth.in_flight),
                    ("delayed", depth.delayed),
                ];
                for (state, count) in states {
                    gauge!(meters::QUEUE_MESSAGES, "queue" => label.clone(), "state" => state)
                        .set(float(count));
                }
            }
            let dead = self.queue().dead_letter(&queue);
            let depth = tokio::time::timeout(QUEUE_WAIT, self.queue().depth(&dead)).await;
            let dead = match depth {
                Ok(Ok(depth)) => depth.visible + depth.in_flight,
                Ok(Err(QueueError::NotFound { .. })) => 0,
                Ok(Err(QueueError::Unavailable { .. })) | Err(_) => return,
            };
            gauge!(meters::DEAD_MESSAGES, "queue" => METERS.queue(&name).to_owned()).set(float(dead));
        });
        futures_util::future::join_all(asked).await;
    }
}

/// The first status of a run that has ended.
const ENDED: u8 = RunStatus::Succeeded as u8;

/// Seconds since then; none where there is nothing, or where it is still to come.
fn age(now: Timestamp, since: Option<i64>) -> f64 {
    since.map_or(0.0, |since| now.since(Timestamp(since)).as_secs_f64())
}

/// Counts beyond 2^32 are shown as that.
fn float(count: impl TryInto<u32>) -> f64 {
    f64::from(count.try_into().unwrap_or(u32::MAX))
}

fn task_status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Blocked => "blocked",
        TaskStatus::Ready => "ready",
        TaskStatus::Queued => "queued",
        TaskStatus::Running => "running",
        TaskStatus::Waiting => "waiting",
        TaskStatus::RetryWait => "retry_wait",
        TaskStatus::Succeeded => "succeeded",
        TaskStatus::Failed => "failed",
        TaskStatus::TimedOut => "timed_out",
        TaskStatus::Cancelled => "cancelled",
        TaskStatus::Skipped => "skipped",
        TaskStatus::Cached => "cached",
    }
}
