//! `repeat`: a bounded loop of one task. Every round is an attempt of its own, with its own retries.

use std::sync::Arc;

use serde_json::{Value, json};

use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::readiness::expression_failure;
use super::scope::RunScope;
use super::{Category, RecordKind, TaskFailure, TaskStatus};
use crate::definition::Repeat;
use crate::expr::ExprError;
use crate::{TaskIx, Timestamp};

impl<'a> Machine<'a> {
    /// The loop that a task is in; a fan-out leaves it to its items.
    pub fn loop_of(&self, ix: TaskIx) -> Option<&'a Repeat> {
        let repeat = self.definition(ix).repeat.as_ref()?;
        (!self.is_fanout(ix)).then_some(repeat)
    }

    /// When the next round begins, of a task that waits for it.
    pub fn repeats_at(&self, ix: TaskIx) -> Option<Timestamp> {
        self.loop_of(ix)?;
        TaskExtra::of(self.task(ix)).repeat_at
    }

    /// A round ended well: the task has its output, or goes on with the next round.
    pub fn end_round(&mut self, ix: TaskIx, repeat: &Repeat, output: Arc<str>) {
        let round = TaskExtra::of(self.task(ix)).rounds;
        let rounds = round.saturating_add(1);
        let is_enough = match self.is_until(ix, round, &output) {
            Ok(is_until) => is_until.unwrap_or(rounds >= repeat.max),
            Err(error) => return self.fail_task(ix, expression_failure("repeat.until", &error)),
        };
        if is_enough {
            return self.complete(ix, output);
        }
        self.task_mut(ix).output = Some(output);
        if rounds >= repeat.max {
            let message = format!("`until` has not become true in {rounds} rounds");
            let failure = TaskFailure::new(Category::User, "REPEAT_LIMIT", message, false);
            return self.fail_task(ix, failure);
        }
        if self.is_ending() {
            return self.cancel_task(ix, "RUN_CANCELLED");
        }
        self.end_wait_of_round(ix);
        self.give_back(ix, Some(true));
        let mut extra = TaskExtra::of(self.task(ix));
        // a round without a worker waits for the alarm even when there is no pause: loops must not recurse
        let is_inline = matches!(self.definition(ix).kind.as_str(), "pass" | "eval" | "wait");
        let waits = is_inline || !repeat.every.is_zero();
        let next_at = self.now().after(repeat.every);
        extra.rounds = rounds;
        extra.repeat_at = waits.then_some(next_at);
        let task = self.task_mut(ix);
        task.error = None;
        task.retries = 0;
        task.losses = 0;
        // of the round that has ended; the next one begins at its beginning
        task.checkpoint = None;
        task.extra = extra.store();
        self.set_status(ix, TaskStatus::Waiting);
        let data = json!({"round": round, "nextAt": next_at.to_rfc3339()});
        self.task_record(RecordKind::TaskRepeated, ix, Note::data(data));
        if !waits {
            self.start(ix);
        }
    }

    /// The pause between two rounds is over.
    pub fn begin_round(&mut self, ix: TaskIx) {
        let mut extra = TaskExtra::of(self.task(ix));
        extra.repeat_at = None;
        self.task_mut(ix).extra = extra.store();
        self.start(ix);
    }

    /// What `until` says of a round; `None` without one.
    fn is_until(&self, ix: TaskIx, round: u32, output: &str) -> Result<Option<bool>, ExprError> {
        let Some(until) = &self.plan.compiled(self.task(ix).template).until else {
            return Ok(None);
        };
        let scope = RunScope::new(self.plan, self.state, Some(ix)).with_round(round, output);
        match until.eval(&scope)? {
            Value::Bool(is_until) => Ok(Some(is_until)),
            _ => Err(ExprError {
                message: "the condition is neither true nor false".to_owned(),
                offset: 0,
            }),
        }
    }
}
