//! Rows that a batch writes for commands other than dispatches: what waits for the outside, child runs, gates, dead letters.
//!
//! Each part adds at most a constant number of statements to a batch, and none when no run of the batch uses it.

mod child;
mod dead_letter;
mod gate;
mod wait;

pub(crate) use child::errand;
pub(crate) use gate::{TICKET, delete as delete_tickets};

use runnel_engine::run::Command;
use sea_orm::{DbBackend, Statement};

use super::turn::Turn;
use crate::error::StoreError;

/// The rows of one batch.
pub(super) struct SideRows {
    waits: wait::WaitRows,
    children: child::ChildRows,
    gates: gate::GateRows,
    dead_letters: dead_letter::DeadLetterRows,
}

impl SideRows {
    /// No rows.
    pub(super) fn new(backend: DbBackend) -> Self {
        Self {
            waits: wait::WaitRows::new(backend),
            children: child::ChildRows::new(backend),
            gates: gate::GateRows::new(backend),
            dead_letters: dead_letter::DeadLetterRows::new(backend),
        }
    }

    /// Adds the rows of one command.
    pub(super) fn add(&mut self, turn: &Turn, command: &Command) -> Result<(), StoreError> {
        match command {
            Command::Dispatch { .. } | Command::Stop { .. } => Ok(()),
            Command::Wait(command) => self.waits.add(turn, command),
            Command::Child(command) => self.children.add(turn, command),
            Command::Gate(command) => self.gates.add(turn, command),
            Command::DeadLetter { task, attempt } => self.dead_letters.add(turn, *task, *attempt),
        }
    }

    /// Adds the rows that the end of the turn's run asks for.
    pub(super) fn add_end(&mut self, turn: &Turn) {
        self.children.add_end(turn);
    }

    /// The statements that write them, in their order.
    pub(super) fn statements(self, backend: DbBackend) -> Vec<(&'static str, Statement)> {
        let mut statements = self.waits.statements(backend);
        statements.extend(self.children.statements(backend));
        statements.extend(self.gates.statements(backend));
        statements.extend(self.dead_letters.statements(backend));
        statements
    }
}
