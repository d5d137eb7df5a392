//! The database behind one handle: where it is opened, and the one way to write.
//!
//! Guarantees: every write is a transaction run by [`Store::tx`], in a task of its own, so that a caller that hangs up
//! cannot leave half of it behind, or one statement sent by `Store::once`, which the database runs whole or not at all; conflicts are retried as a whole; an unknown outcome of a commit is said and never
//! blindly repeated. Reads go through connections that cannot write.

mod alone;
mod fault;
mod once;
mod open;
mod tx;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use runnel_migration::Migrator;
use runnel_migration::MigratorTrait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TransactionTrait, Value};

use crate::clock::Entropy;
use crate::config::DatabaseConfig;
use crate::error::StoreError;

pub(crate) use fault::is_passing;
pub(crate) use once::Once;
pub use tx::{ATTEMPTS_MAX, Work};

/// Which database it is. The SQL of batches differs; everything else does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL, with `UNNEST` for sets of rows.
    Postgres,
    /// SQLite, with `json_each` for sets of rows.
    Sqlite,
}

impl Backend {
    /// A statement in the form that this backend binds: `$1` with PostgreSQL, `?1` with SQLite.
    pub fn statement(self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.into(), sql, values)
    }

    /// The one behind a connection or transaction.
    pub(crate) fn of(connection: &impl sea_orm::ConnectionTrait) -> Self {
        match connection.get_database_backend() {
            sea_orm::DbBackend::Postgres => Self::Postgres,
            _ => Self::Sqlite,
        }
    }

    /// The form that fits.
    #[must_use]
    pub fn pick<T>(self, postgres: T, sqlite: T) -> T {
        match self {
            Self::Postgres => postgres,
            Self::Sqlite => sqlite,
        }
    }
}

impl From<Backend> for DbBackend {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Postgres => Self::Postgres,
            Backend::Sqlite => Self::Sqlite,
        }
    }
}

/// What to do about a schema that is older than this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Bring it up to date.
    Migrate,
    /// Refuse it.
    Require,
}

/// A handle on the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    write: DatabaseConnection,
    once: DatabaseConnection,
    read: DatabaseConnection,
    /// SQLite only: the connection of `write`, for scripts.
    scripts: Option<sqlx::SqlitePool>,
    /// Postgres only: for LISTEN, which needs a connection of its own.
    postgres: Option<sqlx::PgPool>,
    statements: Arc<AtomicU64>,
    /// Of the store that this one is counted apart from.
    also_counted: Option<Arc<AtomicU64>>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("backend", &self.inner.backend)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database and checks, or brings up to date, its schema.
    ///
    /// # Errors
    /// It cannot be reached, it was made by a newer program, or it is older and `schema` forbids to change it.
    pub async fn open(
        config: &DatabaseConfig,
        entropy: Arc<dyn Entropy>,
        schema: Schema,
    ) -> Result<Self, StoreError> {
        let opened = open::connect(config).await?;
        let statements = Arc::new(AtomicU64::new(0));
        let store = Self {
            inner: Arc::new(Inner {
                backend: opened.backend,
                write: counted(opened.write, &[&statements]),
                once: counted(opened.once, &[&statements]),
                read: counted(opened.read, &[&statements]),
                scripts: opened.scripts,
                postgres: opened.postgres,
                statements,
                also_counted: None,
                entropy,
            }),
        };
        match store.settle_schema(schema).await {
            Ok(_) => Ok(store),
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.inner.backend
    }

    /// For reads outside a transaction. PostgreSQL and SQLite both refuse a write through it.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.inner.read
    }

    /// Prepared statements sent so far through this store (not `BEGIN` and `COMMIT`); tests assert that a batch takes a constant number.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.inner.statements.load(Ordering::Relaxed)
    }

    /// Counts a statement that the driver does not count.
    fn count(&self) {
        for counter in [Some(&self.inner.statements), self.inner.also_counted.as_ref()]
            .into_iter()
            .flatten()
        {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A handle on the same connections whose [`Store::statements`] are only those sent through it; the store that it is
    /// made from counts them too.
    pub(crate) fn counted_apart(&self) -> Self {
        let (inner, own) = (&self.inner, Arc::new(AtomicU64::new(0)));
        Self {
            inner: Arc::new(Inner {
                backend: inner.backend,
                write: counted(inner.write.clone(), &[&inner.statements, &own]),
                once: counted(inner.once.clone(), &[&inner.statements, &own]),
                read: counted(inner.read.clone(), &[&inner.statements, &own]),
                scripts: inner.scripts.clone(),
                postgres: inner.postgres.clone(),
                statements: own,
                also_counted: Some(Arc::clone(&inner.statements)),
                entropy: Arc::clone(&inner.entropy),
            }),
        }
    }

    /// The pool to take a `LISTEN` connection from; `None` with SQLite.
    pub(crate) fn postgres(&self) -> Option<&sqlx::PgPool> {
        self.inner.postgres.as_ref()
    }

    /// Answers once the database answers and its schema is the one of this program; for readiness.
    ///
    /// # Errors
    /// It does not answer, or another program has changed the schema.
    pub async fn check(&self) -> Result<(), StoreError> {
        let reading = |source| StoreError::Statement {
            action: "read the schema version",
            source,
        };
        if let Some(found) = runnel_migration::find_unknown(self.read())
            .await
            .map_err(reading)?
        {
            return Err(StoreError::NewerSchema { found });
        }
        match runnel_migration::pending(self.read())
            .await
            .map_err(reading)?
            .into_iter()
            .next()
        {
            Some(missing) => Err(StoreError::OlderSchema { missing }),
            None => Ok(()),
        }
    }

    /// Closes every connection. Transactions in flight end first.
    pub async fn close(&self) {
        for connection in [&self.inner.read, &self.inner.once, &self.inner.write] {
            // closing has no outcome that anybody could act on
            if let Err(error) = connection.close_by_ref().await {
                tracing::debug!(%error, "database connection did not close cleanly");
            }
        }
    }

    /// Names of the migrations that were applied now.
    async fn settle_schema(&self, schema: Schema) -> Result<Vec<String>, StoreError> {
        match schema {
            Schema::Require => {
                self.check().await?;
                Ok(Vec::new())
            }
            Schema::Migrate => self.migrate().await,
        }
    }

    /// One transaction for all migrations; replicas that start together wait for each other.
    async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let failed = |source| StoreError::Statement {
            action: "migrate the schema",
            source,
        };
        let write = self.inner.write.clone();
        let backend = self.inner.backend;
        let work = async move {
            let txn = write
                .begin_with_options(tx::begin_options(backend))
                .await
                .map_err(failed)?;
            if backend == Backend::Postgres {
                // waits for another replica's migration, however long that takes
                for sql in [
                    "SET LOCAL lock_timeout = 0",
                    "SET LOCAL statement_timeout = 0",
                    MIGRATION_LOCK,
                ] {
                    txn.execute_unprepared(sql).await.map_err(failed)?;
                }
            }
            if let Some(found) = runnel_migration::find_unknown(&txn).await.map_err(failed)? {
                return Err(StoreError::NewerSchema { found });
            }
            let pending = runnel_migration::pending(&txn).await.map_err(failed)?;
            if !pending.is_empty() {
                Migrator::up(&txn, None).await.map_err(failed)?;
            }
            txn.commit().await.map_err(failed)?;
            Ok(pending)
        };
        tokio::spawn(work).await.map_err(|_| StoreError::Aborted {
            action: "migrate the schema",
        })?
    }
}

/// Brings the schema up to date and answers the names of the migrations that were applied.
///
/// # Errors
/// See [`Store::open`].
pub async fn migrate(config: &DatabaseConfig) -> Result<Vec<String>, StoreError> {
    let opened = open::connect(config).await?;
    let store = Store {
        inner: Arc::new(Inner {
            backend: opened.backend,
            write: opened.write,
            once: opened.once,
            read: opened.read,
            scripts: opened.scripts,
            postgres: opened.postgres,
            statements: Arc::default(),
            also_counted: None,
            entropy: Arc::new(crate::clock::SystemEntropy),
        }),
    };
    let applied = store.migrate().await;
    store.close().await;
    applied
}

/// Connects to a database whose schema may be any, to look at it.
pub(crate) async fn connect_to_look(
    config: &DatabaseConfig,
) -> Result<(Backend, DatabaseConnection), StoreError> {
    let opened = open::connect(config).await?;
    Ok((opened.backend, opened.write))
}

/// Any number will do, as long as nothing else in the database locks the same.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(8230114072461311)";

fn counted(mut connection: DatabaseConnection, counters: &[&Arc<AtomicU64>]) -> DatabaseConnection {
    let counters: Vec<_> = counters.iter().copied().map(Arc::clone).collect();
    connection.set_metric_callback(move |_| {
        for counter in &counters {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    connection
}

/// Names what was being done, for a failed statement.
pub(crate) fn failed_to(action: &'static str) -> impl Fn(DbErr) -> StoreError + Copy {
    move |source| StoreError::Statement { action, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::temporary_postgres::TemporaryPostgres;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_poisoned_connection_is_cleaned_before_it_is_used_again() {
        let server = TemporaryPostgres::start();
        let config = DatabaseConfig {
            url: server.url(),
            connections: 4,
            is_sqlite_relaxed: false,
        };
        let store = Store::open(&config, Arc::new(SeededEntropy::new(1)), Schema::Migrate)
            .await
            .expect("opens");
        for n in 0..20 {
            // what a dropped `begin` leaves behind: a transaction that the driver does not know of
            store
                .inner
                .write
                .execute_unprepared("BEGIN")
                .await
                .expect("begun");
            let insert = format!("INSERT INTO namespace (id, created_at) VALUES ('n{n}', 0)");
            store
                .inner
                .write
                .execute_unprepared(&insert)
                .await
                .expect("acknowledged");
        }
        let count = store
            .backend()
            .statement("SELECT count(*) FROM namespace WHERE id LIKE 'n%'", []);
        let row = store
            .read()
            .query_one_raw(count)
            .await
            .expect("read")
            .expect("a row");
        assert_eq!(
            row.try_get_by_index::<i64>(0).expect("a number"),
            20,
            "an acknowledged write is missing"
        );
    }

    #[tokio::test]
    async fn a_script_that_is_refused_leaves_nothing_and_nothing_open() {
        let home = tempfile::tempdir().expect("a directory");
        let config = DatabaseConfig {
            url: format!("sqlite://{}/runnel.db?mode=rwc", home.path().display()),
            connections: 2,
            is_sqlite_relaxed: false,
        };
        let store = Store::open(&config, Arc::new(SeededEntropy::new(1)), Schema::Migrate)
            .await
            .expect("opens");
        let script = |name: &str, expected: i64| {
            let sql = "BEGIN IMMEDIATE;INSERT INTO namespace (id, created_at) VALUES (?, 0) ON CONFLICT DO NOTHING;\
                       SELECT abs(CASE WHEN changes() = ? THEN 0 ELSE -9223372036854775807 - 1 END);COMMIT";
            store.backend().statement(sql, [name.into(), expected.into()])
        };
        let send = |name, expected| store.once("insert", script(name, expected));
        assert!(matches!(send("a", 1).await, Ok(Once::Written(_))));
        assert!(matches!(send("b", 2).await, Ok(Once::Refused)));
        assert!(
            matches!(send("a", 1).await, Ok(Once::Refused)),
            "it is there already"
        );
        assert!(
            matches!(send("c", 1).await, Ok(Once::Written(_))),
            "the connection is free"
        );
        let broken = store
            .backend()
            .statement("BEGIN IMMEDIATE;INSERT INTO nowhere VALUES (1);COMMIT", []);
        assert!(matches!(
            store.once("insert", broken).await,
            Err(StoreError::Statement { .. })
        ));
        let insert = "INSERT INTO namespace (id, created_at) VALUES ('d', 0)";
        let done = store
            .execute("insert", store.backend().statement(insert, []))
            .await;
        assert_eq!(done.expect("a transaction of the driver"), 1);
        let names = store
            .backend()
            .statement("SELECT id FROM namespace WHERE id <> 'default' ORDER BY id", []);
        let names = store
            .rows("read", names, |row| row.try_get_by_index::<String>(0))
            .await;
        assert_eq!(names.expect("read"), ["a", "c", "d"]);
    }
}
