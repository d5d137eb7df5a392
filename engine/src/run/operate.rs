//! What an operator does to one task: retry it, also in a finished run, or skip it.

use std::collections::BTreeSet;

use super::compensation::is_undone;
use super::derived::EdgeCounts;
use super::extra::TaskExtra;
use super::machine::{Machine, Note};
use super::{Outcome, RecordKind, Refusal, RunStanding, RunStatus, TaskStanding, TaskState, TaskStatus};
use crate::TaskIx;
use crate::plan::Section;

/// Why results cannot be made anew in the same run.
pub(super) const EXPANDED: &str =
    "the items of a fan-out would have to be made anew; rerun the tasks as a new run (`newRun: true`)";

impl Machine<'_> {
    /// Resets the task and what was skipped or cancelled downstream of it; a finished run goes on with everything that it cancelled.
    pub fn on_task_retry_requested(&mut self, ix: TaskIx, actor: &str) -> Outcome {
        if let Some(refusal) = self.refuse_retry(ix) {
            return Outcome::Refused(refusal);
        }
        let is_reopened = self.state.status.is_terminal();
        self.state.extra.is_retried = true;
        self.task_record(
            RecordKind::TaskRetryRequested,
            ix,
            Note {
                actor: Some(actor),
                ..Note::default()
            },
        );
        if self.plan.section(self.task(ix).template) == Section::Compensation && !self.is_item(ix) {
            self.retry_compensation(ix, actor);
            return Outcome::Applied;
        }
        let mut again = self.undone_downstreams(ix);
        if is_reopened {
            again.extend(self.compensated());
            again.extend(self.cut_short());
            self.reopen(actor);
        }
        if let Some(parent) = self.task(ix).item.as_ref().map(|item| item.parent) {
            let fanout = self.derived().fanouts.entry(parent).or_default();
            fanout.failed = fanout.failed.saturating_sub(1);
            self.clear_for_retry(ix);
            self.continue_fanout(parent);
            return Outcome::Applied;
        }
        again.remove(&ix);
        self.clear_for_retry(ix);
        for other in &again {
            self.reset(*other, "UPSTREAM_RETRIED");
        }
        again.insert(ix);
        self.begin_again(&again, is_reopened);
        Outcome::Applied
    }

    /// These tasks are blocked again: what depends on that is counted anew, and those that may begin do.
    pub fn begin_again(&mut self, again: &BTreeSet<TaskIx>, is_reopened: bool) {
        if is_reopened {
            self.reset_handlers();
        }
        self.recount_edges(again);
        self.state.error = self.first_root_cause();
        for other in again {
            self.consider(*other);
        }
    }

    /// Main tasks whose results were undone, and everything that was made of these: all of it must run again.
    pub fn compensated(&self) -> BTreeSet<TaskIx> {
        let main = self.plan.section_tasks(Section::Main);
        let undone = main.filter(|ix| is_undone(self.plan, self.state, *ix));
        self.with_downstreams(undone)
    }

    /// These tasks and everything downstream of them.
    pub fn with_downstreams(&self, tasks: impl Iterator<Item = TaskIx>) -> BTreeSet<TaskIx> {
        let mut found: BTreeSet<TaskIx> = tasks.collect();
        let mut open: Vec<TaskIx> = found.iter().copied().collect();
        while let Some(next) = open.pop() {
            for &downstream in self.plan.downstreams(next) {
                if found.insert(downstream) {
                    open.push(downstream);
                }
            }
        }
        found
    }

    /// A fan-out whose items have run, and whose list may come out differently: its items are rows that stand.
    pub fn find_expanded(&self, again: &BTreeSet<TaskIx>) -> Option<TaskIx> {
        let fanouts = &self.state.extra.derived.fanouts;
        let is_expanded = |ix: &TaskIx| fanouts.get(ix).is_some_and(|fanout| !fanout.children.is_empty());
        let is_affected = |ix: &TaskIx| {
            let stands = matches!(self.task(*ix).status, TaskStatus::Succeeded | TaskStatus::Cached);
            stands || self.plan.upstreams(*ix).iter().any(|up| again.contains(up))
        };
        again
            .iter()
            .copied()
            .find(|ix| is_expanded(ix) && is_affected(ix))
    }

    /// The run, as far as operations on it ask.
    pub fn standing(&self) -> RunStanding {
        RunStanding::new(self.state.status, self.state.is_paused, &self.state.extra)
    }

    /// The task, as far as operations on it ask; `None`: there is no such task.
    pub fn task_standing(&self, ix: TaskIx) -> Option<TaskStanding> {
        let task = self.state.tasks.get(ix.at())?;
        Some(TaskStanding {
            run: self.standing(),
            section: self.plan.section(task.template),
            status: task.status,
            fanout: task.item.as_ref().map(|item| self.task(item.parent).status),
        })
    }

    fn refuse_retry(&self, ix: TaskIx) -> Option<Refusal> {
        let Some(standing) = self.task_standing(ix) else {
            return Some(Refusal::no_task());
        };
        if let Err(refusal) = standing.retry() {
            return Some(refusal);
        }
        let is_main = standing.section == Section::Main;
        let is_expanded =
            standing.run.status.is_terminal() && is_main && self.find_expanded(&self.compensated()).is_some();
        is_expanded.then(|| Refusal {
            message: EXPANDED.to_owned(),
            allowed: vec!["runRerun"],
        })
    }

    /// Everything downstream that never ran: skipped or cancelled, directly or through such a task.
    pub fn undone_downstreams(&self, ix: TaskIx) -> BTreeSet<TaskIx> {
        let mut found = BTreeSet::new();
        if self.is_item(ix) {
            return found;
        }
        let mut open = vec![ix];
        while let Some(next) = open.pop() {
            for &downstream in self.plan.downstreams(next) {
                let status = self.task(downstream).status;
                if matches!(status, TaskStatus::Skipped | TaskStatus::Cancelled) && found.insert(downstream) {
                    open.push(downstream);
                }
            }
        }
        found
    }

    /// Main tasks that the end of the run cancelled, and what never ran because of them: a run that goes on is not done
    /// without them.
    pub fn cut_short(&self) -> BTreeSet<TaskIx> {
        let main = self.plan.section_tasks(Section::Main);
        let cancelled = main.filter(|ix| self.task(*ix).status == TaskStatus::Cancelled);
        let mut found = BTreeSet::new();
        for ix in cancelled {
            found.insert(ix);
            found.extend(self.undone_downstreams(ix));
        }
        found
    }

    pub fn reopen(&mut self, actor: &str) {
        let now = self.now();
        self.state.status = RunStatus::Running;
        self.state.finished_at = None;
        self.state.outputs = None;
        self.state.extra.outcome = None;
        self.state.extra.compensation = None;
        self.state.extra.cancel_deadline = None;
        self.state.extra.reopened_at = Some(now);
        self.run_record(
            RecordKind::RunReopened,
            Note {
                actor: Some(actor),
                ..Note::default()
            },
        );
    }

    pub fn reset_handlers(&mut self) {
        let sections = Section::HANDLERS.into_iter().chain(
            // while a rollback goes on, what it has done stands
            (!self.is_compensating()).then_some(Section::Compensation),
        );
        for section in sections {
            let handlers: BTreeSet<TaskIx> = self.plan.section_tasks(section).collect();
            for ix in &handlers {
                if self.task(*ix).status.is_terminal() {
                    self.reset(*ix, "RUN_REOPENED");
                }
            }
            self.recount_edges(&handlers);
        }
    }

    /// Back to `BLOCKED`, with a record that says why.
    pub fn reset(&mut self, ix: TaskIx, reason: &str) {
        if self.is_item(ix) && matches!(self.task(ix).status, TaskStatus::Failed | TaskStatus::TimedOut) {
            let parent = self.task(ix).item.as_ref().map_or(ix, |item| item.parent);
            let fanout = self.derived().fanouts.entry(parent).or_default();
            fanout.failed = fanout.failed.saturating_sub(1);
        }
        self.task_record(RecordKind::TaskRetryRequested, ix, Note::reason(reason));
        self.clear(ix);
    }

    /// The task itself is retried with what it had: it goes on from its checkpoint.
    fn clear_for_retry(&mut self, ix: TaskIx) {
        let checkpoint = self.task(ix).checkpoint.clone();
        self.clear(ix);
        self.task_mut(ix).checkpoint = checkpoint;
    }

    /// Forgets what happened so far but the attempt's number, which still fences late reports.
    pub fn clear(&mut self, ix: TaskIx) {
        let kept = TaskExtra::of_retried(self.task(ix));
        let has_items = self
            .state
            .extra
            .derived
            .fanouts
            .get(&ix)
            .is_some_and(|fanout| !fanout.children.is_empty());
        let task = self.task_mut(ix);
        let old = task.clone();
        *task = TaskState {
            item: old.item,
            status: old.status,
            attempt: old.attempt,
            wake_at: old.wake_at,
            // the list of a fan-out that goes on with its items
            input: old.input.filter(|_| has_items),
            extra: kept.store(),
            ..TaskState::blocked(old.template)
        };
        self.set_status(ix, TaskStatus::Blocked);
    }

    fn recount_edges(&mut self, tasks: &BTreeSet<TaskIx>) {
        let plan = self.plan;
        let downstreams = tasks.iter().flat_map(|ix| plan.downstreams(*ix));
        for &ix in tasks.iter().chain(downstreams) {
            let counts = EdgeCounts::of(plan, &self.state.tasks, ix);
            if let Some(edges) = self.derived().edges.get_mut(ix.at()) {
                *edges = counts;
            }
        }
    }

    fn first_root_cause(&self) -> Option<super::TaskFailure> {
        let failed = self.plan.section_tasks(Section::Main).filter(|ix| {
            let has_failed = matches!(self.task(*ix).status, TaskStatus::Failed | TaskStatus::TimedOut);
            has_failed && !self.definition(*ix).continue_on_error
        });
        let first = failed.min_by_key(|ix| (self.task(*ix).finished_at, *ix))?;
        let failure = self.task(first).error.clone()?;
        Some(self.root_cause(first, failure))
    }

    pub fn on_task_skip_requested(&mut self, ix: TaskIx, actor: &str, reason: Option<&str>) -> Outcome {
        let Some(standing) = self.task_standing(ix) else {
            return Outcome::Refused(Refusal::no_task());
        };
        if let Err(outcome) = standing.skip() {
            return outcome;
        }
        let data = reason.map(|reason| serde_json::json!({"reason": reason}));
        self.task_record(
            RecordKind::TaskSkipRequested,
            ix,
            Note {
                actor: Some(actor),
                data,
                ..Note::default()
            },
        );
        self.skip(
            ix,
            Note {
                actor: Some(actor),
                ..Note::reason("OPERATOR")
            },
        );
        self.cancel_items(ix, "FANOUT_SKIPPED");
        Outcome::Applied
    }
}
