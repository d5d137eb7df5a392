//! When a task may begin: edges, joins, conditions.

use serde_json::Value;

use super::derived::satisfies;
use super::machine::{Machine, Note};
use super::scope::RunScope;
use super::{Category, RecordKind, TaskFailure, TaskStatus};
use crate::TaskIx;
use crate::expr::ExprError;
use crate::plan::Section;

impl Machine<'_> {
    /// A task became terminal: its downstreams, or the fan-out it is an item of, may go on.
    pub fn on_settled(&mut self, ix: TaskIx) {
        let status = self.task(ix).status;
        if !status.is_terminal() {
            // reset by an operator in the same call
            return;
        }
        if self.is_item(ix) {
            self.on_item_settled(ix);
            return;
        }
        let plan = self.plan;
        if plan.section(ix) == Section::Compensation {
            self.on_compensation_settled(ix);
            return;
        }
        let tolerated = plan.task(ix).continue_on_error;
        for (downstream, accepts) in plan.edges_out(ix) {
            if let Some(counts) = self.derived().edges.get_mut(downstream.at()) {
                counts.decided += 1;
                counts.satisfied += u32::from(satisfies(accepts, status, tolerated));
            }
            self.consider(downstream);
        }
    }

    /// Starts a blocked task whose edges are satisfied; skips one whose edges cannot be any more.
    pub fn consider(&mut self, ix: TaskIx) {
        if self.task(ix).status != TaskStatus::Blocked || !self.is_section_open(ix) {
            return;
        }
        let counts = self
            .state
            .extra
            .derived
            .edges
            .get(ix.at())
            .copied()
            .unwrap_or_default();
        let edges = u32::try_from(self.plan.upstreams(ix).len()).unwrap_or(u32::MAX);
        let required = self.plan.required(ix);
        if counts.satisfied >= required {
            self.make_eligible(ix);
        } else if counts.satisfied + (edges - counts.decided) < required {
            self.skip(ix, Note::reason(self.upstream_reason(ix)));
        }
    }

    fn upstream_reason(&self, ix: TaskIx) -> &'static str {
        let statuses = self
            .plan
            .upstreams(ix)
            .iter()
            .map(|upstream| self.task(*upstream).status);
        let mut reason = "UPSTREAM_NOT_ACCEPTED";
        for status in statuses {
            match status {
                TaskStatus::Failed | TaskStatus::TimedOut => return "UPSTREAM_FAILED",
                TaskStatus::Cancelled => reason = "UPSTREAM_CANCELLED",
                TaskStatus::Skipped if reason == "UPSTREAM_NOT_ACCEPTED" => reason = "UPSTREAM_SKIPPED",
                TaskStatus::Skipped
                | TaskStatus::Blocked
                | TaskStatus::Ready
                | TaskStatus::Queued
                | TaskStatus::Running
                | TaskStatus::Waiting
                | TaskStatus::RetryWait
                | TaskStatus::Succeeded
                | TaskStatus::Cached => {}
            }
        }
        reason
    }

    /// The upstreams allow the task (or the fan-out allows the item): its condition decides, then it starts.
    pub fn make_eligible(&mut self, ix: TaskIx) {
        let now = self.now();
        self.task_mut(ix).ready_at = Some(now);
        match self.holds(ix) {
            Ok(true) => self.start(ix),
            Ok(false) => self.skip(ix, Note::reason("CONDITION_FALSE")),
            Err(error) => self.fail_task(ix, expression_failure("if", &error)),
        }
    }

    /// An `if` that reads `each` or `matrix` belongs to the items, any other to the task.
    fn holds(&self, ix: TaskIx) -> Result<bool, ExprError> {
        let compiled = self.plan.compiled(self.task(ix).template);
        let Some(condition) = &compiled.condition else {
            return Ok(true);
        };
        let roots = &condition.references().roots;
        let is_per_item = compiled.fanout.is_some() && (roots.contains("each") || roots.contains("matrix"));
        if is_per_item != self.is_item(ix) {
            return Ok(true);
        }
        match condition.eval(&RunScope::new(self.plan, self.state, Some(ix)))? {
            Value::Bool(holds) => Ok(holds),
            _ => Err(ExprError {
                message: "the condition is neither true nor false".to_owned(),
                offset: 0,
            }),
        }
    }

    pub fn skip(&mut self, ix: TaskIx, note: Note<'_>) {
        self.stop(ix);
        // a loop has the output of its last round, which is not the task's
        self.task_mut(ix).output = None;
        self.set_status(ix, TaskStatus::Skipped);
        self.task_record(RecordKind::TaskSkipped, ix, note);
    }

    /// Begins the next attempt, or holds the task as `READY` while nothing may start.
    pub fn start(&mut self, ix: TaskIx) {
        if self.may_start() {
            self.launch(ix);
        } else if self.task(ix).status != TaskStatus::Ready {
            self.set_status(ix, TaskStatus::Ready);
            let reason = if self.state.is_paused {
                "PAUSED"
            } else {
                "RUN_IS_ENDING"
            };
            self.task_record(RecordKind::TaskReady, ix, Note::reason(reason));
        }
    }

    pub fn launch(&mut self, ix: TaskIx) {
        if self.task(ix).ready_at.is_none() {
            // another round after an operator resumed the run: its limits count from here
            let now = self.now();
            self.task_mut(ix).ready_at = Some(now);
        }
        if self.is_fanout(ix) {
            self.begin_fanout(ix);
            return;
        }
        if self.must_ask(ix) {
            self.ask(ix);
            return;
        }
        match self.definition(ix).kind.as_str() {
            "pass" | "eval" => self.run_inline(ix),
            "wait" => self.begin_wait(ix),
            "workflow" => self.begin_child(ix),
            "approval" => self.begin_approval(ix),
            _ => self.dispatch(ix),
        }
    }
}

/// An expression that fails at run time fails the task, never the process; another attempt would fail the same way.
pub(super) fn expression_failure(place: &str, error: &ExprError) -> TaskFailure {
    TaskFailure::new(
        Category::Expression,
        "EXPRESSION",
        format!("{place}: {}", error.message),
        false,
    )
}
