//! The root of queries. Not found is `null`; only bad arguments, missing permissions and faults are errors.

use async_graphql::{Context, ID, Interface, Object, SimpleObject};
use runnel_engine::{RunId, TaskIx, WorkflowId, WorkflowVersionId};
use runnel_runtime::view::{self, NodeRef, PageRequest};

use super::connection::Connection;
use super::cursor::{self, Cursor, first};
use super::dead_letter::{self, DeadLetter, DeadLetterFilter, DeadLetterGroup};
use super::enums::Permission as PermissionName;
use super::event::Event;
use super::filters::{EventFilter, RunFilter, RunOrder, WorkflowFilter};
use super::id;
use super::run::{Run, list_runs};
use super::session::{load, open};
use super::task::Task;
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
}

/// Queries.
#[derive(Debug, Default)]
pub(crate) struct Query;

/// Queries: they change nothing, and what does not exist is null.
#[Object]
impl Query {
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

    /// Dead letters, newest first: what failed for good and waits for a person.
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Most letters, 1 to 200.", default = 50)] first: i32,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "Which letters.")] filter: Option<DeadLetterFilter>,
    ) -> Result<Connection<DeadLetter>, ApiError> {
        dead_letter::list(ctx, filter, first, after.as_deref()).await
    }

    /// One dead letter; null when there is none.
    async fn dead_letter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the letter.")] id: ID,
    ) -> Result<Option<DeadLetter>, ApiError> {
        dead_letter::find(ctx, &id).await
    }

    /// Dead letters by what they have in common, the largest group first, 200 groups at most.
    async fn dead_letter_groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which letters.")] filter: Option<DeadLetterFilter>,
    ) -> Result<Vec<DeadLetterGroup>, ApiError> {
        dead_letter::groups(ctx, filter).await
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
        #[graphql(desc = "Only these workflows.")] filter: Option<WorkflowFilter>,
    ) -> Result<Connection<Workflow>, ApiError> {
        let session = open(ctx, Permission::WorkflowsRead)?;
        let prefix = filter.and_then(|filter| filter.key_prefix);
        let page = PageRequest {
            first: first(size)?,
            after: Cursor::after(after.as_deref())?,
        };
        let page = session
            .orchestrator
            .list_workflows(session.actor, prefix.as_deref(), page)
            .await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(page, |workflow| workflow.key.encode(), Workflow))
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
    async fn runs(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only these runs.")] filter: Option<RunFilter>,
        #[graphql(desc = "Newest first when null.")] order_by: Option<RunOrder>,
    ) -> Result<Connection<Run>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let filter = filter.unwrap_or_default().into_view()?;
        let order = order_by.map_or_else(view::RunOrder::default, RunOrder::into_view);
        list_runs(session, filter, order, size, after.as_deref()).await
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
            let session = runs?;
            let task = session
                .orchestrator
                .find_task_at(session.actor, RunId(run), TaskIx(ix))
                .await;
            let task = task.map_err(|e| ApiError::store(&e))?;
            Ok(task.map(|view| Node::Task(Box::new(Task { view, version: None }))))
        }
        Some(NodeRef::Workflow(id)) => {
            workflows?;
            Ok(load(ctx, WorkflowId(id))
                .await?
                .map(|view| Node::Workflow(Workflow(view))))
        }
        Some(NodeRef::WorkflowVersion(id)) => {
            workflows?;
            Ok(load(ctx, WorkflowVersionId(id))
                .await?
                .map(|v| Node::WorkflowVersion(WorkflowVersion(v))))
        }
    }
}
