//! Doing what outcomes order: claiming those that are due, starting their runs, writing down what came of it.
//!
//! At least once, and idempotent: the key of the run is fixed in the order. A claim moves `due_at` ahead; whoever dies with
//! it leaves the outcome to be claimed again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use runnel_engine::trigger::{RunTrigger, TriggerKind};
use runnel_engine::{RunId, Timestamp};
use runnel_entity::trigger_outcome;
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::outcome::{StartOrder, kind_of};
use super::view::OutcomeStatus;
use crate::actor::Actor;
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::{StartError, StoreError};
use crate::orchestrator::{Orchestrator, StartRequest};
use crate::store::failed_to;

/// Starts of one claim.
pub(super) const CLAIM_MAX: i64 = 100;

/// For so long nobody else starts what was claimed, or what somebody orders and starts himself.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// First pause after the database was busy; doubles up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);

const ENDED: &[Column] = &[
    ("id", Kind::Id),
    ("status", Kind::Int),
    ("run_id", Kind::Id),
    ("reason", Kind::Text),
    ("detail", Kind::Text),
    ("is_open", Kind::Int),
    ("due_at", Kind::Int),
];

/// What came of one order.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub id: uuid::Uuid,
    pub status: OutcomeStatus,
    pub run: Option<RunId>,
    pub reason: Option<&'static str>,
    pub detail: Option<String>,
    /// The schedule to which it belongs; `None` for a trigger, which waits for the end of no run.
    schedule: Option<uuid::Uuid>,
    is_open: bool,
    due_at: Option<i64>,
}

/// Claims what is due, up to [`CLAIM_MAX`], and starts it. Answers how many were claimed.
pub(super) async fn due(orchestrator: &Orchestrator) -> Result<usize, StoreError> {
    let now = orchestrator.clock().now();
    let rows = claim(orchestrator, now).await?;
    let count = rows.len();
    run(orchestrator, rows).await?;
    Ok(count)
}

/// Starts outcomes that the caller has just committed, and answers what came of each.
pub(crate) async fn run(
    orchestrator: &Orchestrator,
    rows: Vec<trigger_outcome::Model>,
) -> Result<Vec<Ended>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ended = join_all(rows.into_iter().map(|row| start(orchestrator, row))).await;
    save(orchestrator, &ended).await?;
    // a run that has ended already did so before its outcome named it, and its bell told nobody; and what has no run
    // makes room in a backfill at once
    for end in ended.iter().filter(|end| end.status != OutcomeStatus::Starting) {
        if let Some(schedule) = end.schedule {
            orchestrator.schedule_bell().ended(schedule);
        }
    }
    Ok(ended)
}

async fn claim(
    orchestrator: &Orchestrator,
    now: Timestamp,
) -> Result<Vec<trigger_outcome::Model>, StoreError> {
    let store = &orchestrator.shell().store;
    let failed = failed_to("claim due starts");
    let lock = store.backend().pick(" FOR UPDATE SKIP LOCKED", "");
    let sql = format!(
        "UPDATE trigger_outcome SET due_at = {}, attempts = attempts + 1 WHERE id IN \
         (SELECT id FROM trigger_outcome WHERE due_at <= {now} ORDER BY due_at LIMIT {CLAIM_MAX}{lock}) \
         AND due_at <= {now} RETURNING *",
        now.after(LEASE).0,
        now = now.0,
    );
    let statement = store.backend().statement(sql, []);
    store
        .tx("claim due starts", move |tx| {
            let statement = statement.clone();
            Box::pin(async move {
                let rows = tx.query_all_raw(statement).await.map_err(failed)?;
                rows.iter()
                    .map(|row| trigger_outcome::Model::from_query_result(row, "").map_err(failed))
                    .collect()
            })
        })
        .await
}

async fn start(orchestrator: &Orchestrator, row: trigger_outcome::Model) -> Ended {
    let order = row.request.as_deref().map(serde_json::from_str::<StartOrder>);
    let (Some(Ok(order)), Some(kind)) = (order, kind_of(row.kind)) else {
        return Ended::rejected(&row, "CORRUPT", "the order cannot be read");
    };
    let (actor, request) = request_of(&row, kind, order);
    let holder = match orchestrator.start_run(&actor, request).await {
        Ok(started) if !started.is_replay => {
            return Ended::of(&row, OutcomeStatus::Started, Some(started.run.id));
        }
        Ok(started) => started.run.id,
        Err(StartError::IdempotencyConflict { run }) => run,
        Err(StartError::Store(error)) => {
            tracing::warn!(outcome = %row.id, %error, "a start is tried again");
            let doublings = row.attempts.clamp(0, 10).unsigned_abs();
            let pause = (PAUSE * 2_u32.saturating_pow(doublings)).min(PAUSE_MAX);
            return Ended::again(&row, orchestrator.clock().now().after(pause));
        }
        Err(error) => {
            let reason = match &error {
                StartError::UnknownWorkflow { .. } => "WORKFLOW_NOT_FOUND",
                StartError::UnknownVersion { .. } => "VERSION_NOT_FOUND",
                StartError::Inputs(_) => "INPUT_INVALID",
                _ => "REFUSED",
            };
            return Ended::rejected(&row, reason, &error.to_string());
        }
    };
    // a crash after the start and before this row: the run is this outcome's own
    let is_own = |trigger: &RunTrigger| trigger.outcome == row.id;
    match orchestrator.find_run(&actor, holder).await {
        Ok(Some(run)) if run.trigger.as_ref().is_some_and(is_own) => {
            Ended::of(&row, OutcomeStatus::Started, Some(holder))
        }
        Ok(_) => Ended {
            reason: Some("RUN_EXISTS"),
            ..Ended::of(&row, OutcomeStatus::Deduped, Some(holder))
        },
        Err(error) => {
            tracing::warn!(outcome = %row.id, %error, "what came of a start is looked up again");
            Ended::again(&row, orchestrator.clock().now().after(PAUSE))
        }
    }
}

/// Who starts what.
fn request_of(row: &trigger_outcome::Model, kind: TriggerKind, order: StartOrder) -> (Actor, StartRequest) {
    let word = match kind {
        TriggerKind::Schedule | TriggerKind::Manual => "schedule",
        TriggerKind::Backfill => "backfill",
        TriggerKind::Event => "event",
        TriggerKind::Webhook => "webhook",
    };
    let actor = Actor {
        name: format!("{word}:{}", row.owner_key).into(),
        namespace: row.namespace.as_str().into(),
    };
    let trigger = RunTrigger {
        kind,
        id: row.owner_id,
        key: row.owner_key.clone(),
        outcome: row.id,
        scheduled_at: order.scheduled_at,
        event_source: row.event_source.clone(),
        event_id: row.event_id.clone(),
    };
    let request = StartRequest {
        workflow: order.workflow,
        version: order.version,
        inputs: order.inputs,
        idempotency_key: Some(order.key),
        priority: order.priority,
        tags: order.tags,
        trigger: Some(Arc::new(trigger)),
        ..StartRequest::default()
    };
    (actor, request)
}

impl Ended {
    fn of(row: &trigger_outcome::Model, status: OutcomeStatus, run: Option<RunId>) -> Self {
        let schedule = kind_of(row.kind)
            .filter(|kind| kind.is_scheduled())
            .map(|_| row.owner_id);
        Self {
            id: row.id,
            status,
            run,
            reason: None,
            detail: None,
            schedule,
            is_open: status == OutcomeStatus::Started && schedule.is_some(),
            due_at: None,
        }
    }

    fn rejected(row: &trigger_outcome::Model, reason: &'static str, detail: &str) -> Self {
        Self {
            reason: Some(reason),
            detail: super::outcome::detail(detail),
            // open until its schedule has counted it as a failure
            is_open: row.nominal_at.is_some(),
            ..Self::of(row, OutcomeStatus::Rejected, None)
        }
    }

    fn again(row: &trigger_outcome::Model, at: Timestamp) -> Self {
        Self {
            is_open: true,
            due_at: Some(at.0),
            ..Self::of(row, OutcomeStatus::Starting, None)
        }
    }
}

/// One statement, however many.
async fn save(orchestrator: &Orchestrator, ended: &[Ended]) -> Result<(), StoreError> {
    let shell = orchestrator.shell();
    let mut rows = RowSet::new(shell.backend, ENDED);
    for end in ended {
        rows.id(end.id)
            .int(end.status.code())
            .id(end.run.map_or(uuid::Uuid::nil(), |run| run.0))
            .opt_text(end.reason)
            .opt_text(end.detail.as_deref())
            .int(i64::from(end.is_open))
            .opt_int(end.due_at);
    }
    let nil = shell
        .store
        .backend()
        .pick("'00000000-0000-0000-0000-000000000000'::uuid", "zeroblob(16)");
    // the order is kept only while it is to be done
    let sql = format!(
        "UPDATE trigger_outcome SET status = c.status, run_id = NULLIF(c.run_id, {nil}), reason = c.reason, detail = c.detail, \
         is_open = (c.is_open = 1), due_at = c.due_at, request = CASE WHEN c.due_at IS NULL THEN NULL ELSE request END, \
         updated_at = {} FROM {} WHERE trigger_outcome.id = c.id",
        shell.clock.now().0,
        source(shell.backend, ENDED)
    );
    let statement = rows.bind(shell.backend, &sql, vec![]);
    shell.store.execute("save started outcomes", statement).await?;
    Ok(())
}
