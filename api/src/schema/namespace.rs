//! Namespaces.

use async_graphql::{Context, InputObject, Object, SimpleObject};
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
}

impl Namespace {
    fn of(view: NamespaceView) -> Self {
        Self {
            name: view.name,
            created_at: DateTime(view.created_at),
        }
    }
}

/// Arguments of `namespaceCreate`.
#[derive(Debug, InputObject)]
pub(crate) struct NamespaceCreateInput {
    /// Letters from `a` to `z`, digits and `-`, 63 at most.
    name: String,
    /// Check the name, make nothing.
    #[graphql(default)]
    dry_run: bool,
    /// The same request under the same key answers as the first one did, for 24 hours.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `namespaceCreate` did.
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
            Namespace::of,
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
        let made = if !is_namespace_name(&name) {
            let message = format!(
                "a name has letters from `a` to `z`, digits and `-` within, {NAMESPACE_CHARS_MAX} at most"
            );
            Err(UserError::input(message, "name"))
        } else {
            let made = if input.dry_run {
                let is_taken = orchestrator.has_namespace(&name).await;
                is_taken.map(|is_taken| (!is_taken).then_some(None))
            } else {
                orchestrator
                    .create_namespace(&name)
                    .await
                    .map(|made| made.map(Some))
            };
            made.map_err(|e| ApiError::store(&e))?.ok_or_else(|| {
                let message = format!("there is a namespace `{name}` already");
                UserError::refused(ErrorCode::NamespaceExists, message, "name")
            })
        };
        let (namespace, user_errors) = match made {
            Ok(made) => (made.map(Namespace::of), Vec::new()),
            Err(error) => (None, vec![error]),
        };
        Ok(NamespacePayload {
            namespace,
            is_replay: false,
            user_errors,
            client_mutation_id: input.client_mutation_id,
        })
    }
}
