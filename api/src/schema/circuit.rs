//! Circuit breakers.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use runnel_runtime::gate::{CircuitPhase, CircuitView};
use runnel_runtime::view::PageRequest;

use super::connection::Connection;
use super::cursor::{Cursor, first};
use super::scalars::DateTime;
use super::session::open;
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "CircuitPhase")]
pub(crate) enum CircuitState {
    /// Attempts pass.
    Closed,
    /// Attempts wait.
    Open,
    /// One attempt tries it; the others wait.
    HalfOpen,
}

/// A circuit breaker over all tasks of the namespace with the same `circuit.key`.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Circuit {
    /// Its key.
    key: String,
    /// Where it stands.
    state: CircuitState,
    /// Failures in the window, or those that opened it.
    failures: u32,
    /// When it opened; null when it is closed.
    opened_at: Option<DateTime>,
    /// When an attempt may try it; null when it is closed or one does.
    probe_at: Option<DateTime>,
}

impl Circuit {
    fn of(view: CircuitView) -> Self {
        Self {
            key: view.key,
            state: view.phase.into(),
            failures: view.failures,
            opened_at: view.opened_at.map(DateTime),
            probe_at: view.probe_at.map(DateTime),
        }
    }
}

/// Arguments of `circuitReset`.
#[derive(Debug, InputObject)]
pub(crate) struct CircuitResetInput {
    /// Key of the breaker.
    key: String,
    /// Check that there is such a breaker, change nothing.
    #[graphql(default)]
    dry_run: bool,
    /// The same request under the same key answers as the first one did, for 24 hours.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `circuitReset` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct CircuitPayload {
    /// The breaker after the operation; null when it was refused.
    circuit: Option<Circuit>,
    /// Whether the answer is that of an earlier request under the same idempotency key.
    is_replay: bool,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Queries of breakers.
#[derive(Debug, Default)]
pub(crate) struct CircuitQuery;

/// Queries of breakers.
#[Object]
impl CircuitQuery {
    /// One circuit breaker; null when no task has passed it yet.
    async fn circuit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its key.")] key: String,
    ) -> Result<Option<Circuit>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let found = session.orchestrator.find_circuit(session.actor, &key).await;
        Ok(found.map_err(|e| ApiError::store(&e))?.map(Circuit::of))
    }

    /// Circuit breakers that a task has passed, by key.
    async fn circuits(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
    ) -> Result<Connection<Circuit>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let page = PageRequest {
            first: first(size)?,
            after: Cursor::after(after.as_deref())?,
        };
        let page = session.orchestrator.list_circuits(session.actor, page).await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(page, |view| view.key.encode(), Circuit::of))
    }
}

/// Mutations of breakers.
#[derive(Debug, Default)]
pub(crate) struct CircuitMutation;

/// Mutations of breakers.
#[Object]
impl CircuitMutation {
    /// Closes a circuit breaker and forgets its failures: what waits for it may begin.
    async fn circuit_reset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which breaker.")] input: CircuitResetInput,
    ) -> Result<CircuitPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let found = if input.dry_run {
            session.orchestrator.find_circuit(session.actor, &input.key).await
        } else {
            session
                .orchestrator
                .reset_circuit(session.actor, &input.key)
                .await
        };
        let circuit = found.map_err(|e| ApiError::store(&e))?.map(Circuit::of);
        let user_errors = if circuit.is_some() {
            Vec::new()
        } else {
            let message = format!("no task has passed a breaker `{}` yet", input.key);
            vec![UserError::input(message, "key")]
        };
        Ok(CircuitPayload {
            circuit,
            is_replay: false,
            user_errors,
            client_mutation_id: input.client_mutation_id,
        })
    }
}
