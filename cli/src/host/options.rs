//! Options of the service commands, and what they choose.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_queue::payload::{
    INLINE_BYTES_DEFAULT, INLINE_BYTES_MAX, PayloadLocation, PayloadOpenError, PayloadStore,
};
use runnel_queue::sqs::{SqsConfig, SqsQueue};
use runnel_queue::{QueueName, TaskQueue, TokenKeys};
use runnel_runtime::config::{KEPT_DAYS_MAX, RUNS_KEPT_DAYS};
use runnel_runtime::payload::KEEP_MIN;
use runnel_runtime::{DatabaseConfig, PayloadConfig, SecretKeys};
use runnel_worker::{BuiltinOptions, Handlers};
use serde_json::{Map, Value};

use crate::command::options::switch;
use crate::exit::{Exit, Failure};
use crate::host::{LocalWorker, keys, people, stop};

/// Connections of the pool: with one transaction per applier and the reads of the API, more only wait in the database.
const CONNECTIONS: u32 = 16;

/// Which queue carries tasks and completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueKind {
    /// Inside this process; the worker runs here too.
    Embedded,
    /// Amazon SQS or an emulator of it.
    Sqs,
}

/// How SQS is reached. Credentials come from the usual AWS environment.
#[derive(Debug, Clone, Args)]
pub struct SqsArgs {
    /// Endpoint of an SQS emulator such as LocalStack; AWS itself when none is given
    #[arg(long, env = "RUNNEL_SQS_ENDPOINT", value_name = "URL")]
    pub sqs_endpoint: Option<String>,
    /// AWS region
    #[arg(long, env = "RUNNEL_SQS_REGION", value_name = "REGION")]
    pub sqs_region: Option<String>,
    /// Prefix of the names of all queues
    #[arg(
        long,
        env = "RUNNEL_QUEUE_PREFIX",
        default_value = "runnel-",
        value_name = "PREFIX"
    )]
    pub queue_prefix: String,
    /// Create queues that are missing, as is always done with --sqs-endpoint
    #[arg(long, env = "RUNNEL_CREATE_QUEUES", value_parser = switch())]
    pub create_queues: bool,
}

/// Whether the handlers may reach inwards.
#[derive(Debug, Clone, Copy, Args)]
pub struct HandlerArgs {
    /// Let `http` tasks call loopback and private addresses
    #[arg(long, env = "RUNNEL_HTTP_ALLOW_PRIVATE", value_parser = switch())]
    pub http_allow_private: bool,
}

/// Who may call the API.
#[derive(Debug, Clone, Args)]
pub struct ApiArgs {
    /// Bearer token that callers of the API must show; needed when others than this machine can reach it
    #[arg(long, env = "RUNNEL_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub api_token: Option<String>,
    /// Bearer token of workers that report over HTTP
    #[arg(
        long,
        env = "RUNNEL_WORKER_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub worker_token: Option<String>,
    /// File with people who call under their own names, one a line: `NAME[:GROUP,GROUP] TOKEN`
    #[arg(long, env = "RUNNEL_PEOPLE_FILE", value_name = "FILE")]
    pub people_file: Option<PathBuf>,
    /// Address under which others reach the API, for callbacks; where it listens when none is given
    #[arg(long, env = "RUNNEL_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Days for which rows of the audit log are kept
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36_500), env = "RUNNEL_AUDIT_KEPT_DAYS", value_name = "DAYS")]
    pub audit_kept_days: u32,
    /// Days for which ended runs are kept, in namespaces that say nothing else; 0 keeps them for ever
    #[arg(long, default_value_t = RUNS_KEPT_DAYS, value_parser = clap::value_parser!(u32).range(0..=i64::from(KEPT_DAYS_MAX)), env = "RUNNEL_RUNS_KEPT_DAYS", value_name = "DAYS")]
    pub runs_kept_days: u32,
    /// Origins of web pages that may call the API, besides its own
    #[arg(
        long,
        env = "RUNNEL_ALLOWED_ORIGINS",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub allowed_origins: Vec<String>,
    /// Serve everybody who can reach the address, without a token
    #[arg(long, env = "RUNNEL_INSECURE", value_parser = switch())]
    pub insecure: bool,
}

impl ApiArgs {
    /// How long rows of the audit log are kept.
    pub fn audit_kept(&self) -> Duration {
        Duration::from_secs(u64::from(self.audit_kept_days) * 24 * 3_600)
    }

    /// As the API wants it.
    pub fn config(&self) -> Result<runnel_api::ApiConfig, Failure> {
        let people = match &self.people_file {
            Some(file) => people::read(file)?,
            None => Vec::new(),
        };
        Ok(runnel_api::ApiConfig {
            api_token: self.api_token.clone(),
            worker_token: self.worker_token.clone(),
            people,
            allowed_origins: self.allowed_origins.clone(),
            is_insecure: self.insecure,
            ..runnel_api::ApiConfig::default()
        })
    }
}

/// Keys of completion tokens.
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// Keys of completion tokens as `id:hex[,id:hex]`, the signing one first
    #[arg(long, env = "RUNNEL_TOKEN_KEYS", value_name = "KEYS", hide_env_values = true)]
    pub token_keys: Option<String>,
    /// File with the keys, one a line
    #[arg(
        long,
        env = "RUNNEL_TOKEN_KEYS_FILE",
        value_name = "FILE",
        conflicts_with = "token_keys"
    )]
    pub token_keys_file: Option<PathBuf>,
}

impl KeyArgs {
    /// The keys given, or those kept in the data directory.
    pub fn keys(&self, data_dir: &std::path::Path) -> Result<TokenKeys, Failure> {
        match (&self.token_keys, &self.token_keys_file) {
            (Some(text), _) => keys::parse(text),
            (None, Some(file)) => keys::read(file),
            (None, None) => keys::kept(data_dir),
        }
    }
}

/// Keys of stored secrets.
#[derive(Debug, Clone, Args)]
pub struct SecretKeyArgs {
    /// Keys that stored secrets are encrypted with as `id:hex[,id:hex]`, the one for new secrets first
    #[arg(
        long,
        env = "RUNNEL_SEALING_KEYS",
        value_name = "KEYS",
        hide_env_values = true
    )]
    pub secret_keys: Option<String>,
    /// File with these keys, one a line
    #[arg(
        long,
        env = "RUNNEL_SEALING_KEYS_FILE",
        value_name = "FILE",
        conflicts_with = "secret_keys"
    )]
    pub secret_keys_file: Option<PathBuf>,
}

impl SecretKeyArgs {
    /// The keys given, or those kept in the data directory.
    pub fn keys(&self, data_dir: &std::path::Path) -> Result<SecretKeys, Failure> {
        match (&self.secret_keys, &self.secret_keys_file) {
            (Some(text), _) => keys::parse_secret(text),
            (None, Some(file)) => keys::read_secret(file),
            (None, None) => keys::kept_secret(data_dir),
        }
    }
}

/// Where large values are kept.
#[derive(Debug, Clone, Args)]
pub struct PayloadArgs {
    /// Where values too large for a row are kept: s3://bucket/prefix or a directory [default: payloads in the data directory]
    #[arg(long, env = "RUNNEL_PAYLOADS", value_name = "PLACE")]
    pub payloads: Option<PayloadLocation>,
    /// Endpoint of an S3 emulator or of another service that speaks S3
    #[arg(long, env = "RUNNEL_PAYLOADS_ENDPOINT", value_name = "URL")]
    pub payloads_endpoint: Option<String>,
    /// AWS region of the bucket
    #[arg(long, env = "RUNNEL_PAYLOADS_REGION", value_name = "REGION")]
    pub payloads_region: Option<String>,
}

impl PayloadArgs {
    /// The store that is named, or a directory.
    pub fn store_or(&self, directory: &std::path::Path) -> Result<PayloadStore, Failure> {
        match self.store()? {
            Some(store) => Ok(store),
            None => payload_directory(directory),
        }
    }

    /// The store that is named.
    pub fn store(&self) -> Result<Option<PayloadStore>, Failure> {
        // the client of the store is built on the process's TLS provider; an error means that there is one
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (endpoint, region) = (self.payloads_endpoint.as_deref(), self.payloads_region.as_deref());
        self.payloads
            .as_ref()
            .map(|place| PayloadStore::open(place, endpoint, region))
            .transpose()
            .map_err(unusable)
    }
}

/// The directory of large values in a data directory.
pub fn payload_directory(data_dir: &std::path::Path) -> Result<PayloadStore, Failure> {
    PayloadStore::directory(&data_dir.join("payloads")).map_err(unusable)
}

fn unusable(error: PayloadOpenError) -> Failure {
    Failure {
        exit: Exit::Usage,
        error: error.into(),
        hint: None,
    }
}

/// What the orchestrator keeps large values by.
#[derive(Debug, Clone, Args)]
pub struct PayloadLimitArgs {
    /// Values up to this many bytes stay in the database, 524288 at most
    #[arg(long, env = "RUNNEL_INLINE_BYTES", value_name = "BYTES", default_value_t = INLINE_BYTES_DEFAULT)]
    pub inline_bytes: usize,
    /// Large values that no run refers to are deleted at this age, 2h at least
    #[arg(long, env = "RUNNEL_PAYLOADS_KEEP", default_value = "24h", value_parser = duration, value_name = "DURATION")]
    pub payloads_keep: Duration,
}

impl PayloadLimitArgs {
    /// As the orchestrator wants it.
    pub fn config(&self, store: PayloadStore) -> Result<PayloadConfig, Failure> {
        if !(1..=INLINE_BYTES_MAX).contains(&self.inline_bytes) {
            return Err(Failure::usage(format!(
                "--inline-bytes is {}; it must be from 1 to {INLINE_BYTES_MAX}",
                self.inline_bytes
            )));
        }
        if self.payloads_keep < KEEP_MIN {
            return Err(Failure::usage(
                "--payloads-keep must be at least 2h: an attempt may report long after it has written a value",
            ));
        }
        Ok(PayloadConfig {
            store,
            inline_bytes: self.inline_bytes,
            keep: self.payloads_keep,
        })
    }
}

/// The in-process queue.
pub fn embedded_queue() -> Arc<dyn TaskQueue> {
    Arc::new(EmbeddedQueue::new(EmbeddedConfig::default()))
}

/// SQS as the options say.
pub async fn sqs_queue(args: &SqsArgs) -> Result<Arc<dyn TaskQueue>, Failure> {
    let config = SqsConfig {
        endpoint: args.sqs_endpoint.clone(),
        region: args.sqs_region.clone(),
        queue_prefix: args.queue_prefix.clone(),
        // An emulator is empty at first; in an account, creating queues is the infrastructure's business.
        create_queues: args.create_queues || args.sqs_endpoint.is_some(),
        ..SqsConfig::default()
    };
    Ok(Arc::new(SqsQueue::connect(config).await))
}

/// Creates the queues, or says which one is missing.
pub async fn ensure_queues(queue: &Arc<dyn TaskQueue>, names: &[QueueName]) -> Result<(), Failure> {
    for name in names {
        queue
            .ensure(name)
            .await
            .map_err(|error| Failure::caused(Exit::Unreachable, "cannot reach the queue service", error))?;
    }
    Ok(())
}

/// A database by URL.
pub fn database(url: &str) -> Result<DatabaseConfig, Failure> {
    let is_known = ["postgres://", "postgresql://", "sqlite:"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !is_known {
        // Not repeated: it may hold a password.
        return Err(Failure::usage("the database URL is not valid")
            .hint("write postgres://user:password@host/name or sqlite://path/to/file.db?mode=rwc"));
    }
    Ok(DatabaseConfig {
        url: url.to_owned(),
        connections: CONNECTIONS,
        is_sqlite_relaxed: false,
    })
}

/// The URL without its password, for messages.
pub fn shown_database(url: &str) -> String {
    match url
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)))
    {
        Some((scheme, place)) => format!("{scheme}://{place}"),
        None => url.to_owned(),
    }
}

/// Values of the context `vars`: `RUNNEL_VAR_<NAME>` is `vars.name` and, where that differs, `vars.NAME`.
pub fn vars(environment: impl Iterator<Item = (OsString, OsString)>) -> Map<String, Value> {
    let named = environment.filter_map(|(variable, value)| {
        let name = variable.to_str()?.strip_prefix("RUNNEL_VAR_")?.to_owned();
        (!name.is_empty()).then_some((name, Value::from(value.into_string().ok()?)))
    });
    named
        .flat_map(|(name, value)| [(name.to_lowercase(), value.clone()), (name, value)])
        .collect()
}

/// Handlers by task type.
pub fn handlers(is_private_http_allowed: bool) -> Handlers {
    let mut options = BuiltinOptions::from_env();
    options.http.allow_private |= is_private_http_allowed;
    Handlers::builtin_with(options)
}

/// A name that is unique among live workers: host, process and queue.
pub fn worker_name(queue: &QueueName) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() {
        "worker"
    } else {
        host.trim()
    };
    format!("{host}-{}-{queue}", std::process::id())
}

/// A worker in this process for these queues.
pub fn local_worker(queues: &[String], concurrency: usize, is_private_http_allowed: bool) -> LocalWorker {
    LocalWorker {
        queues: queues.iter().cloned().map(QueueName).collect(),
        concurrency,
        is_private_http_allowed,
        drain_grace: stop::DRAIN_GRACE,
    }
}

/// A duration as `90s`, `5m`, `2h` or `500ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let count: u64 = count
        .parse()
        .map_err(|_| format!("`{text}` is not a duration, as 90s, 5m or 2h"))?;
    let millis = match unit {
        "ms" => Some(count),
        "s" => count.checked_mul(1_000),
        "m" => count.checked_mul(60_000),
        "h" => count.checked_mul(3_600_000),
        _ => return Err(format!("`{text}` needs a unit: ms, s, m or h")),
    };
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vars_are_there_in_lower_case_and_as_written() {
        let environment = [
            ("RUNNEL_VAR_USERS_PATH", "users"),
            ("RUNNEL_VAR_", "x"),
            ("PATH", "/bin"),
        ];
        let found = vars(
            environment
                .map(|(name, value)| (name.into(), value.into()))
                .into_iter(),
        );
        assert_eq!(
            Value::Object(found),
            serde_json::json!({ "users_path": "users", "USERS_PATH": "users" })
        );
    }

    #[test]
    fn a_shown_database_has_no_password() {
        assert_eq!(
            shown_database("postgres://me:pa@ss@db:5432/runnel"),
            "postgres://db:5432/runnel"
        );
        assert_eq!(
            shown_database("sqlite://.runnel/runnel.db?mode=rwc"),
            "sqlite://.runnel/runnel.db?mode=rwc"
        );
    }

    #[test]
    fn an_unknown_database_is_refused_without_repeating_it() {
        let failure = database("mysql://root:secret@db").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(!format!("{:#}", failure.error).contains("secret"));
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in [
            "",
            "5",
            "s",
            "5 s",
            "-1s",
            "99999999999999999999s",
            "9999999999999999999h",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
