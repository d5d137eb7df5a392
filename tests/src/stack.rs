//! The combinations of database and queue that every scenario runs on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use runnel_queue::embedded::{EmbeddedConfig, EmbeddedQueue};
use runnel_queue::sqs::{SqsConfig, SqsQueue};
use runnel_queue::{PayloadLocation, PayloadStore, TaskQueue};

use crate::databases::TestDatabase;
use crate::services;

/// A database and a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// The default of `runnel dev`.
    SqliteEmbedded,
    /// One process, durable database.
    PostgresEmbedded,
    /// The production set-up, against an SQS emulator.
    PostgresSqs,
}

impl Stack {
    /// A database of its own.
    ///
    /// # Errors
    /// The service is missing.
    pub async fn database(self) -> anyhow::Result<TestDatabase> {
        match self {
            Self::SqliteEmbedded => TestDatabase::sqlite(),
            Self::PostgresEmbedded | Self::PostgresSqs => TestDatabase::postgres().await,
        }
    }

    /// Queues of its own.
    ///
    /// # Errors
    /// The service is missing.
    pub async fn queue(self) -> anyhow::Result<Arc<dyn TaskQueue>> {
        match self {
            Self::SqliteEmbedded | Self::PostgresEmbedded => {
                Ok(Arc::new(EmbeddedQueue::new(EmbeddedConfig::default())))
            }
            Self::PostgresSqs => Ok(Arc::new(sqs_queue().await?)),
        }
    }

    /// A place for large values of its own: a directory that vanishes with its handle, or a bucket of the emulator.
    ///
    /// # Errors
    /// The service is missing.
    pub async fn payloads(self) -> anyhow::Result<(PayloadStore, Option<tempfile::TempDir>)> {
        match self {
            Self::SqliteEmbedded | Self::PostgresEmbedded => {
                let directory = tempfile::tempdir()?;
                Ok((PayloadStore::directory(directory.path())?, Some(directory)))
            }
            Self::PostgresSqs => {
                // the emulator speaks S3 at the same address
                let endpoint = services::sqs_endpoint()?;
                let bucket = unique("payloads-").trim_end_matches('-').to_owned();
                let made = reqwest::Client::new()
                    .put(format!("{endpoint}/{bucket}"))
                    .send()
                    .await?;
                made.error_for_status().context("making a bucket")?;
                let location = PayloadLocation::S3 {
                    bucket,
                    prefix: "values".to_owned(),
                };
                Ok((PayloadStore::open(&location, Some(&endpoint), None)?, None))
            }
        }
    }

    /// Most messages out at once: the emulator slows down with its backlog.
    #[must_use]
    pub fn outstanding_max(self) -> usize {
        match self {
            Self::SqliteEmbedded | Self::PostgresEmbedded => 10_000,
            Self::PostgresSqs => 200,
        }
    }
}

/// The SQS emulator, with queue names that no other test uses.
///
/// # Errors
/// The emulator is missing.
pub async fn sqs_queue() -> anyhow::Result<SqsQueue> {
    let config = SqsConfig {
        endpoint: Some(services::sqs_endpoint()?),
        queue_prefix: unique("test-"),
        region: Some("us-east-1".to_owned()),
        create_queues: true,
        ..SqsConfig::default()
    };
    Ok(SqsQueue::connect(config).await)
}

/// A name that no other test of this run uses.
#[must_use]
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{prefix}{}-{}-",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Runs a scenario to its end on a runtime of its own; its databases must be sound then.
///
/// # Panics
/// The scenario fails, or does not end.
pub fn play<F: Future<Output = anyhow::Result<()>>>(scenario: F) {
    /// Parsers recurse within their limits; the default of 2 MiB is too tight for them in unoptimised builds.
    const THREAD_STACK_BYTES: usize = 8 << 20;
    /// A hang becomes a failure after this time, and nothing else depends on it.
    const LIMIT: std::time::Duration = std::time::Duration::from_secs(240);

    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(THREAD_STACK_BYTES)
        .enable_all()
        .build();
    let ended = match built {
        Ok(runtime) => {
            let scenario = crate::databases::with_sound_databases(scenario);
            let ended = runtime.block_on(async { tokio::time::timeout(LIMIT, scenario).await });
            runtime.shutdown_background();
            ended
        }
        Err(error) => panic!("no runtime: {error}"),
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{error:?}"),
        Err(_) => panic!("the scenario did not end within {LIMIT:?}"),
    }
}

/// Makes one test of each named scenario for each stack.
#[macro_export]
macro_rules! on_each_stack {
    ($($scenario:ident),+ $(,)?) => {
        $crate::on_stack!(sqlite_embedded, SqliteEmbedded, $($scenario),+);
        $crate::on_stack!(postgres_embedded, PostgresEmbedded, $($scenario),+);
        $crate::on_stack!(postgres_sqs, PostgresSqs, $($scenario),+);
    };
}

/// Makes a test of each named scenario for each database, with the embedded queue.
#[macro_export]
macro_rules! on_both_databases {
    ($($scenario:ident),+ $(,)?) => {
        $crate::on_stack!(sqlite_embedded, SqliteEmbedded, $($scenario),+);
        $crate::on_stack!(postgres_embedded, PostgresEmbedded, $($scenario),+);
    };
}

/// Makes one test of each named scenario for one stack.
#[macro_export]
macro_rules! on_stack {
    ($module:ident, $stack:ident, $($scenario:ident),+) => {
        mod $module {
            $(
                #[test]
                fn $scenario() {
                    $crate::stack::play(super::$scenario($crate::stack::Stack::$stack));
                }
            )+
        }
    };
}
