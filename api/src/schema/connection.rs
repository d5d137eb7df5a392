//! Relay connections over the pages of the store.

use async_graphql::{OutputType, SimpleObject};
use runnel_runtime::view::Page;

use super::approval::Approval;
use super::audit::AuditEntry;
use super::bulk::{BulkFailure, BulkOperation};
use super::circuit::Circuit;
use super::dead_letter::DeadLetter;
use super::event::Event;
use super::namespace::Namespace;
use super::paging::Count;
use super::run::Run;
use super::schedule::{Schedule, TriggerOutcome};
use super::task::Task;
use super::trigger::Trigger;
use super::workflow::{Workflow, WorkflowVersion};

/// Where a page stands in its list.
#[derive(Debug, SimpleObject)]
pub(crate) struct PageInfo {
    /// Whether there are more items after the last one.
    has_next_page: bool,
    /// Whether there are items before the first one.
    has_previous_page: bool,
    /// Cursor of the first item; null when the page is empty.
    start_cursor: Option<String>,
    /// Cursor of the last item, for `after` of the next page; null when the page is empty.
    end_cursor: Option<String>,
}

/// An item of a list with its cursor.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(
    concrete(name = "ApprovalEdge", params(Approval)),
    concrete(name = "AuditEntryEdge", params(AuditEntry)),
    concrete(name = "BulkFailureEdge", params(BulkFailure)),
    concrete(name = "BulkOperationEdge", params(BulkOperation)),
    concrete(name = "CircuitEdge", params(Circuit)),
    concrete(name = "DeadLetterEdge", params(DeadLetter)),
    concrete(name = "EventEdge", params(Event)),
    concrete(name = "NamespaceEdge", params(Namespace)),
    concrete(name = "RunEdge", params(Run)),
    concrete(name = "ScheduleEdge", params(Schedule)),
    concrete(name = "TaskEdge", params(Task)),
    concrete(name = "TriggerEdge", params(Trigger)),
    concrete(name = "TriggerOutcomeEdge", params(TriggerOutcome)),
    concrete(name = "WorkflowEdge", params(Workflow)),
    concrete(name = "WorkflowVersionEdge", params(WorkflowVersion))
)]
pub(crate) struct Edge<T: OutputType> {
    /// Place of the item, for `after`.
    cursor: String,
    /// The item.
    node: T,
}

/// One page of a list.
#[derive(Debug, SimpleObject)]
#[graphql(
    concrete(name = "ApprovalConnection", params(Approval)),
    concrete(name = "AuditEntryConnection", params(AuditEntry)),
    concrete(name = "BulkFailureConnection", params(BulkFailure)),
    concrete(name = "BulkOperationConnection", params(BulkOperation)),
    concrete(name = "CircuitConnection", params(Circuit)),
    concrete(name = "DeadLetterConnection", params(DeadLetter)),
    concrete(name = "EventConnection", params(Event)),
    concrete(name = "NamespaceConnection", params(Namespace)),
    concrete(name = "RunConnection", params(Run)),
    concrete(name = "ScheduleConnection", params(Schedule)),
    concrete(name = "TaskConnection", params(Task)),
    concrete(name = "TriggerConnection", params(Trigger)),
    concrete(name = "TriggerOutcomeConnection", params(TriggerOutcome)),
    concrete(name = "WorkflowConnection", params(Workflow)),
    concrete(name = "WorkflowVersionConnection", params(WorkflowVersion))
)]
pub(crate) struct Connection<T: OutputType>
where
    Edge<T>: OutputType,
{
    /// The items with their cursors, in order.
    edges: Vec<Edge<T>>,
    /// The items without their cursors, in order.
    nodes: Vec<T>,
    /// Where the page stands.
    page_info: PageInfo,
    /// How many items the whole list has; null where a list is not counted.
    total_count: Option<Count>,
}

impl<T: OutputType + Clone> Connection<T>
where
    Edge<T>: OutputType,
{
    /// From a page of the store: how an item's cursor is written, and what it becomes.
    pub(crate) fn new<V>(page: Page<V>, cursor: impl Fn(&V) -> String, node: impl Fn(V) -> T) -> Self {
        let Page {
            items,
            has_next,
            has_previous,
        } = page;
        let edges: Vec<_> = items
            .into_iter()
            .map(|view| Edge {
                cursor: cursor(&view),
                node: node(view),
            })
            .collect();
        let page_info = PageInfo {
            has_next_page: has_next,
            has_previous_page: has_previous,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        let nodes = edges.iter().map(|edge| edge.node.clone()).collect();
        Self {
            edges,
            nodes,
            page_info,
            total_count: None,
        }
    }

    /// With the number of items of the whole list, where it was asked for.
    pub(crate) fn counted(mut self, count: Option<impl Into<Count>>) -> Self {
        self.total_count = count.map(Into::into);
        self
    }
}
