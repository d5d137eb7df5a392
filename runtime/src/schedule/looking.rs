//! The loop: finds what is due, looks at it, starts what was decided.
//!
//! One statement finds everything that is due: schedules, backfills, starts. Idle, that is all there is, once a poll
//! interval. What is found is a hint; each is looked at under its row's lock.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use runnel_engine::Timestamp;
use runnel_entity::schedule;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryResult, QuerySelect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{backfill, fire, sweep, turn};
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::failed_to;

/// What is found at once, of each kind.
const DUE_MAX: usize = 100;

/// Schedules that are looked at side by side; each look is one transaction.
const LOOKS: usize = 4;

/// For so long a schedule is left alone that could not be looked at.
const ASIDE: Duration = Duration::from_secs(60);

/// Something that is due some day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Due {
    what: What,
    id: Uuid,
    at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Schedule,
    Backfill,
    Start,
}

/// The loop.
pub(crate) struct Scheduler {
    orchestrator: Orchestrator,
    poll_interval: Duration,
    audit_kept: Duration,
}

impl Scheduler {
    pub(crate) fn new(orchestrator: Orchestrator, poll_interval: Duration, audit_kept: Duration) -> Self {
        Self {
            orchestrator,
            poll_interval,
            audit_kept,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let bell = self.orchestrator.schedule_bell().clone();
        let mut swept = Timestamp(0);
        loop {
            let pause = match self.turn().await {
                Ok(Some(next)) => next
                    .since(self.orchestrator.clock().now())
                    .min(self.poll_interval),
                Ok(None) => self.poll_interval,
                Err(StoreError::Stopping) => return,
                Err(error) => {
                    tracing::warn!(%error, "scheduler could not look for what is due");
                    self.poll_interval
                }
            };
            if let Err(error) = sweep::old(&self.orchestrator, self.audit_kept, &mut swept).await {
                tracing::warn!(%error, "old outcomes and events were not deleted");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = bell.rung() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Does what is due; answers when something is due next.
    async fn turn(&self) -> Result<Option<Timestamp>, StoreError> {
        let orchestrator = &self.orchestrator;
        let _busy = orchestrator.schedule_bell().work();
        let mut seen = HashSet::new();
        loop {
            self.look_after_ends().await?;
            let now = orchestrator.clock().now();
            let found = earliest(orchestrator, DUE_MAX).await?;
            let next = found.iter().map(|due| due.at).find(|at| *at > now);
            // one that is due as before is another replica's, or cannot be done: asking again at once would only spin
            let due: Vec<Due> = found
                .into_iter()
                .filter(|due| due.at <= now && (due.what == What::Start || seen.insert(*due)))
                .collect();
            let of = |what: What| due.iter().filter(move |due| due.what == what);
            let schedules: Vec<Uuid> = of(What::Schedule).map(|due| due.id).collect();
            self.look_at(&schedules).await?;
            for due in of(What::Backfill) {
                backfill::look(orchestrator, due.id).await?;
            }
            let mut started = 0;
            if !due.is_empty() {
                started = fire::due(orchestrator).await?;
            }
            if of(What::Start).count() == due.len() && started == 0 {
                return Ok(next);
            }
        }
    }

    async fn look_at(&self, ids: &[Uuid]) -> Result<(), StoreError> {
        for some in ids.chunks(LOOKS) {
            let looks = some.iter().map(|id| turn::look(&self.orchestrator, *id));
            for (id, looked) in some.iter().zip(join_all(looks).await) {
                match looked {
                    Ok(()) => {}
                    Err(error @ StoreError::Corrupt { .. }) => {
                        tracing::error!(schedule = %id, error = &error as &dyn std::error::Error, "schedule cannot be looked at");
                        let until = self.orchestrator.clock().now().after(ASIDE);
                        turn::set_aside(&self.orchestrator, *id, until).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Schedules and backfills that wait for the end of a run, of those that had one end.
    async fn look_after_ends(&self) -> Result<(), StoreError> {
        let orchestrator = &self.orchestrator;
        let ended = orchestrator.schedule_bell().take_ended();
        if ended.is_empty() {
            return Ok(());
        }
        let failed = failed_to("find waiting schedules");
        let waits = Condition::any()
            .add(schedule::Column::Buffered.ne("[]"))
            .add(schedule::Column::Policy.contains("\"pause_after\""));
        let waiting: Vec<Uuid> = schedule::Entity::find()
            .select_only()
            .column(schedule::Column::Id)
            .filter(schedule::Column::Id.is_in(ended.iter().copied()))
            .filter(schedule::Column::IsPaused.eq(false))
            .filter(waits)
            .into_tuple()
            .all(orchestrator.shell().store.read())
            .await
            .map_err(failed)?;
        self.look_at(&waiting).await?;
        for backfill in backfill::running_of(orchestrator, &ended).await? {
            backfill::look(orchestrator, backfill).await?;
        }
        Ok(())
    }
}

/// Whether something is due now.
pub(crate) async fn is_due(orchestrator: &Orchestrator) -> Result<bool, StoreError> {
    let now = orchestrator.clock().now();
    let first = earliest(orchestrator, 1).await?;
    Ok(first.first().is_some_and(|due| due.at <= now))
}

/// What is due next, the earliest first: one statement over three indexes that hold nothing else.
async fn earliest(orchestrator: &Orchestrator, max: usize) -> Result<Vec<Due>, StoreError> {
    let part = |number: u8, table: &str, column: &str| {
        format!(
            "SELECT {number} AS what, id, {column} AS at FROM (SELECT id, {column} FROM {table} \
             WHERE {column} IS NOT NULL ORDER BY {column} LIMIT {max}) AS p{number}"
        )
    };
    let sql = format!(
        "{} UNION ALL {} UNION ALL {} ORDER BY 3",
        part(0, "schedule", "next_at"),
        part(1, "backfill", "next_at"),
        part(2, "trigger_outcome", "due_at")
    );
    let store = &orchestrator.shell().store;
    let due = |row: &QueryResult| {
        let what: i32 = row.try_get_by_index(0)?;
        Ok(Due {
            what: match what {
                0 => What::Schedule,
                1 => What::Backfill,
                _ => What::Start,
            },
            id: row.try_get_by_index(1)?,
            at: Timestamp(row.try_get_by_index(2)?),
        })
    };
    let statement = store.backend().statement(sql, []);
    store.rows("find due schedules", statement, due).await
}
