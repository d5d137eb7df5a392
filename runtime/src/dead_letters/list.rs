//! Reading letters: by keyset, by id, in groups.

use runnel_engine::run::{Category, TaskFailure};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_entity::dead_letter::{self, Column, Entity};
use runnel_queue::PayloadRef;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::letter::PAYLOAD_BYTES_MAX;
use super::{DeadLetterFilter, DeadLetterGroup, DeadLetterView, GROUPS_MAX, Kind, Status};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::window::{Window, Windowed};
use crate::store::failed_to;
use crate::view::Page;
use crate::view::convert::corrupt;

impl Orchestrator {
    /// Letters, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_dead_letters(
        &self,
        actor: &Actor,
        filter: &DeadLetterFilter,
        window: Window<Uuid>,
    ) -> Result<Page<DeadLetterView>, StoreError> {
        let walk = Windowed::new(&window);
        let rows = walk.descending(filtered(actor, filter), Column::Id, window.place().copied());
        let rows = rows
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list dead letters"))?;
        let items = rows.into_iter().map(view).collect::<Result<Vec<_>, _>>()?;
        Ok(walk.page(items))
    }

    /// One letter.
    ///
    /// # Errors
    /// The store fails.
    pub async fn find_dead_letter(
        &self,
        actor: &Actor,
        id: Uuid,
    ) -> Result<Option<DeadLetterView>, StoreError> {
        let row = filtered(actor, &DeadLetterFilter::default())
            .filter(Column::Id.eq(id))
            .one(self.reads().store.read())
            .await
            .map_err(failed_to("read a dead letter"))?;
        row.map(view).transpose()
    }

    /// Groups of letters, the largest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn group_dead_letters(
        &self,
        actor: &Actor,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetterGroup>, StoreError> {
        type Row = (String, Option<String>, String, String, String, i64, i64, i64);
        let rows: Vec<Row> = filtered(actor, filter)
            .select_only()
            .column(Column::Fingerprint)
            .column_as(Expr::col(Column::Workflow).min(), "group_workflow")
            .column_as(Expr::col(Column::Category).min(), "group_category")
            .column_as(Expr::col(Column::Code).min(), "group_code")
            .column_as(Expr::col(Column::Summary).min(), "group_summary")
            .column_as(Expr::col(Column::Id).count(), "letters")
            .column_as(Expr::col(Column::At).min(), "first_at")
            .column_as(Expr::col(Column::At).max(), "last_at")
            .group_by(Column::Fingerprint)
            .order_by_desc(Expr::col(Column::Id).count())
            .order_by_asc(Column::Fingerprint)
            .limit(u64::from(GROUPS_MAX))
            .into_tuple()
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("group dead letters"))?;
        let groups = rows.into_iter().map(
            |(fingerprint, workflow, category, code, summary, count, first_at, last_at)| DeadLetterGroup {
                fingerprint,
                workflow,
                category,
                code,
                summary,
                count,
                first_at: Timestamp(first_at),
                last_at: Timestamp(last_at),
            },
        );
        Ok(groups.collect())
    }
}

/// The letters of the actor's namespace that the filter takes.
pub(super) fn filtered(actor: &Actor, filter: &DeadLetterFilter) -> Select<Entity> {
    let mut all = Condition::all().add(Column::Namespace.eq(&*actor.namespace));
    if let Some(statuses) = &filter.status_in {
        all = all.add(Column::Status.is_in(statuses.iter().map(|status| *status as i16)));
    }
    if let Some(kinds) = &filter.kind_in {
        all = all.add(Column::Kind.is_in(kinds.iter().map(|kind| *kind as i16)));
    }
    if let Some(run) = filter.run {
        all = all.add(Column::RunId.eq(run.0));
    }
    for (column, value) in [
        (Column::Workflow, &filter.workflow),
        (Column::Task, &filter.task),
        (Column::Code, &filter.code),
        (Column::Fingerprint, &filter.fingerprint),
    ] {
        if let Some(value) = value {
            all = all.add(column.eq(value));
        }
    }
    if let Some(since) = filter.since {
        all = all.add(Column::At.gte(since.0));
    }
    if let Some(until) = filter.until {
        all = all.add(Column::At.lt(until.0));
    }
    Entity::find().filter(all)
}

impl Orchestrator {
    /// The kept payload of a letter: its first 64 KiB, also where the value itself is in the payload store. `None` when there is
    /// none, or when the value went with its run.
    ///
    /// # Errors
    /// The payload store fails.
    pub async fn dead_letter_payload(&self, letter: &DeadLetterView) -> Result<Option<String>, StoreError> {
        let Some(text) = &letter.payload else {
            return Ok(None);
        };
        // what was found in a queue is anybody's text, never a reference of ours
        if letter.kind == Kind::QueueDlq || !PayloadRef::is_text(text) {
            return Ok(Some(text.clone()));
        }
        match self.payload_preview(text, PAYLOAD_BYTES_MAX).await {
            Ok(preview) => Ok(Some(preview.inline)),
            Err(StoreError::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A failure that cannot be read shows as what is known of it: a letter must stay listable.
pub(super) fn view(row: dead_letter::Model) -> Result<DeadLetterView, StoreError> {
    let bad = |what: &str, code: i16| corrupt("dead_letter", format!("{what} {code} of {}", row.id));
    let kind = Kind::from_code(row.kind).ok_or_else(|| bad("kind", row.kind))?;
    let status = Status::from_code(row.status).ok_or_else(|| bad("status", row.status))?;
    let failure = serde_json::from_str(&row.failure)
        .unwrap_or_else(|_| TaskFailure::new(Category::Internal, &row.code, row.summary.clone(), false));
    let number = |number: i32| u32::try_from(number).unwrap_or_default();
    Ok(DeadLetterView {
        id: row.id,
        kind,
        status,
        at: Timestamp(row.at),
        workflow: row.workflow,
        run: row.run_id.map(RunId),
        ix: row.ix.map(|ix| TaskIx(number(ix))),
        task: row.task,
        attempt: row.attempt.map(number),
        queue: row.queue,
        failure,
        payload: row.payload,
        fingerprint: row.fingerprint,
        resolved_at: row.resolved_at.map(Timestamp),
        resolved_by: row.resolved_by,
        reason: row.reason,
    })
}
