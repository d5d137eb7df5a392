//! Requests in traces: one span for each operation, below the caller's where its `traceparent` says so.
//!
//! Without a tracer nothing is made, and a caller's context is handed on as it came.

use std::borrow::Cow;

use async_graphql::Response;
use async_graphql::parser::types::OperationType;
use http::{HeaderMap, StatusCode};
use runnel_runtime::Orchestrator;
use runnel_telemetry::{Kind, Span, SpanContext, SpanId, Tracer};

/// The header of the W3C trace context.
const TRACEPARENT: &str = "traceparent";

/// The place that the caller of a request is at.
pub(crate) fn caller(headers: &HeaderMap) -> Option<SpanContext> {
    SpanContext::parse(headers.get(TRACEPARENT)?.to_str().ok()?)
}

/// The span of an operation that is under way.
pub(crate) struct RequestSpan {
    tracer: &'static Tracer,
    orchestrator: Orchestrator,
    context: SpanContext,
    parent: Option<SpanId>,
    begun_us: i64,
}

impl RequestSpan {
    /// Begins; `None` without a tracer.
    pub(crate) fn begin(orchestrator: &Orchestrator, caller: Option<SpanContext>) -> Option<Self> {
        let tracer = runnel_telemetry::tracer()?;
        Some(Self {
            tracer,
            orchestrator: orchestrator.clone(),
            context: tracer.begin(caller),
            parent: caller.map(|caller| caller.span),
            begun_us: orchestrator.now().0,
        })
    }

    /// Where what it causes is below.
    pub(crate) fn place(&self) -> SpanContext {
        self.context
    }

    /// A GraphQL operation was answered.
    pub(crate) fn end_operation(self, kind: OperationType, name: Option<String>, response: &Response) {
        let word = match kind {
            OperationType::Query => "query",
            OperationType::Mutation => "mutation",
            OperationType::Subscription => "subscription",
        };
        let title: Cow<'static, str> = match &name {
            Some(name) => format!("{word} {name}").into(),
            None => word.into(),
        };
        let span = self
            .span(title)
            .text("graphql.operation.type", word)
            .text("graphql.operation.name", name.unwrap_or_default());
        let code = response.errors.first().map(|error| {
            let extensions = error.extensions.as_ref();
            let code = extensions.and_then(|values| values.get("code"));
            match code {
                Some(async_graphql::Value::String(code)) => code.clone(),
                Some(_) | None => "ERROR".to_owned(),
            }
        });
        self.tracer.export(vec![match code {
            Some(code) => span.text("error.type", code.clone()).failed(code),
            None => span,
        }]);
    }

    /// A call of the HTTP aliases was answered.
    pub(crate) fn end_call(self, method: &str, route: &str, status: StatusCode) {
        let span = self
            .span(format!("{method} {route}").into())
            .text("http.request.method", method.to_owned())
            .text("http.route", route.to_owned())
            .int("http.response.status_code", status.as_u16());
        let code = status.as_u16().to_string();
        self.tracer.export(vec![if status.is_server_error() {
            span.text("error.type", code.clone()).failed(code)
        } else {
            span
        }]);
    }

    fn span(&self, name: Cow<'static, str>) -> Span {
        Span::new(self.context, Kind::Server, name)
            .below(self.parent)
            .during(self.begun_us, self.orchestrator.now().0)
    }
}
