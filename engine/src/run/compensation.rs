//! Compensation (saga): what has succeeded is undone when the main graph ends badly.
//!
//! Guarantees: only a task that succeeded, and of which nothing downstream passed a point of no return, is undone, and at
//! most once; with `order: reverse` a task is undone after everything that depended on it, through any number of tasks
//! without `compensate`; every compensation ends the phase in a final status. A compensation waits as `BLOCKED` for its
//! turn, also one that turns out not to apply, so that the order holds across tasks that did not succeed.

use super::machine::{Machine, Note};
use super::{Category, RecordKind, RunState, RunStatus, TaskFailure, TaskStatus};
use crate::definition::{CompensateOn, CompensationError, CompensationOrder};
use crate::plan::Section;
use crate::{Plan, TaskIx};

/// The order in which tasks are undone. Rebuilt from the statuses, never stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Undo {
    /// Per main task: how many of its downstreams are not undone yet.
    pending: Vec<u32>,
    /// Per main task: whether it or something downstream of it has passed a point of no return.
    protected: Vec<bool>,
}

impl Undo {
    /// Counted from the statuses of the compensations; empty while nothing is being undone. O(V + E).
    pub fn rebuild(plan: &Plan, state: &RunState) -> Self {
        let mut undo = Self::default();
        if state.status != RunStatus::Compensating || state.extra.compensation.is_some() {
            return undo;
        }
        let main: Vec<TaskIx> = plan.section_tasks(Section::Main).collect();
        undo.protected = protected(plan, state);
        undo.pending = vec![0; main.len()];
        for &ix in main.iter().rev() {
            let has_own = plan
                .compensation_of(ix)
                .is_some_and(|own| !state.tasks[own.at()].status.is_terminal());
            if has_own || undo.pending[ix.at()] > 0 {
                for upstream in plan.upstreams(ix) {
                    undo.pending[upstream.at()] += 1;
                }
            }
        }
        undo
    }
}

/// Whether the task's result stands and is of this run: what a cache gave was done by another.
fn is_done_here(state: &RunState, ix: TaskIx) -> bool {
    state.tasks.get(ix.at()).is_some_and(|task| match task.status {
        TaskStatus::Succeeded => true,
        TaskStatus::Cached => super::extra::TaskExtra::of(task).is_kept,
        TaskStatus::Blocked
        | TaskStatus::Ready
        | TaskStatus::Queued
        | TaskStatus::Running
        | TaskStatus::Waiting
        | TaskStatus::RetryWait
        | TaskStatus::Failed
        | TaskStatus::TimedOut
        | TaskStatus::Cancelled
        | TaskStatus::Skipped => false,
    })
}

/// See [`Undo::protected`]. O(V + E).
fn protected(plan: &Plan, state: &RunState) -> Vec<bool> {
    let main: Vec<TaskIx> = plan.section_tasks(Section::Main).collect();
    let mut protected = vec![false; main.len()];
    for &ix in main.iter().rev() {
        let has_passed = plan.task(ix).point_of_no_return
            && state
                .tasks
                .get(ix.at())
                .is_some_and(|task| matches!(task.status, TaskStatus::Succeeded | TaskStatus::Cached));
        if has_passed || protected[ix.at()] {
            protected[ix.at()] = true;
            for upstream in plan.upstreams(ix) {
                protected[upstream.at()] = true;
            }
        }
    }
    protected
}

/// Why a compensation is not wanted, as the reason of its skip.
fn is_wanted(plan: &Plan, state: &RunState, own: TaskIx, protected: &[bool]) -> Result<(), &'static str> {
    match plan.compensates(own) {
        Some(ix) if !is_done_here(state, ix) => Err("NOTHING_TO_UNDO"),
        Some(ix) if protected.get(ix.at()) == Some(&true) => Err("POINT_OF_NO_RETURN"),
        Some(_) => Ok(()),
        None => Err("NOT_APPLICABLE"),
    }
}

/// Whether the compensation of a main task has begun, so that the task's result can no longer be relied on.
pub(super) fn is_undone(plan: &Plan, state: &RunState, ix: TaskIx) -> bool {
    plan.compensation_of(ix)
        .and_then(|own| state.tasks.get(own.at()))
        .is_some_and(|own| own.attempt > 0 || own.status == TaskStatus::Succeeded)
}

impl Machine<'_> {
    /// The main graph has this outcome: what must be undone is, then the handler tasks follow.
    pub fn conclude_main(&mut self, outcome: RunStatus) {
        self.state.extra.outcome = Some(outcome);
        if self.must_compensate(outcome) {
            self.begin_compensation();
            return;
        }
        for ix in self.plan.section_tasks(Section::Compensation) {
            if self.task(ix).status == TaskStatus::Blocked {
                self.skip(ix, Note::reason("NOT_APPLICABLE"));
            }
        }
        self.begin_handlers(outcome);
    }

    fn must_compensate(&self, outcome: RunStatus) -> bool {
        let cause = match outcome {
            RunStatus::Failed => CompensateOn::Failed,
            RunStatus::Cancelled => CompensateOn::Cancelled,
            RunStatus::TimedOut => CompensateOn::TimedOut,
            RunStatus::Pending
            | RunStatus::Running
            | RunStatus::Cancelling
            | RunStatus::Compensating
            | RunStatus::Succeeded
            | RunStatus::Compensated
            | RunStatus::CompensationFailed => return false,
        };
        let mut candidates = self.plan.section_tasks(Section::Compensation).peekable();
        if candidates.peek().is_none() || !self.policy().on.contains(&cause) {
            return false;
        }
        let protected = protected(self.plan, self.state);
        candidates.any(|own| {
            let is_open = self.task(own).status == TaskStatus::Blocked;
            is_open && is_wanted(self.plan, self.state, own, &protected).is_ok()
        })
    }

    fn policy(&self) -> crate::definition::Compensation {
        self.plan.workflow().compensation.clone().unwrap_or_default()
    }

    fn begin_compensation(&mut self) {
        self.state.status = RunStatus::Compensating;
        self.state.extra.compensation = None;
        let outcome = self.state.extra.outcome;
        self.run_record(
            RecordKind::RunCompensating,
            Note::data(serde_json::json!({"outcome": outcome})),
        );
        self.continue_compensation();
    }

    /// Starts every compensation whose turn it is. Also after an operator set some of them back.
    pub fn continue_compensation(&mut self) {
        let undo = Undo::rebuild(self.plan, self.state);
        self.derived().undo = undo;
        let main: Vec<TaskIx> = self.plan.section_tasks(Section::Main).collect();
        let is_parallel = self.policy().order == CompensationOrder::Parallel;
        for ix in main {
            if is_parallel || self.state.extra.derived.undo.pending[ix.at()] == 0 {
                self.undo(ix);
            }
        }
    }

    /// It is this task's turn to be undone.
    fn undo(&mut self, ix: TaskIx) {
        let Some(own) = self.plan.compensation_of(ix) else {
            return;
        };
        if self.task(own).status != TaskStatus::Blocked {
            return;
        }
        match is_wanted(
            self.plan,
            self.state,
            own,
            &self.state.extra.derived.undo.protected,
        ) {
            Ok(()) => self.make_eligible(own),
            Err(reason) => self.skip(own, Note::reason(reason)),
        }
    }

    /// A compensation ended: those that waited for it have their turn, through tasks without one.
    pub fn on_compensation_settled(&mut self, own: TaskIx) {
        let Some(ix) = self.plan.compensates(own) else {
            return;
        };
        let has_failed = matches!(self.task(own).status, TaskStatus::Failed | TaskStatus::TimedOut);
        let policy = self.policy();
        if has_failed && policy.on_error == CompensationError::Halt {
            self.halt_compensation();
        }
        // out of its turn (an operator skipped it): what comes after still waits for those before it
        let is_in_turn = self.state.extra.derived.undo.pending.get(ix.at()) == Some(&0);
        if !is_in_turn || policy.order == CompensationOrder::Parallel {
            return;
        }
        let mut turns = Vec::new();
        let mut open = vec![ix];
        while let Some(done) = open.pop() {
            for &upstream in self.plan.upstreams(done) {
                let pending = &mut self.state.extra.derived.undo.pending[upstream.at()];
                *pending = pending.saturating_sub(1);
                if *pending > 0 {
                    continue;
                }
                match self.plan.compensation_of(upstream) {
                    Some(next) if !self.task(next).status.is_terminal() => turns.push(upstream),
                    _ => open.push(upstream),
                }
            }
        }
        turns.sort_unstable();
        for turn in turns {
            self.undo(turn);
        }
    }

    /// What has not begun is left as it is.
    fn halt_compensation(&mut self) {
        for ix in self.plan.section_tasks(Section::Compensation) {
            let task = self.task(ix);
            let has_begun = task.attempt > 0;
            if !task.status.is_terminal() && !has_begun {
                self.skip(ix, Note::reason("COMPENSATION_HALTED"));
            }
        }
    }

    /// Whether the run is undoing and has not finished that.
    pub fn is_compensating(&self) -> bool {
        self.standing().is_compensating()
    }

    /// Every compensation has ended: the result, then the handler tasks.
    pub fn end_compensation(&mut self) {
        let failed = self
            .plan
            .section_tasks(Section::Compensation)
            .filter(|ix| {
                matches!(
                    self.task(*ix).status,
                    TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Cancelled
                )
            })
            .min_by_key(|ix| (self.task(*ix).finished_at, *ix));
        let result = match failed {
            None => RunStatus::Compensated,
            Some(ix) => {
                self.state.error = Some(self.compensation_failure(ix));
                RunStatus::CompensationFailed
            }
        };
        self.state.extra.compensation = Some(result);
        self.derived().undo = Undo::default();
        if let Some(outcome) = self.state.extra.outcome {
            self.begin_handlers(outcome);
        }
    }

    /// Goes on with a rollback that failed: this compensation is tried again, and those that were left have their turn.
    pub fn retry_compensation(&mut self, own: TaskIx, actor: &str) {
        let is_reopened = self.state.status.is_terminal();
        if is_reopened {
            let outcome = self.state.extra.outcome;
            self.reopen(actor);
            self.state.status = RunStatus::Compensating;
            self.state.extra.outcome = outcome;
            let note = Note::data(serde_json::json!({"outcome": outcome}));
            self.run_record(RecordKind::RunCompensating, note);
            self.state.error = self.cause_of_rollback();
            for other in self.plan.section_tasks(Section::Compensation) {
                let task = self.task(other);
                let is_left = match task.status {
                    TaskStatus::Cancelled => true,
                    TaskStatus::Skipped => task.attempt == 0,
                    TaskStatus::Blocked
                    | TaskStatus::Ready
                    | TaskStatus::Queued
                    | TaskStatus::Running
                    | TaskStatus::Waiting
                    | TaskStatus::RetryWait
                    | TaskStatus::Succeeded
                    | TaskStatus::Failed
                    | TaskStatus::TimedOut
                    | TaskStatus::Cached => false,
                };
                if is_left && other != own {
                    self.reset(other, "RUN_REOPENED");
                }
            }
            self.reset_handlers();
        }
        self.clear(own);
        self.continue_compensation();
    }

    /// The failure of the main graph, from which the rollback began.
    fn cause_of_rollback(&self) -> Option<TaskFailure> {
        let error = self.state.error.as_ref()?;
        if error.code != "COMPENSATION_FAILED" {
            return Some(error.clone());
        }
        let cause = error.details.as_ref()?.get("cause")?;
        serde_json::from_value(cause.clone()).ok()
    }

    /// A rollback that did not succeed is what people must act on; what made it necessary is kept in the details.
    fn compensation_failure(&self, ix: TaskIx) -> TaskFailure {
        let cause = self.cause_of_rollback();
        let failure = self
            .task(ix)
            .error
            .clone()
            .unwrap_or_else(|| TaskFailure::new(Category::User, "CANCELLED", "it was cancelled", false));
        TaskFailure {
            code: "COMPENSATION_FAILED".to_owned(),
            details: Some(
                serde_json::json!({"task": self.state.key(self.plan, ix), "code": failure.code, "cause": cause}),
            ),
            retryable: false,
            ..self.root_cause(ix, failure)
        }
    }
}
