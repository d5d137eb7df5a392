//! Rerun and override: what an operator does to results that stand.
//!
//! Guarantees: what is not named, and does not depend on what is, keeps its result; whatever was undone by a compensation
//! runs again, with all that was made of it; the same request (by its key) is carried out once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::compensation::is_undone;
use super::machine::{Machine, Note};
use super::operate::EXPANDED;
use super::{Outcome, RecordKind, Refusal, RunState, Stale, TaskFailure, TaskStatus};
use crate::expr::{Reach, References};
use crate::plan::Section;
use crate::{Plan, TaskIx};

/// Most tasks that the record of a rerun names.
const NAMED_MAX: usize = 100;

/// A rerun within the same run, or a result set by hand.
#[derive(Debug, Clone, PartialEq)]
pub enum RerunInput {
    /// Everything that did not succeed runs again; good results stand.
    Failed {
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
        /// The same key is the same request.
        key: Option<Arc<str>>,
    },
    /// These tasks and everything downstream of them run again; other results stand.
    Tasks {
        /// The tasks.
        tasks: Vec<TaskIx>,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
        /// The same key is the same request.
        key: Option<Arc<str>>,
    },
    /// The task ends now with this result, whatever it does.
    Override {
        /// The task.
        task: TaskIx,
        /// JSON text of the output, or the failure.
        result: Result<Arc<str>, TaskFailure>,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Option<Arc<str>>,
    },
}

/// Which results of a run another one takes over.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// All good ones.
    Good,
    /// All good ones but those of these tasks and of everything downstream of them.
    AllBut(&'a [String]),
}

/// Good results of `state` that a new run of `plan` may take over, as (task of the old plan, task of the new plan).
///
/// A result is taken over when the task and the environment of the workflow are defined as before, everything upstream was
/// taken over as well, no input that the task reads has changed, and no compensation has undone it.
#[must_use]
pub fn kept_results(
    old: &Plan,
    state: &RunState,
    plan: &Plan,
    inputs: &Map<String, Value>,
    keep: Keep<'_>,
) -> Vec<(TaskIx, TaskIx)> {
    if old.workflow().env != plan.workflow().env {
        return Vec::new();
    }
    let changed = changed_inputs(&state.context.inputs, inputs);
    let mut kept: BTreeMap<TaskIx, TaskIx> = BTreeMap::new();
    // skipped before and not touched since: it decides as before, so what follows may stand
    let mut settled: BTreeSet<TaskIx> = BTreeSet::new();
    for ix in plan.section_tasks(Section::Main) {
        let task = plan.task(ix);
        let is_chosen = matches!(keep, Keep::AllBut(keys) if keys.contains(&task.key));
        let Some(before) = old
            .find(&task.key)
            .filter(|before| old.section(*before) == Section::Main)
        else {
            continue;
        };
        let is_same =
            old.task(before) == task && !reads_any(plan, ix, &changed) && !is_undone(old, state, before);
        let stands = plan
            .upstreams(ix)
            .iter()
            .all(|upstream| kept.contains_key(upstream) || settled.contains(upstream));
        if is_chosen || !is_same || !stands {
            continue;
        }
        match state.tasks.get(before.at()).map(|task| task.status) {
            Some(TaskStatus::Succeeded | TaskStatus::Cached) => _ = kept.insert(ix, before),
            Some(TaskStatus::Skipped) => _ = settled.insert(ix),
            _ => {}
        }
    }
    kept.into_iter().map(|(ix, before)| (before, ix)).collect()
}

fn changed_inputs(before: &Map<String, Value>, now: &Map<String, Value>) -> BTreeSet<String> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name));
    changed.cloned().collect()
}

fn reads_any(plan: &Plan, ix: TaskIx, changed: &BTreeSet<String>) -> bool {
    let mut reads = false;
    plan.compiled(ix).each_references(|references: &References| {
        reads |= match references.reach.get("inputs") {
            None => false,
            Some(Reach::Whole) => !changed.is_empty(),
            Some(Reach::Members(members)) => !members.is_disjoint(changed),
        };
    });
    reads
}

impl RunState {
    /// Takes a result over from another run. Only before the run has begun.
    pub fn keep_result(&mut self, ix: TaskIx, output: Arc<str>) {
        if let Some(task) = self.tasks.get_mut(ix.at()) {
            let mut extra = super::extra::TaskExtra::of(task);
            extra.is_kept = true;
            task.extra = extra.store();
            task.output = Some(output);
        }
    }
}

impl Machine<'_> {
    pub fn on_rerun_input(&mut self, input: &RerunInput) -> Outcome {
        match input {
            RerunInput::Failed { actor, reason, key } => {
                let again = self.failed_again();
                self.rerun("FAILED", again, actor, reason.as_deref(), key.as_ref())
            }
            RerunInput::Tasks {
                tasks,
                actor,
                reason,
                key,
            } => {
                if let Some(refusal) = self.refuse_tasks(tasks) {
                    return Outcome::Refused(refusal);
                }
                let again = self.with_downstreams(tasks.iter().copied());
                self.rerun("TASKS", again, actor, reason.as_deref(), key.as_ref())
            }
            RerunInput::Override {
                task,
                result,
                actor,
                reason,
            } => self.on_override(*task, result, actor, reason.as_deref()),
        }
    }

    /// Results taken over from another run, before anything begins.
    pub fn take_over_results(&mut self) {
        for ix in self.plan.section_tasks(Section::Main) {
            let task = self.task(ix);
            // not its output: one that nobody reads is not in memory when the run was loaded again
            let is_kept = task.extra.is_some() && super::extra::TaskExtra::of(task).is_kept;
            if is_kept && task.status == TaskStatus::Blocked {
                let now = self.now();
                self.task_mut(ix).ready_at = Some(now);
                self.set_status(ix, TaskStatus::Cached);
                self.task_record(RecordKind::TaskCached, ix, Note::reason("KEPT"));
            }
        }
    }

    /// What did not succeed, with what never ran because of it.
    fn failed_again(&self) -> BTreeSet<TaskIx> {
        let mut again = BTreeSet::new();
        for ix in self.plan.section_tasks(Section::Main) {
            let status = self.task(ix).status;
            if matches!(
                status,
                TaskStatus::Failed | TaskStatus::TimedOut | TaskStatus::Cancelled
            ) {
                again.insert(ix);
                again.extend(self.undone_downstreams(ix));
            }
        }
        again
    }

    fn refuse_tasks(&self, tasks: &[TaskIx]) -> Option<Refusal> {
        let refuse = |message: String, allowed: Vec<&'static str>| Some(Refusal { message, allowed });
        if tasks.is_empty() {
            return refuse("no task is named to run again".to_owned(), vec!["runRerun"]);
        }
        for ix in tasks {
            let Some(task) = self.state.tasks.get(ix.at()) else {
                return Some(Refusal::no_task());
            };
            let key = self.state.key(self.plan, *ix);
            if task.item.is_some() {
                let message = format!("`{key}` is an item; rerun its fan-out, or retry the item");
                return refuse(message, vec!["taskRetry"]);
            }
            if self.plan.section(*ix) != Section::Main {
                return refuse(format!("`{key}` is not a task of the main graph"), vec![]);
            }
        }
        None
    }

    fn rerun(
        &mut self,
        from: &str,
        mut again: BTreeSet<TaskIx>,
        actor: &str,
        reason: Option<&str>,
        key: Option<&Arc<str>>,
    ) -> Outcome {
        if key.is_some() && self.state.extra.rerun_key.as_ref() == key {
            return Outcome::Ignored(Stale::AlreadyInForce);
        }
        let refuse = |message: &str, allowed: Vec<&'static str>| {
            Outcome::Refused(Refusal {
                message: message.to_owned(),
                allowed,
            })
        };
        if let Err(refusal) = self.standing().rerun() {
            return Outcome::Refused(refusal);
        }
        again.extend(self.compensated());
        if again.is_empty() {
            return refuse("nothing of the run has failed", vec!["runRerun"]);
        }
        if self.find_expanded(&again).is_some() {
            return refuse(EXPANDED, vec!["runRerun"]);
        }
        self.state.extra.is_retried = true;
        self.state.extra.rerun_key = key.cloned();
        let named: Vec<&str> = again
            .iter()
            .take(NAMED_MAX)
            .map(|ix| self.plan.task(*ix).key.as_str())
            .collect();
        let data = json!({"from": from, "tasks": named, "count": again.len(), "reason": reason});
        self.run_record(
            RecordKind::RunRerunRequested,
            Note {
                actor: Some(actor),
                ..Note::data(data)
            },
        );
        self.reopen(actor);
        for ix in &again {
            self.reset(*ix, "RERUN");
        }
        self.begin_again(&again, true);
        Outcome::Applied
    }

    fn on_override(
        &mut self,
        ix: TaskIx,
        result: &Result<Arc<str>, TaskFailure>,
        actor: &str,
        reason: Option<&str>,
    ) -> Outcome {
        if let Some(refusal) = self.refuse_override(ix, result.is_ok()) {
            return Outcome::Refused(refusal);
        }
        let verdict = if result.is_ok() { "SUCCEEDED" } else { "FAILED" };
        self.task_record(
            RecordKind::TaskOverridden,
            ix,
            Note {
                actor: Some(actor),
                ..Note::data(json!({"result": verdict, "reason": reason}))
            },
        );
        let mut again = BTreeSet::new();
        let is_reopened = self.state.status.is_terminal();
        if self.task(ix).status.is_terminal() {
            again = self.undone_downstreams(ix);
            self.state.extra.is_retried = true;
            if is_reopened {
                again.extend(self.cut_short());
                again.remove(&ix);
                self.reopen(actor);
            }
            self.reset(ix, "OVERRIDDEN");
            for other in &again {
                self.reset(*other, "UPSTREAM_RETRIED");
            }
            again.insert(ix);
        }
        self.stop(ix);
        // what a person says is no verdict about a breaker, and no result for later runs
        self.give_back(ix, None);
        let now = self.now();
        let task = self.task_mut(ix);
        task.ready_at = task.ready_at.or(Some(now));
        match result {
            Ok(output) => self.complete(ix, Arc::clone(output)),
            Err(failure) => self.fail_task(ix, failure.clone()),
        }
        self.cancel_items(ix, "FANOUT_OVERRIDDEN");
        if !again.is_empty() {
            // the task itself is settled: the recount has its new status, so its downstreams must not hear of it twice
            self.forget_settled(ix);
            self.begin_again(&again, is_reopened);
            for &downstream in self.plan.downstreams(ix) {
                self.consider(downstream);
            }
        }
        Outcome::Applied
    }

    fn refuse_override(&self, ix: TaskIx, is_success: bool) -> Option<Refusal> {
        let Some(standing) = self.task_standing(ix) else {
            return Some(Refusal::no_task());
        };
        if let Err(refusal) = standing.set_result(is_success) {
            return Some(refusal);
        }
        let is_undone = standing.run.status.is_terminal() && !self.compensated().is_empty();
        is_undone.then(|| Refusal {
            message: "the run was compensated; run its tasks again instead".to_owned(),
            allowed: vec!["runRerun"],
        })
    }
}
