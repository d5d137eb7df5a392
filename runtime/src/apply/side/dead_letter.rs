//! Records of tasks that failed for good.

use runnel_engine::TaskIx;
use sea_orm::{DbBackend, Statement};

use super::super::turn::Turn;
use crate::error::StoreError;

/// The rows of one batch.
pub(super) struct DeadLetterRows {}

impl DeadLetterRows {
    /// No rows.
    pub(super) fn new(_backend: DbBackend) -> Self {
        Self {}
    }

    /// Adds the rows of one command.
    pub(super) fn add(&mut self, _turn: &Turn, _task: TaskIx, _attempt: u32) -> Result<(), StoreError> {
        Ok(())
    }

    /// The statements that write them.
    pub(super) fn statements(self, _backend: DbBackend) -> Vec<(&'static str, Statement)> {
        Vec::new()
    }
}
