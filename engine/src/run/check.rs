//! What must hold of a run between two inputs; `runnel verify` asks it of a live database, the tests after every step.

use std::collections::BTreeMap;

use super::derived::Derived;
use super::{Counts, Record, RecordKind, RunState, RunStatus, TaskState, TaskStatus};
use crate::plan::Section;
use crate::{Plan, TaskIx};

/// The broken invariants, one sentence each; empty when all hold.
#[must_use]
pub fn check(plan: &Plan, state: &RunState) -> Vec<String> {
    let mut broken = Vec::new();
    if state.tasks.len() < plan.len() {
        return vec![format!(
            "{} tasks of {} are missing",
            plan.len() - state.tasks.len(),
            plan.len()
        )];
    }
    if state.counts != Counts::of(&state.tasks) {
        broken.push("counts differ from the recount".to_owned());
    }
    let fresh = Derived::rebuild(plan, state);
    check_alarms(state, &fresh, &mut broken);
    check_readiness(plan, state, &fresh, &mut broken);
    if state.status.is_terminal() {
        if fresh.open_main + fresh.open_handlers + fresh.open_compensations > 0 || fresh.in_flight > 0 {
            broken.push("the run has ended but a task has not".to_owned());
        }
        if state.finished_at.is_none() {
            broken.push("the run has ended without a time".to_owned());
        }
    } else if state.status != RunStatus::Pending
        && !state.is_paused
        && fresh.in_flight == 0
        && state.wake_at.is_none()
        && !state.tasks.iter().any(|task| waits_for_outside(plan, task))
    {
        broken
            .push("the run is stuck: nothing is in flight, nothing is due, and nobody paused it".to_owned());
    }
    broken
}

/// Whether something from outside ends the task's wait: a person, an event, another run, or a gate.
fn waits_for_outside(plan: &Plan, task: &TaskState) -> bool {
    let definition = plan.task(task.template);
    match task.status {
        TaskStatus::Waiting => {
            definition.callback || matches!(definition.kind.as_str(), "approval" | "wait" | "workflow")
        }
        TaskStatus::Ready => {
            definition.concurrency.is_some()
                || definition.rate_limit.is_some()
                || definition.circuit.is_some()
                || definition.cache.is_some()
        }
        TaskStatus::Blocked
        | TaskStatus::Queued
        | TaskStatus::Running
        | TaskStatus::RetryWait
        | TaskStatus::Succeeded
        | TaskStatus::Failed
        | TaskStatus::TimedOut
        | TaskStatus::Cancelled
        | TaskStatus::Skipped
        | TaskStatus::Cached => false,
    }
}

fn check_alarms(state: &RunState, fresh: &Derived, broken: &mut Vec<String>) {
    let first = fresh.alarms.first().map(|(at, _)| *at);
    let is_late = match (first, state.wake_at) {
        (Some(first), Some(wake_at)) => wake_at > first,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if is_late {
        broken.push("the run's alarm is later than a task's".to_owned());
    }
    for (at, task) in state.tasks.iter().enumerate() {
        if task.status.is_terminal() && task.wake_at.is_some() {
            broken.push(format!("task {at} has ended but has an alarm"));
        }
        if matches!(
            task.status,
            TaskStatus::Queued | TaskStatus::Running | TaskStatus::RetryWait
        ) && task.wake_at.is_none()
        {
            broken.push(format!("task {at} is in flight without an alarm"));
        }
        if task.status.is_terminal() != task.finished_at.is_some() {
            broken.push(format!("task {at}: status and finish time disagree"));
        }
    }
}

fn check_readiness(plan: &Plan, state: &RunState, fresh: &Derived, broken: &mut Vec<String>) {
    if state.status == RunStatus::Pending {
        return;
    }
    for ix in plan.section_tasks(Section::Main) {
        let (Some(task), Some(edges)) = (state.tasks.get(ix.at()), fresh.edges.get(ix.at())) else {
            continue;
        };
        let total = u32::try_from(plan.upstreams(ix).len()).unwrap_or(u32::MAX);
        let required = plan.required(ix);
        let is_satisfied = edges.satisfied >= required;
        let is_impossible = edges.satisfied + (total - edges.decided) < required;
        if task.status == TaskStatus::Blocked && (is_satisfied || is_impossible) {
            broken.push(format!(
                "task {} is blocked although its upstreams are decided",
                plan.task(ix).key
            ));
        }
        // a task that has begun was allowed to: its upstreams do not change afterwards but by an operator's retry
        let has_begun = matches!(
            task.status,
            TaskStatus::Queued | TaskStatus::Running | TaskStatus::Ready
        );
        if has_begun && !is_satisfied && !state.extra.is_retried {
            broken.push(format!(
                "task {} has begun although its upstreams do not allow it",
                plan.task(ix).key
            ));
        }
    }
}

/// The status that a record puts its task into; `None` for records that change none.
#[must_use]
pub fn status_after(kind: RecordKind) -> Option<TaskStatus> {
    let status = match kind {
        RecordKind::TaskReady => TaskStatus::Ready,
        RecordKind::TaskQueued => TaskStatus::Queued,
        RecordKind::TaskStarted => TaskStatus::Running,
        RecordKind::TaskWaiting | RecordKind::TaskExpanded | RecordKind::TaskRepeated => TaskStatus::Waiting,
        RecordKind::TaskSucceeded => TaskStatus::Succeeded,
        RecordKind::TaskFailed => TaskStatus::Failed,
        RecordKind::TaskTimedOut => TaskStatus::TimedOut,
        RecordKind::TaskCancelled => TaskStatus::Cancelled,
        RecordKind::TaskSkipped => TaskStatus::Skipped,
        RecordKind::TaskCached => TaskStatus::Cached,
        RecordKind::RetryScheduled => TaskStatus::RetryWait,
        RecordKind::TaskRetryRequested => TaskStatus::Blocked,
        RecordKind::RunCreated
        | RecordKind::RunStarted
        | RecordKind::RunPaused
        | RecordKind::RunResumed
        | RecordKind::RunCancelRequested
        | RecordKind::RunSucceeded
        | RecordKind::RunFailed
        | RecordKind::RunCancelled
        | RecordKind::RunTimedOut
        | RecordKind::RunReopened
        | RecordKind::TaskSkipRequested
        | RecordKind::AttemptFailed
        | RecordKind::AttemptTimedOut
        | RecordKind::AttemptLost
        | RecordKind::LateReport
        | RecordKind::RunTurned
        | RecordKind::RunSlaMissed
        | RecordKind::RunRerunRequested
        | RecordKind::RunCompensating
        | RecordKind::RunCompensated
        | RecordKind::RunCompensationFailed
        | RecordKind::TaskSlaMissed
        | RecordKind::TaskOverridden
        | RecordKind::FanoutLimitsChanged
        | RecordKind::TaskExhausted
        | RecordKind::DeadLettered
        | RecordKind::EventReceived
        | RecordKind::SignalReceived
        | RecordKind::ApprovalDecided
        | RecordKind::ApprovalReminded
        | RecordKind::ApprovalEscalated
        | RecordKind::CallbackReceived
        | RecordKind::ChildStarted
        | RecordKind::ChildEnded => return None,
    };
    Some(status)
}

/// The status of every task that the history mentions, as the history tells it.
#[must_use]
pub fn replay_statuses(records: &[Record]) -> BTreeMap<TaskIx, TaskStatus> {
    let mut statuses = BTreeMap::new();
    for record in records {
        if let (Some(task), Some(status)) = (record.task, status_after(record.kind)) {
            statuses.insert(task, status);
        }
    }
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::run::testkit::{Driver, root, task, workflow};

    fn broken(breaks: impl Fn(&mut RunState)) -> String {
        let mut run = Driver::started(workflow(vec![root("a"), task("b", &["a"])]));
        breaks(&mut run.state);
        check(&run.plan, &run.state).join("; ")
    }

    #[test]
    fn each_broken_invariant_is_named() {
        assert_eq!(broken(|_| {}), "");
        assert!(broken(|state| state.counts.queued += 1).contains("recount"));
        assert!(broken(|state| state.wake_at = None).contains("alarm is later"));
        assert!(broken(|state| state.tasks[0].wake_at = None).contains("without an alarm"));
        assert!(broken(|state| state.status = RunStatus::Succeeded).contains("has ended but a task has not"));
        assert!(broken(|state| state.tasks.truncate(1)).contains("missing"));
        let stuck = broken(|state| {
            state.tasks[0].status = TaskStatus::Succeeded;
            state.tasks[0].finished_at = Some(Timestamp(0));
            state.tasks[0].wake_at = None;
            state.wake_at = None;
        });
        assert!(
            stuck.contains("stuck") && stuck.contains("task b is blocked"),
            "{stuck}"
        );
        let early = broken(|state| state.tasks[1].status = TaskStatus::Queued);
        assert!(early.contains("task b has begun"), "{early}");
    }
}
