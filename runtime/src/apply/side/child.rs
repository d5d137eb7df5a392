//! Errands between a run and its child runs: starts, cancels, and notices of an end.
//!
//! A row is written in the transaction that asks for it, and stays until it is done: the loop in `child` does it at least
//! once, whichever replica it runs in.

use std::collections::BTreeMap;

use runnel_engine::run::{CancelMode, ChildCommand};
use sea_orm::{DbBackend, Statement};
use uuid::Uuid;

use super::super::rows::{Column, Kind, RowSet, source};
use super::super::turn::Turn;
use crate::error::StoreError;

/// What an errand is; the numbers are stored.
pub(crate) mod errand {
    /// Start the child of an attempt.
    pub(crate) const START: i16 = 0;
    /// Cancel it gracefully.
    pub(crate) const CANCEL: i16 = 1;
    /// Cancel it now.
    pub(crate) const CANCEL_NOW: i16 = 2;
    /// Tell the parent that this run has ended.
    pub(crate) const ENDED: i16 = 3;
}

const ERRAND_NEW: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("kind", Kind::Int),
    ("created_at", Kind::Int),
    ("leased_until", Kind::Int),
];

/// The rows of one batch: errands by run, task, attempt and kind, each once, with the moment of its transaction.
pub(super) struct ChildRows {
    errands: BTreeMap<(Uuid, u32, u32, i16), i64>,
}

impl ChildRows {
    /// No rows.
    pub(super) fn new(_backend: DbBackend) -> Self {
        Self {
            errands: BTreeMap::new(),
        }
    }

    /// Adds the rows of one command.
    pub(super) fn add(&mut self, turn: &Turn, command: &ChildCommand) -> Result<(), StoreError> {
        let (task, attempt, kind) = match command {
            ChildCommand::Start { task, attempt } => (task, attempt, errand::START),
            ChildCommand::Cancel {
                task,
                attempt,
                mode: CancelMode::Graceful,
            } => (task, attempt, errand::CANCEL),
            ChildCommand::Cancel {
                task,
                attempt,
                mode: CancelMode::Now,
            } => (task, attempt, errand::CANCEL_NOW),
        };
        self.push(turn, task.0, *attempt, kind);
        Ok(())
    }

    /// Adds the notice to the parent of a run that ended in this turn.
    pub(super) fn add_end(&mut self, turn: &Turn) {
        if turn.has_ended_as_child() {
            self.push(turn, 0, 0, errand::ENDED);
        }
    }

    fn push(&mut self, turn: &Turn, task: u32, attempt: u32, kind: i16) {
        let key = (turn.run().0, task, attempt, kind);
        self.errands.insert(key, turn.moment.now.0);
    }

    /// The statements that write them. One that is there already is due again: whoever does it now may have read what was
    /// before, and does not remove what it does not hold any more.
    pub(super) fn statements(self, backend: DbBackend) -> Vec<(&'static str, Statement)> {
        if self.errands.is_empty() {
            return Vec::new();
        }
        let mut rows = RowSet::new(backend, ERRAND_NEW);
        for ((run, task, attempt, kind), created_at) in self.errands {
            rows.id(run).int(task).int(attempt).int(kind);
            rows.int(created_at).int(0);
        }
        let sql = format!(
            "INSERT INTO errand (run_id, ix, attempt, kind, created_at, leased_until) \
             SELECT c.run_id, c.ix, c.attempt, c.kind, c.created_at, c.leased_until FROM {} WHERE true \
             ON CONFLICT (run_id, ix, attempt, kind) DO UPDATE SET leased_until = 0",
            source(backend, ERRAND_NEW)
        );
        vec![("insert errands", rows.bind(backend, &sql, vec![]))]
    }
}
