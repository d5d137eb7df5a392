//! Runs.

use std::collections::HashMap;

use runnel_engine::RunId;
use runnel_entity::{run, workflow};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};

use super::{Reads, limit, page};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::{Backend, failed_to};
use crate::view::convert::run_from_row;
use crate::view::{Page, PageRequest, RunFilter, RunOrder, RunView};

pub(super) async fn by_id(
    reads: &Reads,
    actor: &Actor,
    ids: &[RunId],
) -> Result<HashMap<RunId, RunView>, StoreError> {
    let rows = in_namespace(actor).filter(run::Column::Id.is_in(ids.iter().map(|id| id.0)));
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("read runs"))?;
    rows.into_iter()
        .map(|row| Ok((RunId(row.id), run_from_row(row)?)))
        .collect()
}

pub(super) async fn list(
    reads: &Reads,
    actor: &Actor,
    filter: RunFilter,
    order: RunOrder,
    request: PageRequest<(i64, RunId)>,
) -> Result<Page<RunView>, StoreError> {
    let limit = limit(&request);
    let mut rows = filtered(reads.store.backend(), actor, filter).limit(limit as u64 + 1);
    rows = match order {
        RunOrder::CreatedAtDesc => rows
            .order_by_desc(run::Column::CreatedAt)
            .order_by_desc(run::Column::Id),
        RunOrder::CreatedAtAsc => rows
            .order_by_asc(run::Column::CreatedAt)
            .order_by_asc(run::Column::Id),
    };
    if let Some((created_at, id)) = request.after {
        rows = rows.filter(beyond(order, created_at, id));
    }
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("list runs"))?;
    let items = rows.into_iter().map(run_from_row).collect::<Result<_, _>>()?;
    Ok(page(items, limit, request.after.is_some()))
}

/// A row comparison, which both databases walk the index of the list with.
fn beyond(order: RunOrder, created_at: i64, id: RunId) -> sea_orm::sea_query::SimpleExpr {
    let place = Expr::tuple([Expr::col(run::Column::CreatedAt), Expr::col(run::Column::Id)]);
    let after = Expr::tuple([Expr::val(created_at), Expr::val(id.0)]);
    match order {
        RunOrder::CreatedAtDesc => place.lt(after),
        RunOrder::CreatedAtAsc => place.gt(after),
    }
}

fn filtered(backend: Backend, actor: &Actor, filter: RunFilter) -> Select<run::Entity> {
    let mut all = Condition::all();
    if let Some(statuses) = filter.status_in {
        all = all.add(run::Column::Status.is_in(statuses.into_iter().map(|status| status as i16)));
    }
    if let Some(key) = filter.workflow_key {
        let workflow = workflow::Entity::find()
            .select_only()
            .column(workflow::Column::Id)
            .filter(workflow::Column::Namespace.eq(&*actor.namespace))
            .filter(workflow::Column::Key.eq(key));
        all = all.add(run::Column::WorkflowId.in_subquery(workflow.into_query()));
    }
    if let Some(tag) = filter.tag {
        all = all.add(has_tag(backend, &tag));
    }
    if let Some(is_paused) = filter.is_paused {
        all = all.add(run::Column::IsPaused.eq(is_paused));
    }
    if let Some(from) = filter.created_at_gte {
        all = all.add(run::Column::CreatedAt.gte(from.0));
    }
    if let Some(until) = filter.created_at_lt {
        all = all.add(run::Column::CreatedAt.lt(until.0));
    }
    if let Some(key) = filter.idempotency_key {
        all = all.add(run::Column::IdempotencyKey.eq(key));
    }
    in_namespace(actor).filter(all)
}

/// The text of the list is searched first, which is cheap and finds all that have the tag, but also lists where the tag's
/// form lies across two elements; the elements decide. Compared in their JSON form with PostgreSQL, which cannot decode all.
fn has_tag(backend: Backend, tag: &str) -> Condition {
    let text = serde_json::Value::from(tag).to_string();
    let place = Func::cust(backend.pick("strpos", "instr"))
        .arg(Expr::col(run::Column::Tags))
        .arg(Expr::val(text.clone()));
    let element = backend.pick(
        (
            "EXISTS (SELECT 1 FROM json_array_elements(run.tags::json) AS tag WHERE tag::text = $1)",
            text,
        ),
        (
            "EXISTS (SELECT 1 FROM json_each(run.tags) AS tag WHERE tag.value = ?)",
            tag.to_owned(),
        ),
    );
    Condition::all()
        .add(Expr::expr(place).gt(0))
        .add(Expr::cust_with_values(element.0, [element.1]))
}

fn in_namespace(actor: &Actor) -> Select<run::Entity> {
    run::Entity::find().filter(run::Column::Namespace.eq(&*actor.namespace))
}
