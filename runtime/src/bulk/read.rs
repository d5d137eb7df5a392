//! Operations on many runs as people see them. Progress is counted from the items, so that it cannot be wrong.

use std::collections::HashMap;

use runnel_engine::{RunId, Timestamp};
use runnel_entity::{bulk_item, bulk_operation};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{BulkFailure, BulkView, DONE, FAILED};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::query::window::{Window, Windowed};
use crate::store::failed_to;
use crate::view::Page;

impl Orchestrator {
    /// Operations by id; those of other namespaces are not there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn bulk_by_id(
        &self,
        actor: &Actor,
        ids: &[Uuid],
    ) -> Result<HashMap<Uuid, BulkView>, StoreError> {
        let rows = own(actor)
            .filter(bulk_operation::Column::Id.is_in(ids.iter().copied()))
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("read operations on many runs"))?;
        let views = self.with_progress(rows).await?;
        Ok(views.into_iter().map(|view| (view.id, view)).collect())
    }

    /// Operations, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_bulk(&self, actor: &Actor, window: Window<Uuid>) -> Result<Page<BulkView>, StoreError> {
        let walk = Windowed::new(&window);
        let rows = walk.descending(own(actor), bulk_operation::Column::Id, window.place().copied());
        let rows = rows
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list operations on many runs"))?;
        Ok(walk.page(self.with_progress(rows).await?))
    }

    /// The runs of an operation that could not be operated on, in its order.
    ///
    /// # Errors
    /// The store fails.
    pub async fn bulk_failures(
        &self,
        operation: Uuid,
        window: Window<i32>,
    ) -> Result<Page<BulkFailure>, StoreError> {
        let walk = Windowed::new(&window);
        let failed = bulk_item::Entity::find()
            .filter(bulk_item::Column::OperationId.eq(operation))
            .filter(bulk_item::Column::Outcome.eq(FAILED));
        let rows = walk
            .ascending(failed, bulk_item::Column::Seq, window.place().copied())
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list failures of an operation on many runs"))?;
        let failures = rows.into_iter().map(|row| BulkFailure {
            seq: row.seq,
            run: RunId(row.run_id),
            code: row.code.unwrap_or_default(),
            message: row.message.unwrap_or_default(),
        });
        Ok(walk.page(failures.collect()))
    }

    async fn with_progress(&self, rows: Vec<bulk_operation::Model>) -> Result<Vec<BulkView>, StoreError> {
        let counts: Vec<(Uuid, i16, i64)> = bulk_item::Entity::find()
            .select_only()
            .column(bulk_item::Column::OperationId)
            .column(bulk_item::Column::Outcome)
            .column_as(bulk_item::Column::Seq.count(), "items")
            .filter(bulk_item::Column::OperationId.is_in(rows.iter().map(|row| row.id)))
            .group_by(bulk_item::Column::OperationId)
            .group_by(bulk_item::Column::Outcome)
            .into_tuple()
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("read the progress of operations on many runs"))?;
        let counted = |id: Uuid, outcome: i16| {
            let found = counts.iter().find(|(of, is, _)| *of == id && *is == outcome);
            found.map_or(0, |(_, _, items)| u32::try_from(*items).unwrap_or(u32::MAX))
        };
        let view = |row: bulk_operation::Model| BulkView {
            done: counted(row.id, DONE),
            failed: counted(row.id, FAILED),
            id: row.id,
            action: row.action,
            reason: row.reason,
            created_by: row.created_by,
            created_at: Timestamp(row.created_at),
            started_at: row.started_at.map(Timestamp),
            finished_at: row.finished_at.map(Timestamp),
            total: u32::try_from(row.total).unwrap_or_default(),
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

fn own(actor: &Actor) -> sea_orm::Select<bulk_operation::Entity> {
    bulk_operation::Entity::find().filter(bulk_operation::Column::Namespace.eq(&*actor.namespace))
}
