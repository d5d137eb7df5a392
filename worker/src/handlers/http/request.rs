//! Reads a request out of a task's input.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use crate::task::{TaskContext, TaskError};

/// Limit of the answer unless the input says otherwise.
const RESPONSE_BYTES_DEFAULT: usize = 1 << 20;

/// Limit of what the input may ask for.
const RESPONSE_BYTES_MAX: usize = 16 << 20;

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// One request, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) timeout: Duration,
    pub(crate) response_bytes_max: usize,
}

impl Request {
    pub(crate) fn from_input(ctx: &TaskContext) -> Result<Self, TaskError> {
        let mut url = parse_url(ctx.required_text("url")?)?;
        append_query(&mut url, ctx.field("query"))?;
        let method = ctx.text("method")?.unwrap_or("GET").to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| TaskError::input(format!("`method` has no method in it: {method:?}")))?;
        let mut headers = HeaderMap::new();
        add_headers(&mut headers, ctx.field("headers"))?;
        let body = body(ctx, &mut headers)?;
        let mut request = Self {
            method,
            url,
            headers,
            body,
            timeout: timeout(ctx)?,
            response_bytes_max: response_limit(ctx)?,
        };
        request.identify(ctx);
        Ok(request)
    }

    /// A JSON request to a configured endpoint.
    pub(crate) fn post_json(ctx: &TaskContext, url: &str, json: &Value) -> Result<Self, TaskError> {
        let mut request = Self {
            method: Method::POST,
            url: parse_url(url)?,
            headers: HeaderMap::new(),
            body: Some(json.to_string().into_bytes()),
            timeout: timeout(ctx)?,
            response_bytes_max: response_limit(ctx)?,
        };
        request.set_missing("content-type", "application/json");
        request.identify(ctx);
        Ok(request)
    }

    /// Adds the headers that make a repeated request recognisable and traceable; the task's own win.
    fn identify(&mut self, ctx: &TaskContext) {
        self.set_missing("user-agent", concat!("runnel/", env!("CARGO_PKG_VERSION")));
        if !self.method.is_safe() {
            self.set_missing("idempotency-key", &ctx.idempotency_key);
        }
        if let Some(traceparent) = &ctx.traceparent {
            self.set_missing("traceparent", traceparent);
        }
    }

    pub(crate) fn set_missing(&mut self, name: &'static str, value: &str) {
        // a value that cannot be a header is left out: none of these headers is needed for the request itself
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.entry(name).or_insert(value);
        }
    }
}

/// Which statuses are a success.
pub(crate) struct Expected(Vec<(u16, u16)>);

impl Expected {
    /// `expected_status`: a number, `"2xx"`, `"200-204"`, or a list of these. Default 2xx.
    pub(crate) fn from_input(ctx: &TaskContext) -> Result<Self, TaskError> {
        match ctx.field("expected_status") {
            None => Ok(Self(vec![(200, 299)])),
            Some(Value::Array(items)) => Ok(Self(items.iter().map(status_range).collect::<Result<_, _>>()?)),
            Some(one) => Ok(Self(vec![status_range(one)?])),
        }
    }

    pub(crate) fn admits(&self, status: StatusCode) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&status.as_u16()))
    }
}

fn status_range(value: &Value) -> Result<(u16, u16), TaskError> {
    let parse = |text: &str| {
        if let Some(class) = text.strip_suffix("xx") {
            let class = class
                .parse::<u16>()
                .ok()
                .filter(|class| (1..=5).contains(class))?;
            return Some((class * 100, class * 100 + 99));
        }
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
    };
    let range = match value {
        Value::Number(number) => parse(&number.to_string()),
        Value::String(text) => parse(text),
        _ => None,
    };
    range.ok_or_else(|| TaskError::input(format!("`expected_status` has no status in it: {value}")))
}

fn parse_url(text: &str) -> Result<Url, TaskError> {
    let url = Url::parse(text).map_err(|e| TaskError::input(format!("`url` is not an address: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TaskError::input(format!(
            "`url` must be http or https, not {}",
            url.scheme()
        )));
    }
    Ok(url)
}

fn append_query(url: &mut Url, query: Option<&Value>) -> Result<(), TaskError> {
    let Some(query) = query else { return Ok(()) };
    let Value::Object(fields) = query else {
        return Err(TaskError::input("`query` must be an object"));
    };
    let mut pairs = url.query_pairs_mut();
    for (name, value) in fields {
        let values = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in values.iter().filter(|value| !value.is_null()) {
            pairs.append_pair(name, &plain(value));
        }
    }
    Ok(())
}

fn add_headers(headers: &mut HeaderMap, input: Option<&Value>) -> Result<(), TaskError> {
    let Some(input) = input else { return Ok(()) };
    let Value::Object(fields) = input else {
        return Err(TaskError::input("`headers` must be an object"));
    };
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let invalid = || TaskError::input(format!("header `{name}` cannot be sent"));
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        // these decide where the message ends; a task that sets them could smuggle a second request
        if matches!(
            header.as_str(),
            "content-length" | "transfer-encoding" | "connection" | "host"
        ) {
            return Err(TaskError::input(format!(
                "header `{name}` is set by the client itself"
            )));
        }
        headers.insert(
            header,
            HeaderValue::from_str(&plain(value)).map_err(|_| invalid())?,
        );
    }
    Ok(())
}

fn body(ctx: &TaskContext, headers: &mut HeaderMap) -> Result<Option<Vec<u8>>, TaskError> {
    let as_json = |headers: &mut HeaderMap, json: &Value| {
        headers
            .entry("content-type")
            .or_insert(HeaderValue::from_static("application/json"));
        Some(json.to_string().into_bytes())
    };
    match (ctx.input.get("json"), ctx.field("body")) {
        (Some(_), Some(_)) => Err(TaskError::input("`json` and `body` exclude each other")),
        (Some(json), None) => Ok(as_json(headers, json)),
        (None, Some(Value::String(text))) => Ok(Some(text.clone().into_bytes())),
        (None, Some(json)) => Ok(as_json(headers, json)),
        (None, None) => Ok(None),
    }
}

fn timeout(ctx: &TaskContext) -> Result<Duration, TaskError> {
    let invalid = || TaskError::input("`timeout_seconds` must be a positive number");
    match ctx.field("timeout_seconds") {
        None => Ok(ctx.timeout.unwrap_or(TIMEOUT_DEFAULT)),
        Some(value) => value
            .as_f64()
            .filter(|seconds| *seconds > 0.0)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(invalid),
    }
}

fn response_limit(ctx: &TaskContext) -> Result<usize, TaskError> {
    match ctx.field("max_response_bytes") {
        None => Ok(RESPONSE_BYTES_DEFAULT),
        Some(value) => value
            .as_u64()
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| *bytes <= RESPONSE_BYTES_MAX)
            .ok_or_else(|| {
                TaskError::input(format!("`max_response_bytes` must be 0 to {RESPONSE_BYTES_MAX}"))
            }),
    }
}

/// Strings without quotes, everything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
