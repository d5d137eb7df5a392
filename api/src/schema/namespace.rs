//! Namespaces.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use runnel_runtime::Orchestrator;
use runnel_runtime::config::KEPT_DAYS_MAX;
use runnel_runtime::namespace::{NAMESPACE_CHARS_MAX, NamespaceView, is_namespace_name};

use super::connection::Connection;
use super::cursor::Cursor;
use super::paging::window;
use super::scalars::DateTime;
use super::session::open;
use super::user_error::{ErrorCode, UserError};
use crate::auth::Permission;
use crate::error::ApiError;

/// A tenant of workflows and runs. A request acts in the one that its header `x-namespace` names, else in `default`.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Namespace {
    /// Its name.
    name: String,
    /// When it was made.
    created_at: DateTime,
    /// Days for which its ended runs are kept: its own or, where it has none, those of the server. 0: for ever.
    runs_kept_days: i32,
    /// Whether the retention is its own.
    has_own_retention: bool,
}

impl Namespace {
    fn of(view: NamespaceView, orchestrator: &Orchestrator) -> Self {
        let days = view
            .runs_kept_days
            .unwrap_or_else(|| orchestrator.runs_kept_days());
        Self {
            name: view.name,
            created_at: DateTime(view.created_at),
            runs_kept_days: i32::try_from(days).unwrap_or(i32::MAX),
            has_own_retention: view.runs_kept_days.is_some(),
        }
    }
}

/// Arguments of `namespaceCreate`.
#[derive(Debug, InputObject)]
pub(crate) struct NamespaceCreateInput {
    /// Letters from `a` to `z`, digits and `-`, 63 at most.
    name: String,
    /// Days for which ended runs are kept: 0 for ever, null as the server says.
    runs_kept_days: Option<i32>,
    /// Check the name, make nothing.
    #[graphql(default)]
    dry_run: bool,
    /// The same request under the same key answers as the first one did, for 24 hours.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Arguments of `namespaceUpdate`.
#[derive(Debug, InputObject)]
pub(crate) struct NamespaceUpdateInput {
    /// Which one.
    name: String,
    /// Days for which ended runs are kept: 0 for ever, null as the server says. A shorter time deletes what is older.
    runs_kept_days: Option<i32>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What a mutation of a namespace did.
#[derive(Debug, SimpleObject)]
pub(crate) struct NamespacePayload {
    /// The namespace; null when it was refused.
    namespace: Option<Namespace>,
    /// Whether the answer is that of an earlier request under the same idempotency key.
    is_replay: bool,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Queries of namespaces.
#[derive(Debug, Default)]
pub(crate) struct NamespaceQuery;

/// Queries of namespaces.
#[Object]
impl NamespaceQuery {
    /// All namespaces by name.
    async fn namespaces(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Namespace>, ApiError> {
        let session = open(ctx, Permission::NamespacesWrite)?;
        let window = window(size, after.as_deref(), last, before.as_deref())?;
        let page = session.orchestrator.list_namespaces(window).await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(
            page,
            |namespace| namespace.name.encode(),
            |namespace| Namespace::of(namespace, session.orchestrator),
        ))
    }
}

/// Mutations of namespaces.
#[derive(Debug, Default)]
pub(crate) struct NamespaceMutation;

/// Mutations of namespaces.
#[Object]
impl NamespaceMutation {
    /// Makes a namespace.
    async fn namespace_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: NamespaceCreateInput,
    ) -> Result<NamespacePayload, ApiError> {
        let orchestrator = open(ctx, Permission::NamespacesWrite)?.orchestrator;
        let name = input.name;
        let made = match (is_namespace_name(&name), days(input.runs_kept_days)) {
            (false, _) => {
                let message = format!(
                    "a name has letters from `a` to `z`, digits and `-` within, {NAMESPACE_CHARS_MAX} at most"
                );
                Err(UserError::input(message, "name"))
            }
            (true, Err(error)) => Err(*error),
            (true, Ok(days)) => {
                let made = if input.dry_run {
                    let there = orchestrator.namespace(&name).await;
                    there.map(|there| there.is_none().then_some(None))
                } else {
                    let made = orchestrator.create_namespace(&name, days).await;
                    made.map(|made| made.map(Some))
                };
                made.map_err(|e| ApiError::store(&e))?.ok_or_else(|| {
                    let message = format!("there is a namespace `{name}` already");
                    UserError::refused(ErrorCode::NamespaceExists, message, "name")
                })
            }
        };
        Ok(payload(made, orchestrator, input.client_mutation_id))
    }

    /// Changes for how long a namespace keeps its ended runs. The same request twice changes nothing the second time.
    async fn namespace_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: NamespaceUpdateInput,
    ) -> Result<NamespacePayload, ApiError> {
        let orchestrator = open(ctx, Permission::NamespacesWrite)?.orchestrator;
        let changed = match days(input.runs_kept_days) {
            Err(error) => Err(*error),
            Ok(days) => {
                let changed = orchestrator.set_runs_kept(&input.name, days).await;
                let changed = changed.map_err(|e| ApiError::store(&e))?;
                changed.map(Some).ok_or_else(|| {
                    let message = format!("there is no namespace `{}`", input.name);
                    UserError::refused(ErrorCode::NamespaceNotFound, message, "name")
                })
            }
        };
        Ok(payload(changed, orchestrator, input.client_mutation_id))
    }
}

/// A retention as given.
fn days(given: Option<i32>) -> Result<Option<u32>, Box<UserError>> {
    let days = given.map(u32::try_from).transpose();
    match days {
        Ok(days) if days.is_none_or(|days| days <= KEPT_DAYS_MAX) => Ok(days),
        _ => {
            let message = format!("runs are kept for 1 to {KEPT_DAYS_MAX} days; 0 keeps them for ever");
            Err(Box::new(UserError::input(message, "runsKeptDays")))
        }
    }
}

fn payload(
    done: Result<Option<NamespaceView>, UserError>,
    orchestrator: &Orchestrator,
    client_mutation_id: Option<String>,
) -> NamespacePayload {
    let (namespace, user_errors) = match done {
        Ok(view) => (view, Vec::new()),
        Err(error) => (None, vec![error]),
    };
    NamespacePayload {
        namespace: namespace.map(|view| Namespace::of(view, orchestrator)),
        is_replay: false,
        user_errors,
        client_mutation_id,
    }
}
