//! The audit log.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use runnel_runtime::audit::{AuditFilter as ViewFilter, AuditOutcome as ViewOutcome, AuditView};

use super::connection::Connection;
use super::cursor::Cursor;
use super::filters::DateTimeFilter;
use super::paging::window;
use super::scalars::{DateTime, Json};
use super::session::open;
use crate::auth::Permission;
use crate::error::ApiError;

/// What came of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "ViewOutcome")]
pub(crate) enum AuditOutcome {
    /// It took place.
    Ok,
    /// It was refused and changed nothing.
    Refused,
    /// The server could not say; it may have taken place.
    Failed,
}

/// One mutation in the audit log, whether it came over GraphQL, an HTTP alias or the command line.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct AuditEntry {
    /// Opaque id.
    id: ID,
    /// When it came.
    at: DateTime,
    /// Who asked for it.
    actor: String,
    /// Name of the mutation, as `runCancel`.
    action: String,
    /// Type of what it acted on or made, as `run`; null when that is not known.
    target_type: Option<String>,
    /// Id or key of what it acted on or made; a task as `<run>:<key>`. Null when that is not known.
    target_id: Option<String>,
    /// Why, as given.
    reason: Option<String>,
    /// Id of the request, as in its answer and in the server's log.
    request_id: Option<String>,
    /// What came of it.
    outcome: AuditOutcome,
    /// Code of a refusal or failure.
    code: Option<String>,
    /// State of the run before it, where it acted on one.
    before: Option<Json>,
    /// State of the run after it, where it acted on one.
    after: Option<Json>,
}

impl AuditEntry {
    fn of(view: AuditView) -> Self {
        let json = |text: Option<String>| text.and_then(|text| Json::from_text(&text).ok());
        Self {
            id: ID(format!("audit_{}", view.id.simple())),
            at: DateTime(view.at),
            actor: view.actor,
            action: view.action,
            target_type: view.target_type,
            target_id: view.target_id,
            reason: view.reason,
            request_id: view.request_id,
            outcome: view.outcome.into(),
            code: view.code,
            before: json(view.state_before),
            after: json(view.state_after),
        }
    }
}

/// Which entries of the audit log; all conditions must hold.
#[derive(Debug, Default, InputObject)]
pub(crate) struct AuditFilter {
    /// Who asked.
    actor: Option<String>,
    /// One of these mutations.
    actions: Option<Vec<String>>,
    /// Type of what was acted on, as `run`.
    target_type: Option<String>,
    /// What was acted on; the id of a run also finds its tasks.
    target_id: Option<String>,
    /// One of these outcomes.
    outcomes: Option<Vec<AuditOutcome>>,
    /// When.
    at: Option<DateTimeFilter>,
}

impl AuditFilter {
    fn into_view(self) -> ViewFilter {
        let (at_gte, at_lt) = self.at.map_or((None, None), |filter| filter.span());
        let outcomes = self.outcomes.map(|all| all.into_iter().map(Into::into).collect());
        ViewFilter {
            actor: self.actor,
            action_in: self.actions,
            target_type: self.target_type,
            target_id: self.target_id,
            outcome_in: outcomes,
            at_gte,
            at_lt,
        }
    }
}

/// Queries of the audit log.
#[derive(Debug, Default)]
pub(crate) struct AuditQuery;

/// Queries of the audit log.
#[Object]
impl AuditQuery {
    /// Mutations of this namespace, newest first: those that took place and those that were refused. Dry runs are not in it.
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these entries.")] filter: Option<AuditFilter>,
    ) -> Result<Connection<AuditEntry>, ApiError> {
        let session = open(ctx, Permission::AuditRead)?;
        let window = window(size, after.as_deref(), last, before.as_deref())?;
        let filter = filter.unwrap_or_default().into_view();
        let page = session
            .orchestrator
            .list_audit(session.actor, filter, window)
            .await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(page, |entry| entry.id.encode(), AuditEntry::of))
    }
}
