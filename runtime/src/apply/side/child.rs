//! Errands between a run and its child runs: starts, cancels, and notices of an end.
//!
//! A row is written in the transaction that asks for it, and stays until it is done: the loop in `child` does it at least
//! once, whichever replica it runs in.

use runnel_engine::run::{CancelMode, ChildCommand};
use sea_orm::{DbBackend, Statement};

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

/// The rows of one batch.
pub(super) struct ChildRows {
    rows: RowSet,
}

impl ChildRows {
    /// No rows.
    pub(super) fn new(backend: DbBackend) -> Self {
        Self {
            rows: RowSet::new(backend, ERRAND_NEW),
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
        self.rows.id(turn.run().0).int(task).int(attempt).int(kind);
        self.rows.int(turn.moment.now.0).int(0);
    }

    /// The statements that write them. An errand that is already on its way is not sent twice.
    pub(super) fn statements(self, backend: DbBackend) -> Vec<(&'static str, Statement)> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let sql = format!(
            "INSERT INTO errand (run_id, ix, attempt, kind, created_at, leased_until) \
             SELECT c.run_id, c.ix, c.attempt, c.kind, c.created_at, c.leased_until FROM {} WHERE true \
             ON CONFLICT DO NOTHING",
            source(backend, ERRAND_NEW)
        );
        vec![("insert errands", self.rows.bind(backend, &sql, vec![]))]
    }
}
