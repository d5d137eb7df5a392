//! Where the store is.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ClientOptions, RetryConfig};

use super::store::PayloadStore;

/// Longest time of one call to a service.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Tries of a call that failed for a reason that may pass, and the longest they take together.
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT: Duration = Duration::from_secs(45);

/// A place that may hold payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadLocation {
    /// A directory, shared by all processes that use it.
    Directory(PathBuf),
    /// A bucket of S3 or of something that speaks the same.
    S3 {
        /// The bucket; it must exist.
        bucket: String,
        /// Prefix of all keys, without slashes at its ends; may be empty.
        prefix: String,
    },
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PayloadOpenError {
    /// The place is not written as one.
    #[error("`{given}` is not a place for payloads: write s3://bucket/prefix or the path of a directory")]
    Location {
        /// As given.
        given: String,
    },
    /// The directory cannot be created.
    #[error("the payload directory {path} cannot be created")]
    Directory {
        /// The directory.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The settings do not make a client.
    #[error("the payload store {place} cannot be set up")]
    Setup {
        /// Where.
        place: String,
        /// The cause.
        #[source]
        source: object_store::Error,
    },
}

impl FromStr for PayloadLocation {
    type Err = PayloadOpenError;

    fn from_str(text: &str) -> Result<Self, PayloadOpenError> {
        let refused = || PayloadOpenError::Location {
            given: text.to_owned(),
        };
        match text.split_once("://") {
            None if text.trim().is_empty() => Err(refused()),
            None => Ok(Self::Directory(PathBuf::from(text))),
            Some(("file", path)) if path.starts_with('/') => Ok(Self::Directory(PathBuf::from(path))),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(refused());
                }
                Ok(Self::S3 {
                    bucket: bucket.to_owned(),
                    prefix: prefix.trim_matches('/').to_owned(),
                })
            }
            Some(_) => Err(refused()),
        }
    }
}

impl PayloadStore {
    /// Opens the place. `endpoint` and `region` are for S3 only: an emulator's address (its buckets are addressed by path, and
    /// without credentials in the environment the ones that emulators accept are used), and another region than the environment's.
    ///
    /// # Errors
    /// The directory cannot be created, or the settings make no client. A bucket that does not exist shows at the first use.
    pub fn open(
        location: &PayloadLocation,
        endpoint: Option<&str>,
        region: Option<&str>,
    ) -> Result<Self, PayloadOpenError> {
        match location {
            PayloadLocation::Directory(path) => Self::directory(path),
            PayloadLocation::S3 { bucket, prefix } => s3(bucket, prefix, endpoint, region),
        }
    }

    /// A directory, created where needed. Written values are synced: a row that refers to one survives a loss of power with it.
    ///
    /// # Errors
    /// The directory cannot be created.
    pub fn directory(path: &Path) -> Result<Self, PayloadOpenError> {
        let place = path.display().to_string();
        std::fs::create_dir_all(path).map_err(|source| PayloadOpenError::Directory {
            path: place.clone(),
            source,
        })?;
        let files = LocalFileSystem::new_with_prefix(path).map_err(|source| PayloadOpenError::Setup {
            place: place.clone(),
            source,
        })?;
        Ok(Self::new(
            Arc::new(files.with_fsync(true)),
            ObjectPath::default(),
            place,
        ))
    }

    /// Memory of this process, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(
            Arc::new(InMemory::new()),
            ObjectPath::default(),
            "memory".to_owned(),
        )
    }
}

fn s3(
    bucket: &str,
    prefix: &str,
    endpoint: Option<&str>,
    region: Option<&str>,
) -> Result<PayloadStore, PayloadOpenError> {
    let place = format!("s3://{bucket}/{prefix}");
    let failed = |source| PayloadOpenError::Setup {
        place: place.clone(),
        source,
    };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_client_options(ClientOptions::new().with_timeout(CALL_TIMEOUT))
        .with_retry(RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIMEOUT,
            ..RetryConfig::default()
        });
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = endpoint {
        builder = builder
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(false)
            .with_client_options(
                ClientOptions::new()
                    .with_timeout(CALL_TIMEOUT)
                    .with_allow_http(endpoint.starts_with("http://")),
            );
        if builder
            .get_config_value(&AmazonS3ConfigKey::AccessKeyId)
            .is_none()
        {
            builder = builder.with_access_key_id("test").with_secret_access_key("test");
        }
        if builder.get_config_value(&AmazonS3ConfigKey::Region).is_none() {
            builder = builder.with_region("us-east-1");
        }
    }
    let prefix = ObjectPath::parse(prefix).map_err(|error| failed(error.into()))?;
    let client = builder.build().map_err(failed)?;
    Ok(PayloadStore::new(Arc::new(client), prefix, place))
}
