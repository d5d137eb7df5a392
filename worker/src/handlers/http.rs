//! `http`: one request, its answer as output.
//!
//! Input: `url`, `method`, `query`, `headers`, `json` or `body`, `expected_status`, `timeout_seconds`, `max_response_bytes`,
//! `alias_body`. Output: `status_code`, `headers`, `body` (parsed where it is JSON).

mod client;
pub(crate) mod policy;
mod request;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::task::{Handler, TaskContext, TaskError};

pub(crate) use client::{Answer, HttpClient, status_error};
pub(crate) use request::Request;

use policy::HttpPolicy;

/// Handler of `http`.
pub(crate) struct HttpHandler {
    client: Result<HttpClient, TaskError>,
}

impl HttpHandler {
    pub(crate) fn new(policy: HttpPolicy) -> Self {
        Self {
            client: HttpClient::new(policy),
        }
    }
}

#[async_trait]
impl Handler for HttpHandler {
    async fn execute(&self, ctx: &TaskContext) -> Result<Value, TaskError> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let request = Request::from_input(ctx)?;
        let expected = request::Expected::from_input(ctx)?;
        let alias = ctx.text("alias_body")?.map(str::to_owned);
        let answer = client.send(request, &ctx.cancelled).await?;
        if !expected.admits(answer.status) {
            return Err(status_error(&answer));
        }
        Ok(output(answer, alias))
    }
}

fn output(answer: Answer, alias: Option<String>) -> Value {
    let body = answer.body_value();
    let mut headers = Map::new();
    for (name, value) in &answer.headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        match headers.get_mut(name.as_str()) {
            Some(Value::String(before)) => {
                before.push_str(", ");
                before.push_str(&text);
            }
            _ => {
                headers.insert(name.as_str().to_owned(), Value::from(text));
            }
        }
    }
    let mut output = json!({ "status_code": answer.status.as_u16(), "headers": headers });
    if let Value::Object(fields) = &mut output {
        if let Some(alias) =
            alias.filter(|alias| !matches!(alias.as_str(), "status_code" | "headers" | "body"))
        {
            fields.insert(alias, body.clone());
        }
        fields.insert("body".to_owned(), body);
    }
    output
}

#[cfg(test)]
mod tests;
