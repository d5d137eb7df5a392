//! Records of tasks that failed for good, written in the transaction of the failure.

use runnel_engine::TaskIx;
use runnel_engine::run::{Category, TaskFailure, UNDELIVERABLE};
use sea_orm::{DbBackend, Statement};

use super::super::convert::json_text;
use super::super::rows::{Column, Kind as Bind, RowSet};
use super::super::sql::insert;
use super::super::turn::Turn;
use crate::dead_letters::letter::{self, Kind, Status};
use crate::error::StoreError;

/// A new letter about an attempt.
const NEW: &[Column] = &[
    ("id", Bind::Id),
    ("namespace", Bind::Text),
    ("kind", Bind::Int),
    ("status", Bind::Int),
    ("at", Bind::Int),
    ("workflow", Bind::Text),
    ("run_id", Bind::Id),
    ("ix", Bind::Int),
    ("task", Bind::Text),
    ("attempt", Bind::Int),
    ("queue", Bind::Text),
    ("category", Bind::Text),
    ("code", Bind::Text),
    ("summary", Bind::Text),
    ("failure", Bind::Text),
    ("payload", Bind::Text),
    ("fingerprint", Bind::Text),
];

/// The rows of one batch.
pub(super) struct DeadLetterRows {
    rows: RowSet,
}

impl DeadLetterRows {
    /// No rows.
    pub(super) fn new(backend: DbBackend) -> Self {
        Self {
            rows: RowSet::new(backend, NEW),
        }
    }

    /// Adds the rows of one command.
    pub(super) fn add(&mut self, turn: &Turn, ix: TaskIx, attempt: u32) -> Result<(), StoreError> {
        let (state, plan) = (&turn.known.state, &turn.known.meta.plan);
        let task = &state.tasks[ix.at()];
        let definition = plan.task(task.template);
        // a later input of the batch may have set the task back already: the letter is kept all the same
        let failure = task.error.clone().unwrap_or_else(|| {
            TaskFailure::new(
                Category::Internal,
                "UNKNOWN",
                "the failure is not known any more",
                false,
            )
        });
        let kind = if UNDELIVERABLE.contains(&failure.code.as_str()) {
            Kind::MessageUndeliverable
        } else {
            Kind::Task
        };
        let (run, now) = (state.context.id, turn.moment.now);
        let workflow = &plan.workflow().id;
        self.rows
            .id(letter::id_of_attempt(kind, run, ix, attempt, now))
            .text(&turn.known.meta.namespace)
            .int(kind as i16)
            .int(Status::Open as i16)
            .int(now.0);
        self.rows
            .text(workflow)
            .id(run.0)
            .int(ix.0)
            .text(&state.key(plan, ix))
            .int(attempt)
            .text(&definition.queue);
        self.rows
            .text(&category(failure.category))
            .text(&letter::code(&failure.code))
            .text(&letter::summary(&failure.message))
            .text(&json_text(&failure)?)
            .opt_text(task.input.as_deref().map(letter::cut).as_deref())
            .text(&letter::fingerprint(workflow, &definition.key, &failure));
        Ok(())
    }

    /// The statements that write them.
    pub(super) fn statements(self, backend: DbBackend) -> Vec<(&'static str, Statement)> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let text = format!("{} ON CONFLICT DO NOTHING", insert(backend, "dead_letter", NEW));
        vec![("keep dead letters", self.rows.bind(backend, &text, vec![]))]
    }
}

/// The stored name of a category.
fn category(category: Category) -> String {
    let name = serde_json::to_value(category).unwrap_or_default();
    name.as_str().unwrap_or("INTERNAL").to_owned()
}
