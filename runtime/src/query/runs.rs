//! Runs.

use std::collections::HashMap;

use runnel_engine::{RunId, WorkflowId};
use runnel_entity::run;
use sea_orm::sea_query::{Expr, ExprTrait, Func, UnionType};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, FromQueryResult, Iterable, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select,
};

use super::count::{self, Count};
use super::owned::is_own;
use super::predicate::{RunPredicate, TextMatch};
use super::tasks::Payloads;
use super::window::{Window, Windowed};
use super::{PAGE_MAX, Reads};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::{Backend, failed_to};
use crate::view::convert::run_from_row;
use crate::view::{Page, RunFilter, RunOrder, RunOrderField, RunView};

pub(super) async fn by_id(
    reads: &Reads,
    actor: &Actor,
    ids: &[RunId],
    payloads: Payloads,
) -> Result<HashMap<RunId, RunView>, StoreError> {
    let rows = run::Entity::find()
        .filter(run::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(is_own(actor));
    let rows = picked(rows, payloads)
        .all(reads.store.read())
        .await
        .map_err(failed_to("read runs"))?;
    rows.into_iter()
        .map(|row| Ok((RunId(row.id), view(row, payloads)?)))
        .collect()
}

pub(super) async fn list(
    reads: &Reads,
    actor: &Actor,
    filter: RunFilter,
    order: RunOrder,
    window: Window<(i64, RunId)>,
    payloads: Payloads,
) -> Result<Page<RunView>, StoreError> {
    let walk = Windowed::new(&window);
    let key = order_key(order.field);
    let direction = walk.order(order.is_descending);
    let mut rows = picked(filtered(reads.store.backend(), actor, filter), payloads)
        .order_by(key.clone(), direction.clone())
        .order_by(run::Column::Id, direction)
        .limit(walk.fetch());
    if let Some((at, id)) = window.place() {
        // a row comparison, which both databases walk the index of the list with
        let place = Expr::tuple([key, Expr::col(run::Column::Id)]);
        let from = Expr::tuple([Expr::val(*at), Expr::val(id.0)]);
        rows = rows.filter(match walk.ascends(order.is_descending) {
            true => place.gt(from),
            false => place.lt(from),
        });
    }
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("list runs"))?;
    let items = rows
        .into_iter()
        .map(|row| view(row, payloads))
        .collect::<Result<_, _>>()?;
    Ok(walk.page(items))
}

pub(super) async fn count(reads: &Reads, actor: &Actor, filter: RunFilter) -> Result<Count, StoreError> {
    let rows = filtered(reads.store.backend(), actor, filter);
    count::capped(reads, rows, "count runs").await
}

/// The newest runs of each workflow: one statement, with one walk of the index a workflow.
pub(super) async fn recent(
    reads: &Reads,
    actor: &Actor,
    workflows: &[WorkflowId],
    each: u32,
) -> Result<HashMap<WorkflowId, Vec<RunView>>, StoreError> {
    let newest_of = |id: &WorkflowId| {
        let newest = picked(of_workflow(actor, *id), Payloads::Left)
            .order_by_desc(run::Column::CreatedAt)
            .order_by_desc(run::Column::Id)
            .limit(u64::from(each.clamp(1, PAGE_MAX)))
            .into_query();
        // SQLite takes an ORDER BY within a union only in a subquery
        sea_orm::sea_query::Query::select()
            .expr(Expr::cust("*"))
            .from_subquery(newest, "newest")
            .to_owned()
    };
    let mut parts = workflows.iter().map(newest_of);
    let Some(mut all) = parts.next() else {
        return Ok(HashMap::new());
    };
    for part in parts {
        all.union(UnionType::All, part);
    }
    let failed = failed_to("list the newest runs of workflows");
    let db = reads.store.read();
    let rows = db.query_all(&all).await.map_err(failed)?;
    let mut found: HashMap<WorkflowId, Vec<RunView>> = HashMap::new();
    for row in &rows {
        let row = run::Model::from_query_result(row, "").map_err(failed)?;
        let of = found.entry(WorkflowId(row.workflow_id)).or_default();
        of.push(view(row, Payloads::Left)?);
    }
    Ok(found)
}

fn view(row: run::Model, payloads: Payloads) -> Result<RunView, StoreError> {
    Ok(RunView {
        has_payloads: payloads == Payloads::Read,
        ..run_from_row(row)?
    })
}

/// The columns of a list. Of the engine's own state only what started the run is read here.
fn picked(rows: Select<run::Entity>, payloads: Payloads) -> Select<run::Entity> {
    let is_left = |column: &run::Column| match column {
        run::Column::Inputs | run::Column::Outputs => payloads == Payloads::Left,
        run::Column::Extra | run::Column::Vars => true,
        _ => false,
    };
    let mut rows = rows
        .select_only()
        .columns(run::Column::iter().filter(|column| !is_left(column)));
    for column in run::Column::iter().filter(is_left) {
        let nothing = match column {
            run::Column::Outputs => Expr::value(None::<String>),
            // what started the run is shown; most runs have none, and nothing of theirs is read
            run::Column::Extra => {
                Expr::cust(r#"CASE WHEN extra LIKE '%"trigger"%' THEN extra ELSE '{}' END"#)
            }
            _ => Expr::value("{}"),
        };
        rows = rows.expr_as(nothing, sea_orm::IdenStatic::as_str(&column));
    }
    rows
}

/// What a list is sorted by. A moment that has not come sorts after all others.
fn order_key(field: RunOrderField) -> sea_orm::sea_query::SimpleExpr {
    let or_last = |column: run::Column| Expr::expr(Func::coalesce([Expr::col(column), Expr::val(i64::MAX)]));
    match field {
        RunOrderField::CreatedAt => Expr::col(run::Column::CreatedAt),
        RunOrderField::StartedAt => or_last(run::Column::StartedAt),
        RunOrderField::FinishedAt => or_last(run::Column::FinishedAt),
    }
}

/// Where a run stands in a list.
pub(super) fn place(order: RunOrder, run: &RunView) -> (i64, RunId) {
    let or_last = |at: Option<runnel_engine::Timestamp>| at.map_or(i64::MAX, |at| at.0);
    let at = match order.field {
        RunOrderField::CreatedAt => run.created_at.0,
        RunOrderField::StartedAt => or_last(run.started_at),
        RunOrderField::FinishedAt => or_last(run.finished_at),
    };
    (at, run.id)
}

/// The runs of a filter.
pub(crate) fn filtered(backend: Backend, actor: &Actor, filter: RunFilter) -> Select<run::Entity> {
    let mut all = Condition::all();
    if let Some(statuses) = filter.status_in {
        all = all.add(RunPredicate::Status(statuses).condition(backend, actor));
    }
    if let Some(key) = filter.workflow_key {
        all = all.add(RunPredicate::Workflow(TextMatch::In(vec![key])).condition(backend, actor));
    }
    if let Some(parent) = filter.child_of {
        all = all.add(run::Column::ParentRunId.eq(parent.0));
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
    if let Some(predicate) = filter.predicate {
        all = all.add(predicate.condition(backend, actor));
    }
    let rows = match filter.workflow {
        Some(id) => of_workflow(actor, id),
        None => in_namespace(actor),
    };
    rows.filter(all)
}

/// The text of the list is searched first, which is cheap and finds all that have the tag, but also lists where the tag's
/// form lies across two elements; the elements decide. Compared in their JSON form with PostgreSQL, which cannot decode all.
pub(super) fn has_tag(backend: Backend, tag: &str) -> Condition {
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

/// The runs of one workflow, by the index that begins with it and no other.
fn of_workflow(actor: &Actor, id: WorkflowId) -> Select<run::Entity> {
    run::Entity::find()
        .filter(run::Column::WorkflowId.eq(id.0))
        .filter(is_own(actor))
}

fn in_namespace(actor: &Actor) -> Select<run::Entity> {
    run::Entity::find().filter(run::Column::Namespace.eq(&*actor.namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_a_run_has_its_name_in_a_list_without_payloads() {
        let names: Vec<String> = run::Column::iter()
            .map(|column| sea_orm::IdenStatic::as_str(&column).to_owned())
            .collect();
        let sql = picked(run::Entity::find(), Payloads::Left)
            .build(sea_orm::DbBackend::Sqlite)
            .to_string();
        for name in names {
            assert!(sql.contains(&format!("\"{name}\"")), "{name}: {sql}");
        }
    }
}
