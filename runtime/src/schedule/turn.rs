//! One look at one schedule: what has ended, what is due, and what becomes of it, in one transaction.

use runnel_engine::run::{CancelMode, RunStatus};
use runnel_engine::schedule::{Calendar, Decision, Situation, SkipReason, Verdict, decide};
use runnel_engine::trigger::{TriggerFacts, TriggerKind, render_inputs};
use runnel_engine::{RunId, Timestamp};
use runnel_entity::{schedule, trigger_outcome};
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    QueryFilter, QuerySelect,
};
use uuid::Uuid;

use super::outcome::{self, Owner, StartOrder};
use super::query::schedule_from_row;
use super::run_key;
use super::view::{OutcomeStatus, ScheduleView};
use crate::actor::Actor;
use crate::error::{OperateError, StoreError};
use crate::orchestrator::Orchestrator;
use crate::store::{Backend, failed_to};
use crate::view::convert::corrupt;

/// Open outcomes that are read in one look; only whether there are any decides anything.
const OPEN_MAX: usize = 1_000;

/// What is left to do after the commit.
#[derive(Debug, Default)]
struct Looked {
    namespace: String,
    key: String,
    cancels: Vec<RunId>,
}

/// Looks at a schedule. Nothing happens when it is gone, or when another replica looks at it.
pub(super) async fn look(orchestrator: &Orchestrator, id: Uuid) -> Result<(), StoreError> {
    let shell = orchestrator.clone();
    let looked = orchestrator
        .reads()
        .store
        .tx("look at a schedule", move |tx| {
            let orchestrator = shell.clone();
            Box::pin(async move { look_in(tx, &orchestrator, id).await })
        })
        .await?;
    let actor = Actor {
        name: format!("schedule:{}", looked.key).into(),
        namespace: looked.namespace.as_str().into(),
    };
    for run in looked.cancels {
        let reason = "a newer time of the schedule has come".to_owned();
        let cancelled = orchestrator
            .cancel_run(&actor, run, CancelMode::Graceful, Some(reason))
            .await;
        match cancelled {
            // an end of its own is as good
            Ok(_)
            | Err(
                OperateError::UnknownRun | OperateError::UnknownTask { .. } | OperateError::Conflict { .. },
            ) => {}
            Err(OperateError::Store(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Puts a schedule that cannot be looked at aside for a while.
pub(super) async fn set_aside(
    orchestrator: &Orchestrator,
    id: Uuid,
    until: Timestamp,
) -> Result<(), StoreError> {
    let update = schedule::Entity::update_many()
        .col_expr(schedule::Column::NextAt, Expr::value(until.0))
        .filter(schedule::Column::Id.eq(id))
        .filter(schedule::Column::NextAt.is_not_null());
    orchestrator
        .reads()
        .store
        .tx("set a schedule aside", move |tx| {
            let update = update.clone();
            Box::pin(async move {
                update.exec(tx).await.map_err(failed_to("set a schedule aside"))?;
                Ok(())
            })
        })
        .await
}

async fn look_in(
    tx: &DatabaseTransaction,
    orchestrator: &Orchestrator,
    id: Uuid,
) -> Result<Looked, StoreError> {
    let failed = failed_to("look at a schedule");
    let row = schedule::Entity::find_by_id(id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(tx)
        .await
        .map_err(failed)?;
    let Some(row) = row else {
        return Ok(Looked::default());
    };
    let namespace = row.namespace.clone();
    let schedule = schedule_from_row(row)?;
    let open = Open::read(tx, orchestrator.reads().store.backend(), id, schedule.failures).await?;
    close(tx, &open.closed).await?;
    let now = orchestrator.clock().now();
    if !schedule.is_active() {
        return rest(tx, &schedule, open.failures).await;
    }
    let calendar = Calendar::new(&schedule.spec)
        .map_err(|problem| corrupt("schedule", format!("spec of {id}: {problem}")))?;
    let situation = Situation {
        cursor: schedule.cursor,
        buffered: schedule.buffered.clone(),
        open_runs: open.runs,
        failures: open.failures,
    };
    let decision = decide(&calendar, &schedule.policy, id, &situation, now);
    let owner = Owner {
        id,
        key: schedule.key.clone(),
        namespace: namespace.clone(),
        kind: TriggerKind::Schedule,
        now,
    };
    let writer = Writer {
        orchestrator,
        schedule: &schedule,
        calendar: &calendar,
        owner,
    };
    writer.outcomes(tx, &decision, &open).await?;
    save(tx, &schedule, &decision, open.failures).await?;
    Ok(Looked {
        namespace,
        key: schedule.key,
        cancels: if decision.cancels_open {
            open.run_ids
        } else {
            Vec::new()
        },
    })
}

/// A paused schedule: what has ended is counted, nothing else happens until somebody resumes it.
async fn rest(
    tx: &DatabaseTransaction,
    schedule: &ScheduleView,
    failures: u32,
) -> Result<Looked, StoreError> {
    let update = schedule::ActiveModel {
        id: Set(schedule.id),
        next_at: Set(None),
        failures: Set(i32::try_from(failures).unwrap_or(i32::MAX)),
        ..Default::default()
    };
    update.update(tx).await.map_err(failed_to("save a schedule"))?;
    Ok(Looked::default())
}

/// What of a schedule has not ended.
pub(super) struct Open {
    /// Runs that go on, and starts on their way.
    pub runs: usize,
    pub run_ids: Vec<RunId>,
    /// Outcomes whose run has ended since the last look.
    pub closed: Vec<Uuid>,
    /// Outcomes that wait, by nominal time.
    waiting: Vec<(Timestamp, Uuid)>,
    /// Runs in a row that did not succeed.
    pub failures: u32,
}

impl Open {
    async fn read(
        tx: &DatabaseTransaction,
        backend: Backend,
        owner: Uuid,
        failures: u32,
    ) -> Result<Self, StoreError> {
        Self::read_where(
            tx,
            backend,
            "o.owner_id = {} AND o.backfill_id IS NULL",
            owner,
            failures,
        )
        .await
    }

    /// Of a backfill, which counts no failures.
    pub(super) async fn of_backfill(
        tx: &DatabaseTransaction,
        backend: Backend,
        schedule: Uuid,
        backfill: Uuid,
    ) -> Result<Self, StoreError> {
        let literal = match backend {
            Backend::Postgres => format!("'{backfill}'"),
            Backend::Sqlite => format!("x'{}'", backfill.simple()),
        };
        let condition = format!("o.owner_id = {{}} AND o.backfill_id = {literal}");
        Self::read_where(tx, backend, &condition, schedule, 0).await
    }

    /// One statement, ordered by the end of the runs, so that a row of failures is counted as it happened.
    async fn read_where(
        tx: &DatabaseTransaction,
        backend: Backend,
        condition: &str,
        owner: Uuid,
        failures: u32,
    ) -> Result<Self, StoreError> {
        let failed = failed_to("read open outcomes");
        let condition = condition.replace("{}", backend.pick("$1", "?1"));
        let sql = format!(
            "SELECT o.id, o.status, o.nominal_at, o.run_id, r.status FROM trigger_outcome o \
             LEFT JOIN run r ON r.id = o.run_id WHERE {condition} AND o.is_open \
             ORDER BY COALESCE(r.finished_at, 0), o.created_at, o.id LIMIT {OPEN_MAX}"
        );
        let rows = tx
            .query_all_raw(backend.statement(sql, [owner.into()]))
            .await
            .map_err(failed)?;
        let mut open = Self {
            runs: 0,
            run_ids: Vec::new(),
            closed: Vec::new(),
            waiting: Vec::new(),
            failures,
        };
        for row in rows {
            let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
            let status: i16 = row.try_get_by_index(1).map_err(failed)?;
            let nominal: Option<i64> = row.try_get_by_index(2).map_err(failed)?;
            let run: Option<Uuid> = row.try_get_by_index(3).map_err(failed)?;
            let run_status: Option<i16> = row.try_get_by_index(4).map_err(failed)?;
            open.add(
                id,
                OutcomeStatus::from_code(status),
                nominal,
                run,
                run_status.and_then(RunStatus::from_code),
            );
        }
        Ok(open)
    }

    fn add(
        &mut self,
        id: Uuid,
        status: Option<OutcomeStatus>,
        nominal: Option<i64>,
        run: Option<Uuid>,
        run_status: Option<RunStatus>,
    ) {
        match (status, run_status) {
            (Some(OutcomeStatus::Buffered), _) => {
                self.waiting.push((Timestamp(nominal.unwrap_or_default()), id));
            }
            (Some(OutcomeStatus::Rejected), _) => {
                self.failures = self.failures.saturating_add(1);
                self.closed.push(id);
            }
            (Some(OutcomeStatus::Started), Some(ended)) if ended.is_terminal() => {
                match ended {
                    RunStatus::Succeeded => self.failures = 0,
                    // somebody wanted it to end: neither a failure nor a success
                    RunStatus::Cancelled => {}
                    _ => self.failures = self.failures.saturating_add(1),
                }
                self.closed.push(id);
            }
            // the run was deleted
            (Some(OutcomeStatus::Started), None) => self.closed.push(id),
            (Some(OutcomeStatus::Started | OutcomeStatus::Starting), _) => {
                self.runs += 1;
                self.run_ids.extend(run.map(RunId));
            }
            (
                Some(
                    OutcomeStatus::Deduped
                    | OutcomeStatus::Filtered
                    | OutcomeStatus::RateLimited
                    | OutcomeStatus::Skipped,
                )
                | None,
                _,
            ) => self.closed.push(id),
        }
    }
}

/// Marks outcomes whose run has ended.
pub(super) async fn close(tx: &DatabaseTransaction, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    trigger_outcome::Entity::update_many()
        .col_expr(trigger_outcome::Column::IsOpen, Expr::value(false))
        .filter(trigger_outcome::Column::Id.is_in(ids.iter().copied()))
        .exec(tx)
        .await
        .map_err(failed_to("close outcomes"))?;
    Ok(())
}

async fn save(
    tx: &DatabaseTransaction,
    schedule: &ScheduleView,
    decision: &Decision,
    failures: u32,
) -> Result<(), StoreError> {
    let buffered: Vec<i64> = decision.buffered.iter().map(|nominal| nominal.0).collect();
    let mut update = schedule::ActiveModel {
        id: Set(schedule.id),
        cursor: Set(decision.cursor.0),
        next_at: Set(decision.next_at.map(|at| at.0)),
        buffered: Set(serde_json::Value::from(buffered).to_string()),
        failures: Set(i32::try_from(failures).unwrap_or(i32::MAX)),
        ..Default::default()
    };
    if decision.pauses {
        update.is_paused = Set(true);
        update.pause_reason = Set(Some(format!("{failures} runs in a row did not succeed")));
        update.paused_by = Set(Some(format!("schedule:{}", schedule.key)));
    }
    update.update(tx).await.map_err(failed_to("save a schedule"))?;
    Ok(())
}

/// Writes what was decided.
struct Writer<'a> {
    orchestrator: &'a Orchestrator,
    schedule: &'a ScheduleView,
    calendar: &'a Calendar,
    owner: Owner,
}

impl Writer<'_> {
    /// At most three statements, however many verdicts.
    async fn outcomes(
        &self,
        tx: &DatabaseTransaction,
        decision: &Decision,
        open: &Open,
    ) -> Result<(), StoreError> {
        let (mut new, mut released, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
        for (nominal, verdict) in &decision.verdicts {
            let waiting = open
                .waiting
                .iter()
                .find(|(at, _)| at == nominal)
                .map(|(_, id)| *id);
            match (waiting, verdict) {
                (Some(id), Verdict::Fire) => released.push(id),
                (Some(id), Verdict::Skip(_)) => replaced.push(id),
                (Some(_), Verdict::Buffer) => {}
                (None, verdict) => new.push(self.new_outcome(*nominal, *verdict)?),
            }
        }
        if let Some(missed) = decision.missed {
            let detail = format!(
                "{}{} time(s) from {} to {} were missed",
                if missed.is_more { "at least " } else { "" },
                missed.count,
                self.calendar.local_text(missed.first),
                self.calendar.local_text(missed.last)
            );
            new.push(trigger_outcome::Model {
                reason: Some("MISSED".to_owned()),
                detail: outcome::detail(&detail),
                nominal_at: Some(missed.last.0),
                ..self.owner.outcome(self.fresh(), OutcomeStatus::Skipped)
            });
        }
        outcome::insert(tx, new).await?;
        self.update(tx, released, OutcomeStatus::Starting).await?;
        self.update(tx, replaced, OutcomeStatus::Skipped).await
    }

    fn fresh(&self) -> Uuid {
        self.orchestrator.entropy().uuid(self.owner.now)
    }

    fn new_outcome(
        &self,
        nominal: Timestamp,
        verdict: Verdict,
    ) -> Result<trigger_outcome::Model, StoreError> {
        let id = self.fresh();
        let nominal_at = Some(nominal.0);
        let skipped = |reason: SkipReason| {
            let (word, detail) = match reason {
                SkipReason::Overlap => ("OVERLAP", "a run of the schedule goes on"),
                SkipReason::BufferFull => ("BUFFER_FULL", "as many times wait already as may"),
                SkipReason::Replaced => ("REPLACED", "a newer time waits in its place"),
            };
            trigger_outcome::Model {
                reason: Some(word.to_owned()),
                detail: outcome::detail(detail),
                nominal_at,
                ..self.owner.outcome(id, OutcomeStatus::Skipped)
            }
        };
        let order = match (
            verdict,
            order(self.orchestrator, self.schedule, self.calendar, nominal),
        ) {
            (Verdict::Skip(reason), _) => return Ok(skipped(reason)),
            (_, Ok(order)) => order,
            // open until the next look, which counts it as a failure
            (_, Err(message)) => {
                return Ok(trigger_outcome::Model {
                    reason: Some("INPUT_INVALID".to_owned()),
                    detail: outcome::detail(&message),
                    nominal_at,
                    is_open: true,
                    ..self.owner.outcome(id, OutcomeStatus::Rejected)
                });
            }
        };
        let ordered = trigger_outcome::Model {
            nominal_at,
            ..self.owner.order(id, &order)?
        };
        Ok(match verdict {
            Verdict::Buffer => trigger_outcome::Model {
                status: OutcomeStatus::Buffered.code(),
                reason: Some("OVERLAP".to_owned()),
                detail: outcome::detail("it waits for the run before it"),
                due_at: None,
                ..ordered
            },
            Verdict::Fire | Verdict::Skip(_) => ordered,
        })
    }

    async fn update(
        &self,
        tx: &DatabaseTransaction,
        ids: Vec<Uuid>,
        status: OutcomeStatus,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let is_start = status == OutcomeStatus::Starting;
        let none = Expr::value(Option::<String>::None);
        let (reason, due_at) = if is_start {
            (none, Some(self.owner.now.0))
        } else {
            (Expr::value("REPLACED"), None)
        };
        trigger_outcome::Entity::update_many()
            .col_expr(trigger_outcome::Column::Status, Expr::value(status.code()))
            .col_expr(trigger_outcome::Column::Reason, reason)
            .col_expr(
                trigger_outcome::Column::Detail,
                Expr::value(Option::<String>::None),
            )
            .col_expr(trigger_outcome::Column::DueAt, Expr::value(due_at))
            .col_expr(trigger_outcome::Column::IsOpen, Expr::value(is_start))
            .col_expr(trigger_outcome::Column::UpdatedAt, Expr::value(self.owner.now.0))
            .filter(trigger_outcome::Column::Id.is_in(ids))
            .exec(tx)
            .await
            .map_err(failed_to("save trigger outcomes"))?;
        Ok(())
    }
}

/// The start of one nominal time.
pub(super) fn order(
    orchestrator: &Orchestrator,
    schedule: &ScheduleView,
    calendar: &Calendar,
    nominal: Timestamp,
) -> Result<StartOrder, String> {
    let scheduled_at = calendar.local_text(nominal);
    let facts = TriggerFacts {
        workflow: &schedule.workflow_key,
        vars: orchestrator.vars(),
        scheduled_at: &scheduled_at,
        now: orchestrator.clock().now(),
    };
    Ok(StartOrder {
        workflow: schedule.workflow_key.clone(),
        version: schedule.version,
        inputs: render_inputs(&schedule.inputs, &facts)?,
        priority: schedule.priority,
        tags: schedule.tags.clone(),
        key: run_key(schedule.id, nominal),
        scheduled_at: Some(scheduled_at),
    })
}
