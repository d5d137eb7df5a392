//! Sets up the SDK's client.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Credentials;

use super::SqsConfig;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Variables of which one names the credentials of a process.
const CREDENTIAL_VARIABLES: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// A client for the configured service. Credentials come from the usual chain; at a custom endpoint without any, the ones
/// that emulators accept are used, because the chain would end in a slow search for an instance role.
pub async fn connect_client(config: &SqsConfig) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(config.attempt_timeout)
        .operation_timeout(config.operation_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts);
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &config.endpoint {
        loader = loader.endpoint_url(endpoint);
        let is_any_set = |variables: &[&str]| {
            variables
                .iter()
                .any(|variable| std::env::var_os(variable).is_some())
        };
        if !is_any_set(&CREDENTIAL_VARIABLES) {
            loader = loader.credentials_provider(Credentials::new("test", "test", None, None, "emulator"));
        }
        if config.region.is_none() && !is_any_set(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
            loader = loader.region(Region::from_static("us-east-1"));
        }
    }
    Client::new(&loader.load().await)
}

/// The address of a queue as it can be reached: emulators answer with host names that resolve only inside their container, so
/// with a custom endpoint only the path is taken from the answer.
#[must_use]
pub fn reachable_url(url: &str, endpoint: Option<&str>) -> String {
    let Some(endpoint) = endpoint else {
        return url.to_owned();
    };
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme.split_once('/').map_or("", |(_, path)| path);
    format!("{}/{path}", endpoint.trim_end_matches('/'))
}
