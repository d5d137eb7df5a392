//! Messages of the protocol.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::graphql::answer::Answer;

/// Longest id of an operation in bytes.
const ID_BYTES_MAX: usize = 128;

/// What a client says.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Opens the connection, with whatever the client sent along.
    Init(Value),
    /// Asks for a pong.
    Ping(Option<Value>),
    /// Answers a ping.
    Pong,
    /// Begins an operation.
    Subscribe {
        /// The client's name of it.
        id: String,
        /// Its parameters.
        payload: Map<String, Value>,
    },
    /// Ends an operation.
    Complete(String),
}

/// Reads a message; `None` for what the protocol does not know.
pub(super) fn read(text: &str) -> Option<Incoming> {
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
        return None;
    };
    let payload = message.remove("payload");
    let id = message.remove("id").and_then(|id| match id {
        Value::String(id) if !id.is_empty() && id.len() <= ID_BYTES_MAX => Some(id),
        _ => None,
    });
    let is_payload_fine = payload.as_ref().is_none_or(|p| p.is_object() || p.is_null());
    match message.get("type").and_then(Value::as_str)? {
        "connection_init" if is_payload_fine => Some(Incoming::Init(payload.unwrap_or_default())),
        "ping" if is_payload_fine => Some(Incoming::Ping(payload)),
        "pong" if is_payload_fine => Some(Incoming::Pong),
        "subscribe" => match payload {
            Some(Value::Object(payload)) => Some(Incoming::Subscribe { id: id?, payload }),
            _ => None,
        },
        "complete" => Some(Incoming::Complete(id?)),
        _ => None,
    }
}

/// Accepts the connection.
pub(super) fn ack() -> String {
    json!({ "type": "connection_ack" }).to_string()
}

/// Asks for a sign of life.
pub(super) fn ping() -> String {
    json!({ "type": "ping" }).to_string()
}

/// Answers a ping, with what came along.
pub(super) fn pong(payload: Option<Value>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => json!({ "type": "pong" }).to_string(),
    }
}

/// One answer of an operation.
pub(super) fn next(id: &str, answer: &Answer) -> String {
    let payload = RawValue::from_string(answer.to_json());
    json!({ "id": id, "type": "next", "payload": payload.ok() }).to_string()
}

/// The operation was refused; nothing follows.
pub(super) fn error(id: &str, answer: &Answer) -> String {
    json!({ "id": id, "type": "error", "payload": answer.errors() }).to_string()
}

/// The operation has ended.
pub(super) fn complete(id: &str) -> String {
    json!({ "id": id, "type": "complete" }).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Incoming, read};

    #[test]
    fn what_the_protocol_does_not_know_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"start"}"#,
            r#"{"type":"connection_init","payload":1}"#,
            r#"{"type":"subscribe","payload":{}}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
            r#"{"type":"subscribe","id":"","payload":{}}"#,
            r#"{"type":"subscribe","id":"a"}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        assert!(matches!(
            read(r#"{"type":"connection_init"}"#),
            Some(Incoming::Init(_))
        ));
        assert!(matches!(read(r#"{"type":"complete","id":"a"}"#), Some(Incoming::Complete(id)) if id == "a"));
    }
}
