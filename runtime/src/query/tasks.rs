//! Tasks, and what each waits for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use runnel_engine::run::{TaskStatus, WaitKind};
use runnel_engine::{RunId, TaskIx, WorkflowVersionId};
use runnel_entity::{run, task};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Iterable, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
};
use uuid::Uuid;

use super::count::{self, Count};
use super::owned::is_own;
use super::window::{Window, Windowed};
use super::{Reads, after_prefix, workers};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::{Backend, failed_to};
use crate::view::convert::{task_from_row, task_ix};
use crate::view::{Page, TaskFilter, TaskPayloads, TaskView};

/// What must be known of a run to show its tasks.
#[derive(Clone)]
struct Parent {
    run: RunId,
    version: WorkflowVersionId,
    is_paused: bool,
}

/// Whether inputs and outputs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payloads {
    /// They are.
    Read,
    /// They are `None`, whatever is stored.
    Left,
}

pub(super) async fn find(
    reads: &Reads,
    actor: &Actor,
    id: RunId,
    key: &str,
) -> Result<Option<TaskView>, StoreError> {
    let Some(parent) = parent(reads, actor, id).await? else {
        return Ok(None);
    };
    // Static tasks are found by the plan. Items have no index of their own: they are found among those of one run.
    let plan = reads.versions.get(parent.version).await?;
    let template = key
        .split('[')
        .next()
        .and_then(|template| plan.plan.find(template));
    let Some(template) = template else { return Ok(None) };
    let rows = of_run(id);
    if plan.plan.task(template).key == key {
        return one(reads, parent, rows.filter(task::Column::Ix.eq(template.0))).await;
    }
    let items = rows.filter(task::Column::Template.eq(template.0));
    let by_key = items.clone().filter(task::Column::Key.eq(key));
    if let Some(found) = one(reads, parent.clone(), by_key).await? {
        return Ok(Some(found));
    }
    // by position, where the items have keys of their own; items are made in the order of their list
    let Some(index) = index_in(key) else {
        return Ok(None);
    };
    let by_index = items
        .filter(task::Column::Ix.ne(template.0))
        .order_by_asc(task::Column::Ix)
        .offset(u64::from(index))
        .limit(1);
    one(reads, parent, by_index).await
}

/// The number in the brackets of `clean[42]`.
fn index_in(key: &str) -> Option<u32> {
    key.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

pub(super) async fn find_at(
    reads: &Reads,
    actor: &Actor,
    id: RunId,
    ix: TaskIx,
) -> Result<Option<TaskView>, StoreError> {
    let Some(parent) = parent(reads, actor, id).await? else {
        return Ok(None);
    };
    one(reads, parent, of_run(id).filter(task::Column::Ix.eq(ix.0))).await
}

pub(super) async fn list(
    reads: &Reads,
    actor: &Actor,
    id: RunId,
    filter: TaskFilter,
    window: Window<TaskIx>,
    payloads: Payloads,
) -> Result<Page<TaskView>, StoreError> {
    let walk = Windowed::new(&window);
    let Some(parent) = parent(reads, actor, id).await? else {
        return Ok(walk.page(Vec::new()));
    };
    let backend = reads.store.backend();
    let rows = of_run(id).filter(condition(backend, filter));
    let mut rows = walk.ascending(rows, task::Column::Ix, window.place().map(|place| place.0));
    if payloads == Payloads::Left {
        rows = without_payloads(rows);
    }
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("list tasks"))?;
    let mut items = rows
        .into_iter()
        .map(|row| view(row, payloads))
        .collect::<Result<Vec<_>, _>>()?;
    explain(reads, &[parent], &mut items).await?;
    Ok(walk.page(items))
}

pub(super) async fn count(
    reads: &Reads,
    actor: &Actor,
    id: RunId,
    filter: TaskFilter,
) -> Result<Count, StoreError> {
    let own_run = own_runs(actor, &[id]);
    let rows = of_run(id)
        .filter(task::Column::RunId.in_subquery(own_run))
        .filter(condition(reads.store.backend(), filter));
    count::capped(reads, rows, "count tasks").await
}

pub(super) async fn by_ref(
    reads: &Reads,
    actor: &Actor,
    refs: &[(RunId, TaskIx)],
) -> Result<HashMap<(RunId, TaskIx), TaskView>, StoreError> {
    let mut runs: Vec<RunId> = refs.iter().map(|(run, _)| *run).collect();
    runs.sort_unstable();
    runs.dedup();
    let parents = parents(reads, actor, &runs).await?;
    let rows = without_payloads(task::Entity::find().filter(one_of(refs)))
        .all(reads.store.read())
        .await
        .map_err(failed_to("read tasks"))?;
    let mut items = rows
        .into_iter()
        .filter(|row| parents.iter().any(|parent| parent.run.0 == row.run_id))
        .map(|row| view(row, Payloads::Left))
        .collect::<Result<Vec<_>, _>>()?;
    explain(reads, &parents, &mut items).await?;
    Ok(items
        .into_iter()
        .map(|task| ((task.run_id, task.ix), task))
        .collect())
}

pub(super) async fn payloads_by_ref(
    reads: &Reads,
    actor: &Actor,
    refs: &[(RunId, TaskIx)],
) -> Result<HashMap<(RunId, TaskIx), TaskPayloads>, StoreError> {
    let runs: Vec<RunId> = refs.iter().map(|(run, _)| *run).collect();
    type Row = (Uuid, i32, Option<String>, Option<String>, Option<String>);
    let rows: Vec<Row> = task::Entity::find()
        .select_only()
        .columns([
            task::Column::RunId,
            task::Column::Ix,
            task::Column::Input,
            task::Column::Output,
            task::Column::Checkpoint,
        ])
        .filter(one_of(refs))
        .filter(task::Column::RunId.in_subquery(own_runs(actor, &runs)))
        .into_tuple()
        .all(reads.store.read())
        .await
        .map_err(failed_to("read inputs and outputs of tasks"))?;
    let payloads = rows.into_iter().map(|(run, ix, input, output, checkpoint)| {
        let payloads = TaskPayloads {
            input: input.map(Arc::from),
            output: output.map(Arc::from),
            checkpoint: checkpoint.map(Arc::from),
        };
        ((RunId(run), task_ix(ix)), payloads)
    });
    Ok(payloads.collect())
}

/// The tasks asked for, gathered by run so that a page of one run is one range of its index.
fn one_of(refs: &[(RunId, TaskIx)]) -> Condition {
    let mut by_run: BTreeMap<RunId, Vec<u32>> = BTreeMap::new();
    for (run, ix) in refs {
        by_run.entry(*run).or_default().push(ix.0);
    }
    by_run.into_iter().fold(Condition::any(), |any, (run, ixs)| {
        any.add(task::Column::RunId.eq(run.0).and(task::Column::Ix.is_in(ixs)))
    })
}

fn own_runs(actor: &Actor, runs: &[RunId]) -> sea_orm::sea_query::SelectStatement {
    run::Entity::find()
        .select_only()
        .column(run::Column::Id)
        .filter(run::Column::Id.is_in(runs.iter().map(|run| run.0)))
        .filter(is_own(actor))
        .into_query()
}

fn view(row: task::Model, payloads: Payloads) -> Result<TaskView, StoreError> {
    Ok(TaskView {
        has_payloads: payloads == Payloads::Read,
        ..task_from_row(row)?
    })
}

fn condition(backend: Backend, filter: TaskFilter) -> Condition {
    let mut all = Condition::all();
    let numbers = |statuses: Vec<TaskStatus>| statuses.into_iter().map(|status| status as i16);
    if let Some(statuses) = filter.status_in {
        all = all.add(task::Column::Status.is_in(numbers(statuses)));
    }
    if let Some(statuses) = filter.status_not_in {
        all = all.add(task::Column::Status.is_not_in(numbers(statuses)));
    }
    if let Some(fanout) = filter.items_of {
        all = all
            .add(task::Column::Template.eq(fanout.0))
            .add(task::Column::Ix.ne(fanout.0));
    }
    let equal = [
        (task::Column::Kind, filter.kind),
        (task::Column::Queue, filter.queue),
        (task::Column::Worker, filter.worker),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            all = all.add(column.is_not_null().and(column.eq(value)));
        }
    }
    if let Some(prefix) = filter.key_prefix {
        if let Some(end) = after_prefix(&prefix) {
            all = all.add(task::Column::Key.lt(end));
        }
        all = all.add(task::Column::Key.gte(prefix));
    }
    if let Some(text) = filter.key_contains {
        let place = Func::cust(backend.pick("strpos", "instr"))
            .arg(Expr::col(task::Column::Key))
            .arg(Expr::val(text));
        all = all.add(Expr::expr(place).gt(0));
    }
    if let Some(attempt) = filter.attempt_gte {
        all = all.add(task::Column::Attempt.gte(attempt));
    }
    match filter.has_error {
        Some(true) => all = all.add(task::Column::Error.is_not_null()),
        Some(false) => all = all.add(task::Column::Error.is_null()),
        None => {}
    }
    let times = [
        (
            task::Column::StartedAt,
            filter.started_at_gte,
            filter.started_at_lt,
        ),
        (
            task::Column::FinishedAt,
            filter.finished_at_gte,
            filter.finished_at_lt,
        ),
    ];
    for (column, from, until) in times {
        if let Some(from) = from {
            all = all.add(column.is_not_null().and(column.gte(from.0)));
        }
        if let Some(until) = until {
            all = all.add(column.is_not_null().and(column.lt(until.0)));
        }
    }
    combined(backend, all, (filter.all, filter.any, filter.not))
}

/// The parts of a filter that are filters themselves.
type Parts = (
    Option<Vec<TaskFilter>>,
    Option<Vec<TaskFilter>>,
    Option<Box<TaskFilter>>,
);

fn combined(backend: Backend, mut all: Condition, (every, any, not): Parts) -> Condition {
    for part in every.into_iter().flatten() {
        all = all.add(condition(backend, part));
    }
    if let Some(parts) = any {
        let any = parts
            .into_iter()
            .fold(Condition::any(), |any, part| any.add(condition(backend, part)));
        // an empty list of alternatives would be dropped from the statement
        all = match any.is_empty() {
            true => all.add(Expr::val(1).eq(0)),
            false => all.add(any),
        };
    }
    if let Some(part) = not {
        let negated = condition(backend, *part);
        all = match negated.is_empty() {
            true => all.add(Expr::val(1).eq(0)),
            false => all.add(negated.not()),
        };
    }
    all
}

fn without_payloads(rows: Select<task::Entity>) -> Select<task::Entity> {
    let is_payload = |column: &task::Column| {
        matches!(
            column,
            task::Column::Input | task::Column::Output | task::Column::Checkpoint
        )
    };
    let nothing = || Expr::value(None::<String>);
    rows.select_only()
        .columns(task::Column::iter().filter(|column| !is_payload(column)))
        .expr_as(nothing(), "input")
        .expr_as(nothing(), "output")
        .expr_as(nothing(), "checkpoint")
}

fn of_run(id: RunId) -> Select<task::Entity> {
    task::Entity::find().filter(task::Column::RunId.eq(id.0))
}

async fn parent(reads: &Reads, actor: &Actor, id: RunId) -> Result<Option<Parent>, StoreError> {
    Ok(parents(reads, actor, &[id]).await?.pop())
}

async fn parents(reads: &Reads, actor: &Actor, ids: &[RunId]) -> Result<Vec<Parent>, StoreError> {
    let rows: Vec<(Uuid, Uuid, bool)> = run::Entity::find()
        .filter(run::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(is_own(actor))
        .select_only()
        .columns([
            run::Column::Id,
            run::Column::WorkflowVersionId,
            run::Column::IsPaused,
        ])
        .into_tuple()
        .all(reads.store.read())
        .await
        .map_err(failed_to("read runs"))?;
    let parent = |(run, version, is_paused)| Parent {
        run: RunId(run),
        version: WorkflowVersionId(version),
        is_paused,
    };
    Ok(rows.into_iter().map(parent).collect())
}

async fn one(
    reads: &Reads,
    parent: Parent,
    rows: Select<task::Entity>,
) -> Result<Option<TaskView>, StoreError> {
    let row = rows
        .one(reads.store.read())
        .await
        .map_err(failed_to("read a task"))?;
    let Some(mut task) = row.map(task_from_row).transpose()? else {
        return Ok(None);
    };
    explain(reads, &[parent], std::slice::from_mut(&mut task)).await?;
    Ok(Some(task))
}

/// Says what each task waits for; asks for the workers only when a task may lack one.
async fn explain(reads: &Reads, parents: &[Parent], tasks: &mut [TaskView]) -> Result<(), StoreError> {
    let is_local = |task: &TaskView| reads.local_types.contains(&task.kind);
    let may_lack =
        |task: &TaskView| matches!(task.status, TaskStatus::Ready | TaskStatus::Queued) && !is_local(task);
    let workers = if tasks.iter().any(may_lack) {
        workers::alive(reads).await?
    } else {
        Vec::new()
    };
    let served: HashSet<(&str, &str)> = workers
        .iter()
        .flat_map(|w| w.types.iter().map(|kind| (w.queue.as_str(), kind.as_str())))
        .collect();
    for task in tasks {
        let has_worker = is_local(task) || served.contains(&(task.queue.as_str(), task.kind.as_str()));
        let is_paused = parents
            .iter()
            .any(|parent| parent.run == task.run_id && parent.is_paused);
        let outside = task.wait_kind;
        task.waiting_for =
            waiting_for(task.status, is_paused, has_worker).map(|reason| outside.map_or(reason, wait_word));
    }
    Ok(())
}

fn waiting_for(status: TaskStatus, is_paused: bool, has_worker: bool) -> Option<&'static str> {
    match status {
        TaskStatus::Blocked => Some("UPSTREAM"),
        TaskStatus::Ready if is_paused => Some("PAUSED"),
        TaskStatus::Ready => Some("GATE"),
        TaskStatus::Queued => Some(if has_worker { "QUEUED" } else { "NO_WORKER" }),
        TaskStatus::Waiting => Some("TIMER"),
        TaskStatus::RetryWait => Some("RETRY"),
        TaskStatus::Running
        | TaskStatus::Succeeded
        | TaskStatus::Failed
        | TaskStatus::TimedOut
        | TaskStatus::Cancelled
        | TaskStatus::Skipped
        | TaskStatus::Cached => None,
    }
}

fn wait_word(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::Event => "EVENT",
        WaitKind::Signal => "SIGNAL",
        WaitKind::Approval => "APPROVAL",
        WaitKind::Callback => "CALLBACK",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_says_what_it_waits_for() {
        assert_eq!(waiting_for(TaskStatus::Blocked, true, false), Some("UPSTREAM"));
        assert_eq!(waiting_for(TaskStatus::Ready, true, true), Some("PAUSED"));
        assert_eq!(waiting_for(TaskStatus::Queued, false, false), Some("NO_WORKER"));
        // a message that is out already is executed in spite of the pause
        assert_eq!(waiting_for(TaskStatus::Queued, true, true), Some("QUEUED"));
        assert_eq!(waiting_for(TaskStatus::Succeeded, true, false), None);
    }
}
