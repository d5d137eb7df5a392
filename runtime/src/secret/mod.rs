//! Stored secrets: sealed in the database, opened only for the worker that runs an attempt which uses them.
//!
//! Guarantees: no answer but [`Orchestrator::secrets_for_attempt`] holds a value; that one needs the token of an attempt that
//! is out, and gives it only what its message names. Nothing here logs a value or puts one into an error.

mod keys;

use std::collections::BTreeMap;

use runnel_engine::Timestamp;
use runnel_engine::run::{TaskStatus, secret_names};
use runnel_entity::{run, secret, task};
use runnel_queue::AttemptRef;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

pub use keys::{SECRET_KEY_BYTES, SecretKeys};

use crate::actor::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::failed_to;
use keys::{Sealed, UnsealError};

/// Shortest value: a shorter one occurs in any text, and replacing it there would destroy the text and tell the value.
pub const SECRET_BYTES_MIN: usize = 6;

/// Longest value.
pub const SECRET_BYTES_MAX: usize = 64 << 10;

/// Longest name.
pub const SECRET_NAME_BYTES_MAX: usize = 128;

/// Most secrets of a namespace.
pub const SECRETS_MAX: u64 = 1_000;

/// The keys, where there are some.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    keys: Option<SecretKeys>,
}

impl Vault {
    pub(crate) fn new(keys: Option<SecretKeys>) -> Self {
        Self { keys }
    }
}

/// A stored secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretView {
    /// Name, as in `secrets.NAME`.
    pub name: String,
    /// First set.
    pub created_at: Timestamp,
    /// Last set.
    pub updated_at: Timestamp,
    /// Who set it last.
    pub updated_by: String,
}

/// A secret was not stored.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The name or the value is not allowed.
    #[error("{0}")]
    Invalid(String),
    /// This orchestrator has no key.
    #[error("secrets cannot be stored here: the server has no secret key (RUNNEL_SEALING_KEYS)")]
    NoKey,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an attempt is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretGrant {
    /// The values that there are, by name; names that are not stored are missing.
    Values(BTreeMap<String, String>),
    /// The token is not that of an attempt that is out, or a name is not in its message.
    Forbidden,
}

impl Orchestrator {
    /// Stores a secret under its name, also over an earlier one.
    ///
    /// # Errors
    /// See [`SecretError`].
    pub async fn set_secret(
        &self,
        actor: &Actor,
        name: &str,
        value: &str,
    ) -> Result<SecretView, SecretError> {
        check_name(name)?;
        check_value(value)?;
        let keys = self.vault().keys.as_ref().ok_or(SecretError::NoKey)?;
        let sealed = keys.seal(&actor.namespace, name, value).ok_or_else(|| {
            SecretError::Invalid("the system gives no randomness to seal the value with".to_owned())
        })?;
        let now = self.clock().now();
        if self.find_secret(actor, name).await?.is_none() && self.count_secrets(actor).await? >= SECRETS_MAX {
            let message = format!("the namespace has {SECRETS_MAX} secrets, which is the limit; delete one");
            return Err(SecretError::Invalid(message));
        }
        let row = secret::ActiveModel {
            namespace: ActiveValue::Set(actor.namespace.to_string()),
            name: ActiveValue::Set(name.to_owned()),
            key_id: ActiveValue::Set(sealed.key_id),
            value: ActiveValue::Set(sealed.text),
            created_at: ActiveValue::Set(now.0),
            updated_at: ActiveValue::Set(now.0),
            updated_by: ActiveValue::Set(actor.name.to_string()),
        };
        self.reads()
            .store
            .tx("store a secret", move |tx| {
                let row = row.clone();
                Box::pin(async move {
                    use secret::Column::{KeyId, Name, Namespace, UpdatedAt, UpdatedBy, Value};
                    let replace = OnConflict::columns([Namespace, Name])
                        .update_columns([KeyId, Value, UpdatedAt, UpdatedBy])
                        .to_owned();
                    secret::Entity::insert(row)
                        .on_conflict(replace)
                        .exec_without_returning(tx)
                        .await
                        .map_err(failed_to("store a secret"))
                })
            })
            .await?;
        let stored = self.find_secret(actor, name).await?;
        Ok(stored.unwrap_or_else(|| SecretView {
            name: name.to_owned(),
            created_at: now,
            updated_at: now,
            updated_by: actor.name.to_string(),
        }))
    }

    /// Deletes a secret; false when there was none.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete_secret(&self, actor: &Actor, name: &str) -> Result<bool, StoreError> {
        let key = (actor.namespace.to_string(), name.to_owned());
        self.reads()
            .store
            .tx("delete a secret", move |tx| {
                let key = key.clone();
                Box::pin(async move {
                    let deleted = secret::Entity::delete_by_id(key).exec(tx).await;
                    let deleted = deleted.map_err(failed_to("delete a secret"))?;
                    Ok(deleted.rows_affected > 0)
                })
            })
            .await
    }

    /// The secrets of the actor's namespace by name, without values.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list_secrets(&self, actor: &Actor) -> Result<Vec<SecretView>, StoreError> {
        let rows = secret::Entity::find()
            .filter(secret::Column::Namespace.eq(&*actor.namespace))
            .order_by_asc(secret::Column::Name)
            .limit(SECRETS_MAX)
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("list secrets"))?;
        Ok(rows.into_iter().map(view).collect())
    }

    /// Opens secrets for the worker of an attempt: only those that its message names, and only while it is out.
    ///
    /// # Errors
    /// The store failed, or a value does not open with the keys of this process.
    pub async fn secrets_for_attempt(
        &self,
        at: &AttemptRef,
        names: &[String],
    ) -> Result<SecretGrant, StoreError> {
        if !self
            .shell()
            .token_keys
            .verify(at.run, at.task, at.attempt, &at.token)
        {
            return Ok(SecretGrant::Forbidden);
        }
        let Some((namespace, allowed)) = self.secrets_of_attempt(at).await? else {
            return Ok(SecretGrant::Forbidden);
        };
        if names.iter().any(|name| !allowed.contains(name)) {
            return Ok(SecretGrant::Forbidden);
        }
        let Some(keys) = &self.vault().keys else {
            return Ok(SecretGrant::Values(BTreeMap::new()));
        };
        let rows = secret::Entity::find()
            .filter(secret::Column::Namespace.eq(&namespace))
            .filter(secret::Column::Name.is_in(names))
            .all(self.reads().store.read())
            .await
            .map_err(failed_to("read secrets"))?;
        let open = |row: secret::Model| {
            let sealed = Sealed {
                key_id: row.key_id,
                text: row.value,
            };
            let value = keys.open(&namespace, &row.name, &sealed);
            let value = value.map_err(|error: UnsealError| StoreError::Corrupt {
                table: "secret",
                problem: format!("{namespace}/{}: {error}", row.name),
            })?;
            Ok((row.name, value))
        };
        rows.into_iter()
            .map(open)
            .collect::<Result<_, StoreError>>()
            .map(SecretGrant::Values)
    }

    /// Namespace of an attempt that is out, and the names in its message.
    async fn secrets_of_attempt(&self, at: &AttemptRef) -> Result<Option<(String, Vec<String>)>, StoreError> {
        let (Ok(ix), Ok(attempt)) = (i32::try_from(at.task), i32::try_from(at.attempt)) else {
            return Ok(None);
        };
        let read = self.reads().store.read();
        let found: Option<(Option<String>, i16)> = task::Entity::find_by_id((at.run, ix))
            .filter(task::Column::Attempt.eq(attempt))
            .select_only()
            .column(task::Column::Extra)
            .column(task::Column::Status)
            .into_tuple()
            .one(read)
            .await
            .map_err(failed_to("read a task"))?;
        let is_out = |status: i16| {
            matches!(
                TaskStatus::from_code(status),
                Some(TaskStatus::Queued | TaskStatus::Running)
            )
        };
        let Some((extra, _)) = found.filter(|(_, status)| is_out(*status)) else {
            return Ok(None);
        };
        let namespace: Option<String> = run::Entity::find_by_id(at.run)
            .select_only()
            .column(run::Column::Namespace)
            .into_tuple()
            .one(read)
            .await
            .map_err(failed_to("read a run"))?;
        Ok(namespace.map(|namespace| (namespace, secret_names(extra.as_deref()))))
    }

    async fn find_secret(&self, actor: &Actor, name: &str) -> Result<Option<SecretView>, StoreError> {
        let row = secret::Entity::find_by_id((actor.namespace.to_string(), name.to_owned()))
            .one(self.reads().store.read())
            .await
            .map_err(failed_to("read a secret"))?;
        Ok(row.map(view))
    }

    async fn count_secrets(&self, actor: &Actor) -> Result<u64, StoreError> {
        use sea_orm::PaginatorTrait;
        secret::Entity::find()
            .filter(secret::Column::Namespace.eq(&*actor.namespace))
            .count(self.reads().store.read())
            .await
            .map_err(failed_to("count secrets"))
    }
}

fn view(row: secret::Model) -> SecretView {
    SecretView {
        name: row.name,
        created_at: Timestamp(row.created_at),
        updated_at: Timestamp(row.updated_at),
        updated_by: row.updated_by,
    }
}

fn check_name(name: &str) -> Result<(), SecretError> {
    let is_legal = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !is_legal || name.len() > SECRET_NAME_BYTES_MAX {
        return Err(SecretError::Invalid(format!(
            "the name of a secret is a letter or `_`, then letters, digits, `_`, `-` and `.`, {SECRET_NAME_BYTES_MAX} at most"
        )));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), SecretError> {
    let bytes = value.len();
    if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes) {
        return Err(SecretError::Invalid(format!(
            "the value of a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one has {bytes}; \
             a shorter one could not be kept out of logs and outputs"
        )));
    }
    if value.contains('\0') {
        return Err(SecretError::Invalid(
            "the value of a secret must not contain the character U+0000".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_expressions_can_read() {
        for good in ["TOKEN", "_x", "api-key.v2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "1", "a b", "ü", &"x".repeat(SECRET_NAME_BYTES_MAX + 1)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn short_and_huge_values_are_refused_without_being_repeated() {
        assert!(check_value(&"x".repeat(SECRET_BYTES_MIN)).is_ok());
        assert!(check_value(&"x".repeat(SECRET_BYTES_MAX)).is_ok());
        assert!(check_value(&"x".repeat(SECRET_BYTES_MAX + 1)).is_err());
        let refused = check_value("qzqzq").expect_err("too short").to_string();
        assert!(!refused.contains("qzqzq"), "{refused}");
        assert!(refused.contains(&SECRET_BYTES_MIN.to_string()), "{refused}");
    }
}
