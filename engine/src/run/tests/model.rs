//! What a run must end with, written down as plainly as possible: no events, no order, no time.

use std::collections::HashMap;

use crate::Workflow;
use crate::definition::{Join, Task, Tolerate};
use crate::run::{RunStatus, TaskStatus};

/// How often the attempts of each task fail before one succeeds.
pub type Failures = HashMap<String, u32>;

/// The final status of every task, and of the run. For workflows whose conditions are constants.
pub fn expected(workflow: &Workflow, failures: &Failures) -> (HashMap<String, TaskStatus>, RunStatus) {
    let mut statuses: HashMap<String, TaskStatus> = HashMap::new();
    let mut tolerated: HashMap<String, bool> = HashMap::new();
    // the generator writes every task after its upstreams
    for task in &workflow.tasks {
        let satisfied = task
            .needs
            .iter()
            .filter(|need| match statuses[&need.task] {
                TaskStatus::Succeeded => need.accepts.succeeded,
                TaskStatus::Failed => {
                    need.accepts.failed || (need.accepts.succeeded && tolerated[&need.task])
                }
                TaskStatus::Skipped => need.accepts.skipped,
                other => panic!("{other:?} is not final"),
            })
            .count();
        let required = match task.join {
            Join::All => task.needs.len(),
            Join::Any => task.needs.len().min(1),
            Join::AtLeast(n) => task.needs.len().min(n as usize),
        };
        let status = if satisfied < required || task.condition.as_deref() == Some("false") {
            TaskStatus::Skipped
        } else {
            executed(task, failures)
        };
        statuses.insert(task.key.clone(), status);
        tolerated.insert(task.key.clone(), task.continue_on_error);
    }
    let has_failed = workflow
        .tasks
        .iter()
        .any(|t| statuses[&t.key] == TaskStatus::Failed && !t.continue_on_error);
    (
        statuses,
        if has_failed {
            RunStatus::Failed
        } else {
            RunStatus::Succeeded
        },
    )
}

fn executed(task: &Task, failures: &Failures) -> TaskStatus {
    let fails = |key: &str| failures.get(key).copied().unwrap_or(0) > task.retry.limit;
    let fanout = match (&task.for_each, &task.matrix) {
        (Some(each), _) => {
            let items = each.items.as_array().map_or(0, Vec::len);
            Some((items.div_ceil(each.batch.unwrap_or(1) as usize), each.tolerate))
        }
        (None, Some(matrix)) => {
            let sizes = matrix
                .axes
                .iter()
                .map(|axis| axis.values.as_array().map_or(0, Vec::len));
            Some((sizes.product(), matrix.tolerate))
        }
        (None, None) => None,
    };
    // failures come first, so that a loop meets all of them in its first round
    let has_failed = match fanout {
        Some((items, tolerate)) => {
            let failed = (0..items)
                .filter(|at| fails(&format!("{}[{at}]", task.key)))
                .count();
            failed > tolerated(tolerate, items)
        }
        None => fails(&task.key),
    };
    if has_failed {
        TaskStatus::Failed
    } else {
        TaskStatus::Succeeded
    }
}

fn tolerated(tolerate: Tolerate, items: usize) -> usize {
    match tolerate {
        Tolerate::Count(count) => count as usize,
        Tolerate::Percent(percent) => (0..=items)
            .filter(|n| *n as f64 * 100.0 <= percent * items as f64)
            .max()
            .unwrap_or(0),
    }
}
