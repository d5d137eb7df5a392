//! The graph of a workflow in the form the state machine walks: indices and adjacency arrays.

use crate::definition::{Task, Workflow};
use crate::ids::TaskIx;

/// A compiled workflow version: immutable, shared by all its runs, cached by version.
///
/// Static tasks have indices `0..len()` in topological order of the main graph (ties in file order), handler tasks after them.
#[derive(Debug)]
pub struct Plan {
    // H: fields are the implementer's: CSR adjacency, compiled expressions per task, which outputs are read by anybody.
    workflow: Workflow,
}

impl Plan {
    /// Compiles a checked workflow. O(V + E); Kahn's algorithm (Kahn 1962, "Topological sorting of large networks").
    ///
    /// # Errors
    /// A workflow that was not checked: cycle, unknown upstream, bad expression.
    pub fn build(workflow: Workflow) -> Result<Self, PlanError> {
        Ok(Self { workflow })
    }

    /// The workflow it was built from.
    #[must_use]
    pub fn workflow(&self) -> &Workflow {
        &self.workflow
    }

    /// Number of static tasks, handlers included.
    #[must_use]
    pub fn len(&self) -> usize {
        unimplemented!()
    }

    /// Whether there is no task at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The definition of a static task.
    #[must_use]
    pub fn task(&self, ix: TaskIx) -> &Task {
        let _ = ix;
        unimplemented!()
    }

    /// The index of a static task by key.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<TaskIx> {
        let _ = key;
        unimplemented!()
    }

    /// Upstreams of a static task, ascending.
    #[must_use]
    pub fn upstreams(&self, ix: TaskIx) -> &[TaskIx] {
        let _ = ix;
        unimplemented!()
    }

    /// Downstreams of a static task, ascending.
    #[must_use]
    pub fn downstreams(&self, ix: TaskIx) -> &[TaskIx] {
        let _ = ix;
        unimplemented!()
    }

    /// Number of edges on the longest path to the task (0 for a root).
    #[must_use]
    pub fn depth(&self, ix: TaskIx) -> u32 {
        let _ = ix;
        unimplemented!()
    }

    /// Tasks on the longest path of the graph.
    #[must_use]
    pub fn critical_path_depth(&self) -> u32 {
        unimplemented!()
    }

    /// Whether any expression reads the output of the task, so that the state machine must keep it in memory.
    #[must_use]
    pub fn is_output_read(&self, ix: TaskIx) -> bool {
        let _ = ix;
        unimplemented!()
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
