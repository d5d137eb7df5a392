//! Reads of schedules, outcomes and backfills.

use std::collections::HashMap;

use runnel_engine::schedule::{Calendar, PREVIEW_MAX, Preview, preview};
use runnel_engine::{Timestamp, WorkflowId};
use runnel_entity::{backfill, schedule, trigger_outcome};
use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::error::ScheduleError;
use super::outcome;
use super::stored::{self, Scoped};
use super::view::{
    BackfillStatus, BackfillView, Origin, OutcomeFilter, OutcomeStatus, OutcomeView, ScheduleView,
};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::{PAGE_MAX, page as page_of};
use crate::store::failed_to;
use crate::view::convert::{corrupt, json};
use crate::view::{Page, PageRequest};

#[expect(
    clippy::missing_errors_doc,
    reason = "named after what they answer; they fail when the store does"
)]
impl Orchestrator {
    /// A schedule by its id.
    pub async fn find_schedule(&self, actor: &Actor, id: Uuid) -> Result<Option<ScheduleView>, StoreError> {
        let store = &self.reads().store;
        let row = stored::find::<schedule::Entity>(store, "read a schedule", &actor.namespace, id).await?;
        row.map(schedule_from_row).transpose()
    }

    /// Schedules by their ids.
    pub async fn schedules_by_id(
        &self,
        actor: &Actor,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, ScheduleView>, StoreError> {
        let store = &self.reads().store;
        let rows = stored::find_all::<schedule::Entity>(store, "read schedules", &actor.namespace, ids);
        let rows = rows.await?.into_iter();
        rows.map(|row| Ok((row.id, schedule_from_row(row)?))).collect()
    }

    /// A schedule by its key.
    pub async fn find_schedule_by_key(
        &self,
        actor: &Actor,
        key: &str,
    ) -> Result<Option<ScheduleView>, StoreError> {
        let store = &self.reads().store;
        let row =
            stored::find_by_key::<schedule::Entity>(store, "read a schedule", &actor.namespace, key).await?;
        row.map(schedule_from_row).transpose()
    }

    /// Schedules by key; of one workflow when it is named.
    pub async fn list_schedules(
        &self,
        actor: &Actor,
        workflow: Option<&str>,
        page: PageRequest<String>,
    ) -> Result<Page<ScheduleView>, StoreError> {
        let (store, whose) = (&self.reads().store, (&*actor.namespace, workflow));
        stored::list::<schedule::Entity, _>(store, "list schedules", whose, page, schedule_from_row).await
    }

    /// The next nominal times of a schedule, whether or not it is paused.
    ///
    /// # Errors
    /// The stored spec cannot be read.
    pub fn next_runs(&self, schedule: &ScheduleView, count: usize) -> Result<Vec<Preview>, ScheduleError> {
        let calendar = Calendar::new(&schedule.spec)
            .map_err(|problem| corrupt("schedule", format!("spec of {}: {problem}", schedule.id)))?;
        let after = schedule.cursor.max(self.clock().now());
        Ok(preview(&calendar, after, count.min(PREVIEW_MAX)))
    }

    /// What became of the moments of schedules and of events, newest first; keyset over (`created_at`, id).
    pub async fn list_outcomes(
        &self,
        actor: &Actor,
        filter: OutcomeFilter,
        page: PageRequest<(i64, Uuid)>,
    ) -> Result<Page<OutcomeView>, StoreError> {
        let limit = page.first.clamp(1, PAGE_MAX) as usize;
        let mut rows = trigger_outcome::Entity::of(&actor.namespace)
            .order_by_desc(trigger_outcome::Column::CreatedAt)
            .order_by_desc(trigger_outcome::Column::Id)
            .limit(limit as u64 + 1);
        if let Some(owner) = filter.owner {
            rows = rows.filter(trigger_outcome::Column::OwnerId.eq(owner));
        }
        if let Some(statuses) = filter.status_in {
            rows = rows
                .filter(trigger_outcome::Column::Status.is_in(statuses.into_iter().map(OutcomeStatus::code)));
        }
        let has_previous = page.after.is_some();
        if let Some((at, id)) = page.after {
            let same = Condition::all()
                .add(trigger_outcome::Column::CreatedAt.eq(at))
                .add(trigger_outcome::Column::Id.lt(id));
            rows = rows.filter(
                Condition::any()
                    .add(trigger_outcome::Column::CreatedAt.lt(at))
                    .add(same),
            );
        }
        let rows = rows
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list trigger outcomes"))?;
        let items = rows
            .into_iter()
            .map(outcome::from_row)
            .collect::<Result<_, _>>()?;
        Ok(page_of(items, limit, has_previous))
    }

    /// One outcome.
    pub async fn find_outcome(&self, actor: &Actor, id: Uuid) -> Result<Option<OutcomeView>, StoreError> {
        let store = &self.reads().store;
        let row =
            stored::find::<trigger_outcome::Entity>(store, "read a trigger outcome", &actor.namespace, id)
                .await?;
        row.map(outcome::from_row).transpose()
    }

    /// A backfill by its id.
    pub async fn find_backfill(&self, actor: &Actor, id: Uuid) -> Result<Option<BackfillView>, StoreError> {
        let store = &self.reads().store;
        let row = stored::find::<backfill::Entity>(store, "read a backfill", &actor.namespace, id).await?;
        row.map(backfill_from_row).transpose()
    }

    /// The newest backfills of a schedule.
    pub async fn list_backfills(
        &self,
        actor: &Actor,
        schedule: Uuid,
        first: u32,
    ) -> Result<Vec<BackfillView>, StoreError> {
        let rows = backfill::Entity::of(&actor.namespace)
            .filter(backfill::Column::ScheduleId.eq(schedule))
            .order_by_desc(backfill::Column::CreatedAt)
            .order_by_desc(backfill::Column::Id)
            .limit(u64::from(first.clamp(1, PAGE_MAX)))
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list backfills"))?;
        rows.into_iter().map(backfill_from_row).collect()
    }
}

/// Who made it, from the stored number.
pub(crate) fn origin_of(code: i16) -> Option<Origin> {
    [Origin::Api, Origin::File, Origin::Start]
        .into_iter()
        .find(|origin| *origin as i16 == code)
}

pub(super) fn schedule_from_row(row: schedule::Model) -> Result<ScheduleView, StoreError> {
    let id = row.id;
    let buffered: Vec<i64> = json("schedule", id, "buffered", &row.buffered)?;
    Ok(ScheduleView {
        id,
        origin: origin_of(row.origin).ok_or_else(|| corrupt("schedule", format!("origin of {id}")))?,
        spec: json("schedule", id, "spec", &row.spec)?,
        policy: json("schedule", id, "policy", &row.policy)?,
        inputs: json("schedule", id, "inputs", &row.inputs)?,
        tags: json("schedule", id, "tags", &row.tags)?,
        key: row.key,
        workflow_id: WorkflowId(row.workflow_id),
        workflow_key: row.workflow_key,
        version: row.version,
        priority: u8::try_from(row.priority).ok(),
        is_enabled: row.is_enabled,
        is_paused: row.is_paused,
        pause_reason: row.pause_reason,
        paused_by: row.paused_by,
        cursor: Timestamp(row.cursor),
        buffered: buffered.into_iter().map(Timestamp).collect(),
        failures: u32::try_from(row.failures).unwrap_or(0),
        revision: row.revision,
        created_at: Timestamp(row.created_at),
        created_by: row.created_by,
        updated_at: Timestamp(row.updated_at),
    })
}

pub(super) fn backfill_from_row(row: backfill::Model) -> Result<BackfillView, StoreError> {
    let unsigned = |number: i32| u32::try_from(number).unwrap_or(0);
    let status = match row.status {
        0 => BackfillStatus::Running,
        1 => BackfillStatus::Done,
        2 => BackfillStatus::Cancelled,
        other => return Err(corrupt("backfill", format!("status {other} of {}", row.id))),
    };
    Ok(BackfillView {
        id: row.id,
        schedule: row.schedule_id,
        from: Timestamp(row.from_at),
        until: Timestamp(row.until_at),
        max_parallel: unsigned(row.max_parallel),
        total: unsigned(row.total),
        begun: unsigned(row.begun),
        status,
        created_at: Timestamp(row.created_at),
        created_by: row.created_by,
        finished_at: row.finished_at.map(Timestamp),
    })
}
