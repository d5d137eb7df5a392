//! Stored secrets: names and times. A value goes in and never comes out.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use runnel_runtime::secret::{SecretError, SecretView};

use super::scalars::DateTime;
use super::session::open;
use super::user_error::{ErrorCode, UserError};
use crate::auth::Permission;
use crate::error::ApiError;

/// A stored secret. Its value cannot be read: it is given to the workers of tasks that name it, and to nobody else.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct Secret {
    /// Name, as in `secrets.NAME` of an expression.
    name: String,
    /// When it was first stored.
    created_at: DateTime,
    /// When it was last stored.
    updated_at: DateTime,
    /// Who stored it last.
    updated_by: String,
}

impl From<SecretView> for Secret {
    fn from(view: SecretView) -> Self {
        Self {
            name: view.name,
            created_at: DateTime(view.created_at),
            updated_at: DateTime(view.updated_at),
            updated_by: view.updated_by,
        }
    }
}

/// Arguments of `secretSet`.
#[derive(InputObject)]
pub(crate) struct SecretSetInput {
    /// Name: a letter or `_`, then letters, digits, `_`, `-` and `.`, 128 characters at most.
    name: String,
    /// Value: 6 to 65,536 bytes. Shorter ones could not be kept out of logs and outputs.
    value: String,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `secretSet` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct SecretSetPayload {
    /// The secret; null when it was refused.
    secret: Option<Secret>,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Arguments of `secretDelete`.
#[derive(Debug, InputObject)]
pub(crate) struct SecretDeleteInput {
    /// Name of the secret.
    name: String,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `secretDelete` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct SecretDeletePayload {
    /// Name of the secret that is gone; null when there was none.
    deleted_name: Option<String>,
    /// Why nothing was deleted.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// Mutations of secrets.
#[derive(Debug, Default)]
pub(crate) struct SecretMutation;

/// Mutations of secrets.
#[Object]
impl SecretMutation {
    /// Stores a secret, encrypted, also over an earlier one of its name. Attempts that begin from now on get the new value.
    async fn secret_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to store.")] input: SecretSetInput,
    ) -> Result<SecretSetPayload, ApiError> {
        let session = open(ctx, Permission::SecretsWrite)?;
        let SecretSetInput {
            name,
            value,
            client_mutation_id,
        } = input;
        let stored = session
            .orchestrator
            .set_secret(session.actor, &name, &value)
            .await;
        let (secret, user_errors) = match stored {
            Ok(secret) => (Some(Secret::from(secret)), Vec::new()),
            Err(error @ (SecretError::Invalid(_) | SecretError::NoKey)) => {
                let argument = if matches!(error, SecretError::NoKey) {
                    "name"
                } else {
                    "value"
                };
                (None, vec![UserError::input(error.to_string(), argument)])
            }
            Err(SecretError::Store(error)) => return Err(ApiError::store(&error)),
        };
        Ok(SecretSetPayload {
            secret,
            user_errors,
            client_mutation_id,
        })
    }

    /// Deletes a secret. Attempts that begin from now on do not find it.
    async fn secret_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which secret.")] input: SecretDeleteInput,
    ) -> Result<SecretDeletePayload, ApiError> {
        let session = open(ctx, Permission::SecretsWrite)?;
        let SecretDeleteInput {
            name,
            client_mutation_id,
        } = input;
        let deleted = session.orchestrator.delete_secret(session.actor, &name).await;
        let is_deleted = deleted.map_err(|e| ApiError::store(&e))?;
        let user_errors = if is_deleted {
            Vec::new()
        } else {
            let message = format!("there is no secret `{name}`");
            vec![UserError::not_found(ErrorCode::SecretNotFound, message, "name")]
        };
        Ok(SecretDeletePayload {
            deleted_name: is_deleted.then_some(name),
            user_errors,
            client_mutation_id,
        })
    }
}

/// All secrets of the caller's namespace.
pub(crate) async fn list(ctx: &Context<'_>) -> Result<Vec<Secret>, ApiError> {
    let session = open(ctx, Permission::SecretsWrite)?;
    let found = session.orchestrator.list_secrets(session.actor).await;
    let found = found.map_err(|e| ApiError::store(&e))?;
    Ok(found.into_iter().map(Secret::from).collect())
}
