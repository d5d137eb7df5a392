//! The loop that works operations off: claims one, operates on its runs in small groups, writes down what came of each.
//!
//! A claim is a lease. When its holder dies, another replica goes on where the last group was written down; the runs of a
//! group that was not are operated on again, which changes nothing for those that were reached.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use runnel_engine::RunId;
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_entity::{bulk_item, bulk_operation};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{BulkAction, DONE, FAILED, OPEN, unknown_action};
use crate::actor::Actor;
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::{OperateError, StartError, StoreError};
use crate::orchestrator::{Orchestrator, WeakOrchestrator};
use crate::query::window::Window;
use crate::rerun::{RerunError, RerunFrom, RerunRequest};
use crate::store::failed_to;
use crate::view::TaskFilter;

/// Runs that are operated on at once, and written down together.
const GROUP: u64 = 32;

/// How long a claim holds; renewed with each group.
const LEASE: Duration = Duration::from_secs(60);

/// Longest kept text about a failure.
const MESSAGE_CHARS_MAX: usize = 500;

const ITEM: &[Column] = &[
    ("seq", Kind::Int),
    ("outcome", Kind::Int),
    ("code", Kind::Text),
    ("message", Kind::Text),
];

/// Runs until `stop`, or until the orchestrator is gone.
pub(crate) async fn run(orchestrator: WeakOrchestrator, poll_interval: Duration, stop: CancellationToken) {
    loop {
        let Some(orchestrator) = orchestrator.upgrade() else {
            return;
        };
        if let Err(error) = work_all(&orchestrator, &stop).await {
            tracing::warn!(%error, "an operation on many runs goes on later");
        }
        let bell = orchestrator.bulk_bell();
        drop(orchestrator);
        tokio::select! {
            () = stop.cancelled() => return,
            () = bell.rung.notified() => {}
            () = tokio::time::sleep(poll_interval) => {}
        }
    }
}

async fn work_all(orchestrator: &Orchestrator, stop: &CancellationToken) -> Result<(), StoreError> {
    let bell = orchestrator.bulk_bell();
    loop {
        bell.is_busy.store(true, Ordering::SeqCst);
        let claimed = claim(orchestrator).await;
        let Ok(Some(operation)) = claimed else {
            bell.is_busy.store(false, Ordering::SeqCst);
            return claimed.map(drop);
        };
        let worked = work_off(orchestrator, &operation, stop).await;
        if !matches!(worked, Ok(true)) {
            bell.is_busy.store(false, Ordering::SeqCst);
            return worked.map(drop);
        }
    }
}

/// The oldest operation that nobody works on.
async fn claim(orchestrator: &Orchestrator) -> Result<Option<bulk_operation::Model>, StoreError> {
    let store = &orchestrator.shell().store;
    let now = orchestrator.clock().now();
    let free = move || {
        bulk_operation::Entity::find()
            .filter(bulk_operation::Column::FinishedAt.is_null())
            .filter(bulk_operation::Column::LeasedUntil.lte(now.0))
            .order_by_asc(bulk_operation::Column::Id)
            .limit(1)
    };
    // nothing is written while there is nothing to do
    let failed = failed_to("claim an operation on many runs");
    if free().one(store.read()).await.map_err(failed)?.is_none() {
        return Ok(None);
    }
    let leased_until = now.after(LEASE).0;
    store
        .tx("claim an operation on many runs", move |tx| {
            let found = free().lock_with_behavior(
                sea_orm::sea_query::LockType::Update,
                sea_orm::sea_query::LockBehavior::SkipLocked,
            );
            Box::pin(async move {
                let Some(operation) = found.one(tx).await.map_err(failed)? else {
                    return Ok(None);
                };
                let claim = bulk_operation::ActiveModel {
                    id: Set(operation.id),
                    started_at: Set(operation.started_at.or(Some(now.0))),
                    leased_until: Set(leased_until),
                    ..Default::default()
                };
                bulk_operation::Entity::update(claim)
                    .exec(tx)
                    .await
                    .map_err(failed)?;
                Ok(Some(operation))
            })
        })
        .await
}

/// Works a claimed operation off; `false` when it was stopped before its end.
async fn work_off(
    orchestrator: &Orchestrator,
    operation: &bulk_operation::Model,
    stop: &CancellationToken,
) -> Result<bool, StoreError> {
    let action: BulkAction =
        serde_json::from_str(&operation.parameters).map_err(|_| unknown_action(operation.id))?;
    let actor = Actor {
        name: operation.created_by.as_str().into(),
        namespace: operation.namespace.as_str().into(),
    };
    loop {
        let group = bulk_item::Entity::find()
            .filter(bulk_item::Column::OperationId.eq(operation.id))
            .filter(bulk_item::Column::Outcome.eq(OPEN))
            .order_by_asc(bulk_item::Column::Seq)
            .limit(GROUP)
            .all(orchestrator.shell().store.read())
            .await
            .map_err(failed_to("read the runs of an operation"))?;
        let is_last = (group.len() as u64) < GROUP;
        let reason = operation.reason.as_deref();
        let each = group.iter().map(|item| {
            let run = RunId(item.run_id);
            operate(orchestrator, &actor, (operation.id, action), run, reason)
        });
        let mut decided = Vec::new();
        for (item, outcome) in group.iter().zip(join_all(each).await) {
            match outcome {
                Ok(()) => decided.push((item.seq, None)),
                Err(error) => match code_of(error) {
                    Ok(refusal) => decided.push((item.seq, Some(refusal))),
                    // the run stays open: it is tried again when the operation is claimed again
                    Err(error) => return give_back(orchestrator, operation.id, error).await,
                },
            }
        }
        write_down(orchestrator, operation.id, decided, is_last).await?;
        if is_last {
            return Ok(true);
        }
        if stop.is_cancelled() {
            return give_back(orchestrator, operation.id, StoreError::Stopping).await;
        }
    }
}

/// Code and text of a refusal; the error of a store that does not answer.
fn code_of(error: RerunError) -> Result<(&'static str, String), StoreError> {
    let message = error.to_string();
    let code = match error {
        RerunError::Operate(OperateError::Store(error)) | RerunError::Start(StartError::Store(error)) => {
            return match error {
                StoreError::Corrupt { problem, .. } => Ok(("INTERNAL", problem)),
                error => Err(error),
            };
        }
        RerunError::Operate(OperateError::UnknownRun) => "RUN_NOT_FOUND",
        RerunError::Operate(OperateError::UnknownTask { .. }) => "TASK_NOT_FOUND",
        RerunError::Operate(OperateError::Conflict { .. }) => "RUN_STATE_CONFLICT",
        RerunError::Start(StartError::UnknownWorkflow { .. }) => "WORKFLOW_NOT_FOUND",
        RerunError::Start(StartError::UnknownVersion { .. }) => "VERSION_NOT_FOUND",
        RerunError::Start(StartError::Inputs(_)) => "INPUT_INVALID",
        RerunError::Start(StartError::TooLarge { .. }) => "TOO_LARGE",
        RerunError::Start(StartError::IdempotencyConflict { .. } | StartError::DelayedConflict { .. }) => {
            "IDEMPOTENCY_CONFLICT"
        }
    };
    Ok((code, message))
}

/// Does what was asked for to one run. What is in force already is done.
async fn operate(
    orchestrator: &Orchestrator,
    actor: &Actor,
    (operation, action): (Uuid, BulkAction),
    run: RunId,
    reason: Option<&str>,
) -> Result<(), RerunError> {
    let reason = reason.map(str::to_owned);
    match action {
        BulkAction::Cancel { is_immediate } => {
            let mode = BulkAction::cancel_mode(is_immediate);
            match orchestrator.cancel_run(actor, run, mode, reason).await {
                Err(OperateError::Conflict {
                    status: RunStatus::Cancelled,
                    ..
                }) => Ok(()),
                done => Ok(done.map(drop)?),
            }
        }
        BulkAction::Pause => Ok(orchestrator.pause_run(actor, run, reason).await.map(drop)?),
        BulkAction::Resume => Ok(orchestrator.resume_run(actor, run).await.map(drop)?),
        BulkAction::RetryFailed => Ok(retry_failed(orchestrator, actor, run).await?),
        BulkAction::Rerun { is_from_start } => {
            let again = Again {
                run,
                operation,
                is_from_start,
            };
            rerun(orchestrator, actor, again, reason).await
        }
    }
}

/// One run of an operation that runs them again.
struct Again {
    run: RunId,
    operation: Uuid,
    is_from_start: bool,
}

/// Runs it again. The operation is the key: a run that is reached twice, after a crash, is not run again twice.
async fn rerun(
    orchestrator: &Orchestrator,
    actor: &Actor,
    again: Again,
    reason: Option<String>,
) -> Result<(), RerunError> {
    let from = if again.is_from_start {
        RerunFrom::Start
    } else {
        RerunFrom::Failed
    };
    let request = RerunRequest {
        idempotency_key: Some(format!("bulk/{}", again.operation.simple())),
        reason,
        ..RerunRequest::new(again.run, from)
    };
    orchestrator.rerun_run(actor, request).await.map(drop)
}

/// Retries every failed task; the first one opens an ended run again. A task that runs again meanwhile is none of them.
async fn retry_failed(orchestrator: &Orchestrator, actor: &Actor, run: RunId) -> Result<(), OperateError> {
    let failed = TaskFilter {
        status_in: Some(vec![TaskStatus::Failed, TaskStatus::TimedOut]),
        ..TaskFilter::default()
    };
    let (mut refused, mut is_retried, mut after) = (None, false, None);
    loop {
        let size = crate::query::PAGE_MAX;
        let window = Window::First { size, after };
        let tasks = orchestrator
            .list_tasks_without_payloads(actor, run, failed.clone(), window)
            .await?;
        after = tasks.items.last().map(|task| task.ix);
        for task in tasks.items {
            match orchestrator.retry_task(actor, run, &task.key).await {
                Ok(_) => is_retried = true,
                Err(error @ OperateError::Store(_)) => return Err(error),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if !tasks.has_next {
            break;
        }
    }
    match refused {
        Some(error) if !is_retried => Err(error),
        Some(_) | None => Ok(()),
    }
}

async fn write_down(
    orchestrator: &Orchestrator,
    id: Uuid,
    decided: Vec<(i32, Option<(&'static str, String)>)>,
    is_last: bool,
) -> Result<(), StoreError> {
    let store = &orchestrator.shell().store;
    let (now, backend) = (orchestrator.clock().now(), store.backend());
    let db = backend.into();
    store
        .tx("write down what an operation did", move |tx| {
            let mut rows = RowSet::new(db, ITEM);
            for (seq, failure) in &decided {
                let (code, message) = failure.clone().unzip();
                let message =
                    message.map(|text: String| -> String { text.chars().take(MESSAGE_CHARS_MAX).collect() });
                let outcome = if code.is_some() { FAILED } else { DONE };
                rows.int(*seq)
                    .int(outcome)
                    .opt_text(code)
                    .opt_text(message.as_deref());
            }
            let place = backend.pick(ITEM.len() + 1, 2);
            let sql = format!(
                "UPDATE bulk_item SET outcome = c.outcome, code = c.code, message = c.message FROM {} \
                 WHERE bulk_item.operation_id = {}{place} AND bulk_item.seq = c.seq",
                source(db, ITEM),
                backend.pick("$", "?"),
            );
            let items = (!rows.is_empty()).then(|| rows.bind(db, &sql, vec![id.into()]));
            Box::pin(async move {
                use sea_orm::ConnectionTrait as _;
                let failed = failed_to("write down what an operation did");
                if let Some(items) = items {
                    tx.execute_raw(items).await.map_err(failed)?;
                }
                let mut operation = bulk_operation::ActiveModel {
                    id: Set(id),
                    leased_until: Set(now.after(LEASE).0),
                    ..Default::default()
                };
                if is_last {
                    operation.finished_at = Set(Some(now.0));
                }
                bulk_operation::Entity::update(operation)
                    .exec(tx)
                    .await
                    .map_err(failed)?;
                Ok(())
            })
        })
        .await
}

/// Ends the claim, so that whoever looks next goes on.
async fn give_back(orchestrator: &Orchestrator, id: Uuid, error: StoreError) -> Result<bool, StoreError> {
    let given = orchestrator
        .shell()
        .store
        .tx("give an operation back", move |tx| {
            let free = bulk_operation::ActiveModel {
                id: Set(id),
                leased_until: Set(0),
                ..Default::default()
            };
            Box::pin(async move {
                bulk_operation::Entity::update(free)
                    .exec(tx)
                    .await
                    .map_err(failed_to("give an operation back"))?;
                Ok(())
            })
        })
        .await;
    if let Err(error) = given {
        // its lease ends by itself
        tracing::debug!(%error, "an operation was not given back");
    }
    match error {
        StoreError::Stopping => Ok(false),
        error => Err(error),
    }
}
