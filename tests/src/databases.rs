//! One database per test: a file of its own, or a copy of a migrated template in the private cluster.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use runnel_migration::Migrator;
use sea_orm_migration::MigratorTrait as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::services;

/// Name of the migrated database that others are copied from.
const TEMPLATE: &str = "runnel_template";
/// Advisory lock under which one of several test processes makes the template.
const TEMPLATE_LOCK: i64 = 7_420_001;

tokio::task_local! {
    /// The databases of the scenario that this task plays.
    static MADE: RefCell<Vec<TestDatabase>>;
}

/// A database of one test.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// Its address.
    pub url: String,
    /// The file of SQLite, removed at the end. A PostgreSQL database goes with its cluster.
    directory: Option<Arc<TempDir>>,
}

impl TestDatabase {
    /// An SQLite file that does not exist yet.
    ///
    /// # Errors
    /// There is no room for temporary files.
    pub fn sqlite() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("runnel-test-").tempdir()?;
        let url = format!(
            "sqlite://{}?mode=rwc",
            directory.path().join("runnel.db").display()
        );
        Ok(Self {
            url,
            directory: Some(Arc::new(directory)),
        }
        .noted())
    }

    /// A migrated PostgreSQL database.
    ///
    /// # Errors
    /// PostgreSQL is missing or refuses.
    pub async fn postgres() -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let maintenance = services::postgres_url()?;
        let mut connection = PgConnection::connect(&maintenance)
            .await
            .context("connecting to PostgreSQL")?;
        ensure_template(&maintenance, &mut connection).await?;
        let name = format!(
            "test_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let create = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log");
        connection
            .execute(AssertSqlSafe(create))
            .await
            .context("copying the template")?;
        Ok(Self {
            url: at_database(&maintenance, &name),
            directory: None,
        }
        .noted())
    }

    /// The directory of an SQLite file.
    #[must_use]
    pub fn directory(&self) -> Option<&std::path::Path> {
        self.directory.as_ref().map(|directory| directory.path())
    }

    /// Remembers the database until its scenario has ended.
    fn noted(self) -> Self {
        // a database that is made outside a scenario is its maker's to check
        let _ = MADE.try_with(|made| made.borrow_mut().push(self.clone()));
        self
    }
}

/// Executes statements on a database, as another program would.
///
/// # Errors
/// The database refuses them.
pub async fn execute(url: &str, sql: &str) -> anyhow::Result<()> {
    if url.starts_with("sqlite") {
        let mut connection = sqlx::SqliteConnection::connect(url).await?;
        connection.execute(AssertSqlSafe(sql.to_owned())).await?;
    } else {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(AssertSqlSafe(sql.to_owned())).await?;
    }
    Ok(())
}

/// Plays a scenario, then checks every database that it made: the rows are sound and are what their histories tell.
///
/// # Errors
/// The scenario fails, or leaves an unsound database.
pub async fn with_sound_databases<F: Future<Output = anyhow::Result<()>>>(scenario: F) -> anyhow::Result<()> {
    let checked = async {
        scenario.await?;
        for database in MADE.with(RefCell::take) {
            crate::verify::assert_sound(&database.url).await?;
        }
        anyhow::Ok(())
    };
    MADE.scope(RefCell::default(), checked).await
}

async fn ensure_template(maintenance: &str, connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut *connection)
        .await?;
    let made = make_template(maintenance, connection).await;
    sqlx::query("SELECT pg_advisory_unlock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut *connection)
        .await?;
    made
}

async fn make_template(maintenance: &str, connection: &mut PgConnection) -> anyhow::Result<()> {
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(TEMPLATE);
    if found.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(());
    }
    // migrated under another name, so that a process that dies here leaves no half-made template
    connection
        .execute("DROP DATABASE IF EXISTS runnel_template_draft")
        .await?;
    connection
        .execute("CREATE DATABASE runnel_template_draft")
        .await?;
    let draft = sea_orm::Database::connect(at_database(maintenance, "runnel_template_draft")).await?;
    Migrator::up(&draft, None)
        .await
        .context("migrating the template")?;
    draft.close().await?;
    connection
        .execute(AssertSqlSafe(format!(
            "ALTER DATABASE runnel_template_draft RENAME TO {TEMPLATE}"
        )))
        .await?;
    Ok(())
}

fn at_database(url: &str, name: &str) -> String {
    url.rsplit_once('/')
        .map_or_else(|| url.to_owned(), |(server, _)| format!("{server}/{name}"))
}

/// Every row of every table as text, to look for what must not be there.
///
/// # Errors
/// The database does not answer.
pub async fn dump(url: &str) -> anyhow::Result<String> {
    use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
    let db = Database::connect(url).await?;
    let backend = db.get_database_backend();
    let is_postgres = backend == DbBackend::Postgres;
    let all = async |sql: String| db.query_all_raw(Statement::from_string(backend, sql)).await;
    let tables = if is_postgres {
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    };
    let mut text = String::new();
    for row in all(tables.to_owned()).await? {
        let table: String = row.try_get_by_index(0)?;
        let rows = if is_postgres {
            format!("SELECT t::text FROM \"{table}\" t")
        } else {
            let columns = all(format!("SELECT name FROM pragma_table_info('{table}')")).await?;
            let quoted: Vec<String> = columns
                .iter()
                .map(|column| Ok(format!("quote(\"{}\")", column.try_get_by_index::<String>(0)?)))
                .collect::<Result<_, sea_orm::DbErr>>()?;
            format!("SELECT {} FROM \"{table}\"", quoted.join(" || ',' || "))
        };
        for row in all(rows).await? {
            text.push_str(&row.try_get_by_index::<String>(0)?);
            text.push('\n');
        }
    }
    db.close().await?;
    Ok(text)
}
