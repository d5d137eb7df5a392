//! Runs a checked operation so that a client that hangs up cannot stop it half-way.

use async_graphql::Response;
use async_graphql::parser::types::OperationType;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};

use super::params::Operation;
use crate::app::SharedApp;
use crate::auth::Viewer;
use crate::error::ApiError;
use crate::metrics;
use crate::request_id::RequestId;
use crate::schema::attach;
use crate::schema::subscription::Resume;
use crate::schema::warnings::Warnings;
use crate::trace::RequestSpan;

/// Runs a query or mutation in a task of its own: axum drops the handler of a client that hangs up at whatever await
/// it is on, and a transaction dropped between two awaits is a lost or doubled write.
pub(crate) async fn once(app: &SharedApp, operation: Operation, viewer: Viewer, id: RequestId) -> Response {
    let kind = operation.kind;
    let warnings = Warnings::default();
    let name = operation.request.operation_name.clone();
    let span = RequestSpan::begin(&app.orchestrator, id.trace);
    let id = id.within(span.as_ref().map(RequestSpan::place));
    let schema = match kind {
        OperationType::Mutation => app.mutations.clone(),
        OperationType::Query | OperationType::Subscription => app.schema.clone(),
    };
    let request = attach(operation.request, app, viewer)
        .data(id)
        .data(warnings.clone());
    let mut response = match tokio::spawn(async move { schema.execute(request).await }).await {
        Ok(response) => response,
        Err(_) => failed(),
    };
    if let Some(all) = warnings.take() {
        response.extensions.insert("warnings".to_owned(), all);
    }
    metrics::graphql_operation(kind, response.errors.is_empty());
    if let Some(span) = span {
        span.end_operation(kind, name, &response);
    }
    response
}

/// Runs any operation as a stream of answers.
pub(crate) fn stream(
    app: &SharedApp,
    operation: Operation,
    viewer: Viewer,
    resume: Resume,
    id: RequestId,
) -> BoxStream<'static, Response> {
    if operation.kind == OperationType::Subscription {
        metrics::graphql_operation(operation.kind, true);
        let request = attach(operation.request, app, viewer).data(resume);
        let open = metrics::OpenSubscription::begin();
        let answers = app.schema.execute_stream(request);
        // it ends with the stream, however that ends
        return answers
            .inspect(move |_| {
                let _held = &open;
            })
            .boxed();
    }
    let app = app.clone();
    // spawned here and not when first polled, so that it ends even if the stream is dropped
    let running = tokio::spawn(async move { once(&app, operation, viewer, id).await });
    running
        .map(|joined| joined.unwrap_or_else(|_| failed()))
        .into_stream()
        .boxed()
}

fn failed() -> Response {
    let error: async_graphql::Error = ApiError::internal("a resolver panicked").into();
    let mut error = error.into_server_error(async_graphql::Pos::default());
    error.locations.clear();
    Response::from_errors(vec![error])
}
