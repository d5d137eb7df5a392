//! The few columns of runs that reasons and permissions are made of: one statement for a whole page.

use runnel_engine::{RunId, WorkflowVersionId};
use runnel_entity::run;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::Reads;
use super::owned::is_own;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::failed_to;

/// A run, as far as its tasks are asked about.
pub(super) struct RunHead {
    pub id: RunId,
    pub version: WorkflowVersionId,
    /// As stored.
    pub status: i16,
    pub is_paused: bool,
    /// JSON, as stored.
    pub extra: String,
}

/// Those of the runs that exist in the actor's namespace, in any order.
pub(super) async fn of_runs(
    reads: &Reads,
    actor: &Actor,
    ids: impl IntoIterator<Item = &RunId>,
) -> Result<Vec<RunHead>, StoreError> {
    let rows: Vec<(Uuid, Uuid, i16, bool, String)> = run::Entity::find()
        .filter(run::Column::Id.is_in(ids.into_iter().map(|id| id.0)))
        .filter(is_own(actor))
        .select_only()
        .columns([
            run::Column::Id,
            run::Column::WorkflowVersionId,
            run::Column::Status,
            run::Column::IsPaused,
            run::Column::Extra,
        ])
        .into_tuple()
        .all(reads.store.read())
        .await
        .map_err(failed_to("read runs"))?;
    let head = |(id, version, status, is_paused, extra)| RunHead {
        id: RunId(id),
        version: WorkflowVersionId(version),
        status,
        is_paused,
        extra,
    };
    Ok(rows.into_iter().map(head).collect())
}
