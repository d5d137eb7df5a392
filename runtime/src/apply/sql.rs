//! The texts of the statements of an apply. Made once a process; constant, whatever the size of a batch.

use runnel_engine::run::TaskStatus;
use sea_orm::DbBackend;

use super::rows::{Column, Kind, source};

/// Namespace and idempotency key.
pub(super) const KEYS: &[Column] = &[("namespace", Kind::Text), ("idempotency_key", Kind::Text)];

/// A new run.
pub(super) const RUN_NEW: &[Column] = &[
    ("id", Kind::Id),
    ("namespace", Kind::Text),
    ("workflow_id", Kind::Id),
    ("workflow_version_id", Kind::Id),
    ("workflow_version", Kind::Int),
    ("status", Kind::Int),
    ("is_paused", Kind::Int),
    ("version", Kind::Int),
    ("next_seq", Kind::Int),
    ("wake_at", Kind::Int),
    ("priority", Kind::Int),
    ("idempotency_key", Kind::Text),
    ("request_hash", Kind::Text),
    ("inputs", Kind::Text),
    ("vars", Kind::Text),
    ("outputs", Kind::Text),
    ("error", Kind::Text),
    ("tags", Kind::Text),
    ("counts", Kind::Text),
    ("has_tolerated_failures", Kind::Int),
    ("extra", Kind::Text),
    ("created_at", Kind::Int),
    ("created_by", Kind::Text),
    ("started_at", Kind::Int),
    ("finished_at", Kind::Int),
    ("parent_run_id", Kind::OptId),
    ("parent_ix", Kind::Int),
    ("parent_attempt", Kind::Int),
    ("root_run_id", Kind::OptId),
    ("depth", Kind::Int),
    ("rerun_of", Kind::Text),
];

/// What of a run changes; `guard` is the version that the change was computed from.
pub(super) const RUN_CHANGE: &[Column] = &[
    ("id", Kind::Id),
    ("guard", Kind::Int),
    ("status", Kind::Int),
    ("is_paused", Kind::Int),
    ("next_seq", Kind::Int),
    ("wake_at", Kind::Int),
    ("outputs", Kind::Text),
    ("error", Kind::Text),
    ("counts", Kind::Text),
    ("has_tolerated_failures", Kind::Int),
    ("extra", Kind::Text),
    ("started_at", Kind::Int),
    ("finished_at", Kind::Int),
];

/// A new task.
pub(super) const TASK_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("key", Kind::Text),
    ("template", Kind::Int),
    ("item", Kind::Text),
    ("kind", Kind::Text),
    ("queue", Kind::Text),
    ("status", Kind::Int),
    ("attempt", Kind::Int),
    ("retries", Kind::Int),
    ("losses", Kind::Int),
    ("wake_at", Kind::Int),
    ("ready_at", Kind::Int),
    ("queued_at", Kind::Int),
    ("started_at", Kind::Int),
    ("heartbeat_at", Kind::Int),
    ("finished_at", Kind::Int),
    ("worker", Kind::Text),
    ("input", Kind::Text),
    ("output", Kind::Text),
    ("error", Kind::Text),
    ("extra", Kind::Text),
];

/// What of a task changes.
pub(super) const TASK_CHANGE: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("status", Kind::Int),
    ("attempt", Kind::Int),
    ("retries", Kind::Int),
    ("losses", Kind::Int),
    ("wake_at", Kind::Int),
    ("ready_at", Kind::Int),
    ("queued_at", Kind::Int),
    ("started_at", Kind::Int),
    ("heartbeat_at", Kind::Int),
    ("finished_at", Kind::Int),
    ("worker", Kind::Text),
    ("input", Kind::Text),
    ("output", Kind::Text),
    ("error", Kind::Text),
    ("extra", Kind::Text),
];

/// A stretch of history. Xid and position are given by the database.
pub(super) const EVENT_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("first_seq", Kind::Int),
    ("last_seq", Kind::Int),
    ("namespace", Kind::Text),
    ("at", Kind::Int),
    ("records", Kind::Text),
];

/// A message to send.
pub(super) const OUTBOX_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("queue", Kind::Text),
    ("kind", Kind::Text),
    ("priority", Kind::Int),
    ("created_at", Kind::Int),
    ("leased_until", Kind::Int),
    ("namespace", Kind::Text),
    ("rank", Kind::Int),
];

/// What a running attempt says of itself. Apart from the other columns, because nearly no task says anything.
pub(super) const TASK_SAID: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("progress", Kind::Text),
    ("checkpoint", Kind::Text),
];

/// A payload that a run refers to.
pub(super) const USE_NEW: &[Column] = &[("sha256", Kind::Text), ("run_id", Kind::Id)];

/// A message that was sent or is no longer wanted.
pub(crate) const OUTBOX_KEY: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int), ("attempt", Kind::Int)];

/// All statement texts of one database.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(super) load_runs: String,
    pub(super) load_versions: String,
    pub(super) lock_runs: String,
    pub(super) load_tasks: String,
    pub(super) find_keys: String,
    pub(super) insert_runs: String,
    pub(super) insert_tasks: String,
    pub(super) update_runs: String,
    pub(super) update_tasks: String,
    pub(super) insert_events: String,
    pub(super) insert_outbox: String,
    pub(super) insert_uses: String,
    pub(super) update_said: String,
    pub(crate) delete_outbox: String,
    pub(super) insert_audits: String,
}

impl Sql {
    pub(crate) fn new(backend: DbBackend) -> Self {
        let ids = ids_in(backend);
        let is_postgres = backend == DbBackend::Postgres;
        let for_update = if is_postgres { " FOR UPDATE" } else { "" };
        Self {
            load_runs: format!("SELECT * FROM run WHERE id {ids} ORDER BY id"),
            load_versions: format!("SELECT id, version FROM run WHERE id {ids}"),
            lock_runs: format!("SELECT * FROM run WHERE id {ids} ORDER BY id{for_update}"),
            load_tasks: format!("SELECT * FROM task WHERE run_id {ids} ORDER BY run_id, ix"),
            find_keys: format!(
                "SELECT r.id, r.namespace, r.idempotency_key, r.request_hash FROM run r JOIN {} \
                 ON r.namespace = c.namespace AND r.idempotency_key = c.idempotency_key",
                source(backend, KEYS)
            ),
            insert_runs: insert_runs(backend),
            insert_tasks: insert(backend, "task", TASK_NEW),
            update_runs: update_runs(backend),
            update_tasks: update_tasks(backend),
            insert_events: insert(backend, "event", EVENT_NEW),
            insert_outbox: format!("{} ON CONFLICT DO NOTHING", insert(backend, "outbox", OUTBOX_NEW)),
            insert_uses: format!(
                "{} ON CONFLICT DO NOTHING",
                insert(backend, "payload_use", USE_NEW)
            ),
            update_said: format!(
                "UPDATE task SET progress = c.progress, checkpoint = c.checkpoint FROM {} \
                 WHERE task.run_id = c.run_id AND task.ix = c.ix",
                source(backend, TASK_SAID)
            ),
            delete_outbox: delete_outbox(backend),
            // a batch that is saved again after an unknown commit
            insert_audits: format!(
                "{} ON CONFLICT DO NOTHING",
                insert(backend, "audit", crate::audit::AUDIT_NEW)
            ),
        }
    }
}

/// `IN` over the rows of [`super::rows::ids`], the only values of the statement.
pub(crate) fn ids_in(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres {
        "= ANY($1::uuid[])"
    } else {
        "IN (SELECT unhex(value->>0) FROM json_each(?1))"
    }
}

/// `INSERT … SELECT` of all columns. SQLite reads `ON CONFLICT` after a bare `FROM` as a join, hence `WHERE true`.
pub(super) fn insert(backend: DbBackend, table: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = columns.iter().map(|(name, _)| value(backend, name)).collect();
    format!(
        "INSERT INTO {table}({}) SELECT {} FROM {} WHERE true",
        names.join(", "),
        values.join(", "),
        source(backend, columns)
    )
}

/// Booleans travel as numbers and are the only columns that do not convert by assignment.
fn value(backend: DbBackend, name: &str) -> String {
    if backend == DbBackend::Postgres && matches!(name, "is_paused" | "has_tolerated_failures") {
        format!("c.{name} <> 0")
    } else {
        format!("c.{name}")
    }
}

/// A run whose id or idempotency key exists already is left alone; the ids that come back are the new ones.
fn insert_runs(backend: DbBackend) -> String {
    format!(
        "{} ON CONFLICT DO NOTHING RETURNING id",
        insert(backend, "run", RUN_NEW)
    )
}

/// The version guards each row. The rows come in the order of their ids and are found one after the other (the connections
/// that write have no other kind of join), so that two replicas lock them in the same order.
fn update_runs(backend: DbBackend) -> String {
    let sets: Vec<String> = RUN_CHANGE[2..]
        .iter()
        .map(|(name, _)| format!("{name} = {}", value(backend, name)))
        .collect();
    format!(
        "UPDATE run SET version = c.guard + 1, {} FROM {} WHERE run.id = c.id AND run.version = c.guard RETURNING run.id",
        sets.join(", "),
        source(backend, RUN_CHANGE)
    )
}

/// Input and output are large and change once: NULL keeps what is stored. Only a task that has run to its end keeps its
/// output: one that was reset has none until it ends again.
fn update_tasks(backend: DbBackend) -> String {
    let ended = [
        TaskStatus::Succeeded,
        TaskStatus::Failed,
        TaskStatus::TimedOut,
        TaskStatus::Cached,
    ];
    let ended = ended.map(|status| (status as u8).to_string()).join(", ");
    let sets: Vec<String> = TASK_CHANGE[2..]
        .iter()
        .map(|(name, _)| match *name {
            "input" => "input = COALESCE(c.input, task.input)".to_owned(),
            "output" => format!(
                "output = CASE WHEN c.status IN ({ended}) THEN COALESCE(c.output, task.output) ELSE c.output END"
            ),
            _ => format!("{name} = c.{name}"),
        })
        .collect();
    format!(
        "UPDATE task SET {} FROM {} WHERE task.run_id = c.run_id AND task.ix = c.ix",
        sets.join(", "),
        source(backend, TASK_CHANGE)
    )
}

fn delete_outbox(backend: DbBackend) -> String {
    let rows = source(backend, OUTBOX_KEY);
    if backend == DbBackend::Postgres {
        format!(
            "DELETE FROM outbox USING {rows} \
             WHERE outbox.run_id = c.run_id AND outbox.ix = c.ix AND outbox.attempt = c.attempt"
        )
    } else {
        format!(
            "DELETE FROM outbox WHERE (run_id, ix, attempt) IN (SELECT c.run_id, c.ix, c.attempt FROM {rows})"
        )
    }
}
