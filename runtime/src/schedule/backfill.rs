//! Backfills: the nominal times of a range of the past, a bounded number of runs at once.
//!
//! A backfill uses the keys of the schedule's own runs, so that a nominal time which had its run is not run again. It
//! goes its own way beside the schedule: the overlap policy does not hold for it, its own limit does.

use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_engine::schedule::Calendar;
use runnel_engine::trigger::TriggerKind;
use runnel_entity::{backfill, schedule, trigger_outcome};
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel,
    QueryFilter, QuerySelect,
};
use uuid::Uuid;

use super::error::ScheduleError;
use super::outcome::{self, Owner};
use super::query::{backfill_from_row, schedule_from_row};
use super::stored::lock;
use super::turn::{self, Open};
use super::view::{BackfillRequest, BackfillStatus, BackfillView, OutcomeStatus, ScheduleView};
use super::{BACKFILL_MAX, BACKFILL_PARALLEL_MAX};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::failed_to;
use crate::view::convert::corrupt;

/// How long a backfill is left alone while its runs go on: the end of one rings earlier, this only heals.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Orchestrator {
    /// Starts the runs of a range of the past, or only counts them.
    ///
    /// # Errors
    /// The schedule does not exist, the range is empty or holds too many nominal times, or the store fails.
    pub async fn backfill_schedule(
        &self,
        actor: &Actor,
        schedule: Uuid,
        request: &BackfillRequest,
    ) -> Result<BackfillView, ScheduleError> {
        let found = self.find_schedule(actor, schedule).await?;
        let found = found.ok_or(ScheduleError::UnknownSchedule)?;
        let total = count(&found, request)?;
        let now = self.clock().now();
        let row = backfill::Model {
            id: self.entropy().uuid(now),
            namespace: actor.namespace.to_string(),
            schedule_id: schedule,
            from_at: request.from.0,
            until_at: request.until.0,
            // a nominal time at the begin is part of the range
            cursor: request.from.0.saturating_sub(1),
            max_parallel: i32::try_from(request.max_parallel).unwrap_or(1),
            total: i32::try_from(total).unwrap_or(i32::MAX),
            begun: 0,
            status: BackfillStatus::Running as i16,
            next_at: Some(now.0),
            created_at: now.0,
            created_by: actor.name.to_string(),
            finished_at: None,
        };
        if !request.is_dry_run {
            let insert = row.clone();
            self.reads()
                .store
                .tx("save a backfill", move |tx| {
                    let insert = insert.clone().into_active_model();
                    Box::pin(async move {
                        backfill::Entity::insert(insert)
                            .exec_without_returning(tx)
                            .await
                            .map_err(failed_to("save a backfill"))?;
                        Ok(())
                    })
                })
                .await?;
            self.schedule_bell().ring();
        }
        Ok(backfill_from_row(row)?)
    }

    /// Begins nothing more of a backfill; the runs that it has begun go on.
    ///
    /// # Errors
    /// It does not exist, or the store fails.
    pub async fn cancel_backfill(&self, actor: &Actor, id: Uuid) -> Result<BackfillView, ScheduleError> {
        let (namespace, now) = (actor.namespace.to_string(), self.clock().now());
        let row = self
            .reads()
            .store
            .tx("cancel a backfill", move |tx| {
                let namespace = namespace.clone();
                Box::pin(async move {
                    let action = "cancel a backfill";
                    let found = lock::<backfill::Entity>(tx, action, &namespace, id).await?;
                    match found {
                        Some(row) if row.status == BackfillStatus::Running as i16 => {
                            let update = backfill::ActiveModel {
                                id: Set(id),
                                status: Set(BackfillStatus::Cancelled as i16),
                                next_at: Set(None),
                                finished_at: Set(Some(now.0)),
                                ..Default::default()
                            };
                            update.update(tx).await.map(Some).map_err(failed_to(action))
                        }
                        found => Ok(found),
                    }
                })
            })
            .await?;
        let row = row.ok_or(ScheduleError::UnknownBackfill)?;
        Ok(backfill_from_row(row)?)
    }
}

fn count(schedule: &ScheduleView, request: &BackfillRequest) -> Result<usize, ScheduleError> {
    if request.until <= request.from {
        return Err(ScheduleError::invalid(
            "until",
            "the end of the range is not after its begin",
        ));
    }
    if request.max_parallel == 0 || request.max_parallel > BACKFILL_PARALLEL_MAX {
        let message = format!("runs at once must be from 1 to {BACKFILL_PARALLEL_MAX}");
        return Err(ScheduleError::invalid("maxParallel", message));
    }
    let calendar = Calendar::new(&schedule.spec)
        .map_err(|problem| corrupt("schedule", format!("spec of {}: {problem}", schedule.id)))?;
    let (after, last) = (
        Timestamp(request.from.0.saturating_sub(1)),
        Timestamp(request.until.0.saturating_sub(1)),
    );
    let total = calendar.between(after, last, BACKFILL_MAX + 1).len();
    if total > BACKFILL_MAX {
        let message = format!("the range holds more than {BACKFILL_MAX} times of the schedule; split it");
        return Err(ScheduleError::invalid("until", message));
    }
    Ok(total)
}

/// The running backfills of these schedules.
pub(super) async fn running_of(
    orchestrator: &Orchestrator,
    schedules: &[Uuid],
) -> Result<Vec<Uuid>, StoreError> {
    backfill::Entity::find()
        .select_only()
        .column(backfill::Column::Id)
        .filter(backfill::Column::NextAt.is_not_null())
        .filter(backfill::Column::ScheduleId.is_in(schedules.iter().copied()))
        .into_tuple()
        .all(orchestrator.shell().store.read())
        .await
        .map_err(failed_to("find running backfills"))
}

/// Looks at a backfill: begins as many nominal times as there is room for.
pub(super) async fn look(orchestrator: &Orchestrator, id: Uuid) -> Result<(), StoreError> {
    let shell = orchestrator.clone();
    orchestrator
        .shell()
        .store
        .tx("look at a backfill", move |tx| {
            let orchestrator = shell.clone();
            Box::pin(async move { look_in(tx, &orchestrator, id).await })
        })
        .await
}

async fn look_in(tx: &DatabaseTransaction, orchestrator: &Orchestrator, id: Uuid) -> Result<(), StoreError> {
    let failed = failed_to("look at a backfill");
    let row = backfill::Entity::find_by_id(id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(tx)
        .await
        .map_err(failed)?;
    let Some(row) = row.filter(|row| row.status == BackfillStatus::Running as i16) else {
        return Ok(());
    };
    let now = orchestrator.clock().now();
    let mut update = backfill::ActiveModel {
        id: Set(id),
        ..Default::default()
    };
    let schedule = schedule::Entity::find_by_id(row.schedule_id)
        .one(tx)
        .await
        .map_err(failed)?;
    let Some(schedule) = schedule.map(schedule_from_row).transpose()? else {
        // the schedule was deleted, and with it the wish
        update.status = Set(BackfillStatus::Cancelled as i16);
        update.next_at = Set(None);
        update.finished_at = Set(Some(now.0));
        update.update(tx).await.map_err(failed)?;
        return Ok(());
    };
    let backend = orchestrator.shell().store.backend();
    let open = Open::of_backfill(tx, backend, schedule.id, id).await?;
    turn::close(tx, &open.closed).await?;
    let begun = begin(tx, orchestrator, &row, &schedule, open.runs).await?;
    let is_over = begun.is_last && open.runs + begun.count == 0;
    update.cursor = Set(begun.cursor.0);
    update.begun = Set(row.begun.saturating_add(i32::try_from(begun.count).unwrap_or(0)));
    if is_over {
        update.status = Set(BackfillStatus::Done as i16);
        update.finished_at = Set(Some(now.0));
    }
    update.next_at = Set((!is_over).then(|| now.after(LOOK_AGAIN).0));
    update.update(tx).await.map_err(failed)?;
    Ok(())
}

struct Begun {
    cursor: Timestamp,
    count: usize,
    /// No nominal time is left.
    is_last: bool,
}

async fn begin(
    tx: &DatabaseTransaction,
    orchestrator: &Orchestrator,
    row: &backfill::Model,
    schedule: &ScheduleView,
    open: usize,
) -> Result<Begun, StoreError> {
    let calendar = Calendar::new(&schedule.spec)
        .map_err(|problem| corrupt("schedule", format!("spec of {}: {problem}", schedule.id)))?;
    let room = usize::try_from(row.max_parallel)
        .unwrap_or(1)
        .saturating_sub(open);
    let last = Timestamp(row.until_at.saturating_sub(1));
    let times = calendar.between(Timestamp(row.cursor), last, room);
    let owner = Owner {
        id: schedule.id,
        key: schedule.key.clone(),
        namespace: row.namespace.clone(),
        kind: TriggerKind::Backfill,
        now: orchestrator.clock().now(),
    };
    let mut outcomes = Vec::with_capacity(times.len());
    for nominal in &times {
        let id = orchestrator.entropy().uuid(owner.now);
        let outcome = match turn::order(orchestrator, schedule, &calendar, *nominal) {
            Ok(order) => owner.order(id, &order)?,
            Err(message) => trigger_outcome::Model {
                reason: Some("INPUT_INVALID".to_owned()),
                detail: outcome::detail(&message),
                ..owner.outcome(id, OutcomeStatus::Rejected)
            },
        };
        outcomes.push(trigger_outcome::Model {
            nominal_at: Some(nominal.0),
            backfill_id: Some(row.id),
            ..outcome
        });
    }
    outcome::insert(tx, outcomes).await?;
    let cursor = times.last().copied().unwrap_or(Timestamp(row.cursor));
    Ok(Begun {
        cursor,
        count: times.len(),
        is_last: room > times.len(),
    })
}
