//! Workflows and their versions.

use std::collections::HashMap;
use std::sync::Arc;

use runnel_engine::{WorkflowId, WorkflowVersionId};
use runnel_entity::{workflow, workflow_version};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{Reads, after_prefix, limit, page};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::convert::{version_from_row, workflow_from_row};
use crate::view::{Page, PageRequest, VersionView, WorkflowView};

pub(super) async fn find(
    reads: &Reads,
    actor: &Actor,
    key: &str,
) -> Result<Option<WorkflowView>, StoreError> {
    let row = in_namespace(actor)
        .filter(workflow::Column::Key.eq(key))
        .one(reads.store.read())
        .await;
    Ok(row.map_err(failed_to("read a workflow"))?.map(workflow_from_row))
}

pub(super) async fn by_id(
    reads: &Reads,
    actor: &Actor,
    ids: &[WorkflowId],
) -> Result<HashMap<WorkflowId, WorkflowView>, StoreError> {
    let rows = in_namespace(actor).filter(workflow::Column::Id.is_in(ids.iter().map(|id| id.0)));
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("read workflows"))?;
    Ok(rows
        .into_iter()
        .map(|row| (WorkflowId(row.id), workflow_from_row(row)))
        .collect())
}

pub(super) async fn versions_by_id(
    reads: &Reads,
    actor: &Actor,
    ids: &[WorkflowVersionId],
) -> Result<HashMap<WorkflowVersionId, VersionView>, StoreError> {
    let rows = workflow_version::Entity::find()
        .filter(workflow_version::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(workflow_version::Column::WorkflowId.in_subquery(ids_in_namespace(actor)));
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("read workflow versions"))?;
    rows.into_iter()
        .map(|row| Ok((WorkflowVersionId(row.id), version_from_row(row)?)))
        .collect()
}

pub(super) async fn list(
    reads: &Reads,
    actor: &Actor,
    key_prefix: Option<&str>,
    request: PageRequest<String>,
) -> Result<Page<WorkflowView>, StoreError> {
    let limit = limit(&request);
    let mut rows = in_namespace(actor)
        .order_by_asc(workflow::Column::Key)
        .limit(limit as u64 + 1);
    if let Some(prefix) = key_prefix {
        rows = rows.filter(workflow::Column::Key.gte(prefix));
        if let Some(end) = after_prefix(prefix) {
            rows = rows.filter(workflow::Column::Key.lt(end));
        }
    }
    let has_previous = request.after.is_some();
    if let Some(after) = request.after {
        rows = rows.filter(workflow::Column::Key.gt(after));
    }
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("list workflows"))?;
    Ok(page(
        rows.into_iter().map(workflow_from_row).collect(),
        limit,
        has_previous,
    ))
}

pub(super) async fn list_versions(
    reads: &Reads,
    actor: &Actor,
    id: WorkflowId,
    request: PageRequest<i32>,
) -> Result<Page<VersionView>, StoreError> {
    let limit = limit(&request);
    let mut rows = workflow_version::Entity::find()
        .filter(workflow_version::Column::WorkflowId.eq(id.0))
        .filter(workflow_version::Column::WorkflowId.in_subquery(ids_in_namespace(actor)))
        .order_by_desc(workflow_version::Column::Number)
        .limit(limit as u64 + 1);
    if let Some(after) = request.after {
        rows = rows.filter(workflow_version::Column::Number.lt(after));
    }
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("list workflow versions"))?;
    let items = rows.into_iter().map(version_from_row).collect::<Result<_, _>>()?;
    Ok(page(items, limit, request.after.is_some()))
}

pub(super) async fn upstream_keys(
    reads: &Reads,
    actor: &Actor,
    version: WorkflowVersionId,
) -> Result<Arc<Vec<Vec<String>>>, StoreError> {
    let found = reads.versions.get_all(&[version]).await?.remove(&version);
    let found = found.filter(|version| version.namespace == actor.namespace);
    Ok(found
        .map(|version| Arc::clone(&version.upstream_keys))
        .unwrap_or_default())
}

fn in_namespace(actor: &Actor) -> sea_orm::Select<workflow::Entity> {
    workflow::Entity::find().filter(workflow::Column::Namespace.eq(&*actor.namespace))
}

fn ids_in_namespace(actor: &Actor) -> sea_orm::sea_query::SelectStatement {
    use sea_orm::QueryTrait;
    in_namespace(actor)
        .select_only()
        .column(workflow::Column::Id)
        .into_query()
}
