//! Publishing: from a file to a numbered version.

use std::sync::Arc;

use runnel_engine::source::Reading;
use runnel_engine::{Diagnostic, Plan, Severity, Timestamp, Workflow};
use runnel_entity::{workflow, workflow_version};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QuerySelect,
};
use sha2::{Digest, Sha256};

use super::cache::CompiledVersion;
use crate::actor::Actor;
use crate::error::{PublishError, StoreError};
use crate::orchestrator::{PublishRequest, Published};
use crate::query::Reads;
use crate::schedule::file::FileTriggers;
use crate::store::failed_to;
use crate::view::convert::{dialect_name, version_from_row, workflow_from_row};

/// Reads, numbers and stores a workflow file; see [`crate::Orchestrator::publish`].
pub(crate) async fn publish(
    reads: &Reads,
    actor: &Actor,
    request: PublishRequest,
) -> Result<Published, PublishError> {
    let is_dry_run = request.is_dry_run;
    let Checked {
        reading,
        plan,
        definition,
        source,
    } = check(request).await?;
    let draft = Arc::new(Draft::new(reads, actor, &reading, &plan, definition, source));
    let now = reads.clock.now();
    let triggers = FileTriggers::new(plan.workflow(), &actor.name, now, || reads.entropy.uuid(now))?;
    let stored = if is_dry_run {
        look(reads, &draft).await?
    } else {
        let (draft, triggers) = (Arc::clone(&draft), Arc::new(triggers));
        reads
            .store
            .tx("publish a workflow", move |tx| {
                let (draft, triggers) = (Arc::clone(&draft), Arc::clone(&triggers));
                Box::pin(async move {
                    let stored = store(tx, &draft).await?;
                    // the triggers are those of the latest version: an older one that is published again changes nothing
                    if stored.version.number == stored.workflow.latest_version {
                        triggers.save(tx, &stored.workflow).await?;
                    }
                    Ok(stored)
                })
            })
            .await?
    };
    if !is_dry_run {
        let compiled = CompiledVersion::new(&stored.version, &stored.workflow, plan);
        reads.versions.remember(Arc::new(compiled));
    }
    Ok(Published {
        workflow: workflow_from_row(stored.workflow),
        version: version_from_row(stored.version)?,
        is_new: stored.is_new,
        reading,
    })
}

struct Checked {
    reading: Reading,
    plan: Arc<Plan>,
    definition: String,
    source: String,
}

/// On a blocking thread: a large file takes a while, and its parsers want a deep stack.
async fn check(request: PublishRequest) -> Result<Checked, PublishError> {
    let work = move || {
        let reading = runnel_engine::source::read(&request.source, request.format);
        let Some(workflow) = reading.workflow.clone() else {
            return Err(PublishError::Invalid(reading.diagnostics));
        };
        let definition = definition_of(&workflow)?;
        let plan = Plan::build(workflow)
            .map_err(|error| PublishError::Invalid(vec![unplannable(&error.to_string())]))?;
        let source = reading.converted.clone().unwrap_or(request.source);
        Ok(Checked {
            reading,
            plan: Arc::new(plan),
            definition,
            source,
        })
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| StoreError::Aborted {
        action: "read a workflow file",
    })?
}

fn definition_of(workflow: &Workflow) -> Result<String, StoreError> {
    // fails only for maps with keys that are no text, which a workflow does not have
    serde_json::to_string(workflow).map_err(|error| StoreError::Corrupt {
        table: "workflow_version",
        problem: error.to_string(),
    })
}

/// The reader finds everything that the planner does; this is for the day it does not.
fn unplannable(message: &str) -> Diagnostic {
    Diagnostic {
        code: "runnel::plan".to_owned(),
        severity: Severity::Error,
        message: message.to_owned(),
        span: None,
        path: String::new(),
        help: None,
        labels: Vec::new(),
    }
}

/// The rows as they would be if both were new.
struct Draft {
    workflow: workflow::Model,
    version: workflow_version::Model,
}

impl Draft {
    fn new(
        reads: &Reads,
        actor: &Actor,
        reading: &Reading,
        plan: &Plan,
        definition: String,
        source: String,
    ) -> Self {
        let now = reads.clock.now();
        let file = plan.workflow();
        let workflow = workflow::Model {
            id: reads.entropy.uuid(now),
            namespace: actor.namespace.to_string(),
            key: file.id.clone(),
            name: file.name.clone(),
            latest_version: 0,
            created_at: now.0,
            updated_at: now.0,
        };
        let version = workflow_version::Model {
            id: reads.entropy.uuid(now),
            workflow_id: workflow.id,
            number: 1,
            hash: hex::encode(Sha256::digest(&definition)),
            definition,
            source,
            dialect: dialect_name(reading.dialect).to_owned(),
            task_count: i32::try_from(plan.len()).unwrap_or(i32::MAX),
            created_at: now.0,
            created_by: actor.name.to_string(),
        };
        Self { workflow, version }
    }

    /// The draft as the next version of a workflow.
    fn after(&self, workflow: workflow::Model) -> Stored {
        let number = workflow.latest_version + 1;
        let version = workflow_version::Model {
            workflow_id: workflow.id,
            number,
            ..self.version.clone()
        };
        let workflow = workflow::Model {
            name: self.workflow.name.clone(),
            latest_version: number,
            updated_at: Timestamp(self.workflow.updated_at)
                .max(Timestamp(workflow.updated_at))
                .0,
            ..workflow
        };
        Stored {
            workflow,
            version,
            is_new: true,
        }
    }
}

/// What a publish leaves in the database.
struct Stored {
    workflow: workflow::Model,
    version: workflow_version::Model,
    is_new: bool,
}

/// What [`store`] would do.
async fn look(reads: &Reads, draft: &Draft) -> Result<Stored, StoreError> {
    let failed = failed_to("read a workflow");
    let found = find_workflow(draft)
        .one(reads.store.read())
        .await
        .map_err(failed)?;
    let Some(workflow) = found else {
        return Ok(draft.after(draft.workflow.clone()));
    };
    match find_version(reads.store.read(), &workflow, draft).await? {
        Some(version) => Ok(Stored {
            workflow,
            version,
            is_new: false,
        }),
        None => Ok(draft.after(workflow)),
    }
}

/// Numbers are given under the lock of the workflow's row, so that they have no gap and no two publishers take the same.
async fn store(tx: &DatabaseTransaction, draft: &Draft) -> Result<Stored, StoreError> {
    let failed = failed_to("publish a workflow");
    let unless_there = OnConflict::columns([workflow::Column::Namespace, workflow::Column::Key])
        .do_nothing()
        .to_owned();
    workflow::Entity::insert(draft.workflow.clone().into_active_model())
        .on_conflict(unless_there)
        .exec_without_returning(tx)
        .await
        .map_err(failed)?;
    let found = find_workflow(draft)
        .lock_exclusive()
        .one(tx)
        .await
        .map_err(failed)?;
    let workflow = found.ok_or(StoreError::Conflict {
        action: "publish a workflow",
    })?;
    if let Some(version) = find_version(tx, &workflow, draft).await? {
        return Ok(Stored {
            workflow,
            version,
            is_new: false,
        });
    }
    let stored = draft.after(workflow);
    stored
        .version
        .clone()
        .into_active_model()
        .insert(tx)
        .await
        .map_err(failed)?;
    let update = workflow::ActiveModel {
        id: Set(stored.workflow.id),
        name: Set(stored.workflow.name.clone()),
        latest_version: Set(stored.workflow.latest_version),
        updated_at: Set(stored.workflow.updated_at),
        ..Default::default()
    };
    update.update(tx).await.map_err(failed)?;
    Ok(stored)
}

fn find_workflow(draft: &Draft) -> sea_orm::Select<workflow::Entity> {
    workflow::Entity::find()
        .filter(workflow::Column::Namespace.eq(draft.workflow.namespace.as_str()))
        .filter(workflow::Column::Key.eq(draft.workflow.key.as_str()))
}

async fn find_version(
    db: &impl ConnectionTrait,
    workflow: &workflow::Model,
    draft: &Draft,
) -> Result<Option<workflow_version::Model>, StoreError> {
    workflow_version::Entity::find()
        .filter(workflow_version::Column::WorkflowId.eq(workflow.id))
        .filter(workflow_version::Column::Hash.eq(draft.version.hash.as_str()))
        .one(db)
        .await
        .map_err(failed_to("read workflow versions"))
}
