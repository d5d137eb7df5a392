//! Writes spans as an `ExportTraceServiceRequest` of OTLP, in protobuf.
//!
//! Five messages with two dozen fields, stable since OTLP 1.0: written by hand because the generated types bring a gRPC stack
//! along, into every worker. The tests read what is written here with those types.

use crate::span::{Kind, Span, Status, Value};

/// Name of the instrumentation.
const SCOPE: &str = "runnel";

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// `Status.code` of a failure.
const STATUS_ERROR: u64 = 2;

/// `Span.flags`: the trace flags are known, and whether the parent is in another process is not.
const FLAG_SAMPLED: u32 = 1;

/// One request with all spans, from the resource with these attributes.
#[must_use]
pub fn encode(resource: &[(String, String)], spans: &[Span]) -> Vec<u8> {
    let mut of_resource = Vec::new();
    for (name, value) in resource {
        field(
            &mut of_resource,
            1,
            &attribute(name, &Value::Text(value.clone().into())),
        );
    }
    let mut scope = Vec::new();
    field(&mut scope, 1, SCOPE.as_bytes());
    field(&mut scope, 2, env!("CARGO_PKG_VERSION").as_bytes());
    let mut of_scope = Vec::new();
    field(&mut of_scope, 1, &scope);
    for one in spans {
        field(&mut of_scope, 2, &span(one));
    }
    let mut resource_spans = Vec::new();
    field(&mut resource_spans, 1, &of_resource);
    field(&mut resource_spans, 2, &of_scope);
    let mut request = Vec::new();
    field(&mut request, 1, &resource_spans);
    request
}

fn span(span: &Span) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    field(&mut out, 1, &span.context.trace.0);
    field(&mut out, 2, &span.context.span.0);
    if let Some(parent) = span.parent {
        field(&mut out, 4, &parent.0);
    }
    field(&mut out, 5, span.name.as_bytes());
    number(&mut out, 6, kind(span.kind));
    fixed64(&mut out, 7, nanos(span.start_us));
    fixed64(&mut out, 8, nanos(span.end_us));
    for (name, value) in &span.attributes {
        field(&mut out, 9, &attribute(name, value));
    }
    for link in &span.links {
        let mut encoded = Vec::new();
        field(&mut encoded, 1, &link.trace.0);
        field(&mut encoded, 2, &link.span.0);
        fixed32(&mut encoded, 6, u32::from(link.is_sampled));
        field(&mut out, 13, &encoded);
    }
    if span.links_left_out > 0 {
        number(&mut out, 14, u64::from(span.links_left_out));
    }
    if let Status::Error(message) = &span.status {
        let mut status = Vec::new();
        field(&mut status, 2, message.as_bytes());
        number(&mut status, 3, STATUS_ERROR);
        field(&mut out, 15, &status);
    }
    fixed32(&mut out, 16, FLAG_SAMPLED);
    out
}

/// The numbers of `Span.SpanKind`.
fn kind(kind: Kind) -> u64 {
    match kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
        Kind::Producer => 4,
        Kind::Consumer => 5,
    }
}

fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1_000)
}

/// A `KeyValue`.
fn attribute(name: &str, value: &Value) -> Vec<u8> {
    let mut any = Vec::new();
    match value {
        Value::Text(text) => field(&mut any, 1, text.as_bytes()),
        Value::Bool(flag) => number(&mut any, 2, u64::from(*flag)),
        // two's complement, as `int64` is encoded
        Value::Int(int) => number(&mut any, 3, int.cast_unsigned()),
    }
    let mut pair = Vec::with_capacity(name.len() + any.len() + 6);
    field(&mut pair, 1, name.as_bytes());
    field(&mut pair, 2, &any);
    pair
}

fn field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | BYTES);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn number(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3 | VARINT);
    varint(out, value);
}

fn fixed64(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3 | FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

fn fixed32(out: &mut Vec<u8>, number: u64, value: u32) {
    varint(out, number << 3 | FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use prost::Message as _;

    use super::*;
    use crate::{SpanContext, SpanId, TraceId};

    fn context(span: u8) -> SpanContext {
        SpanContext {
            trace: TraceId([7; 16]),
            span: SpanId([span; 8]),
            is_sampled: true,
        }
    }

    #[test]
    fn the_types_of_the_standard_read_every_field() {
        let written = Span::new(context(1), Kind::Consumer, "process default")
            .below(Some(SpanId([2; 8])))
            .during(1_700_000_000_000_001, 1_700_000_000_000_900)
            .text("runnel.task.key", "ä".repeat(300))
            .text("runnel.nothing", "")
            .int("runnel.attempt", -3)
            .linked((3..).take(200).map(context))
            .failed("it broke");
        let bytes = encode(&[("service.name".into(), "runnel-worker".into())], &[written]);
        let read = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
        let resource = &read.resource_spans[0];
        assert_eq!(
            resource.resource.as_ref().unwrap().attributes[0].key,
            "service.name"
        );
        let scope = &resource.scope_spans[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "runnel");
        let span = &scope.spans[0];
        assert_eq!(span.trace_id, [7; 16]);
        assert_eq!(span.span_id, [1; 8]);
        assert_eq!(span.parent_span_id, [2; 8]);
        assert_eq!(span.name, "process default");
        assert_eq!(span.kind, 5);
        assert_eq!(span.start_time_unix_nano, 1_700_000_000_000_001_000);
        assert_eq!(span.end_time_unix_nano, 1_700_000_000_000_900_000);
        assert_eq!(span.flags, 1);
        assert_eq!((span.links.len(), span.dropped_links_count), (128, 72));
        assert_eq!(span.links[0].span_id, [3; 8]);
        let status = span.status.as_ref().unwrap();
        assert_eq!((status.code, status.message.as_str()), (2, "it broke"));
        let values: Vec<_> = span
            .attributes
            .iter()
            .map(|pair| (pair.key.as_str(), pair.value.clone().unwrap().value.unwrap()))
            .collect();
        assert_eq!(
            values,
            [
                ("runnel.task.key", Any::StringValue("ä".repeat(128))),
                ("runnel.attempt", Any::IntValue(-3))
            ]
        );
    }
}
