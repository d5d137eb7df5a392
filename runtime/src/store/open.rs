//! Connections: the settings that the promises rest on.

use std::str::FromStr;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::Backend;
use crate::config::DatabaseConfig;
use crate::error::StoreError;

/// How long a caller waits for a free connection before it is told that the database is busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long SQLite waits for the write lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Opened {
    pub backend: Backend,
    pub write: DatabaseConnection,
    /// For statements that are transactions by themselves.
    pub once: DatabaseConnection,
    pub read: DatabaseConnection,
    pub scripts: Option<SqlitePool>,
    pub postgres: Option<PgPool>,
}

pub(super) async fn connect(config: &DatabaseConfig) -> Result<Opened, StoreError> {
    match config.url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => postgres(config).await,
        Some(("sqlite", _)) => sqlite(config).await,
        _ => Err(StoreError::Open(DbErr::Conn(RuntimeErr::Internal(
            "the database URL must begin with `sqlite:` or `postgres:`".to_owned(),
        )))),
    }
}

async fn postgres(config: &DatabaseConfig) -> Result<Opened, StoreError> {
    let options = PgConnectOptions::from_str(&config.url)
        .map_err(open_failed)?
        .application_name("runnel");
    let options = options.disable_statement_logging().options([
        // a process that hangs with an open transaction must not hold its locks, nor the feed, for ever
        ("idle_in_transaction_session_timeout", "10s"),
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
    ]);
    // a quarter for each kind of write, the rest for reads: no kind starves behind another
    let writers = (config.connections / 4).max(2);
    let readers = config.connections.saturating_sub(2 * writers).max(2);

    // A batch's statement has the same plan whatever its size: planning each anew costs more than it gains. Every one of
    // them finds rows by key, so the plan must use the indexes also when it is made while the tables are still empty.
    let write_options = options.clone().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ]);
    // nothing begins a transaction on these, so nothing can be left open
    let once = pool(writers).connect_lazy_with(write_options.clone());
    let write = pool(writers)
        // A `begin` that was dropped in flight leaves a transaction open that sqlx does not know of; the next borrower's
        // writes would be acknowledged and never committed. This runs after the caller has its answer.
        .after_release(|connection, _| {
            Box::pin(async move {
                sqlx::query("ROLLBACK").execute(connection).await?;
                Ok(true)
            })
        })
        .connect_with(write_options)
        .await
        .map_err(open_failed)?;
    let read_options = options.options([("default_transaction_read_only", "on")]);
    let read = pool(readers).connect_lazy_with(read_options);
    Ok(Opened {
        backend: Backend::Postgres,
        write: SqlxPostgresConnector::from_sqlx_postgres_pool(write),
        once: SqlxPostgresConnector::from_sqlx_postgres_pool(once),
        read: SqlxPostgresConnector::from_sqlx_postgres_pool(read.clone()),
        scripts: None,
        postgres: Some(read),
    })
}

fn pool(connections: u32) -> PgPoolOptions {
    // no ping before each use: a dead connection is found by its first statement, and the transaction is tried again
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
}

async fn sqlite(config: &DatabaseConfig) -> Result<Opened, StoreError> {
    let options = SqliteConnectOptions::from_str(&config.url)
        .map_err(open_failed)?
        .disable_statement_logging();
    let options = options
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .pragma("temp_store", "MEMORY");
    let synchronous = if config.is_sqlite_relaxed {
        SqliteSynchronous::Normal
    } else {
        SqliteSynchronous::Full
    };
    // One writer connection: writers queue in the pool, in order, instead of spinning on SQLite's lock. It is never
    // replaced, so that an in-memory database lives as long as the store.
    let write_options = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous);
    let write = sqlite_pool(1)
        .connect_with(write_options)
        .await
        .map_err(open_failed)?;
    let read = if is_in_memory(&config.url) {
        write.clone()
    } else {
        sqlite_pool(config.connections.max(1))
            .connect_lazy_with(options.read_only(true).create_if_missing(false))
    };
    Ok(Opened {
        backend: Backend::Sqlite,
        once: SqlxSqliteConnector::from_sqlx_sqlite_pool(write.clone()),
        scripts: Some(write.clone()),
        write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
        read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
        postgres: None,
    })
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Each connection to such a database has its own, so one must serve all.
fn is_in_memory(url: &str) -> bool {
    url.contains(":memory:") || url.contains("mode=memory")
}

fn open_failed(error: sqlx::Error) -> StoreError {
    StoreError::Open(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}
