//! Signed requests to AWS services that have no client here.
//!
//! Two calls of Lambda and four of ECS do not need clients that are each a fifth of a minute to compile and megabytes of the Lambda program:
//! the credentials come from the same chain as everywhere (`aws-config`), the signature from the SDK's own `aws-sigv4`, and the HTTP
//! client is the one of `http` tasks without its restrictions on addresses.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use runnel_queue::FailureCategory;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::ensure_crypto_provider;
use crate::clock;
use crate::task::TaskError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer that is read: that of a function, and some room.
const ANSWER_BYTES_MAX: usize = 7 << 20;

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// Name of the service in addresses and signatures, as `lambda`.
    pub(crate) service: &'a str,
    pub(crate) method: Method,
    /// With its query, if there is one.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// Another region than that of the process.
    pub(crate) region: Option<String>,
}

/// Makes calls. Connects and looks for credentials at the first one.
#[derive(Debug)]
pub(crate) struct Aws {
    endpoint: Option<String>,
    ready: OnceCell<Ready>,
}

#[derive(Debug)]
struct Ready {
    config: SdkConfig,
    http: reqwest::Client,
}

impl Aws {
    /// `endpoint` is the address of an emulator, for all services.
    pub(crate) fn new(endpoint: Option<String>) -> Self {
        Self {
            endpoint,
            ready: OnceCell::new(),
        }
    }

    /// Makes a call. The answer may be a refusal; an error means that there is none.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer, TaskError> {
        let ready = self.ready.get_or_try_init(|| self.connect()).await?;
        let region = match (&call.region, ready.config.region()) {
            (Some(region), _) => region.clone(),
            (None, Some(region)) => region.to_string(),
            (None, None) => return Err(unusable("no AWS region is set: set AWS_REGION on the worker")),
        };
        let credentials = self.credentials(&ready.config).await?;
        let base = self.endpoint.clone().unwrap_or_else(|| {
            let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://{}.{region}.amazonaws.com{suffix}", call.service)
        });
        let mut request = ready
            .http
            .request(
                call.method.clone(),
                format!("{}{}", base.trim_end_matches('/'), call.path),
            )
            .body(call.body.clone());
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let mut request = request
            .build()
            .map_err(|error| unusable(&format!("the request cannot be made: {error}")))?;
        let signature = signature(&call, &request, &region, credentials)?;
        request.headers_mut().extend(signature);
        let answer = ready
            .http
            .execute(request)
            .await
            .map_err(|error| unreachable(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = BytesMut::new();
        let mut pieces = answer.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| unreachable(&error))?;
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                let message = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes");
                return Err(TaskError::new(
                    FailureCategory::User,
                    "RESPONSE_TOO_LARGE",
                    message,
                ));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    async fn connect(&self) -> Result<Ready, TaskError> {
        ensure_crypto_provider();
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if self.endpoint.is_some() && !is_any_set(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
            loader = loader.region(Region::from_static("us-east-1"));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| unusable(&format!("the HTTP client cannot be set up: {error}")))?;
        Ok(Ready {
            config: loader.load().await,
            http,
        })
    }

    async fn credentials(&self, config: &SdkConfig) -> Result<Credentials, TaskError> {
        if self.endpoint.is_some() && !is_any_set(&["AWS_ACCESS_KEY_ID", "AWS_PROFILE"]) {
            // emulators accept any; the chain would end in a slow search for an instance role
            return Ok(Credentials::new("test", "test", None, None, "emulator"));
        }
        let provider = config
            .credentials_provider()
            .ok_or_else(|| unusable("there are no AWS credentials"))?;
        provider.provide_credentials().await.map_err(|error| {
            TaskError::new(
                FailureCategory::Unauthorised,
                "AWS_CREDENTIALS_MISSING",
                format!("there are no AWS credentials: {}", chain(&error)),
            )
        })
    }
}

fn signature(
    call: &Call<'_>,
    request: &reqwest::Request,
    region: &str,
    credentials: Credentials,
) -> Result<HeaderMap, TaskError> {
    let failed = |problem: String| unusable(&format!("the request cannot be signed: {problem}"));
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(call.service)
        .time(clock::system_now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(
        call.method.as_str(),
        request.url().as_str(),
        headers,
        SignableBody::Bytes(call.body.as_bytes()),
    )
    .map_err(|error| failed(error.to_string()))?;
    let (instructions, _) = sign(signable, &parameters.into())
        .map_err(|error| failed(error.to_string()))?
        .into_parts();
    let mut signed = HeaderMap::new();
    for (name, value) in instructions.headers() {
        let value = value.parse().map_err(|_| failed(format!("header {name}")))?;
        signed.insert(
            reqwest::header::HeaderName::from_bytes(name.as_bytes()).map_err(|e| failed(e.to_string()))?,
            value,
        );
    }
    Ok(signed)
}

/// What a refusal says: its code and its message, wherever the service puts them.
pub(crate) fn refusal(answer: &Answer) -> (String, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |names: [&str; 3]| {
        names
            .iter()
            .find_map(|name| body[*name].as_str().map(str::to_owned))
    };
    let header = answer
        .headers
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let code = header
        .or_else(|| text(["__type", "code", "Code"]))
        .unwrap_or_default();
    // `com.amazonaws.ecs#ClientException`, `ClientException:http://…`
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default().to_owned();
    let message = text(["message", "Message", "errorMessage"])
        .unwrap_or_else(|| String::from_utf8_lossy(&answer.body).into_owned());
    (code, message)
}

/// The failure of a call that a service has refused; `service` begins the codes of the failures, as `LAMBDA`.
pub(crate) fn refused(service: &str, answer: &Answer) -> TaskError {
    let (code, message) = refusal(answer);
    let text = format!("{code}: {message}");
    let error =
        |category, suffix: &str| TaskError::new(category, format!("{service}_{suffix}"), text.clone());
    let status = answer.status.as_u16();
    if status == 429 || code.contains("Throttl") || code == "TooManyRequestsException" {
        let wait = answer
            .headers
            .get("retry-after")
            .and_then(|value| value.to_str().ok());
        let wait = wait
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        return error(FailureCategory::RateLimited, "THROTTLED")
            .retryable()
            .with_retry_after(wait);
    }
    if status == 403
        || code.contains("AccessDenied")
        || code.contains("Unrecognized")
        || code.contains("Signature")
    {
        return error(FailureCategory::Unauthorised, "ACCESS_DENIED");
    }
    if status >= 500 {
        return error(FailureCategory::Unavailable, "UNAVAILABLE").retryable();
    }
    error(FailureCategory::User, "REFUSED")
}

fn is_any_set(variables: &[&str]) -> bool {
    variables
        .iter()
        .any(|variable| std::env::var_os(variable).is_some_and(|value| !value.is_empty()))
}

fn unusable(message: &str) -> TaskError {
    TaskError::new(FailureCategory::Internal, "AWS_NOT_CONFIGURED", message)
}

fn unreachable(error: &reqwest::Error) -> TaskError {
    let message = format!("the service does not answer: {}", chain(error));
    TaskError::new(FailureCategory::Unavailable, "AWS_UNREACHABLE", message).retryable()
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
