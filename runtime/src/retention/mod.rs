//! Retention: ended runs are deleted once they are older than their namespace keeps them.
//!
//! Two kinds of short transactions, so that nothing waits for a large one and a crash leaves nothing half there:
//!
//! 1. `take` deletes the rows of a few runs from `run` and notes their ids in `run_removal`. From this commit on the runs do
//!    not exist for anybody.
//! 2. `clear` deletes what belonged to them from the other tables, a slice at a time, and forgets the ids when nothing is left.
//!
//! Any replica may do either at any time; row locks keep two of them from doing the same. A run stays while it or a run above
//! it goes on, while something it began still has to be done (`errand`), and while a dead letter of it waits for a person.

mod clear;
mod take;

use std::sync::Arc;
use std::time::Duration;

use runnel_entity::namespace;
use sea_orm::EntityTrait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::apply::Shell;
use crate::config::KEPT_DAYS_MAX;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::{Store, failed_to};

use take::Cursor;

/// How often old runs are looked for.
const EVERY: Duration = Duration::from_secs(60);

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

const REMOVED: &str = "runnel_runs_removed_total";

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retained {
    /// Runs.
    pub runs: u64,
    /// Rows of theirs in other tables.
    pub rows: u64,
}

/// How the work is paced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// After each transaction a rest as long as it took: half of the time belongs to others.
    Considerate,
    /// One transaction after the other.
    Full,
}

/// The loop.
pub(crate) struct Retention {
    pub shell: Arc<Shell>,
}

impl Retention {
    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            let retained = tokio::select! {
                // a transaction that has begun goes on by itself
                () = stop.cancelled() => return,
                retained = retain(&self.shell, Pace::Considerate) => retained,
            };
            match retained {
                Ok(Retained { runs: 0, rows: 0 }) => {}
                Ok(Retained { runs, rows }) => {
                    tracing::info!(runs, rows, "runs past their retention were deleted")
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "runs past their retention were not all deleted"
                ),
            }
        }
    }
}

impl Orchestrator {
    /// Deletes all ended runs that are older than their namespace keeps them. It also happens by itself, once a minute and
    /// considerately.
    ///
    /// # Errors
    /// The store failed; what was committed before stays deleted.
    pub async fn remove_old_runs(&self, pace: Pace) -> Result<Retained, StoreError> {
        retain(self.shell(), pace).await
    }
}

async fn retain(shell: &Shell, pace: Pace) -> Result<Retained, StoreError> {
    let store = &shell.store;
    let mut retained = Retained::default();
    // what a crash left
    retained.rows += clear_all(store, pace).await?;
    for (namespace, days) in namespaces(store, shell.runs_kept_days).await? {
        let before = shell.clock.now().0 - i64::from(days) * DAY_US;
        let mut cursor = Cursor::default();
        loop {
            let begun = Instant::now();
            let taken = take::some(store, &namespace, before, cursor).await?;
            rest(pace, begun).await;
            retained.runs += taken.runs;
            metrics::counter!(REMOVED).increment(taken.runs);
            if taken.runs > 0 {
                retained.rows += clear_all(store, pace).await?;
            }
            match taken.next {
                Some(next) => cursor = next,
                None => break,
            }
        }
    }
    Ok(retained)
}

async fn clear_all(store: &Store, pace: Pace) -> Result<u64, StoreError> {
    let mut rows = 0;
    loop {
        let begun = Instant::now();
        let cleared = clear::some(store).await?;
        rest(pace, begun).await;
        rows += cleared.rows;
        if !cleared.is_more {
            return Ok(rows);
        }
    }
}

async fn rest(pace: Pace, begun: Instant) {
    if pace == Pace::Considerate {
        tokio::time::sleep(begun.elapsed()).await;
    }
}

/// Namespaces that do not keep their runs for ever, and for how many days they do.
async fn namespaces(store: &Store, default_days: u32) -> Result<Vec<(String, u32)>, StoreError> {
    let rows = namespace::Entity::find().all(store.read()).await;
    let rows = rows.map_err(failed_to("read the retention of namespaces"))?;
    let days = |row: namespace::Model| {
        let own = row.runs_kept_days.and_then(|days| u32::try_from(days).ok());
        (row.id, own.unwrap_or(default_days).min(KEPT_DAYS_MAX))
    };
    Ok(rows.into_iter().map(days).filter(|(_, days)| *days > 0).collect())
}
