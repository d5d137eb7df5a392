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

/// Why a task may not be dispatched to undo another; `Ok` for any other task.
///
/// # Errors
/// The reason: what it undoes has not succeeded or passed a point of no return, or something that was made of it stands.
pub fn may_undo(plan: &Plan, state: &RunState, own: TaskIx) -> Result<(), String> {
    let template = state.tasks[own.at()].template;
    let Some(main) = plan.compensates(template) else {
        return Ok(());
    };
    let stands = |ix: TaskIx| {
        matches!(
            state.tasks[ix.at()].status,
            TaskStatus::Succeeded | TaskStatus::Cached
        )
    };
    if !stands(main) {
        return Err("what it undoes has not succeeded".to_owned());
    }
    let is_reverse = plan.workflow().compensation.as_ref().is_none_or(|compensation| {
        compensation.order == runnel_engine::definition::CompensationOrder::Reverse
    });
    let mut seen = vec![false; plan.len()];
    let mut open = vec![main];
    while let Some(ix) = open.pop() {
        if std::mem::replace(&mut seen[ix.at()], true) {
            continue;
        }
        if plan.task(ix).point_of_no_return && stands(ix) {
            return Err(format!("{} is a point of no return", plan.task(ix).key));
        }
        let undone = plan.compensation_of(ix).filter(|_| ix != main);
        if is_reverse && undone.is_some_and(|own| !state.tasks[own.at()].status.is_terminal()) {
            return Err(format!("{} is not undone yet", plan.task(ix).key));
        }
        open.extend(plan.downstreams(ix));
    }
    Ok(())
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
        // moments, names of people and ids of runs are not the script's
        let kind = plan.task(calm.template).kind.as_str();
        let is_own = matches!(kind, "wait" | "approval" | "workflow");
        if calm.output != rough.output && !is_own {
            return Some(format!(
                "{key} gives {:?}, without faults {:?}",
                rough.output, calm.output
            ));
        }
    }
    None
}
