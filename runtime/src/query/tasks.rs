//! Tasks, and what each waits for.

use std::collections::HashSet;

use runnel_engine::run::{TaskStatus, WaitKind};
use runnel_engine::{RunId, TaskIx, WorkflowVersionId};
use runnel_entity::{run, task};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, Iterable, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use super::{Reads, after_prefix, limit, page, workers};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::convert::task_from_row;
use crate::view::{Page, PageRequest, TaskFilter, TaskView};

/// What must be known of a run to show its tasks.
struct Parent {
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
    let rows = match plan.plan.task(template).key == key {
        true => rows.filter(task::Column::Ix.eq(template.0)),
        false => rows
            .filter(task::Column::Template.eq(template.0))
            .filter(task::Column::Key.eq(key)),
    };
    one(reads, &parent, rows).await
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
    one(reads, &parent, of_run(id).filter(task::Column::Ix.eq(ix.0))).await
}

pub(super) async fn list(
    reads: &Reads,
    actor: &Actor,
    id: RunId,
    filter: TaskFilter,
    request: PageRequest<TaskIx>,
    payloads: Payloads,
) -> Result<Page<TaskView>, StoreError> {
    let limit = limit(&request);
    let Some(parent) = parent(reads, actor, id).await? else {
        return Ok(page(Vec::new(), limit, false));
    };
    let mut rows = filtered(of_run(id), filter)
        .order_by_asc(task::Column::Ix)
        .limit(limit as u64 + 1);
    if let Some(after) = request.after {
        rows = rows.filter(task::Column::Ix.gt(after.0));
    }
    if payloads == Payloads::Left {
        rows = without_payloads(rows);
    }
    let rows = rows
        .all(reads.store.read())
        .await
        .map_err(failed_to("list tasks"))?;
    let mut items = rows
        .into_iter()
        .map(task_from_row)
        .collect::<Result<Vec<_>, _>>()?;
    explain(reads, &parent, &mut items).await?;
    Ok(page(items, limit, request.after.is_some()))
}

fn filtered(mut rows: Select<task::Entity>, filter: TaskFilter) -> Select<task::Entity> {
    if let Some(statuses) = filter.status_in {
        rows = rows.filter(task::Column::Status.is_in(statuses.into_iter().map(|status| status as i16)));
    }
    if let Some(kind) = filter.kind {
        rows = rows.filter(task::Column::Kind.eq(kind));
    }
    if let Some(prefix) = filter.key_prefix {
        if let Some(end) = after_prefix(&prefix) {
            rows = rows.filter(task::Column::Key.lt(end));
        }
        rows = rows.filter(task::Column::Key.gte(prefix));
    }
    rows
}

fn without_payloads(rows: Select<task::Entity>) -> Select<task::Entity> {
    let is_payload = |column: &task::Column| matches!(column, task::Column::Input | task::Column::Output);
    let nothing = || Expr::value(None::<String>);
    rows.select_only()
        .columns(task::Column::iter().filter(|column| !is_payload(column)))
        .expr_as(nothing(), "input")
        .expr_as(nothing(), "output")
}

fn of_run(id: RunId) -> Select<task::Entity> {
    task::Entity::find().filter(task::Column::RunId.eq(id.0))
}

async fn parent(reads: &Reads, actor: &Actor, id: RunId) -> Result<Option<Parent>, StoreError> {
    let row: Option<(Uuid, bool)> = run::Entity::find_by_id(id.0)
        .filter(run::Column::Namespace.eq(&*actor.namespace))
        .select_only()
        .column(run::Column::WorkflowVersionId)
        .column(run::Column::IsPaused)
        .into_tuple()
        .one(reads.store.read())
        .await
        .map_err(failed_to("read a run"))?;
    Ok(row.map(|(version, is_paused)| Parent {
        version: WorkflowVersionId(version),
        is_paused,
    }))
}

async fn one(
    reads: &Reads,
    parent: &Parent,
    rows: Select<task::Entity>,
) -> Result<Option<TaskView>, StoreError> {
    let row = rows
        .one(reads.store.read())
        .await
        .map_err(failed_to("read a task"))?;
    let Some(mut task) = row.map(task_from_row).transpose()? else {
        return Ok(None);
    };
    explain(reads, parent, std::slice::from_mut(&mut task)).await?;
    Ok(Some(task))
}

/// Says what each task waits for; asks for the workers only when a task may lack one.
async fn explain(reads: &Reads, parent: &Parent, tasks: &mut [TaskView]) -> Result<(), StoreError> {
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
        let outside = task.wait_kind;
        task.waiting_for =
            waiting_for(task.status, parent.is_paused, has_worker).map(|reason| outside.map_or(reason, wait_word));
    }
    Ok(())
}

fn waiting_for(status: TaskStatus, is_paused: bool, has_worker: bool) -> Option<&'static str> {
    match status {
        TaskStatus::Blocked => Some("UPSTREAM"),
        TaskStatus::Ready if is_paused => Some("PAUSED"),
        TaskStatus::Ready | TaskStatus::Queued => Some(if has_worker { "QUEUED" } else { "NO_WORKER" }),
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
