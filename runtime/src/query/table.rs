//! The tasks of a file as they are in a run, few columns of all of them: what a picture of the run needs.

use runnel_engine::run::TaskStatus;
use runnel_engine::{RunId, Timestamp};
use runnel_entity::{run, task};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};

use super::Reads;
use super::owned::is_own;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::convert::task_status;

/// How one task stands.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "named as in the schema")]
pub struct TaskLine {
    pub status: TaskStatus,
    pub attempt: u32,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

type Row = (i32, i16, i32, Option<i64>, Option<i64>, Option<i64>);

/// The first `count` tasks of a run by index: those of its file, of which there are at most as many as a file may have.
/// Empty when the run is not in the actor's namespace. One statement.
pub(super) async fn of_run(
    reads: &Reads,
    actor: &Actor,
    id: RunId,
    count: u32,
) -> Result<Vec<TaskLine>, StoreError> {
    let own = run::Entity::find()
        .select_only()
        .column(run::Column::Id)
        .filter(run::Column::Id.eq(id.0))
        .filter(is_own(actor))
        .into_query();
    let rows: Vec<Row> = task::Entity::find()
        .select_only()
        .columns([
            task::Column::Ix,
            task::Column::Status,
            task::Column::Attempt,
            task::Column::QueuedAt,
            task::Column::StartedAt,
            task::Column::FinishedAt,
        ])
        .filter(task::Column::RunId.eq(id.0))
        .filter(task::Column::RunId.in_subquery(own))
        .filter(task::Column::Ix.lt(count))
        .order_by_asc(task::Column::Ix)
        .into_tuple()
        .all(reads.store.read())
        .await
        .map_err(failed_to("read the table of a run"))?;
    rows.into_iter()
        .map(|(ix, status, attempt, queued_at, started_at, finished_at)| {
            Ok(TaskLine {
                status: task_status(id.0, ix, status)?,
                attempt: u32::try_from(attempt).unwrap_or(0),
                queued_at: queued_at.map(Timestamp),
                started_at: started_at.map(Timestamp),
                finished_at: finished_at.map(Timestamp),
            })
        })
        .collect()
}
