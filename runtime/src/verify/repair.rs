//! Mends what follows from other rows: counters, alarms, and messages of the outbox. Everything else is left to a person: a status, a
//! history or an output cannot be made up.
//!
//! Safe on a database in use: each run is looked at again under its lock, its version is raised with every change, so that no server goes on
//! with the state that it remembers, and a message that is sent once too often is refused by the fence of its attempt.

use std::collections::{BTreeMap, BTreeSet};

use runnel_engine::gate;
use runnel_engine::run::{Counts, RunStatus, TaskStatus};
use runnel_engine::{RunId, Timestamp};
use runnel_entity::run;
use runnel_queue::payload::PayloadStore;
use sea_orm::{ConnectionTrait, DatabaseTransaction, EntityTrait, QuerySelect};

use super::rows::count_of;
use super::{TaskRow, VerifyReport, read_tasks, verify_all};
use crate::clock::{Clock, SystemClock, SystemEntropy};
use crate::config::DatabaseConfig;
use crate::error::StoreError;
use crate::store::{Backend, Schema, Store, failed_to};

/// Rules that can be mended.
const MENDABLE: [&str; 4] = ["counts", "alarm", "outbox", "dispatch"];

/// Something that was mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The run, when it is about one.
    pub run: Option<RunId>,
    /// The rule that was broken.
    pub rule: &'static str,
    /// What was done, one sentence.
    pub done: String,
}

/// What was mended, and what is left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepairReport {
    /// What was done, in order.
    pub repairs: Vec<Repair>,
    /// What is broken after it.
    pub left: VerifyReport,
}

/// Checks a whole database, mends what can be mended, and checks again.
///
/// # Errors
/// The database or the payload store cannot be read or written, or the schema is not the one of this program.
pub async fn repair(
    config: &DatabaseConfig,
    payloads: Option<&PayloadStore>,
) -> Result<RepairReport, StoreError> {
    let store = Store::open(config, std::sync::Arc::new(SystemEntropy), Schema::Require).await?;
    let repaired = repair_all(&store, payloads).await;
    store.close().await;
    repaired
}

async fn repair_all(store: &Store, payloads: Option<&PayloadStore>) -> Result<RepairReport, StoreError> {
    let found = verify_all(store, payloads).await?;
    let mendable = || {
        found
            .problems
            .iter()
            .filter(|problem| MENDABLE.contains(&problem.rule))
    };
    let mut runs: BTreeMap<RunId, BTreeSet<&'static str>> = BTreeMap::new();
    for problem in mendable() {
        if let Some(run) = problem.run {
            runs.entry(run).or_default().insert(problem.rule);
        }
    }
    let mut repairs = Vec::new();
    if mendable().next().is_some() {
        repairs.extend(drop_orphans(store).await?);
    }
    let now = SystemClock.now();
    for (run, rules) in runs {
        let is_undispatched = rules.contains("dispatch");
        let done = store
            .tx("repair a run", move |tx| {
                Box::pin(repair_run(tx, run, is_undispatched, now))
            })
            .await?;
        repairs.extend(done.into_iter().map(|(rule, done)| Repair {
            run: Some(run),
            rule,
            done,
        }));
    }
    let left = if repairs.is_empty() {
        found
    } else {
        verify_all(store, payloads).await?
    };
    Ok(RepairReport { repairs, left })
}

async fn drop_orphans(store: &Store) -> Result<Option<Repair>, StoreError> {
    let sql = "DELETE FROM outbox WHERE run_id NOT IN (SELECT id FROM run)";
    let statement = store.backend().statement(sql, []);
    let dropped = store.execute("drop messages without a run", statement).await?;
    Ok((dropped > 0).then(|| Repair {
        run: None,
        rule: "outbox",
        done: format!("dropped {dropped} messages whose run does not exist"),
    }))
}

/// What was done, with the rule that it was for.
type Done = Vec<(&'static str, String)>;

async fn repair_run(
    tx: &DatabaseTransaction,
    id: RunId,
    is_undispatched: bool,
    now: Timestamp,
) -> Result<Done, StoreError> {
    let failed = failed_to("repair a run");
    let row = match Backend::of(tx) {
        Backend::Postgres => run::Entity::find_by_id(id.0).lock_exclusive().one(tx).await,
        // the transaction has the only write lock
        Backend::Sqlite => run::Entity::find_by_id(id.0).one(tx).await,
    };
    let Some(row) = row.map_err(failed)? else {
        return Ok(Vec::new());
    };
    let Some(status) = RunStatus::from_code(row.status) else {
        return Ok(Vec::new());
    };
    let tasks = read_tasks(tx, id).await?;
    let mut done = Vec::new();
    let (counts, wake_at) = (mended_counts(&row, &tasks), mended_alarm(&row, status, &tasks));
    if counts.is_some() {
        done.push(("counts", "counted the tasks anew".to_owned()));
    }
    if let Some(wake_at) = wake_at {
        done.push((
            "alarm",
            match wake_at {
                Some(at) => format!("the run wakes at {}", Timestamp(at).to_rfc3339()),
                None => "took the alarm from a run that has ended".to_owned(),
            },
        ));
    }
    let ended = tasks
        .iter()
        .filter(|task| {
            task.wake_at.is_some() && TaskStatus::from_code(task.status).is_some_and(TaskStatus::is_terminal)
        })
        .count();
    if ended > 0 {
        let sql = format!(
            "UPDATE task SET wake_at = NULL WHERE run_id = {{run}} AND wake_at IS NOT NULL AND status >= {}",
            TaskStatus::Succeeded as u8
        );
        execute(tx, id, &sql).await?;
        done.push((
            "alarm",
            format!("took the alarms from {ended} tasks that have ended"),
        ));
    }
    let dropped = execute(tx, id, &unwanted_messages()).await?;
    if dropped > 0 {
        done.push(("outbox", format!("dropped {dropped} messages that nobody wants")));
    }
    if is_undispatched {
        done.extend(send_again(tx, id, status, now).await?);
    }
    if !done.is_empty() {
        let counts = counts.unwrap_or(row.counts);
        let wake_at = wake_at.unwrap_or(row.wake_at);
        let values = [counts.into(), wake_at.into()];
        let sql = "UPDATE run SET counts = {1}, wake_at = {2}, version = version + 1 WHERE id = {run}";
        execute_with(tx, id, sql, values).await?;
    }
    Ok(done)
}

/// The recount, where the stored one differs.
fn mended_counts(row: &run::Model, tasks: &[TaskRow]) -> Option<String> {
    let mut recount = Counts::default();
    for task in tasks {
        *count_of(&mut recount, TaskStatus::from_code(task.status)?) += 1;
    }
    let is_right = serde_json::from_str::<Counts>(&row.counts).is_ok_and(|counts| counts == recount);
    if is_right {
        None
    } else {
        serde_json::to_string(&recount).ok()
    }
}

/// The alarm that the tasks ask for, where the stored one is missing, late, or of a run that has ended.
fn mended_alarm(row: &run::Model, status: RunStatus, tasks: &[TaskRow]) -> Option<Option<i64>> {
    if status.is_terminal() {
        return row.wake_at.is_some().then_some(None);
    }
    let earliest = tasks.iter().filter_map(|task| task.wake_at).min()?;
    let is_late = row.wake_at.is_none_or(|wake_at| wake_at > earliest);
    is_late.then_some(Some(earliest))
}

/// Only what the relay cannot be about to send: rows of attempts that are over.
fn unwanted_messages() -> String {
    format!(
        "DELETE FROM outbox WHERE run_id = {{run}} AND NOT EXISTS (SELECT 1 FROM task t WHERE t.run_id = outbox.run_id \
         AND t.ix = outbox.ix AND t.attempt = outbox.attempt AND t.status IN ({}, {}))",
        TaskStatus::Queued as u8,
        TaskStatus::Running as u8
    )
}

/// A message for each queued attempt that has none in the outbox: once too often at worst, which the fence refuses.
async fn send_again(
    tx: &DatabaseTransaction,
    id: RunId,
    status: RunStatus,
    now: Timestamp,
) -> Result<Option<(&'static str, String)>, StoreError> {
    if status.is_terminal() {
        return Ok(None);
    }
    let ageing = i64::try_from(gate::AGEING.as_micros()).unwrap_or(i64::MAX);
    let now = now.0;
    let sql = format!(
        "INSERT INTO outbox(run_id, ix, attempt, queue, kind, priority, created_at, leased_until, namespace, rank) \
         SELECT t.run_id, t.ix, t.attempt, t.queue, t.kind, r.priority, {now}, 0, r.namespace, \
         COALESCE(t.queued_at, {now}) - {ageing} * r.priority FROM run r JOIN task t ON t.run_id = r.id \
         WHERE r.id = {{run}} AND t.status = {} ON CONFLICT DO NOTHING",
        TaskStatus::Queued as u8
    );
    let sent = execute(tx, id, &sql).await?;
    Ok((sent > 0).then(|| ("dispatch", format!("sends {sent} queued attempts again"))))
}

async fn execute(tx: &DatabaseTransaction, id: RunId, sql: &str) -> Result<u64, StoreError> {
    execute_with(tx, id, sql, []).await
}

/// `{run}` is the run, `{1}` and on the values.
async fn execute_with<const N: usize>(
    tx: &DatabaseTransaction,
    id: RunId,
    sql: &str,
    values: [sea_orm::Value; N],
) -> Result<u64, StoreError> {
    let backend = Backend::of(tx);
    let sign = backend.pick("$", "?");
    let mut sql = sql.replace("{run}", &format!("{sign}1"));
    for at in 1..=N {
        sql = sql.replace(&format!("{{{at}}}"), &format!("{sign}{}", at + 1));
    }
    let values = std::iter::once(id.0.into()).chain(values);
    let done = tx.execute_raw(backend.statement(sql, values)).await;
    Ok(done.map_err(failed_to("repair a run"))?.rows_affected())
}
