//! Fan-outs and child runs: items of a task, the run that a task started, and limits that change while a fan-out runs.

use async_graphql::{Context, ID, InputObject, Object};
use runnel_engine::RunId;
use runnel_engine::definition::Tolerate;
use runnel_runtime::fanout::FanoutLimits;
use runnel_runtime::view::{RunFilter, RunOrder, RunView, TaskFilter as TaskFilterView, TaskView};

use super::connection::Connection;
use super::filters::TaskFilter;
use super::mutation_run::{TaskPayload, of_run, task_payload};
use super::paging::window;
use super::run::{Run, RunList, TaskCounts, list_runs};
use super::session::{ChildOf, ItemsOf, load, open};
use super::task::{Task, list_tasks};
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// Most items of a fan-out in flight.
const PARALLEL_MAX: i32 = 100_000;

/// Where a page of a list begins and how long it is.
pub(crate) struct Place {
    /// Most items.
    pub(crate) size: i32,
    /// After this cursor.
    pub(crate) after: Option<String>,
}

/// The run that the current attempt of a task started.
pub(crate) async fn child_run(ctx: &Context<'_>, task: &TaskView) -> Result<Option<Run>, ApiError> {
    if task.kind != "workflow" {
        return Ok(None);
    }
    let child = load(ctx, ChildOf(task.run_id, task.ix, task.attempt)).await?;
    Ok(child.map(Run))
}

/// The items of a fan-out by status.
pub(crate) async fn item_counts(ctx: &Context<'_>, task: &TaskView) -> Result<Option<TaskCounts>, ApiError> {
    if task.template != task.ix {
        return Ok(None);
    }
    let counts = load(ctx, ItemsOf(task.run_id, task.ix)).await?;
    Ok(counts.map(TaskCounts::from))
}

/// The items of a fan-out.
pub(crate) async fn items(
    ctx: &Context<'_>,
    task: &Task,
    place: Place,
    filter: Option<TaskFilter>,
) -> Result<Connection<Task>, ApiError> {
    open(ctx, Permission::RunsRead)?;
    let filter = TaskFilterView {
        items_of: Some(task.view.ix),
        all: Some(vec![filter.unwrap_or_default().into_view()?]),
        ..TaskFilterView::default()
    };
    let window = window(place.size, place.after.as_deref(), None, None)?;
    list_tasks(ctx, (task.view.run_id, task.version), filter, window).await
}

/// The run that started a run.
pub(crate) async fn parent(ctx: &Context<'_>, run: &RunView) -> Result<Option<Run>, ApiError> {
    match run.parent {
        Some(parent) => Ok(load(ctx, parent.run).await?.map(Run)),
        None => Ok(None),
    }
}

/// The runs that a run started.
pub(crate) async fn children(
    ctx: &Context<'_>,
    run: RunId,
    place: Place,
) -> Result<Connection<Run>, ApiError> {
    let list = RunList {
        filter: RunFilter {
            child_of: Some(run),
            ..RunFilter::default()
        },
        order: RunOrder {
            is_descending: false,
            ..RunOrder::default()
        },
        window: window(place.size, place.after.as_deref(), None, None)?,
    };
    list_runs(ctx, list).await
}

/// Arguments of `taskFanoutUpdate`.
#[derive(Debug, InputObject)]
pub(crate) struct TaskFanoutUpdateInput {
    /// Id of the run.
    run: ID,
    /// Key of the task with `for_each` or `matrix`.
    task: String,
    /// Most items in flight, 1 to 100,000; as before when null.
    max_parallel: Option<i32>,
    /// Failures that are forgiven, as a whole number or a percentage such as `2%`; as before when null.
    tolerate: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Mutations of fan-outs.
#[derive(Debug, Default)]
pub(crate) struct FanoutMutation;

/// Mutations of fan-outs.
#[Object]
impl FanoutMutation {
    /// Changes the limits of a fan-out that has not ended. More items start at once; items that run are left alone; a
    /// fan-out with more failures than it tolerates now fails.
    async fn task_fanout_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which fan-out, and its limits.")] input: TaskFanoutUpdateInput,
    ) -> Result<TaskPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let limits = match limits(&input) {
            Ok(limits) => limits,
            Err(problem) => return Ok(TaskPayload::refused(*problem, input.client_mutation_id)),
        };
        let (orchestrator, task) = (session.orchestrator, &input.task);
        let done = of_run(&input.run, async |run| {
            orchestrator
                .change_fanout_limits(session.actor, run, task, limits)
                .await
        });
        task_payload(done.await, input.client_mutation_id)
    }
}

fn limits(input: &TaskFanoutUpdateInput) -> Result<FanoutLimits, Box<UserError>> {
    let refuse = |message: &str, argument: &str| Box::new(UserError::input(message, argument));
    let max_parallel = match input.max_parallel {
        None => None,
        Some(n) if (1..=PARALLEL_MAX).contains(&n) => u32::try_from(n).ok(),
        Some(_) => return Err(refuse("`maxParallel` must be from 1 to 100000", "maxParallel")),
    };
    let tolerate = input.tolerate.as_deref().map(|text| {
        tolerate_of(text).ok_or_else(|| {
            refuse(
                "`tolerate` must be a whole number, or a percentage from 0% to 100%",
                "tolerate",
            )
        })
    });
    let tolerate = tolerate.transpose()?;
    if max_parallel.is_none() && tolerate.is_none() {
        return Err(refuse("name `maxParallel`, `tolerate` or both", "maxParallel"));
    }
    Ok(FanoutLimits {
        max_parallel,
        tolerate,
    })
}

fn tolerate_of(text: &str) -> Option<Tolerate> {
    let text = text.trim();
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent = percent.trim().parse::<f64>().ok()?;
            (0.0..=100.0)
                .contains(&percent)
                .then_some(Tolerate::Percent(percent))
        }
        None => text.parse().ok().map(Tolerate::Count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_is_a_number_or_a_percentage() {
        assert_eq!(tolerate_of("5"), Some(Tolerate::Count(5)));
        assert_eq!(tolerate_of(" 2.5 % "), Some(Tolerate::Percent(2.5)));
        for text in ["", "-1", "101%", "x", "1.5", "NaN%"] {
            assert_eq!(tolerate_of(text), None, "{text}");
        }
    }
}
