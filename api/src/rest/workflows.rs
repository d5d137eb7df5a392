//! Aliases of workflows.

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Path, Query, Request};
use http::StatusCode;
use runnel_engine::source::Format;
use runnel_runtime::view::{PageRequest, WorkflowView};
use runnel_runtime::{Actor, Orchestrator, PublishRequest, Published};
use serde::Deserialize;
use serde_json::json;

use super::call::{Answer, Call, Failure, detached, read, text};
use super::show;
use crate::auth::Permission;
use crate::body;
use crate::error::Code;
use crate::reply;
use crate::schema::cursor::{self, Cursor};

/// Which page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    first: Option<i32>,
    after: Option<String>,
}

/// `GET /api/v1/workflows`, `GET /dags`.
pub(super) async fn list(call: Call, Query(query): Query<PageQuery>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::WorkflowsRead)?;
    let first = cursor::first(query.first.unwrap_or(50))?;
    let page = PageRequest {
        first,
        after: Cursor::after(query.after.as_deref())?,
    };
    let page = orchestrator
        .list_workflows(&actor, None, page)
        .await
        .map_err(Failure::store)?;
    let next = page
        .items
        .last()
        .filter(|_| page.has_next)
        .map(|workflow| workflow.key.encode());
    let items: Vec<_> = page.items.iter().map(show::workflow).collect();
    Ok(reply::json(
        StatusCode::OK,
        &json!({ "workflows": items, "next": next }),
    ))
}

/// `GET /api/v1/workflows/{key}`.
pub(super) async fn show(call: Call, Path(key): Path<String>) -> Answer {
    let (orchestrator, actor) = call.open(Permission::WorkflowsRead)?;
    let workflow = find(&orchestrator, &actor, &key).await?;
    Ok(reply::json(StatusCode::OK, &show::workflow(&workflow)))
}

/// The workflow of a path.
pub(super) async fn find(
    orchestrator: &Orchestrator,
    actor: &Actor,
    key: &str,
) -> Result<WorkflowView, Failure> {
    let missing = || Failure::new(Code::NotFound, format!("workflow `{key}` does not exist"));
    if key.contains('\0') {
        return Err(missing());
    }
    orchestrator
        .find_workflow(actor, key)
        .await
        .map_err(Failure::store)?
        .ok_or_else(missing)
}

/// `POST /api/v1/workflows`, `POST /dags`: the file is the body.
pub(super) async fn publish(call: Call, request: Request) -> Answer {
    let published = publish_body(&call, request).await?;
    let status = if published.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(reply::json(status, &show::published(&published)))
}

/// Publishes the file that is the body of the request.
pub(super) async fn publish_body(call: &Call, request: Request) -> Result<Published, Failure> {
    let (orchestrator, actor) = call.open(Permission::WorkflowsWrite)?;
    let (headers, source) = read(request, body::UPLOAD_BYTES_MAX).await?;
    let format = match body::media_type(&headers).as_str() {
        "application/json" => Format::Json,
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Format::Yaml,
        // curl calls every body a form unless told otherwise
        _ => Format::Auto,
    };
    store(orchestrator, actor, source, format).await
}

async fn store(
    orchestrator: Orchestrator,
    actor: Actor,
    source: String,
    format: Format,
) -> Result<Published, Failure> {
    let request = PublishRequest {
        source,
        format,
        is_dry_run: false,
    };
    detached(async move { orchestrator.publish(&actor, request).await })
        .await?
        .map_err(Failure::publish)
}

/// `POST /api/v1/workflows/upload`, `POST /dags/upload`: the file is the part `file` of a form.
pub(super) async fn upload(call: Call, request: Request) -> Answer {
    let (orchestrator, actor) = call.open(Permission::WorkflowsWrite)?;
    let (parts, request_body) = request.into_parts();
    let bytes = body::read(&parts.headers, request_body, body::UPLOAD_BYTES_MAX).await?;
    let not_a_form = |_| {
        Failure::new(
            Code::UnsupportedMediaType,
            "the body must be a form with the part `file`",
        )
    };
    let form = Multipart::from_request(Request::from_parts(parts, Body::from(bytes)), &()).await;
    let (source, format) = file_part(form.map_err(|e| not_a_form(e.to_string()))?).await?;
    let published = store(orchestrator, actor, source, format).await?;
    let status = if published.is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(reply::json(status, &show::published(&published)))
}

async fn file_part(mut form: Multipart) -> Result<(String, Format), Failure> {
    let broken = |_| Failure::new(Code::BadRequest, "the form is not valid multipart/form-data");
    while let Some(part) = form.next_field().await.map_err(broken)? {
        if part.name() != Some("file") {
            continue;
        }
        let name = part.file_name().unwrap_or_default().to_ascii_lowercase();
        let format = match name.rsplit('.').next() {
            Some("json") => Format::Json,
            Some("yaml" | "yml") => Format::Yaml,
            _ => Format::Auto,
        };
        let bytes = part.bytes().await.map_err(broken)?;
        return Ok((text(&bytes)?, format));
    }
    Err(Failure::new(Code::BadRequest, "the form has no part `file`"))
}
