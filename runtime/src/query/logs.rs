//! Log lines of attempts.

use runnel_engine::{RunId, TaskIx};
use runnel_entity::{run, task_log};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use super::owned::is_own;
use super::{Reads, limit, page};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::convert::log_from_row;
use crate::view::{LogView, Page, PageRequest};

pub(super) async fn of_task(
    reads: &Reads,
    actor: &Actor,
    id: RunId,
    task: TaskIx,
    attempt: Option<u32>,
    request: PageRequest<i64>,
) -> Result<Page<LogView>, StoreError> {
    let limit = limit(&request);
    let own_run = run::Entity::find()
        .select_only()
        .column(run::Column::Id)
        .filter(run::Column::Id.eq(id.0))
        .filter(is_own(actor));
    let mut rows = task_log::Entity::find()
        .filter(task_log::Column::RunId.in_subquery(own_run.into_query()))
        .filter(task_log::Column::Ix.eq(task.0))
        .order_by_asc(task_log::Column::Id)
        .limit(limit as u64 + 1);
    if let Some(attempt) = attempt {
        rows = rows.filter(task_log::Column::Attempt.eq(attempt));
    }
    if let Some(after) = request.after {
        rows = rows.filter(task_log::Column::Id.gt(after));
    }
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("read a task's log"))?;
    let items = rows.into_iter().map(log_from_row).collect::<Result<_, _>>()?;
    Ok(page(items, limit, request.after.is_some()))
}
