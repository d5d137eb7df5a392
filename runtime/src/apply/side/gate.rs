//! What asks to begin, what no longer holds a place, what ended attempts say about breakers, and results to keep.
//!
//! Places are given back in the transaction in which the attempt ends, so they cannot leak. The rows of questions are deleted
//! before those of places: a gatekeeper that is granting one at this moment holds the question's row, so the deletion waits
//! for it, and the next statement sees the place that was granted.

use std::collections::BTreeMap;

use runnel_engine::gate::{GateRequest, rank};
use runnel_engine::run::GateCommand;
use runnel_engine::{TaskIx, Timestamp};
use sea_orm::{DbBackend, Statement};
use uuid::Uuid;

use super::super::convert::json_text;
use super::super::rows::{Column, Kind, RowSet, source};
use super::super::turn::Turn;
use crate::error::StoreError;

/// The run itself among the tickets.
pub(crate) const RUN_IX: i64 = -1;

pub(crate) const TICKET: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int), ("attempt", Kind::Int)];

const WAIT_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("namespace", Kind::Text),
    ("lane", Kind::Text),
    ("rank", Kind::Int),
    ("state", Kind::Int),
    ("since", Kind::Int),
    ("request", Kind::Text),
];

const VERDICT_NEW: &[Column] = &[
    ("namespace", Kind::Text),
    ("name", Kind::Text),
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("verdict", Kind::Int),
    ("at", Kind::Int),
];

const KEPT_NEW: &[Column] = &[
    ("namespace", Kind::Text),
    ("key", Kind::Text),
    ("output", Kind::Text),
    ("run_id", Kind::Id),
    ("kept_at", Kind::Int),
    ("expires_at", Kind::Int),
];

/// Names a question or a place.
type Key = (Uuid, i64, i64);

/// A question to be stored.
struct Question {
    namespace: String,
    lane: String,
    rank: i64,
    since: Timestamp,
    request: String,
}

/// The rows of one batch.
pub(super) struct GateRows {
    /// Asked and not taken back in the same batch.
    asked: BTreeMap<Key, Question>,
    answered: RowSet,
    released: RowSet,
    verdicts: RowSet,
    kept: BTreeMap<(String, String), (String, Uuid, Timestamp, Timestamp)>,
}

impl GateRows {
    /// No rows.
    pub(super) fn new(backend: DbBackend) -> Self {
        Self {
            asked: BTreeMap::new(),
            answered: RowSet::new(backend, TICKET),
            released: RowSet::new(backend, TICKET),
            verdicts: RowSet::new(backend, VERDICT_NEW),
            kept: BTreeMap::new(),
        }
    }

    /// Adds the rows of one command.
    pub(super) fn add(&mut self, turn: &Turn, command: &GateCommand) -> Result<(), StoreError> {
        let state = &turn.known.state;
        let run = state.context.id.0;
        let of_task = |task: &TaskIx, attempt: &u32| (run, i64::from(task.0), i64::from(*attempt));
        let of_run = (run, RUN_IX, 0);
        match command {
            GateCommand::Request {
                task,
                attempt,
                since,
                request,
            } => {
                let definition = turn.known.meta.plan.task(state.tasks[task.at()].template);
                let priority = definition.priority.unwrap_or(state.context.priority);
                self.ask(turn, of_task(task, attempt), *since, priority, request)
            }
            GateCommand::RequestRun { since, request } => {
                self.ask(turn, of_run, *since, state.context.priority, request)
            }
            GateCommand::Taken { task, attempt } => {
                self.answer(of_task(task, attempt));
                Ok(())
            }
            GateCommand::TakenRun => {
                self.answer(of_run);
                Ok(())
            }
            GateCommand::Release {
                task,
                attempt,
                circuit,
                verdict,
            } => {
                let key = of_task(task, attempt);
                self.release(key);
                if let Some(name) = circuit {
                    self.verdicts.text(&turn.known.meta.namespace).text(name);
                    self.verdicts.id(key.0).int(key.1).int(key.2);
                    self.verdicts
                        .opt_int(verdict.map(i64::from))
                        .int(turn.moment.now.0);
                }
                Ok(())
            }
            GateCommand::ReleaseRun => {
                self.release(of_run);
                Ok(())
            }
            GateCommand::Keep { task, key, until } => {
                if let Some(output) = &state.tasks[task.at()].output {
                    let place = (turn.known.meta.namespace.to_string(), key.clone());
                    // a large one by its reference, which the collector of garbage finds here
                    let output = turn.stored.of(output).to_owned();
                    let row = (output, run, turn.moment.now, *until);
                    self.kept.insert(place, row);
                }
                Ok(())
            }
        }
    }

    fn ask(
        &mut self,
        turn: &Turn,
        key: Key,
        since: Timestamp,
        priority: u8,
        request: &GateRequest,
    ) -> Result<(), StoreError> {
        let question = Question {
            namespace: turn.known.meta.namespace.to_string(),
            lane: request.lane(),
            rank: rank(since, priority),
            since,
            request: json_text(request)?,
        };
        self.asked.insert(key, question);
        Ok(())
    }

    fn answer(&mut self, key: Key) {
        self.asked.remove(&key);
        self.answered.id(key.0).int(key.1).int(key.2);
    }

    fn release(&mut self, key: Key) {
        self.answer(key);
        self.released.id(key.0).int(key.1).int(key.2);
    }

    /// The statements that write them.
    pub(super) fn statements(self, backend: DbBackend) -> Vec<(&'static str, Statement)> {
        let mut asked = RowSet::new(backend, WAIT_NEW);
        for ((run, ix, attempt), question) in self.asked {
            asked.id(run).int(ix).int(attempt);
            asked
                .text(&question.namespace)
                .text(&question.lane)
                .int(question.rank)
                .int(0);
            asked.int(question.since.0).text(&question.request);
        }
        let mut kept = RowSet::new(backend, KEPT_NEW);
        for ((namespace, key), (output, run, at, until)) in self.kept {
            kept.text(&namespace).text(&key).text(&output).id(run);
            kept.int(at.0).int(until.0);
        }
        let mut statements = Vec::new();
        for (action, rows, sql) in [
            (
                "delete answered questions",
                self.answered,
                delete(backend, "gate_wait"),
            ),
            ("free places", self.released, delete(backend, "concurrency_slot")),
            (
                "store verdicts",
                self.verdicts,
                insert(backend, "circuit_verdict", VERDICT_NEW, ""),
            ),
            (
                "ask the gates",
                asked,
                insert(backend, "gate_wait", WAIT_NEW, " ON CONFLICT DO NOTHING"),
            ),
            (
                "keep results",
                kept,
                insert(
                    backend,
                    "result_cache",
                    KEPT_NEW,
                    " ON CONFLICT (namespace, key) DO UPDATE SET output = excluded.output, run_id = excluded.run_id, \
                     kept_at = excluded.kept_at, expires_at = excluded.expires_at",
                ),
            ),
        ] {
            if !rows.is_empty() {
                statements.push((action, rows.bind(backend, &sql, vec![])));
            }
        }
        statements
    }
}

/// The rows of a table with these tickets.
pub(crate) fn delete(backend: DbBackend, table: &str) -> String {
    let rows = source(backend, TICKET);
    if backend == DbBackend::Postgres {
        format!(
            "DELETE FROM {table} t USING {rows} WHERE t.run_id = c.run_id AND t.ix = c.ix AND t.attempt = c.attempt"
        )
    } else {
        format!(
            "DELETE FROM {table} WHERE (run_id, ix, attempt) IN (SELECT c.run_id, c.ix, c.attempt FROM {rows})"
        )
    }
}

fn insert(backend: DbBackend, table: &str, columns: &[Column], conflict: &str) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = names.iter().map(|name| format!("c.{name}")).collect();
    // SQLite reads `ON CONFLICT` after a bare `FROM` as a join, hence `WHERE true`
    format!(
        "INSERT INTO {table}({}) SELECT {} FROM {} WHERE true{conflict}",
        names.join(", "),
        values.join(", "),
        source(backend, columns)
    )
}
