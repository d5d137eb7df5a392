//! GraphQL over server-sent events, distinct connections mode: one subscription is one response.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use reqwest::header::ACCEPT;
use serde_json::Value;

use crate::client::{Client, problem};
use crate::exit::{Exit, Failure};

/// A server that says nothing for this long is gone: it sends a comment at least every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Longest event; protects this process from a stream that never ends a line.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// What a subscription said.
#[derive(Debug)]
pub enum Said {
    /// The `data` of one result.
    Next(Value),
    /// The server has completed the subscription.
    Complete,
}

/// Why a stream ended before the server completed it.
#[derive(Debug)]
pub enum Cut {
    /// The connection was lost or refused; another try may succeed.
    Lost(String),
    /// The server refuses the subscription.
    Refused(Failure),
}

impl Client {
    /// Subscribes once; the caller resumes from its cursor after [`Cut::Lost`].
    pub fn subscribe(
        &self,
        document: &'static str,
        variables: Value,
    ) -> impl Stream<Item = Result<Said, Cut>> + '_ {
        async_stream::stream! {
            let request = self.operation("/graphql/stream", document, &variables).header(ACCEPT, "text/event-stream");
            let answer = match request.send().await {
                Ok(answer) => answer,
                Err(error) => { yield Err(Cut::Lost(error.without_url().to_string())); return; }
            };
            if let Err(cut) = check_begin(&answer) {
                yield Err(match cut { Begin::Lost(text) => Cut::Lost(text), Begin::Read => refusal(answer).await });
                return;
            }
            let mut bytes = answer.bytes_stream();
            let mut parser = Parser::default();
            loop {
                let chunk = match tokio::time::timeout(SILENCE_MAX, bytes.next()).await {
                    Err(_) => { yield Err(Cut::Lost("the server fell silent".to_owned())); return; }
                    Ok(None) => { yield Err(Cut::Lost("the connection was closed".to_owned())); return; }
                    Ok(Some(Err(error))) => { yield Err(Cut::Lost(error.without_url().to_string())); return; }
                    Ok(Some(Ok(chunk))) => chunk,
                };
                for event in parser.push(&chunk) {
                    match read_event(event) {
                        Ok(None) => {}
                        Ok(Some(Said::Complete)) => { yield Ok(Said::Complete); return; }
                        Ok(Some(next)) => yield Ok(next),
                        Err(failure) => { yield Err(Cut::Refused(failure)); return; }
                    }
                }
                if parser.is_over_limit() {
                    yield Err(Cut::Refused(Failure::new(Exit::Failed, "the server sent an event without an end")));
                    return;
                }
            }
        }
    }
}

enum Begin {
    Lost(String),
    Read,
}

fn check_begin(answer: &reqwest::Response) -> Result<(), Begin> {
    let is_stream = answer
        .headers()
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("text/event-stream"));
    match (answer.status(), is_stream) {
        (status, true) if status.is_success() => Ok(()),
        (status, _) if status.is_server_error() => {
            Err(Begin::Lost(format!("the server answered HTTP {status}")))
        }
        _ => Err(Begin::Read),
    }
}

async fn refusal(answer: reqwest::Response) -> Cut {
    let status = answer.status();
    let body = match answer.text().await {
        Ok(body) => body,
        Err(error) => return Cut::Lost(error.without_url().to_string()),
    };
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    Cut::Refused(match problem::check_errors(&body, status) {
        Err(failure) => failure,
        Ok(()) => Failure::new(Exit::Failed, "the server did not answer with an event stream"),
    })
}

fn read_event(event: Event) -> Result<Option<Said>, Failure> {
    match event.name.as_str() {
        "next" => {
            let mut body: Value = serde_json::from_str(&event.data)
                .map_err(|error| Failure::internal("the server sent an event that is not JSON", error))?;
            problem::check_errors(&body, reqwest::StatusCode::OK)?;
            Ok(Some(Said::Next(
                body.get_mut("data").map(Value::take).unwrap_or_default(),
            )))
        }
        "complete" => Ok(Some(Said::Complete)),
        _ => Ok(None),
    }
}

/// One server-sent event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
}

/// Cuts a stream of bytes into events (WHATWG HTML, section 9.2, the parts that GraphQL over SSE uses).
#[derive(Debug, Default)]
struct Parser {
    rest: Vec<u8>,
    event: Event,
}

impl Parser {
    fn push(&mut self, chunk: &[u8]) -> Vec<Event> {
        self.rest.extend_from_slice(chunk);
        let mut events = Vec::new();
        let mut begin = 0;
        while let Some(length) = self.rest[begin..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.rest[begin..begin + length]).into_owned();
            begin += length + 1;
            events.extend(self.line(line.trim_end_matches('\r')));
        }
        self.rest.drain(..begin);
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return (!event.name.is_empty() || !event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event.name = value.to_owned(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }

    fn is_over_limit(&self) -> bool {
        self.rest.len() + self.event.data.len() > EVENT_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Parser};

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let text = ": hello\n\nevent: next\nid: 7\ndata: {\"a\":\ndata: 1}\n\nevent: complete\r\n\r\n";
        let expected = vec![
            Event {
                name: "next".to_owned(),
                data: "{\"a\":\n1}".to_owned(),
            },
            Event {
                name: "complete".to_owned(),
                data: String::new(),
            },
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let events: Vec<Event> = text
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| parser.push(chunk))
                .collect();
            assert_eq!(events, expected, "in chunks of {size}");
        }
    }

    #[test]
    fn a_character_cut_in_two_is_put_together() {
        let mut parser = Parser::default();
        assert!(
            parser
                .push("event: next\ndata: ü".as_bytes().split_last().unwrap().1)
                .is_empty()
        );
        let events = parser.push(&[0xbc, b'\n', b'\n']);
        assert_eq!(events[0].data, "ü");
    }
}
