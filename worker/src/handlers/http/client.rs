//! Sends a request: guarded, without proxy, redirects by hand, the answer capped, failures classified.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use runnel_queue::FailureCategory;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::policy::{Blocked, GuardedResolver, HttpPolicy, blocked_cause};
use super::request::Request;
use crate::task::TaskError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const REDIRECTS_MAX: usize = 5;

/// A server may ask for patience, but not park a task for days.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Part of an unexpected answer that goes into the failure.
const DETAIL_BYTES_MAX: usize = 2048;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Parsed where it is JSON, else text.
    pub(crate) fn body_value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&self.body)))
    }
}

/// The guarded client.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    policy: Arc<HttpPolicy>,
}

impl HttpClient {
    pub(crate) fn new(policy: HttpPolicy) -> Result<Self, TaskError> {
        let policy = Arc::new(policy);
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // a proxy would connect to addresses that the guard never sees
            .no_proxy()
            .dns_resolver(GuardedResolver {
                policy: Arc::clone(&policy),
            })
            .build()
            .map_err(|e| TaskError::internal(format!("the HTTP client cannot be set up: {e}")))?;
        Ok(Self { client, policy })
    }

    /// Sends, follows redirects and reads the answer, whatever its status.
    pub(crate) async fn send(
        &self,
        request: Request,
        cancelled: &CancellationToken,
    ) -> Result<Answer, TaskError> {
        let timeout = request.timeout;
        let exchange = tokio::time::timeout(timeout, self.exchange(request));
        match cancelled.run_until_cancelled(exchange).await {
            Some(Ok(result)) => result,
            Some(Err(_elapsed)) => {
                let message = format!("no complete answer within {timeout:?}");
                Err(TaskError::new(FailureCategory::Timeout, "HTTP_TIMEOUT", message).retryable())
            }
            None => Err(TaskError::internal("the attempt was cancelled")),
        }
    }

    async fn exchange(&self, mut request: Request) -> Result<Answer, TaskError> {
        for _ in 0..=REDIRECTS_MAX {
            let response = self.once(&request).await?;
            match redirect_target(&response) {
                Some(target) => follow(&mut request, response.status(), target)?,
                None => return read(response, request.response_bytes_max).await,
            }
        }
        Err(TaskError::new(
            FailureCategory::User,
            "TOO_MANY_REDIRECTS",
            format!("more than {REDIRECTS_MAX} redirects, the last to {}", request.url),
        ))
    }

    async fn once(&self, request: &Request) -> Result<Response, TaskError> {
        self.policy
            .check_url(&request.url)
            .map_err(|blocked| blocked_error(&blocked))?;
        let mut builder = self
            .client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone());
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        builder.send().await.map_err(|error| transport_error(&error))
    }
}

/// Classifies an answer that is not the expected one.
pub(crate) fn status_error(answer: &Answer) -> TaskError {
    let status = answer.status;
    let (category, is_retryable) = match status.as_u16() {
        401 | 403 => (FailureCategory::Unauthorised, false),
        408 => (FailureCategory::Timeout, true),
        429 => (FailureCategory::RateLimited, true),
        500..=599 => (FailureCategory::Unavailable, true),
        _ => (FailureCategory::User, false),
    };
    let shown = &answer.body[..answer.body.len().min(DETAIL_BYTES_MAX)];
    let error = TaskError::new(
        category,
        format!("HTTP_{}", status.as_u16()),
        format!("the server answered {status}"),
    )
    .with_details(json!({ "status_code": status.as_u16(), "body": String::from_utf8_lossy(shown) }))
    .with_retry_after(retry_after(&answer.headers));
    if is_retryable { error.retryable() } else { error }
}

fn transport_error(error: &reqwest::Error) -> TaskError {
    if let Some(blocked) = blocked_cause(error) {
        return blocked_error(blocked);
    }
    let code = if error.is_connect() {
        "CONNECT_FAILED"
    } else {
        "CONNECTION_LOST"
    };
    TaskError::new(FailureCategory::Unavailable, code, chain(error)).retryable()
}

fn blocked_error(blocked: &Blocked) -> TaskError {
    TaskError::new(FailureCategory::User, "ADDRESS_BLOCKED", blocked.to_string())
}

/// The error and its causes in one line; the URL is left out, it may carry a secret.
fn chain(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let texts: Vec<_> = causes.map(ToString::to_string).collect();
    if texts.is_empty() {
        "the request failed".to_owned()
    } else {
        format!("the request failed: {}", texts.join(": "))
    }
}

/// Seconds only: a date would need trust in the other side's clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

fn redirect_target(response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    response
        .url()
        .join(response.headers().get(LOCATION)?.to_str().ok()?)
        .ok()
}

fn follow(request: &mut Request, status: StatusCode, target: Url) -> Result<(), TaskError> {
    if !matches!(target.scheme(), "http" | "https") {
        let message = format!("the server redirects to a {} address", target.scheme());
        return Err(TaskError::new(FailureCategory::User, "BAD_REDIRECT", message));
    }
    let is_see_other = status == StatusCode::SEE_OTHER && request.method != Method::HEAD;
    let is_old_post = matches!(status.as_u16(), 301 | 302) && request.method == Method::POST;
    if is_see_other || is_old_post {
        request.method = Method::GET;
        request.body = None;
        ["content-type", "idempotency-key"]
            .iter()
            .for_each(|name| drop(request.headers.remove(*name)));
    }
    if target.origin() != request.url.origin() {
        drop_credentials(&mut request.headers);
    }
    request.url = target;
    Ok(())
}

/// Another host gets nothing that could be a credential.
fn drop_credentials(headers: &mut HeaderMap) {
    let is_credential = |name: &str| {
        matches!(name, "authorization" | "proxy-authorization" | "cookie")
            || ["token", "key", "secret", "auth"]
                .iter()
                .any(|word| name.contains(word))
    };
    let names: Vec<_> = headers
        .keys()
        .filter(|name| is_credential(name.as_str()))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

async fn read(mut response: Response, limit: usize) -> Result<Answer, TaskError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(&error))? {
        if body.len() + chunk.len() > limit {
            let message = format!("the answer has more than {limit} bytes (`max_response_bytes`)");
            return Err(TaskError::new(
                FailureCategory::User,
                "RESPONSE_TOO_LARGE",
                message,
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}
