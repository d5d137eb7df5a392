//! GraphQL over SSE, distinct connections mode: one operation per connection, `next` events and one `complete`.
//!
//! The event id is the cursor of the message, so a browser's `EventSource` resumes by itself with `Last-Event-ID`.
//! The stream is pulled by the connection: a slow reader holds one page of a table and nothing else.

use std::convert::Infallible;
use std::time::Duration;

use async_stream::stream;
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::answer::Answer;
use super::{execute, http as over_http};
use crate::app::SharedApp;
use crate::auth::Viewer;
use crate::body;
use crate::error::{ApiError, Code};
use crate::graphql::params::Operation;
use crate::reply;
use crate::request_id::RequestId;
use crate::schema::subscription::Resume;

/// Silence longer than this makes proxies and clients doubt the connection.
const HEARTBEAT: Duration = Duration::from_secs(12);
/// Longest cursor taken from a header.
const CURSOR_BYTES_MAX: usize = 512;

/// Handles `/graphql/stream`.
pub(crate) async fn handle(State(app): State<SharedApp>, request: Request) -> Response {
    let (parts, request_body) = request.into_parts();
    let id = RequestId::of(&parts.extensions);
    if !accepts_events(&parts.headers) {
        return reply::error(
            &ApiError::new(Code::NotAcceptable, "answers are text/event-stream"),
            &id,
        );
    }
    let viewer = match app.viewer(&parts.headers).await {
        Ok(viewer) => viewer,
        Err(error) => return reply::error(&error, &id),
    };
    let params = match over_http::read(&parts, request_body, body::BYTES_MAX).await {
        Ok(params) => params,
        Err(error) => {
            let mut response = reply::error(&error, &id);
            if error.code == Code::MethodNotAllowed {
                response
                    .headers_mut()
                    .insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
            }
            return response;
        }
    };
    let operation = params.prepare().and_then(|operation| {
        let is_write_by_get = parts.method == Method::GET
            && operation.kind == async_graphql::parser::types::OperationType::Mutation;
        if is_write_by_get {
            Err(ApiError::new(
                Code::MethodNotAllowed,
                "mutations are not served over GET",
            ))
        } else {
            Ok(operation)
        }
    });
    let resume = Resume::after(last_event_id(&parts.headers));
    let events = events(app, operation, viewer, resume, id);
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would otherwise hold events back
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

fn accepts_events(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_none_or(|value| {
        value.to_str().unwrap_or_default().split(',').any(|item| {
            let name = item
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            matches!(name.as_str(), "text/event-stream" | "text/*" | "*/*")
        })
    })
}

fn last_event_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("last-event-id")?.to_str().ok()?;
    (!value.is_empty() && value.len() <= CURSOR_BYTES_MAX).then(|| value.to_owned())
}

fn events(
    app: SharedApp,
    operation: Result<Operation, ApiError>,
    viewer: Viewer,
    resume: Resume,
    id: RequestId,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream! {
        match operation {
            // the protocol wants errors of the document as events: a browser's EventSource hides the body of a 4xx
            Err(error) => yield Ok(next(&Answer::refused(&error, &id), None)),
            Ok(operation) => {
                let mut answers = execute::stream(&app, operation, viewer, resume.clone(), id.clone());
                loop {
                    let answer = tokio::select! {
                        answer = answers.next() => answer,
                        // no `complete`: the client shall come back to the next server
                        () = app.stop.cancelled() => return,
                    };
                    let Some(answer) = answer else { break };
                    yield Ok(next(&Answer::of(answer, &id), resume.last()));
                }
            }
        }
        // one empty data line: without any, a browser's EventSource would not dispatch the event
        yield Ok(Event::default().event("complete").data("\n"));
    }
}

fn next(answer: &Answer, cursor: Option<String>) -> Event {
    let event = Event::default().event("next").data(answer.to_json());
    match cursor {
        Some(cursor) => event.id(cursor),
        None => event,
    }
}
