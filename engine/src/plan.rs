//! The graph of a workflow in the form the state machine walks: indices and adjacency arrays.

mod build;
mod compiled;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;

use crate::definition::{Accepts, Join, Task, Workflow};
use crate::ids::TaskIx;
pub(crate) use compiled::{CompiledTask, ItemSource};

use crate::expr::Template;

/// A compiled workflow version: immutable, shared by all its runs, cached by version.
///
/// Static tasks have indices `0..len()` in topological order of the main graph (by depth, ties in file order), handler tasks after
/// them: `on_failure`, `on_success`, `finally`, each in its own topological order; last what undoes main tasks, in the order of these.
#[derive(Debug)]
pub struct Plan {
    workflow: Workflow,
    /// Where in the workflow the task of each index stands.
    places: Vec<Place>,
    index: HashMap<String, TaskIx>,
    up: Edges,
    down: Edges,
    depth: Vec<u32>,
    compiled: Vec<CompiledTask>,
    outputs: Template,
    /// Name of the run's concurrency group, where the file gives one.
    run_group: Option<Template>,
    is_output_read: Vec<bool>,
    /// First index of each section, and the end.
    section_starts: [u32; 6],
    /// Per main task: the task that undoes it. Empty when the workflow has none.
    compensations: HashMap<TaskIx, TaskIx>,
    critical_path_depth: u32,
}

/// Which list of the workflow a task stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `tasks`.
    Main,
    /// `on_failure`.
    OnFailure,
    /// `on_success`.
    OnSuccess,
    /// `finally`.
    Finally,
    /// `compensate` of the main tasks.
    Compensation,
}

impl Section {
    /// In the order of their indices.
    pub const ALL: [Self; 5] = [
        Self::Main,
        Self::OnFailure,
        Self::OnSuccess,
        Self::Finally,
        Self::Compensation,
    ];

    /// The sections whose tasks run after the outcome is known.
    pub const HANDLERS: [Self; 3] = [Self::OnFailure, Self::OnSuccess, Self::Finally];
}

#[derive(Debug, Clone, Copy)]
struct Place {
    section: Section,
    position: u32,
}

/// Compressed sparse rows: the neighbours of `i` are `ends[starts[i]..starts[i + 1]]`.
#[derive(Debug, Default)]
struct Edges {
    starts: Vec<u32>,
    ends: Vec<TaskIx>,
    accepts: Vec<Accepts>,
}

impl Edges {
    fn row(&self, ix: TaskIx) -> Range<usize> {
        match (self.starts.get(ix.at()), self.starts.get(ix.at() + 1)) {
            (Some(start), Some(end)) => *start as usize..*end as usize,
            _ => 0..0,
        }
    }
}

impl Plan {
    /// Compiles a checked workflow. O(V + E); Kahn's algorithm (Kahn 1962, "Topological sorting of large networks").
    ///
    /// # Errors
    /// A workflow that was not checked: cycle, unknown upstream, bad expression.
    pub fn build(workflow: Workflow) -> Result<Self, PlanError> {
        build::build(workflow)
    }

    /// The workflow it was built from.
    #[must_use]
    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// Number of static tasks, handlers included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no task at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The definition of a static task.
    ///
    /// # Panics
    /// An index that is not one of a static task of this plan.
    #[must_use]
    pub fn task(&self, ix: TaskIx) -> &Task {
        task_at(&self.workflow, self.places[ix.at()])
    }

    /// The task that undoes this one.
    #[must_use]
    pub fn compensation_of(&self, ix: TaskIx) -> Option<TaskIx> {
        self.compensations.get(&ix).copied()
    }

    /// The main task that this one undoes.
    #[must_use]
    pub fn compensates(&self, ix: TaskIx) -> Option<TaskIx> {
        let key = self.task(ix).key.strip_suffix(COMPENSATE_SUFFIX)?;
        self.find(key)
            .filter(|_| self.section(ix) == Section::Compensation)
    }

    /// The index of a static task by key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<TaskIx> {
        self.index.get(key).copied()
    }

    /// Upstreams of a static task, ascending.
    #[must_use]
    pub fn upstreams(&self, ix: TaskIx) -> &[TaskIx] {
        &self.up.ends[self.up.row(ix)]
    }

    /// Downstreams of a static task, ascending.
    #[must_use]
    pub fn downstreams(&self, ix: TaskIx) -> &[TaskIx] {
        &self.down.ends[self.down.row(ix)]
    }

    /// Number of edges on the longest path to the task (0 for a root).
    #[must_use]
    pub fn depth(&self, ix: TaskIx) -> u32 {
        self.depth.get(ix.at()).copied().unwrap_or(0)
    }

    /// Tasks on the longest path of the main graph.
    #[must_use]
    pub fn critical_path_depth(&self) -> u32 {
        self.critical_path_depth
    }

    /// Whether any expression reads the output of the task, so that the state machine must keep it in memory.
    /// True also of fan-outs, whose outputs of items become the list, and of loops, whose next round reads the one before.
    #[must_use]
    pub fn is_output_read(&self, ix: TaskIx) -> bool {
        self.is_output_read.get(ix.at()).copied().unwrap_or(false)
    }

    /// Which list of the workflow a static task stands in.
    #[must_use]
    pub fn section(&self, ix: TaskIx) -> Section {
        self.places
            .get(ix.at())
            .map_or(Section::Main, |place| place.section)
    }

    /// The indices of the tasks of a section.
    pub fn section_tasks(&self, section: Section) -> impl Iterator<Item = TaskIx> + use<> {
        let at = section as usize;
        (self.section_starts[at]..self.section_starts[at + 1]).map(TaskIx)
    }

    /// Edges into a task with the statuses that satisfy each.
    pub(crate) fn edges_in(&self, ix: TaskIx) -> impl Iterator<Item = (TaskIx, Accepts)> + '_ {
        self.up.row(ix).map(|at| (self.up.ends[at], self.up.accepts[at]))
    }

    /// Edges out of a task with the statuses that satisfy each.
    pub(crate) fn edges_out(&self, ix: TaskIx) -> impl Iterator<Item = (TaskIx, Accepts)> + '_ {
        self.down
            .row(ix)
            .map(|at| (self.down.ends[at], self.down.accepts[at]))
    }

    /// How many edges into the task must be satisfied.
    pub(crate) fn required(&self, ix: TaskIx) -> u32 {
        let edges = u32::try_from(self.up.row(ix).len()).unwrap_or(u32::MAX);
        match self.task(ix).join {
            Join::All => edges,
            Join::Any => edges.min(1),
            Join::AtLeast(n) => edges.min(n),
        }
    }

    pub(crate) fn compiled(&self, ix: TaskIx) -> &CompiledTask {
        &self.compiled[ix.at()]
    }

    pub(crate) fn run_group(&self) -> Option<&Template> {
        self.run_group.as_ref()
    }

    pub(crate) fn outputs(&self) -> &Template {
        &self.outputs
    }
}

/// What the key of a compensating task ends with; no key of the file can.
pub(crate) const COMPENSATE_SUFFIX: &str = ".compensate";

/// The list that a section stands in; compensating tasks stand in the main tasks.
fn section_tasks(workflow: &Workflow, section: Section) -> &[Task] {
    match section {
        Section::Main | Section::Compensation => &workflow.tasks,
        Section::OnFailure => &workflow.on_failure,
        Section::OnSuccess => &workflow.on_success,
        Section::Finally => &workflow.finally,
    }
}

fn task_at(workflow: &Workflow, place: Place) -> &Task {
    let task = &section_tasks(workflow, place.section)[place.position as usize];
    match (place.section, &task.compensate) {
        (Section::Compensation, Some(compensate)) => compensate,
        _ => task,
    }
}

/// Why a workflow cannot become a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The tasks of a cycle, in order.
    #[error("dependency cycle: {}", .0.join(" → "))]
    Cycle(Vec<String>),
    /// A task needs one that does not exist.
    #[error("task `{task}` needs `{upstream}`, which does not exist")]
    UnknownUpstream {
        /// The task.
        task: String,
        /// The missing upstream.
        upstream: String,
    },
    /// An expression does not compile.
    #[error("expression of task `{task}` does not compile: {message}")]
    Expression {
        /// The task.
        task: String,
        /// What the compiler said.
        message: String,
    },
}
