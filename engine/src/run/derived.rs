//! Indices over a run's tasks that make each input cheap. Rebuilt from the stored columns, never stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::compensation::Undo;
use super::{RunState, TaskState, TaskStatus};
use crate::definition::Accepts;
use crate::plan::Section;
use crate::{Plan, TaskIx, Timestamp};

/// Derived from statuses, columns and plan; equal states have equal derived parts, so comparison leaves it out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Derived {
    /// Per static task: how many of its upstream edges are decided and satisfied.
    pub edges: Vec<EdgeCounts>,
    /// Tasks in `READY`.
    pub ready: BTreeSet<TaskIx>,
    /// Alarms of all tasks.
    pub alarms: BTreeSet<(Timestamp, TaskIx)>,
    /// Expanded fan-outs by their task.
    pub fanouts: BTreeMap<TaskIx, Fanout>,
    /// Tasks that wait for a signal of a name, in the order in which they began.
    pub signal_waits: BTreeMap<String, BTreeSet<(Option<Timestamp>, TaskIx)>>,
    /// Static main tasks that are not terminal.
    pub open_main: u32,
    /// Handler tasks that are not terminal.
    pub open_handlers: u32,
    /// Compensating tasks that are not terminal.
    pub open_compensations: u32,
    /// The order of a compensation in progress.
    pub undo: Undo,
    /// Attempts in flight of the whole run (`QUEUED` or `RUNNING`).
    pub in_flight: u32,
}

impl PartialEq for Derived {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Derived {}

/// Progress of the upstream edges of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EdgeCounts {
    pub decided: u32,
    pub satisfied: u32,
}

/// Progress of one fan-out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fanout {
    /// JSON text of every item; empty until needed after a restore.
    pub values: Vec<Arc<str>>,
    /// Keys of the items where they have own ones; empty after a restore, when they are made one by one.
    pub keys: Vec<Arc<str>>,
    /// Tasks of the items so far, in item order.
    pub children: Vec<TaskIx>,
    /// Items that are not terminal.
    pub live: u32,
    /// Those of them that wait for a place (`BLOCKED`).
    pub backlog: BTreeSet<TaskIx>,
    /// Items that failed.
    pub failed: u32,
}

/// Whether the final status of an upstream satisfies an edge.
pub(crate) fn satisfies(accepts: Accepts, status: TaskStatus, continue_on_error: bool) -> bool {
    match status {
        TaskStatus::Succeeded | TaskStatus::Cached => accepts.succeeded,
        TaskStatus::Failed | TaskStatus::TimedOut => {
            accepts.failed || (accepts.succeeded && continue_on_error)
        }
        TaskStatus::Skipped => accepts.skipped,
        TaskStatus::Cancelled => accepts.cancelled,
        TaskStatus::Blocked
        | TaskStatus::Ready
        | TaskStatus::Queued
        | TaskStatus::Running
        | TaskStatus::Waiting
        | TaskStatus::RetryWait => false,
    }
}

impl EdgeCounts {
    /// Counted from the upstreams.
    pub fn of(plan: &Plan, tasks: &[TaskState], ix: TaskIx) -> Self {
        let mut counts = Self::default();
        for (upstream, accepts) in plan.edges_in(ix) {
            let Some(task) = tasks.get(upstream.at()) else {
                continue;
            };
            if task.status.is_terminal() {
                counts.decided += 1;
                let tolerated = plan.task(upstream).continue_on_error;
                counts.satisfied += u32::from(satisfies(accepts, task.status, tolerated));
            }
        }
        counts
    }
}

impl Derived {
    /// O(V + E).
    pub fn rebuild(plan: &Plan, state: &RunState) -> Self {
        let mut derived = Self {
            undo: Undo::rebuild(plan, state),
            ..Self::default()
        };
        for (at, task) in state.tasks.iter().enumerate() {
            let ix = TaskIx(u32::try_from(at).unwrap_or(u32::MAX));
            if at < plan.len() {
                derived.edges.push(EdgeCounts::of(plan, &state.tasks, ix));
                if !task.status.is_terminal() {
                    *derived.open_slot(plan, ix) += 1;
                }
            }
            if task.status == TaskStatus::Ready {
                derived.ready.insert(ix);
            }
            if matches!(task.status, TaskStatus::Queued | TaskStatus::Running) {
                derived.in_flight += 1;
            }
            if let Some(wake_at) = task.wake_at {
                derived.alarms.insert((wake_at, ix));
            }
            if task.item.is_none()
                && task.status == TaskStatus::Waiting
                && plan.compiled(task.template).fanout.is_some()
            {
                derived.fanouts.entry(ix).or_default();
            }
            if let Some(name) = super::wait::signal_waited_for(task) {
                let waits = derived.signal_waits.entry(name).or_default();
                waits.insert((task.started_at, ix));
            }
            if let Some(item) = &task.item {
                let fanout = derived.fanouts.entry(item.parent).or_default();
                fanout.children.push(ix);
                fanout.live += u32::from(!task.status.is_terminal());
                if task.status == TaskStatus::Blocked {
                    fanout.backlog.insert(ix);
                }
                fanout.failed += u32::from(matches!(task.status, TaskStatus::Failed | TaskStatus::TimedOut));
            }
        }
        derived
    }

    /// The counter of open tasks that a static task belongs to.
    pub fn open_slot(&mut self, plan: &Plan, ix: TaskIx) -> &mut u32 {
        match plan.section(ix) {
            Section::Main => &mut self.open_main,
            Section::OnFailure | Section::OnSuccess | Section::Finally => &mut self.open_handlers,
            Section::Compensation => &mut self.open_compensations,
        }
    }
}
