//! What must be, written down once more and as plainly as possible: when a task may begin, and what two ends of one run must
//! have in common.

use runnel_engine::definition::Join;
use runnel_engine::plan::Section;
use runnel_engine::run::{RunState, TaskState, TaskStatus};
use runnel_engine::{Plan, TaskIx};

/// Whether the upstreams of a task allow it: the rule of the semantics, written down once more.
#[must_use]
pub fn may_begin(plan: &Plan, state: &RunState, ix: TaskIx) -> bool {
    let template = state.tasks[ix.at()].template;
    if plan.section(template) != Section::Main {
        return state.extra.outcome.is_some();
    }
    let task = plan.task(template);
    let satisfied = task.needs.iter().filter(|need| {
        let Some(upstream) = plan.find(&need.task) else {
            return false;
        };
        let is_tolerated = plan.task(upstream).continue_on_error;
        match state.tasks[upstream.at()].status {
            TaskStatus::Succeeded | TaskStatus::Cached => need.accepts.succeeded,
            TaskStatus::Failed | TaskStatus::TimedOut => {
                need.accepts.failed || (need.accepts.succeeded && is_tolerated)
            }
            TaskStatus::Skipped => need.accepts.skipped,
            TaskStatus::Cancelled => need.accepts.cancelled,
            TaskStatus::Blocked
            | TaskStatus::Ready
            | TaskStatus::Queued
            | TaskStatus::Running
            | TaskStatus::Waiting
            | TaskStatus::RetryWait => false,
        }
    });
    let satisfied = satisfied.count();
    match task.join {
        Join::All => satisfied == task.needs.len(),
        Join::Any => satisfied > 0 || task.needs.is_empty(),
        Join::AtLeast(least) => satisfied >= task.needs.len().min(least as usize),
    }
}

/// How two ends of one run differ, where they must not: the status of the run and of each task of the file, and what they
/// gave. Items of a fan-out may be cancelled at different moments.
#[must_use]
pub fn difference(plan: &Plan, calm: &RunState, rough: &RunState, stored: &[TaskState]) -> Option<String> {
    if calm.status != rough.status {
        return Some(format!(
            "it ends as {:?}, without faults as {:?}",
            rough.status, calm.status
        ));
    }
    if calm.outputs != rough.outputs {
        return Some(format!(
            "it gives {:?}, without faults {:?}",
            rough.outputs, calm.outputs
        ));
    }
    for (calm, rough) in calm.tasks.iter().zip(stored).take(plan.len()) {
        let key = &plan.task(calm.template).key;
        if calm.status != rough.status {
            return Some(format!(
                "{key} is {:?}, without faults {:?}",
                rough.status, calm.status
            ));
        }
        let is_timer = plan.task(calm.template).kind == "wait";
        if calm.output != rough.output && !is_timer {
            return Some(format!(
                "{key} gives {:?}, without faults {:?}",
                rough.output, calm.output
            ));
        }
    }
    None
}
