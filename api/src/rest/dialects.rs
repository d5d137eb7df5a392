//! The paths of the nodes dialect: a submit reserves an execution, a trigger starts it.
//!
//! Nothing is stored between the two: the execution id names the version, and is the idempotency key of the start. So a
//! repeated trigger answers the same run, and a submit that is never triggered leaves nothing but the version.

use axum::extract::{Path, Query, Request};
use http::StatusCode;
use runnel_engine::WorkflowVersionId;
use runnel_engine::run::CancelMode;
use runnel_runtime::view::{PageRequest, RunFilter, RunOrder, RunView, VersionView};
use runnel_runtime::{Actor, Orchestrator, StartRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::call::{Answer, Call, Failure, read_object};
use super::{runs, show, workflows};
use crate::auth::Permission;
use crate::error::Code;
use crate::reply;
use crate::request_id::RequestId;
use crate::schema::cursor::Cursor;

/// An execution of a version that may not have begun.
struct Execution {
    id: String,
    version: WorkflowVersionId,
}

impl Execution {
    fn of(version: WorkflowVersionId) -> Self {
        Self {
            id: format!("exec_{}_{}", version.0.simple(), RequestId::fresh().text),
            version,
        }
    }

    fn parse(id: &str) -> Option<Self> {
        let (version, mark) = id.strip_prefix("exec_")?.split_once('_')?;
        let is_plain = !mark.is_empty()
            && mark.len() <= 64
            && mark.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_plain.then_some(())?;
        Some(Self {
            id: id.to_owned(),
            version: WorkflowVersionId(Uuid::try_parse(version).ok()?),
        })
    }

    async fn find_run(&self, orchestrator: &Orchestrator, actor: &Actor) -> Result<Option<RunView>, Failure> {
        let filter = RunFilter {
            idempotency_key: Some(self.id.clone()),
            ..RunFilter::default()
        };
        let page = PageRequest {
            first: 1,
            after: None,
        };
        let page = orchestrator
            .list_runs(actor, filter, RunOrder::default(), page)
            .await
            .map_err(Failure::store)?;
        Ok(page.items.into_iter().next())
    }

    async fn get_version(&self, orchestrator: &Orchestrator, actor: &Actor) -> Result<VersionView, Failure> {
        let versions = orchestrator
            .versions_by_id(actor, &[self.version])
            .await
            .map_err(Failure::store)?;
        versions.into_values().next().ok_or_else(missing)
    }
}

fn missing() -> Failure {
    Failure::new(Code::NotFound, "execution does not exist")
}

/// `POST /api/v1/workflow`: publishes the file and reserves an execution of it.
pub(super) async fn submit(call: Call, request: Request) -> Answer {
    let published = workflows::publish_body(&call, request).await?;
    let execution = Execution::of(published.version.id);
    let body = json!({
        "execution_id": execution.id,
        "workflow_id": published.workflow.key,
        "version": published.version.number,
        "status": "PENDING",
        "message": "submitted; trigger it with POST /api/v1/workflow/trigger/{execution_id}",
    });
    Ok(reply::json(StatusCode::CREATED, &body))
}

/// `POST /api/v1/workflow/trigger/{id}`: starts the execution, once.
pub(super) async fn trigger(call: Call, Path(id): Path<String>, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let (headers, body) = read_object(request).await?;
    let execution = Execution::parse(&id).ok_or_else(missing)?;
    let started = execution.find_run(&orchestrator, &actor).await?;
    let run = match started {
        Some(run) => run,
        None => {
            let version = execution.get_version(&orchestrator, &actor).await?;
            let workflows = orchestrator.workflows_by_id(&actor, &[version.workflow_id]).await;
            let workflow = workflows
                .map_err(Failure::store)?
                .into_values()
                .next()
                .ok_or_else(missing)?;
            let request = StartRequest {
                workflow: workflow.key,
                version: Some(version.number),
                idempotency_key: Some(execution.id.clone()),
                ..runs::start_request(&headers, body)?
            };
            let (orchestrator, actor) = (orchestrator.clone(), actor.clone());
            let started = super::call::detached(async move { orchestrator.start_run(&actor, request).await });
            started.await?.map_err(Failure::start)?.run
        }
    };
    let mut value = show::run(&orchestrator, &actor, &run).await?;
    value["execution_id"] = execution.id.into();
    Ok(reply::json(StatusCode::ACCEPTED, &value))
}

/// `GET /api/v1/workflow/{id}`.
pub(super) async fn show(call: Call, Path(id): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let execution = Execution::parse(&id).ok_or_else(missing)?;
    let mut value = match execution.find_run(&orchestrator, &actor).await? {
        Some(run) => show::run(&orchestrator, &actor, &run).await?,
        None => {
            let version = execution.get_version(&orchestrator, &actor).await?;
            json!({ "status": "PENDING", "version": version.number, "run_id": null })
        }
    };
    value["execution_id"] = execution.id.into();
    Ok(reply::json(StatusCode::OK, &value))
}

/// Where a page of results begins.
#[derive(Debug, Deserialize)]
pub(super) struct ResultsQuery {
    after: Option<String>,
}

/// `GET /api/v1/workflow/{id}/results`.
pub(super) async fn results(call: Call, Path(id): Path<String>, Query(query): Query<ResultsQuery>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsRead)?;
    let execution = Execution::parse(&id).ok_or_else(missing)?;
    let fields: Map<String, Value> = [("execution_id".to_owned(), Value::from(execution.id.clone()))]
        .into_iter()
        .collect();
    match execution.find_run(&orchestrator, &actor).await? {
        Some(run) => {
            let after = Cursor::after(query.after.as_deref())?;
            runs::results_of(&orchestrator, &actor, &run, after, fields).await
        }
        None => {
            execution.get_version(&orchestrator, &actor).await?;
            Err(Failure::new(
                Code::Conflict,
                "the execution has not been triggered",
            ))
        }
    }
}

/// `DELETE /api/v1/workflow/{id}`: cancels the run.
pub(super) async fn cancel(call: Call, Path(id): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::RunsOperate)?;
    let execution = Execution::parse(&id).ok_or_else(missing)?;
    match execution.find_run(&orchestrator, &actor).await? {
        Some(run) => runs::cancel_run(orchestrator, actor, run.id, CancelMode::Graceful, None).await,
        None => {
            execution.get_version(&orchestrator, &actor).await?;
            Err(Failure::new(
                Code::Conflict,
                "the execution has not been triggered",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use runnel_engine::WorkflowVersionId;
    use uuid::Uuid;

    use super::Execution;

    #[test]
    fn an_execution_id_names_its_version_and_nothing_else_does() {
        let execution = Execution::of(WorkflowVersionId(Uuid::from_u128(7)));
        assert_eq!(
            Execution::parse(&execution.id).map(|e| e.version),
            Some(execution.version)
        );
        assert_ne!(Execution::of(execution.version).id, execution.id);
        for bad in [
            "",
            "exec_",
            "exec_00_",
            "exec_x_1",
            "run_00000000000000000000000000000007",
        ] {
            assert!(Execution::parse(bad).is_none(), "{bad}");
        }
    }
}
