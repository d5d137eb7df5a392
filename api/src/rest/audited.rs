//! The rail of the HTTP aliases: each call that changes something has its row in the audit log, under the name of the
//! mutation that it is an alias of. Workers' reports are no mutations.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use runnel_runtime::audit::{self, AuditEnd, AuditIntent, AuditOutcome, AuditTarget};

use crate::app::SharedApp;
use crate::error::{ApiError, Code};
use crate::reply;
use crate::request_id::RequestId;
use crate::trace::RequestSpan;

/// Runs the call to its end, also when the client hangs up, and writes its row.
pub(super) async fn layer(State(app): State<SharedApp>, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.extensions());
    let (Some(mut intent), Ok(viewer)) = (intent_of(&request, &id), app.viewer(request.headers()).await)
    else {
        return next.run(request).await;
    };
    let span = RequestSpan::begin(&app.orchestrator, intent.trace);
    intent.trace = span.as_ref().map(RequestSpan::place).or(intent.trace);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mutation = tokio::spawn(async move {
        let draft = app.orchestrator.begin_audit(&viewer.actor, intent);
        let response = audit::scope(Arc::clone(&draft), next.run(request)).await;
        app.orchestrator.finish_audit(&draft, end_of(&response)).await;
        if let (Some(span), Some(route)) = (span, route) {
            span.end_call(method.as_str(), route.as_str(), response.status());
        }
        response
    });
    match mutation.await {
        Ok(response) => response,
        Err(_) => reply::error(&ApiError::internal("a mutation panicked"), &id),
    }
}

fn intent_of(request: &Request, id: &RequestId) -> Option<AuditIntent> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    let is_dry_run = request.uri().query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| matches!(pair, "dry_run" | "dry_run=true" | "dry_run=1"))
    });
    let action = action_of(request.method(), route)?;
    (!is_dry_run).then(|| AuditIntent {
        action,
        target: target_of(route, request.uri().path()),
        reason: None,
        request_id: Some(id.text.clone()),
        trace: id.trace,
    })
}

/// The mutation that a route is an alias of; `None` for those that change nothing an operator would ask about.
fn action_of(method: &Method, route: &str) -> Option<String> {
    let parts: Vec<&str> = route
        .split('/')
        .filter(|part| !part.is_empty() && !matches!(*part, "api" | "v1"))
        .collect();
    Some(match (parts.as_slice(), method) {
        // a delivery leaves an outcome of its own
        (["worker" | "hooks", ..], _) | ([.., "validate"], _) => return None,
        (["events"], _) => "eventPublish".to_owned(),
        (["callbacks", _, "heartbeat"], _) => return None,
        (["callbacks", _] | ["callbacks", _, "fail"], _) => "callbackComplete".to_owned(),
        (["tasks", _, "approve" | "reject"], _) => "approvalResolve".to_owned(),
        (["runs", _, "signals", _], _) => "signalSend".to_owned(),
        (["workflow", "{id}"], &Method::DELETE) => "runCancel".to_owned(),
        (["workflow", "trigger", ..], _) => "runStart".to_owned(),
        (["workflow" | "workflows" | "dags"] | [.., "upload"], _) => "workflowPublish".to_owned(),
        (["workflows" | "dags", _, "runs" | "run" | "execute"], _) => "runStart".to_owned(),
        ([collection, id, verb], _) if id.starts_with('{') && !verb.starts_with('{') => {
            verb_of(collection, verb)
        }
        _ => format!("{method} {route}"),
    })
}

/// `runs` and `dead-letters` with a verb as the mutation's name: `runCancel`, `deadLetterReplay`.
fn verb_of(collection: &str, verb: &str) -> String {
    let noun = collection.strip_suffix('s').unwrap_or(collection);
    let mut name = String::new();
    for (at, word) in noun.split('-').chain(verb.split('-')).enumerate() {
        let mut letters = word.chars();
        match (at, letters.next()) {
            (0, Some(first)) => name.push(first),
            (_, Some(first)) => name.extend(first.to_uppercase()),
            (_, None) => {}
        }
        name.push_str(letters.as_str());
    }
    name
}

/// The `{id}` of the route. A `{key}` names what is started or published, whose own id comes with the effect.
fn target_of(route: &str, path: &str) -> Option<AuditTarget> {
    let (_, id) = route
        .split('/')
        .zip(path.split('/'))
        .find(|(part, _)| *part == "{id}")?;
    if let Some((run, ix)) = id.strip_prefix("task_").and_then(|rest| rest.split_once('_')) {
        return Some(AuditTarget {
            kind: "task".to_owned(),
            id: format!("run_{run}:{ix}"),
        });
    }
    let (kind, id) = match uuid::Uuid::try_parse(id) {
        Ok(run) => ("run", format!("run_{}", run.simple())),
        Err(_) => (
            id.split_once('_').map_or("run", |(kind, _)| kind),
            id.chars().take(200).collect(),
        ),
    };
    Some(AuditTarget {
        kind: kind.to_owned(),
        id,
    })
}

fn end_of(response: &Response) -> AuditEnd {
    let status = response.status();
    let outcome = match status {
        _ if status.is_success() => AuditOutcome::Ok,
        StatusCode::REQUEST_TIMEOUT => AuditOutcome::Refused,
        _ if status.is_client_error() => AuditOutcome::Refused,
        _ => AuditOutcome::Failed,
    };
    let code = response
        .extensions()
        .get::<Code>()
        .map(|code| code.as_str().to_owned());
    AuditEnd {
        outcome,
        code,
        target: None,
        state_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_has_the_name_of_its_mutation() {
        for (route, name) in [
            ("/api/v1/runs/{id}/cancel", "runCancel"),
            ("/api/v1/runs/{id}/rerun", "runRerun"),
            ("/runs/{id}/cancel", "runCancel"),
            ("/api/v1/tasks/{id}/retry", "taskRetry"),
            ("/api/v1/dead-letters/{id}/replay", "deadLetterReplay"),
            ("/api/v1/callbacks/{token}/complete", "callbackComplete"),
            ("/callbacks/{token}", "callbackComplete"),
            ("/callbacks/{token}/fail", "callbackComplete"),
            ("/api/v1/tasks/{id}/approve", "approvalResolve"),
            ("/api/v1/runs/{id}/signals/{name}", "signalSend"),
            ("/api/v1/workflows/{key}/execute", "runStart"),
            ("/dags/{key}/run", "runStart"),
            ("/api/v1/workflow/trigger/{id}", "runStart"),
            ("/api/v1/workflows/upload", "workflowPublish"),
            ("/api/v1/workflow", "workflowPublish"),
        ] {
            assert_eq!(action_of(&Method::POST, route).as_deref(), Some(name), "{route}");
        }
        assert_eq!(
            action_of(&Method::DELETE, "/api/v1/workflow/{id}").as_deref(),
            Some("runCancel")
        );
        assert_eq!(action_of(&Method::POST, "/api/v1/worker/reports"), None);
    }

    #[test]
    fn the_target_is_the_id_of_the_path() {
        let target = target_of("/api/v1/runs/{id}/cancel", "/api/v1/runs/run_ab/cancel").unwrap();
        assert_eq!((target.kind.as_str(), target.id.as_str()), ("run", "run_ab"));
        assert_eq!(target_of("/dags/{key}/run", "/dags/w/run"), None);
    }
}
