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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::plain_context;
    use runnel_engine::Moment;
    use runnel_engine::run::NewRun;
    use runnel_engine::source::{Format, read};

    /// `a` before `b`, both with a compensation, and what becomes of that of `a` with these statuses of `a`, `b` and the
    /// compensation of `b`.
    fn verdict(ends_at_b: bool, statuses: [TaskStatus; 3]) -> Result<(), String> {
        let undo = r#""compensate": {"type": "work"}"#;
        let source = format!(
            r#"{{"id": "w", "tasks": {{"a": {{"type": "work", {undo}}},
               "b": {{"type": "work", "needs": ["a"], "point_of_no_return": {ends_at_b}, {undo}}}}}}}"#
        );
        let plan =
            Plan::build(read(&source, Format::Json).workflow.expect("it is valid")).expect("it has a plan");
        let context = plain_context(1);
        let moment = Moment {
            now: context.created_at,
            entropy: 1,
        };
        let new = NewRun {
            context,
            trigger: None,
        };
        let mut state = RunState::new(&plan, new, &moment);
        let ix = |key: &str| plan.find(key).expect("it is a task");
        let own = |key: &str| plan.compensation_of(ix(key)).expect("it has a compensation");
        for (at, status) in [ix("a"), ix("b"), own("b")].into_iter().zip(statuses) {
            state.tasks[at.at()].status = status;
        }
        may_undo(&plan, &state, own("a"))
    }

    #[test]
    fn only_what_succeeded_is_undone_in_reverse_and_not_past_a_point_of_no_return() {
        use TaskStatus::{Blocked, Failed, Running, Skipped, Succeeded};
        assert_eq!(verdict(false, [Succeeded, Succeeded, Succeeded]), Ok(()));
        assert_eq!(verdict(false, [Succeeded, Failed, Skipped]), Ok(()));
        for (statuses, reason) in [
            ([Failed, Skipped, Skipped], "has not succeeded"),
            ([Succeeded, Succeeded, Running], "not undone yet"),
            ([Succeeded, Succeeded, Blocked], "not undone yet"),
        ] {
            let verdict = verdict(false, statuses).expect_err("it may not be undone");
            assert!(verdict.contains(reason), "{statuses:?}: {verdict}");
        }
        assert!(verdict(true, [Succeeded, Succeeded, Skipped]).is_err());
        assert_eq!(verdict(true, [Succeeded, Failed, Skipped]), Ok(()));
    }
}
