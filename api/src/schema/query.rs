//! The root of queries. Not found is `null`; only bad arguments, missing permissions and faults are errors.

use async_graphql::{Context, ID, Interface, Object, SimpleObject};
use runnel_engine::{RunId, TaskIx, WorkflowId, WorkflowVersionId};
use runnel_runtime::view::{self, NodeRef, PageRequest};

use super::approval::{self, Approval};
use super::bulk::BulkOperation;
use super::connection::Connection;
use super::cursor::{self, Cursor, first};
use super::enums::Permission as PermissionName;
use super::event::Event;
use super::filters::{EventFilter, RunFilter, RunOrder, WorkflowFilter, run_filter};
use super::id;
use super::paging::{count_if_asked, window};
use super::run::{Run, RunList, list_runs};
use super::schedule::{self, Schedule};
use super::secret::{self, Secret};
use super::session::{BulkAt, TaskAt, load, open};
use super::task::Task;
use super::trigger::{self, Trigger};
use super::workflow::{Workflow, WorkflowVersion};
use crate::auth::Permission;
use crate::error::ApiError;

/// Anything with an id.
#[derive(Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque id."))]
pub(crate) enum Node {
    /// A run.
    Run(Box<Run>),
    /// A task.
    Task(Box<Task>),
    /// A workflow.
    Workflow(Workflow),
    /// A version of a workflow.
    WorkflowVersion(WorkflowVersion),
    /// An approval.
    Approval(Box<Approval>),
    /// A schedule.
    Schedule(Box<Schedule>),
    /// A trigger by event or webhook.
    Trigger(Box<Trigger>),
    /// An operation on many runs.
    Bulk(BulkOperation),
}

/// Who asks, and what they may do.
#[derive(Debug, SimpleObject)]
pub(crate) struct Viewer {
    /// Name, as events and audit show it.
    name: String,
    /// The namespace that everything here is limited to.
    namespace: String,
    /// What the caller may do.
    permissions: Vec<PermissionName>,
    /// The groups that the caller belongs to, for approvals; `*` is all of them.
    groups: Vec<String>,
}

/// Queries.
#[derive(Debug, Default)]
pub(crate) struct CoreQuery;

/// Queries: they change nothing, and what does not exist is null.
#[Object]
impl CoreQuery {
    /// Anything by its id; null when there is none.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the node.")] id: ID,
    ) -> Result<Option<Node>, ApiError> {
        find_node(ctx, &id).await
    }

    /// Several things by their ids, in the order asked for, null where there is none.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Ids of the nodes, 100 at most.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>, ApiError> {
        cursor::ids(&ids)?;
        futures_util::future::try_join_all(ids.iter().map(|id| find_node(ctx, id))).await
    }

    /// Who asks, and what they may do.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer, ApiError> {
        let viewer = super::session::viewer(ctx)?;
        Ok(Viewer {
            name: viewer.actor.name.to_string(),
            namespace: viewer.actor.namespace.to_string(),
            permissions: viewer
                .permissions
                .iter()
                .map(|p| PermissionName::from(*p))
                .collect(),
            groups: viewer.groups.iter().map(|group| group.to_string()).collect(),
        })
    }

    /// A workflow by its key; null when there is none.
    async fn workflow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of the workflow file.")] key: String,
    ) -> Result<Option<Workflow>, ApiError> {
        let session = open(ctx, Permission::WorkflowsRead)?;
        let workflow = session.orchestrator.find_workflow(session.actor, &key).await;
        Ok(workflow.map_err(|e| ApiError::store(&e))?.map(Workflow))
    }

    /// Workflows by key.
    async fn workflows(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these workflows.")] filter: Option<WorkflowFilter>,
    ) -> Result<Connection<Workflow>, ApiError> {
        let session = open(ctx, Permission::WorkflowsRead)?;
        let filter = filter.unwrap_or_default().into_view();
        let window = window(size, after.as_deref(), last, before.as_deref())?;
        let orchestrator = session.orchestrator;
        let count = orchestrator.count_workflows(session.actor, filter.clone());
        let count = count_if_asked(ctx, count).await?;
        let page = orchestrator.find_workflows(session.actor, filter, window).await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(page, |workflow| workflow.key.encode(), Workflow).counted(count))
    }

    /// A run by its id or bare UUID; null when there is none.
    async fn run(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the run, or its bare UUID.")] id: ID,
    ) -> Result<Option<Run>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        match id::parse_run(&id) {
            Some(id) => Ok(load(ctx, id).await?.map(Run)),
            None => Ok(None),
        }
    }

    /// Runs, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a list")]
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these runs.")] filter: Option<RunFilter>,
        #[graphql(
            desc = "Only runs for which this holds: a small part of CEL, see the page of FILTER_INVALID."
        )]
        query: Option<String>,
        #[graphql(desc = "Newest first when null.")] order_by: Option<RunOrder>,
    ) -> Result<Connection<Run>, ApiError> {
        // the permission is asked for before the arguments are understood
        open(ctx, Permission::RunsRead)?;
        let list = RunList {
            filter: run_filter(filter, query.as_deref())?,
            order: order_by.map_or_else(view::RunOrder::default, RunOrder::into_view),
            window: window(size, after.as_deref(), last, before.as_deref())?,
        };
        list_runs(ctx, list).await
    }

    /// Stored secrets by name, without their values.
    async fn secrets(&self, ctx: &Context<'_>) -> Result<Vec<Secret>, ApiError> {
        secret::list(ctx).await
    }

    /// Events of all runs, oldest first. The `events` subscription continues from any cursor of this list.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these events.")] filter: Option<EventFilter>,
        #[graphql(default = 100, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Event>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let page = PageRequest {
            first: first(size)?,
            after: Cursor::after(after.as_deref())?,
        };
        let empty = view::Page {
            items: Vec::new(),
            has_next: false,
            has_previous: false,
        };
        let page = match filter.unwrap_or_default().into_view()? {
            // the run asked for cannot exist
            None => empty,
            Some(filter) => {
                let page = session
                    .orchestrator
                    .list_events(session.actor, filter, page)
                    .await;
                page.map_err(|e| ApiError::store(&e))?
            }
        };
        Ok(Connection::new(page, |event| event.cursor.encode(), Event))
    }
}

async fn find_node(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, ApiError> {
    // the permission is asked for before the id is understood: a refused caller learns nothing about ids
    let (runs, workflows) = (
        open(ctx, Permission::RunsRead),
        open(ctx, Permission::WorkflowsRead),
    );
    match id::parse(id) {
        None => {
            runs?;
            workflows?;
            Ok(None)
        }
        Some(NodeRef::Run(id)) => {
            runs?;
            Ok(load(ctx, RunId(id))
                .await?
                .map(|run| Node::Run(Box::new(Run(run)))))
        }
        Some(NodeRef::Task(run, ix)) => {
            runs?;
            let task = load(ctx, TaskAt(RunId(run), TaskIx(ix))).await?;
            Ok(task.map(|view| Node::Task(Box::new(Task { view, version: None }))))
        }
        Some(NodeRef::Approval(run, ix)) => {
            runs?;
            let found = approval::find_approval(ctx, RunId(run), TaskIx(ix)).await?;
            Ok(found.map(|approval| Node::Approval(Box::new(approval))))
        }
        Some(NodeRef::Workflow(id)) => {
            workflows?;
            Ok(load(ctx, WorkflowId(id))
                .await?
                .map(|view| Node::Workflow(Workflow(view))))
        }
        Some(NodeRef::Schedule(id)) => {
            runs?;
            let found = schedule::find_schedule(ctx, id).await?;
            Ok(found.map(|schedule| Node::Schedule(Box::new(schedule))))
        }
        Some(NodeRef::Trigger(id)) => {
            runs?;
            let found = trigger::find_trigger(ctx, id).await?;
            Ok(found.map(|trigger| Node::Trigger(Box::new(trigger))))
        }
        Some(NodeRef::Bulk(id)) => {
            runs?;
            Ok(load(ctx, BulkAt(id))
                .await?
                .map(|view| Node::Bulk(BulkOperation(view))))
        }
        Some(NodeRef::WorkflowVersion(id)) => {
            workflows?;
            Ok(load(ctx, WorkflowVersionId(id))
                .await?
                .map(|v| Node::WorkflowVersion(WorkflowVersion(v))))
        }
    }
}
