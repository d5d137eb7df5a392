//! Where the tasks of a graph stand on a screen, packed into lists: a graph of 5,000 tasks is one small answer.

use async_graphql::{Context, SimpleObject};
use runnel_engine::layout as engine;
use runnel_engine::{Plan, RunId, TaskIx, WorkflowVersionId};

use super::enums::TaskStatus;
use super::scalars::DateTime;
use super::session::open;
use crate::auth::Permission;
use crate::error::ApiError;

/// A picture of a graph, from left to right, packed: entry `i` of each list of tasks is about the task with index `i`.
/// Lengths are in units of a screen at full size; the origin is the upper left corner.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct GraphLayout {
    /// Width of the picture.
    width: i32,
    /// Height of the picture.
    height: i32,
    /// Width of each task.
    node_width: i32,
    /// Height of each task.
    node_height: i32,
    /// Keys of the tasks.
    keys: Vec<String>,
    /// Types of the tasks.
    types: Vec<String>,
    /// Indices of the tasks that fan out over items.
    fanouts: Vec<u32>,
    /// Indices of the tasks that wait for the decision of a person.
    approvals: Vec<u32>,
    /// Left side of each task.
    x: Vec<i32>,
    /// Upper side of each task.
    y: Vec<i32>,
    /// Number of columns of dependencies before each task.
    ranks: Vec<u32>,
    /// Edges, two numbers each: index of the upstream, index of the downstream.
    edges: Vec<u32>,
    /// How many points each edge bends at.
    bend_counts: Vec<u32>,
    /// The points of all edges, one after the other, two numbers each: to the right, down.
    bends: Vec<i32>,
}

impl GraphLayout {
    /// The picture of a plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        let layout = engine::of_plan(plan);
        let tasks = || (0_u32..).take(plan.len()).map(|ix| (ix, plan.task(TaskIx(ix))));
        let indices = |is_wanted: fn(&runnel_engine::definition::Task) -> bool| {
            tasks()
                .filter(|(_, task)| is_wanted(task))
                .map(|(ix, _)| ix)
                .collect()
        };
        let count = |edge: &engine::Edge| u32::try_from(edge.bends.len()).unwrap_or(u32::MAX);
        Self {
            width: layout.width,
            height: layout.height,
            node_width: engine::NODE_WIDTH,
            node_height: engine::NODE_HEIGHT,
            keys: tasks().map(|(_, task)| task.key.clone()).collect(),
            types: tasks().map(|(_, task)| task.kind.clone()).collect(),
            fanouts: indices(|task| task.for_each.is_some() || task.matrix.is_some()),
            approvals: indices(|task| task.kind == "approval"),
            edges: layout
                .edges
                .iter()
                .flat_map(|edge| [edge.from, edge.to])
                .collect(),
            bend_counts: layout.edges.iter().map(count).collect(),
            bends: layout
                .edges
                .iter()
                .flat_map(|edge| edge.bends.iter().flat_map(|(x, y)| [*x, *y]))
                .collect(),
            x: layout.x,
            y: layout.y,
            ranks: layout.ranks,
        }
    }
}

/// The tasks of the file as they are in a run, packed: entry `i` of each list is about the task with index `i`.
/// Items of fan-outs are not in it; the task that fans out stands for them.
#[derive(Debug, Clone, Default, SimpleObject)]
pub(crate) struct TaskTable {
    /// Statuses.
    statuses: Vec<TaskStatus>,
    /// Numbers of the current attempts.
    attempts: Vec<u32>,
    /// When the last attempts were queued.
    queued_at: Vec<Option<DateTime>>,
    /// When the last attempts started.
    started_at: Vec<Option<DateTime>>,
    /// When the tasks ended.
    finished_at: Vec<Option<DateTime>>,
}

/// The picture of a version; empty when there is no such version in the caller's namespace.
pub(crate) async fn of_version(
    ctx: &Context<'_>,
    version: WorkflowVersionId,
) -> Result<Option<GraphLayout>, ApiError> {
    let session = open(ctx, Permission::WorkflowsRead)?;
    let plan = session.orchestrator.find_plan(session.actor, version).await;
    let plan = plan.map_err(|e| ApiError::store(&e))?;
    Ok(plan.map(|plan| GraphLayout::of(&plan)))
}

/// The table of a run.
pub(crate) async fn table(
    ctx: &Context<'_>,
    run: RunId,
    version: WorkflowVersionId,
) -> Result<TaskTable, ApiError> {
    let session = open(ctx, Permission::RunsRead)?;
    let plan = session.orchestrator.find_plan(session.actor, version).await;
    let plan = plan.map_err(|e| ApiError::store(&e))?;
    let count = plan.map_or(0, |plan| u32::try_from(plan.len()).unwrap_or(u32::MAX));
    if count == 0 {
        return Ok(TaskTable::default());
    }
    let tasks = session.orchestrator.task_table(session.actor, run, count).await;
    let tasks = tasks.map_err(|e| ApiError::store(&e))?;
    Ok(TaskTable {
        statuses: tasks.iter().map(|task| task.status.into()).collect(),
        attempts: tasks.iter().map(|task| task.attempt).collect(),
        queued_at: tasks.iter().map(|task| task.queued_at.map(DateTime)).collect(),
        started_at: tasks.iter().map(|task| task.started_at.map(DateTime)).collect(),
        finished_at: tasks.iter().map(|task| task.finished_at.map(DateTime)).collect(),
    })
}
