//! What asks to begin, and what no longer holds a place.

use runnel_engine::run::GateCommand;
use sea_orm::{DbBackend, Statement};

use super::super::turn::Turn;
use crate::error::StoreError;

/// The rows of one batch.
pub(super) struct GateRows {}

impl GateRows {
    /// No rows.
    pub(super) fn new(_backend: DbBackend) -> Self {
        Self {}
    }

    /// Adds the rows of one command.
    pub(super) fn add(&mut self, _turn: &Turn, _command: &GateCommand) -> Result<(), StoreError> {
        Ok(())
    }

    /// The statements that write them.
    pub(super) fn statements(self, _backend: DbBackend) -> Vec<(&'static str, Statement)> {
        Vec::new()
    }
}
