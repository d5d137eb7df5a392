//! The checker: what must hold of the rows at every commit, asked of a real database.
//!
//! Read-only but for [`repair`], and safe on a database in use: each run is read in one snapshot. Memory is bounded by the largest run. The
//! rows are checked against each other and their history here, the state they make by the engine itself. A rule that fires is a defect of Runnel or a change by somebody else.

mod gates;
mod history;
mod payloads;
mod repair;
mod rows;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use runnel_engine::{RunId, TaskIx, WorkflowVersionId};
use runnel_entity::{event, outbox, run, task};
use runnel_queue::payload::PayloadStore;
use sea_orm::{
    AccessMode, ColumnTrait, DatabaseTransaction, EntityTrait, FromQueryResult, IsolationLevel, QueryFilter,
    QueryOrder, QueryResult, QuerySelect, TransactionOptions, TransactionTrait,
};
use uuid::Uuid;

use crate::apply::{Fetch, state_of};
use crate::clock::{Clock, SystemClock, SystemEntropy};
use crate::config::DatabaseConfig;
use crate::error::StoreError;
use crate::store::{Backend, Schema, Store, failed_to};
use crate::workflows::Versions;
use history::History;
pub use repair::{Repair, RepairReport, repair};

/// Runs listed at a time.
const RUNS_PER_LIST: u64 = 200;

/// Event rows read at a time.
const EVENTS_PER_READ: u64 = 500;

/// Problems that are kept; the rest are only counted.
const PROBLEMS_MAX: usize = 10_000;

/// How long the relay may take to delete what was sent.
const OUTBOX_GRACE: Duration = Duration::from_secs(30);

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The run, when it is about one.
    pub run: Option<RunId>,
    /// The task, when it is about one.
    pub task: Option<TaskIx>,
    /// Name of the rule, as `counts`.
    pub rule: &'static str,
    /// One sentence.
    pub message: String,
}

/// What the checker found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Runs looked at.
    pub checked_runs: u64,
    /// Broken invariants, up to a limit.
    pub problems: Vec<Problem>,
    /// Broken invariants beyond the limit.
    pub problems_left_out: u64,
}

impl VerifyReport {
    /// Whether every invariant holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        } else {
            self.problems_left_out += 1;
        }
    }
}

/// Checks a whole database, and where it is given the payload store: whether it has every value that a run refers to.
///
/// # Errors
/// The database or the payload store cannot be read, or the schema is not the one of this program.
pub async fn verify(
    config: &DatabaseConfig,
    payloads: Option<&PayloadStore>,
) -> Result<VerifyReport, StoreError> {
    let store = Store::open(config, Arc::new(SystemEntropy), Schema::Require).await?;
    let report = verify_all(&store, payloads).await;
    store.close().await;
    report
}

async fn verify_all(store: &Store, payloads: Option<&PayloadStore>) -> Result<VerifyReport, StoreError> {
    let mut report = verify_store(store, &SystemClock).await?;
    if let Some(payloads) = payloads {
        payloads::check_store(store, payloads, &mut report).await?;
    }
    Ok(report)
}

pub(crate) async fn verify_store(store: &Store, clock: &dyn Clock) -> Result<VerifyReport, StoreError> {
    let mut report = VerifyReport::default();
    check_versions(store, &mut report).await?;
    check_orphans(store, &mut report).await?;
    waits::check(store, &mut report).await?;
    gates::check(store, &mut report).await?;
    let versions = Versions::new(store.clone());
    let mut after = None;
    loop {
        let ids = runs_after(store, after).await?;
        let Some((last, _)) = ids.last() else {
            return Ok(report);
        };
        after = Some(*last);
        for (id, version) in &ids {
            // read before the snapshot, which must not wait for a second connection
            let versions = match versions.get(WorkflowVersionId(*version)).await {
                Ok(_) => Some(&versions),
                Err(StoreError::Corrupt { problem, .. }) => {
                    report.add(Problem {
                        run: Some(RunId(*id)),
                        task: None,
                        rule: "state",
                        message: problem,
                    });
                    None
                }
                Err(error) => return Err(error),
            };
            check_run(store, versions, clock, RunId(*id), &mut report).await?;
        }
    }
}

/// Runs with their versions.
async fn runs_after(store: &Store, after: Option<Uuid>) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
    let mut ids = run::Entity::find()
        .select_only()
        .column(run::Column::Id)
        .column(run::Column::WorkflowVersionId)
        .order_by_asc(run::Column::Id);
    if let Some(after) = after {
        ids = ids.filter(run::Column::Id.gt(after));
    }
    ids.limit(RUNS_PER_LIST)
        .into_tuple()
        .all(store.read())
        .await
        .map_err(failed_to("list runs"))
}

/// The numbers of a workflow's versions are 1 to the latest.
async fn check_versions(store: &Store, report: &mut VerifyReport) -> Result<(), StoreError> {
    let sql = "SELECT w.namespace, w.key, w.latest_version, count(v.id), coalesce(max(v.number), 0) FROM workflow w \
               LEFT JOIN workflow_version v ON v.workflow_id = w.id GROUP BY w.id, w.namespace, w.key, w.latest_version";
    let read = |row: &QueryResult| {
        let (namespace, key): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let (latest, newest): (i32, i32) = (row.try_get_by_index(2)?, row.try_get_by_index(4)?);
        let count: i64 = row.try_get_by_index(3)?;
        Ok((namespace, key, latest, count, newest))
    };
    let statement = store.backend().statement(sql, []);
    let workflows = store.rows("check workflow versions", statement, read).await?;
    for (namespace, key, latest, count, newest) in workflows {
        if latest != newest || count != i64::from(latest) {
            let message = format!(
                "workflow {namespace}/{key} says version {latest}, has {count} up to number {newest}"
            );
            report.add(Problem {
                run: None,
                task: None,
                rule: "versions",
                message,
            });
        }
    }
    Ok(())
}

/// A message belongs to a run that exists.
async fn check_orphans(store: &Store, report: &mut VerifyReport) -> Result<(), StoreError> {
    let sql =
        "SELECT o.run_id FROM outbox o LEFT JOIN run r ON r.id = o.run_id WHERE r.id IS NULL LIMIT 1000";
    let statement = store.backend().statement(sql, []);
    let read = |row: &QueryResult| row.try_get_by_index(0);
    let runs: Vec<Uuid> = store.rows("check the outbox", statement, read).await?;
    for run in runs {
        let message = "a message waits in the outbox for a run that does not exist".to_owned();
        report.add(Problem {
            run: Some(RunId(run)),
            task: None,
            rule: "outbox",
            message,
        });
    }
    Ok(())
}

/// Everything of one run, in one snapshot: the rows against each other and their history, and what the engine says of
/// the state that they make.
async fn check_run(
    store: &Store,
    versions: Option<&Versions>,
    clock: &dyn Clock,
    id: RunId,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let failed = failed_to("read a run to check it");
    let snapshot = store
        .read()
        .begin_with_options(snapshot_options(store.backend()))
        .await
        .map_err(failed)?;
    let found = run::Entity::find_by_id(id.0)
        .one(&snapshot)
        .await
        .map_err(failed)?;
    // it may have been deleted since it was listed
    if let Some(row) = found {
        let tasks = read_tasks(&snapshot, id).await?;
        let history = read_history(&snapshot, id, report).await?;
        let messages = outbox::Entity::find().filter(outbox::Column::RunId.eq(id.0));
        let messages = messages.all(&snapshot).await.map_err(failed)?;
        let oldest_allowed = clock
            .now()
            .0
            .saturating_sub(i64::try_from(OUTBOX_GRACE.as_micros()).unwrap_or(i64::MAX));
        let is_overdue = |message: &outbox::Model| message.created_at < oldest_allowed;
        let mut findings = rows::check(&row, &tasks, &messages, is_overdue, &history);
        findings.extend(payloads::check_run(&snapshot, store.backend(), &row).await?);
        if let Some(versions) = versions {
            check_state(&snapshot, store.backend(), versions, id, &history, &mut findings).await?;
        }
        for (task, rule, message) in findings {
            report.add(Problem {
                run: Some(id),
                task,
                rule,
                message,
            });
        }
        report.checked_runs += 1;
    }
    snapshot.rollback().await.map_err(failed)
}

/// What the engine says of the state that the rows make: readiness, alarms, ends, and whether it is what the history tells.
async fn check_state(
    snapshot: &DatabaseTransaction,
    backend: Backend,
    versions: &Versions,
    id: RunId,
    history: &History,
    findings: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    match state_of(snapshot, backend.into(), versions, id, &Fetch::Nowhere).await {
        Ok(Some((version, state))) => {
            let broken = runnel_engine::run::check(&version.plan, &state);
            findings.extend(broken.into_iter().map(|message| (None, "state", message)));
            let differences = history.told.differences(&version.plan, &state);
            findings.extend(differences.into_iter().map(|message| (None, "replay", message)));
        }
        Ok(None) => {}
        Err(StoreError::Corrupt { problem, .. }) => findings.push((None, "state", problem)),
        Err(error) => return Err(error),
    }
    Ok(())
}

fn snapshot_options(backend: Backend) -> TransactionOptions {
    match backend {
        Backend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        },
        // a deferred transaction that only reads is a snapshot in WAL mode
        Backend::Sqlite => TransactionOptions::default(),
    }
}

/// The small columns of a task.
#[derive(Debug, Clone, FromQueryResult)]
struct TaskRow {
    ix: i32,
    status: i16,
    attempt: i32,
    wake_at: Option<i64>,
    finished_at: Option<i64>,
}

async fn read_tasks(snapshot: &DatabaseTransaction, id: RunId) -> Result<Vec<TaskRow>, StoreError> {
    task::Entity::find()
        .filter(task::Column::RunId.eq(id.0))
        .select_only()
        .columns([
            task::Column::Ix,
            task::Column::Status,
            task::Column::Attempt,
            task::Column::WakeAt,
            task::Column::FinishedAt,
        ])
        .order_by_asc(task::Column::Ix)
        .into_model()
        .all(snapshot)
        .await
        .map_err(failed_to("read the tasks of a run"))
}

/// Walks the history in order, a stretch at a time; what is wrong in itself is reported at once.
async fn read_history(
    snapshot: &DatabaseTransaction,
    id: RunId,
    report: &mut VerifyReport,
) -> Result<History, StoreError> {
    let mut history = History::default();
    let mut after = i64::MIN;
    loop {
        let rows = event::Entity::find()
            .filter(event::Column::RunId.eq(id.0))
            .filter(event::Column::FirstSeq.gt(after))
            .order_by_asc(event::Column::FirstSeq)
            .limit(EVENTS_PER_READ)
            .all(snapshot)
            .await
            .map_err(failed_to("read the events of a run"))?;
        let Some(last) = rows.last() else { break };
        after = last.first_seq;
        for row in &rows {
            history.append(row);
        }
        for (task, rule, message) in history.take_findings() {
            report.add(Problem {
                run: Some(id),
                task,
                rule,
                message,
            });
        }
    }
    Ok(history)
}

/// A broken rule of one run.
type Finding = (Option<TaskIx>, &'static str, String);
