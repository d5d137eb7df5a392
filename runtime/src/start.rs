//! Starting a run: which version, which inputs, which id; then one input of an applier.

use std::sync::Arc;

use runnel_engine::RunId;
use runnel_engine::inputs::StartFacts;
use runnel_engine::run::{CancelMode, NewRun, RunContext};
use runnel_entity::run;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::actor::Actor;
use crate::apply::{StartReply, StartRow, StartWork, Work};
use crate::audit;
use crate::error::{OperateError, StartError, StoreError};
use crate::inputs;
use crate::orchestrator::{OnConflict, Orchestrator, StartRequest, StartedRun};
use crate::query::owned::is_own;
use crate::store::failed_to;
use crate::view::RunView;
use crate::workflows::{CompiledVersion, Lookup};

/// Longest idempotency key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

/// Starts with `CancelExisting` that race for one key; the last of so many is told of the conflict.
const CONFLICTS_MAX: u32 = 5;

/// Most tags of a run.
pub const TAGS_MAX: usize = 64;

/// A start, and where its answer will come from.
pub(crate) type Prepared = (StartWork, oneshot::Receiver<Result<StartReply, StoreError>>);

impl Orchestrator {
    /// Starts a run. Accepted means committed; the start takes place even when the caller goes away.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start_run(&self, actor: &Actor, request: StartRequest) -> Result<StartedRun, StartError> {
        let on_conflict = request.on_conflict;
        let mut tries = 0;
        loop {
            tries += 1;
            match (self.try_start(actor, request.clone()).await, on_conflict) {
                (Ok(started), Some(OnConflict::Fail)) if started.is_replay => {
                    return Err(StartError::IdempotencyConflict { run: started.run.id });
                }
                (Err(StartError::IdempotencyConflict { run }), Some(OnConflict::ReturnExisting)) => {
                    let run = self.holder(actor, run).await?;
                    return Ok(StartedRun { run, is_replay: true });
                }
                (Err(StartError::IdempotencyConflict { run }), Some(OnConflict::CancelExisting))
                    if tries < CONFLICTS_MAX =>
                {
                    self.make_way(actor, run).await?;
                }
                (done, _) => return done,
            }
        }
    }

    async fn try_start(&self, actor: &Actor, request: StartRequest) -> Result<StartedRun, StartError> {
        let version = self.version_of(actor, &request).await?;
        let work = self.prepare(actor, request, version)?;
        self.submit(actor, work).await
    }

    /// Hands a prepared start to its applier and answers after the commit.
    pub(crate) async fn submit(
        &self,
        actor: &Actor,
        (start, answer): Prepared,
    ) -> Result<StartedRun, StartError> {
        let hash = start.row.request_hash.clone();
        let appliers = self.appliers().clone();
        let sent = tokio::spawn(async move { appliers.send(Work::Start(Box::new(start))).await });
        sent.await.map_err(|_| StoreError::Aborted {
            action: "start a run",
        })??;
        match answer.await.map_err(|_| StoreError::Stopping)?? {
            StartReply::Created(run) => Ok(StartedRun {
                run: *run,
                is_replay: false,
            }),
            StartReply::KeyTaken { run, request_hash } if request_hash == hash => {
                let run = self.holder(actor, run).await?;
                Ok(StartedRun { run, is_replay: true })
            }
            StartReply::KeyTaken { run, .. } => Err(StartError::IdempotencyConflict { run }),
        }
    }

    async fn holder(&self, actor: &Actor, run: RunId) -> Result<RunView, StoreError> {
        let run = self.find_run(actor, run).await?;
        run.ok_or(StoreError::Conflict {
            action: "read the run of an idempotency key",
        })
    }

    /// Cancels a run that goes on, and takes its idempotency key from it. Both may have happened already.
    async fn make_way(&self, actor: &Actor, run: RunId) -> Result<(), StartError> {
        let reason = Some("another start took its idempotency key".to_owned());
        match self.cancel_run(actor, run, CancelMode::Graceful, reason).await {
            // an end of its own is as good
            Ok(_)
            | Err(
                OperateError::UnknownRun | OperateError::UnknownTask { .. } | OperateError::Conflict { .. },
            ) => {}
            Err(OperateError::Store(error)) => return Err(error.into()),
        }
        let release = run::Entity::update_many()
            .col_expr(run::Column::IdempotencyKey, Expr::value(Option::<String>::None))
            .filter(run::Column::Id.eq(run.0))
            .filter(is_own(actor));
        self.reads()
            .store
            .tx("take an idempotency key", move |tx| {
                let release = release.clone();
                Box::pin(async move {
                    release
                        .exec(tx)
                        .await
                        .map_err(failed_to("take an idempotency key"))?;
                    Ok(())
                })
            })
            .await?;
        Ok(())
    }

    /// What a start of this request now would be refused for; the version that it would run.
    pub(crate) async fn check_start(
        &self,
        actor: &Actor,
        request: &StartRequest,
    ) -> Result<Arc<CompiledVersion>, StartError> {
        let version = self.version_of(actor, request).await?;
        self.prepare(actor, request.clone(), Arc::clone(&version))?;
        Ok(version)
    }

    /// The version that a request names.
    pub(crate) async fn version_of(
        &self,
        actor: &Actor,
        request: &StartRequest,
    ) -> Result<Arc<CompiledVersion>, StartError> {
        let key = request.workflow.clone();
        match self
            .reads()
            .versions
            .find(&actor.namespace, &key, request.version)
            .await?
        {
            Lookup::Found(version) => Ok(version),
            Lookup::UnknownWorkflow => Err(StartError::UnknownWorkflow { key }),
            Lookup::UnknownVersion { latest } => Err(StartError::UnknownVersion {
                key,
                version: request.version.unwrap_or(latest),
                latest,
            }),
        }
    }

    /// Checks a request and makes of it what an applier takes.
    pub(crate) fn prepare(
        &self,
        actor: &Actor,
        request: StartRequest,
        version: Arc<CompiledVersion>,
    ) -> Result<Prepared, StartError> {
        check_size(
            "the idempotency key",
            request.idempotency_key.as_ref().map_or(0, String::len),
            IDEMPOTENCY_KEY_BYTES_MAX,
        )?;
        check_size("the number of tags", request.tags.len(), TAGS_MAX)?;
        let request_hash = request.idempotency_key.as_ref().map(|_| request_hash(&request));
        let workflow = version.plan.workflow();
        let now = self.clock().now();
        let id = RunId(self.entropy().uuid(now));
        let priority = request.priority.unwrap_or(workflow.priority).min(100);
        let facts = StartFacts {
            run: id,
            priority,
            created_at: now,
            workflow_version: version.number,
            vars: self.vars(),
            trigger: request.trigger.as_deref(),
        };
        let inputs = inputs::resolve(workflow, &request.inputs, &facts)?;
        let mut tags = workflow.tags.clone();
        tags.extend(
            request
                .tags
                .into_iter()
                .filter(|tag| !workflow.tags.contains(tag)),
        );
        let context = RunContext {
            id,
            inputs: inputs.values,
            vars: self.vars().clone(),
            workflow_version: version.number,
            priority,
            created_at: now,
            created_by: actor.name.clone(),
        };
        let row = StartRow {
            meta: version,
            idempotency_key: request.idempotency_key,
            request_hash,
            inputs: inputs.text,
            tags,
            actor: actor.name.clone(),
            rerun: None,
            ignores_cache: request.ignores_cache,
            audit: audit::current(),
            parent: None,
        };
        let (reply, answer) = oneshot::channel();
        Ok((
            StartWork {
                new: NewRun {
                    context,
                    trigger: request.trigger,
                },
                row,
                reply,
            },
            answer,
        ))
    }
}

fn check_size(what: &'static str, actual: usize, limit: usize) -> Result<(), StartError> {
    if actual > limit {
        Err(StartError::TooLarge { what, actual, limit })
    } else {
        Ok(())
    }
}

/// Identifies what was asked for, whatever the order of the inputs' keys.
pub(crate) fn request_hash(request: &StartRequest) -> String {
    let parts = serde_json::json!([
        request.workflow,
        request.version,
        request.priority,
        request.tags,
        request.ignores_cache
    ]);
    let mut hash = Sha256::new();
    hash.update(parts.to_string());
    hash_value(&mut hash, &Value::Object(request.inputs.clone()));
    hex::encode(hash.finalize())
}

/// Each value with its kind and length, object keys sorted, so that different values never give the same bytes.
fn hash_value(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            hash.update(format!("{{{}", keys.len()));
            for key in keys {
                hash.update(format!("{}:{key}", key.len()));
                hash_value(hash, &map[key]);
            }
        }
        Value::Array(values) => {
            hash.update(format!("[{}", values.len()));
            values.iter().for_each(|value| hash_value(hash, value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let text = value.to_string();
            hash.update(format!("{}={text}", text.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(inputs: &str) -> StartRequest {
        StartRequest {
            inputs: serde_json::from_str(inputs).unwrap(),
            ..StartRequest::default()
        }
    }

    #[test]
    fn the_same_request_has_the_same_hash_whatever_the_order_of_keys() {
        assert_eq!(
            request_hash(&request(r#"{"a":1,"b":[2]}"#)),
            request_hash(&request(r#"{"b":[2],"a":1}"#))
        );
    }

    #[test]
    fn different_requests_have_different_hashes() {
        let one = request_hash(&request(r#"{"a":[1,2]}"#));
        for other in [
            r#"{"a":[12]}"#,
            r#"{"a":["1",2]}"#,
            r#"{"b":[1,2]}"#,
            r#"{"a":[1,2],"b":null}"#,
            r#"{"a":[2,1]}"#,
        ] {
            assert_ne!(one, request_hash(&request(other)), "{other}");
        }
        let version = StartRequest {
            version: Some(1),
            ..request(r#"{"a":[1,2]}"#)
        };
        assert_ne!(one, request_hash(&version));
    }
}
