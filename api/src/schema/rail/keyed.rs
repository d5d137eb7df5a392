//! Idempotency keys of mutations that keep none in their own rows: a repeated request answers as the first one did.

use async_graphql::{ServerResult, Value};
use runnel_runtime::audit::AuditOutcome;
use runnel_runtime::idempotency::Claim;
use runnel_runtime::{Actor, Orchestrator};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::document::Input;
use crate::auth::Viewer;
use crate::error::{ApiError, Code};

/// Mutations whose key is a column of what they make: it holds for as long as that does.
pub(crate) const SELF_KEYED: [&str; 2] = ["runStart", "runsBulk"];

/// Longest key in bytes.
const KEY_BYTES_MAX: usize = 256;

/// The key of one mutation.
#[derive(Debug)]
pub(super) struct Key {
    text: String,
    hash: String,
}

/// Whose turn it is.
pub(super) enum Turn {
    /// The mutation's.
    Begin,
    /// It took place before, with this answer.
    Replay(Value),
    /// The key belongs to another request.
    Taken,
    /// It may not begin.
    Refuse(ApiError),
}

impl Key {
    /// The key of a mutation, when it has one. The same request is the same document with the same input by a caller with
    /// the same permissions: who may do less than before is not shown what was done then.
    pub fn of(input: &Input, mutation: &str, document: &str, viewer: &Viewer) -> Option<Self> {
        if SELF_KEYED.contains(&mutation) {
            return None;
        }
        let text = input.text("idempotencyKey")?;
        let mut permissions: Vec<&str> = viewer.permissions.iter().map(|p| p.as_str()).collect();
        permissions.sort_unstable();
        let parts = serde_json::json!([
            mutation,
            document,
            sorted(input.json()),
            &*viewer.actor.name,
            permissions
        ]);
        Some(Self {
            text,
            hash: hex::encode(Sha256::digest(parts.to_string())),
        })
    }

    /// Asks whether the mutation may begin.
    pub async fn claim(&self, orchestrator: &Orchestrator, actor: &Actor) -> Turn {
        if self.text.is_empty() || self.text.len() > KEY_BYTES_MAX {
            let message = format!("`idempotencyKey` must have 1 to {KEY_BYTES_MAX} bytes");
            return Turn::Refuse(ApiError::input(message));
        }
        match orchestrator.claim_key(actor, &self.text, &self.hash).await {
            Ok(Claim::Begun) => Turn::Begin,
            Ok(Claim::Replay(answer)) => match serde_json::from_str::<Json>(&answer).map(Value::from_json) {
                Ok(Ok(answer)) => Turn::Replay(answer),
                Ok(Err(_)) | Err(_) => Turn::Refuse(ApiError::internal("a kept answer does not read back")),
            },
            Ok(Claim::Conflict) => Turn::Taken,
            Ok(Claim::AtWork) => Turn::Refuse(ApiError::new(
                Code::Unavailable,
                "the same request is at work; try again in a moment for its answer",
            )),
            Err(error) => Turn::Refuse(ApiError::store(&error)),
        }
    }

    /// Keeps the answer, or gives the key back when nothing was done. After a failure it stays claimed for its lease.
    pub async fn settle(
        &self,
        orchestrator: &Orchestrator,
        actor: &Actor,
        answer: &ServerResult<Option<Value>>,
        outcome: AuditOutcome,
    ) {
        let settled = match (outcome, answer) {
            (AuditOutcome::Ok, Ok(Some(answer))) => match answer.clone().into_json() {
                Ok(answer) => {
                    orchestrator
                        .keep_answer(actor, &self.text, answer.to_string())
                        .await
                }
                Err(_) => return,
            },
            (AuditOutcome::Refused, _) => orchestrator.release_key(actor, &self.text).await,
            (AuditOutcome::Ok | AuditOutcome::Failed, _) => return,
        };
        if let Err(error) = settled {
            // the mutation has ended; a repeated one will be executed again after the lease
            tracing::warn!(%error, "an idempotency key was not settled");
        }
    }
}

/// With the keys of objects in order, so that equal inputs have equal texts.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            Json::Object(entries.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(sorted).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}
