//! What tasks wait for: one row for each wait, there exactly as long as the task waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use runnel_engine::run::{WaitCommand, WaitSubject};
use runnel_engine::{RunId, TaskIx, Timestamp};
use sea_orm::{DbBackend, Statement};

use super::super::rows::{Column, Kind, RowSet, source};
use super::super::turn::Turn;
use crate::error::StoreError;
use crate::wait::kind_code;

const WAIT_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("namespace", Kind::Text),
    ("kind", Kind::Int),
    ("subject", Kind::Text),
    ("since", Kind::Int),
    ("look_back_from", Kind::Int),
    ("must_look_back", Kind::Int),
];

const WAIT_KEY: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int)];

/// A wait that begins.
struct Begun {
    namespace: Arc<str>,
    attempt: u32,
    subject: WaitSubject,
    since: Timestamp,
}

/// The rows of one batch: what became of each wait last, since it may begin and end within one batch.
pub(super) struct WaitRows {
    last: BTreeMap<(RunId, TaskIx), Option<Begun>>,
}

impl WaitRows {
    /// No rows.
    pub(super) fn new(_backend: DbBackend) -> Self {
        Self {
            last: BTreeMap::new(),
        }
    }

    /// Adds the rows of one command.
    pub(super) fn add(&mut self, turn: &Turn, command: &WaitCommand) -> Result<(), StoreError> {
        match command {
            WaitCommand::Begin {
                task,
                attempt,
                subject,
            } => {
                let begun = Begun {
                    namespace: Arc::clone(&turn.known.meta.namespace),
                    attempt: *attempt,
                    subject: subject.clone(),
                    since: turn.moment.now,
                };
                self.last.insert((turn.run(), *task), Some(begun));
            }
            WaitCommand::End { task } => _ = self.last.insert((turn.run(), *task), None),
        }
        Ok(())
    }

    /// The statements that write them.
    pub(super) fn statements(self, backend: DbBackend) -> Vec<(&'static str, Statement)> {
        let mut new = RowSet::new(backend, WAIT_NEW);
        let mut gone = RowSet::new(backend, WAIT_KEY);
        for ((run, task), begun) in self.last {
            let Some(begun) = begun else {
                gone.id(run.0).int(task.0);
                continue;
            };
            let (subject, from) = match &begun.subject {
                WaitSubject::Event(name, from) => (Some(name), Some(from.0)),
                WaitSubject::Signal(name) => (Some(name), None),
                WaitSubject::Approval | WaitSubject::Callback => (None, None),
            };
            new.id(run.0)
                .int(task.0)
                .int(begun.attempt)
                .text(&begun.namespace)
                .int(kind_code(&begun.subject))
                .opt_text(subject.map(|name| &**name))
                .int(begun.since.0)
                .opt_int(from)
                .int(i64::from(from.is_some()));
        }
        let mut statements = Vec::new();
        if !gone.is_empty() {
            statements.push(("end waits", gone.bind(backend, &delete(backend), vec![])));
        }
        if !new.is_empty() {
            statements.push(("begin waits", new.bind(backend, &insert(backend), vec![])));
        }
        statements
    }
}

/// A task that begins to wait again replaces its row. SQLite reads `ON CONFLICT` after a bare `FROM` as a join, hence `WHERE true`.
fn insert(backend: DbBackend) -> String {
    let names: Vec<&str> = WAIT_NEW.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = names.iter().map(|name| format!("c.{name}")).collect();
    let sets: Vec<String> = names[2..]
        .iter()
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    format!(
        "INSERT INTO wait({}) SELECT {} FROM {} WHERE true ON CONFLICT (run_id, ix) DO UPDATE SET {}",
        names.join(", "),
        values.join(", "),
        source(backend, WAIT_NEW),
        sets.join(", ")
    )
}

fn delete(backend: DbBackend) -> String {
    let rows = source(backend, WAIT_KEY);
    if backend == DbBackend::Postgres {
        format!("DELETE FROM wait USING {rows} WHERE wait.run_id = c.run_id AND wait.ix = c.ix")
    } else {
        format!("DELETE FROM wait WHERE (run_id, ix) IN (SELECT c.run_id, c.ix FROM {rows})")
    }
}
