//! Workflows and their versions.

use std::collections::HashMap;
use std::sync::Arc;

use runnel_engine::{WorkflowId, WorkflowVersionId};
use runnel_entity::{workflow, workflow_version};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, Select};

use super::count::{self, Count};
use super::window::{Window, Windowed};
use super::{Reads, after_prefix};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::convert::{version_from_row, workflow_from_row};
use crate::view::{Page, VersionView, WorkflowFilter, WorkflowView};

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
    filter: WorkflowFilter,
    window: Window<String>,
) -> Result<Page<WorkflowView>, StoreError> {
    let walk = Windowed::new(&window);
    let rows = filtered(reads, actor, filter);
    let rows = walk.ascending(rows, workflow::Column::Key, window.place());
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("list workflows"))?;
    Ok(walk.page(rows.into_iter().map(workflow_from_row).collect()))
}

pub(super) async fn count(reads: &Reads, actor: &Actor, filter: WorkflowFilter) -> Result<Count, StoreError> {
    count::capped(reads, filtered(reads, actor, filter), "count workflows").await
}

fn filtered(reads: &Reads, actor: &Actor, filter: WorkflowFilter) -> Select<workflow::Entity> {
    let WorkflowFilter {
        key_in,
        key_prefix,
        text,
        updated_at_gte,
        updated_at_lt,
    } = filter;
    let mut rows = in_namespace(actor);
    if let Some(keys) = key_in {
        rows = rows.filter(workflow::Column::Key.is_in(keys));
    }
    if let Some(prefix) = key_prefix {
        if let Some(end) = after_prefix(&prefix) {
            rows = rows.filter(workflow::Column::Key.lt(end));
        }
        rows = rows.filter(workflow::Column::Key.gte(prefix));
    }
    if let Some(text) = text {
        let has = |column: workflow::Column| {
            let place = Func::cust(reads.store.backend().pick("strpos", "instr"))
                .arg(Func::lower(Expr::col(column)))
                .arg(Func::lower(Expr::val(text.clone())));
            Expr::expr(place).gt(0)
        };
        rows = rows.filter(has(workflow::Column::Key).or(has(workflow::Column::Name)));
    }
    if let Some(from) = updated_at_gte {
        rows = rows.filter(workflow::Column::UpdatedAt.gte(from.0));
    }
    if let Some(until) = updated_at_lt {
        rows = rows.filter(workflow::Column::UpdatedAt.lt(until.0));
    }
    rows
}

pub(super) async fn list_versions(
    reads: &Reads,
    actor: &Actor,
    id: WorkflowId,
    window: Window<i32>,
) -> Result<Page<VersionView>, StoreError> {
    let walk = Windowed::new(&window);
    let rows = workflow_version::Entity::find()
        .filter(workflow_version::Column::WorkflowId.eq(id.0))
        .filter(workflow_version::Column::WorkflowId.in_subquery(ids_in_namespace(actor)));
    let rows = walk
        .descending(rows, workflow_version::Column::Number, window.place().copied())
        .all(reads.store.read())
        .await
        .map_err(failed_to("list workflow versions"))?;
    let items = rows.into_iter().map(version_from_row).collect::<Result<_, _>>()?;
    Ok(walk.page(items))
}

pub(super) async fn versions_by_number(
    reads: &Reads,
    actor: &Actor,
    numbers: &[(WorkflowId, i32)],
) -> Result<HashMap<(WorkflowId, i32), VersionView>, StoreError> {
    let one_of = numbers.iter().fold(Condition::any(), |any, (id, number)| {
        let version = workflow_version::Column::WorkflowId.eq(id.0);
        any.add(version.and(workflow_version::Column::Number.eq(*number)))
    });
    let rows = workflow_version::Entity::find()
        .filter(one_of)
        .filter(workflow_version::Column::WorkflowId.in_subquery(ids_in_namespace(actor)))
        .all(reads.store.read())
        .await
        .map_err(failed_to("read workflow versions"))?;
    rows.into_iter()
        .map(|row| {
            let key = (WorkflowId(row.workflow_id), row.number);
            Ok((key, version_from_row(row)?))
        })
        .collect()
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

pub(super) async fn plan(
    reads: &Reads,
    actor: &Actor,
    version: WorkflowVersionId,
) -> Result<Option<Arc<runnel_engine::Plan>>, StoreError> {
    let found = reads.versions.get_all(&[version]).await?.remove(&version);
    let found = found.filter(|version| version.namespace == actor.namespace);
    Ok(found.map(|version| Arc::clone(&version.plan)))
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
