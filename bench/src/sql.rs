//! A connection to the database beside the product's own: for what is asked of the server, and for rows that no run has written.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row as _};

/// How long a statement waits for the lock of SQLite's other writer.
const BUSY_WAIT: Duration = Duration::from_secs(30);

/// One or more connections of the benchmark's own.
#[derive(Debug, Clone)]
pub enum Sql {
    /// PostgreSQL.
    Postgres(PgPool),
    /// SQLite, durable as the product: WAL and `synchronous=FULL`.
    Sqlite(SqlitePool),
}

impl Sql {
    /// Opens so many connections; with SQLite always one, which is also what the product writes with.
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        if url.starts_with("postgres") {
            let options = PgPoolOptions::new().max_connections(connections);
            return Ok(Self::Postgres(
                options.connect(url).await.context("connecting to PostgreSQL")?,
            ));
        }
        let options: SqliteConnectOptions = url.parse()?;
        let options = options
            .busy_timeout(BUSY_WAIT)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1);
        Ok(Self::Sqlite(
            pool.connect_with(options).await.context("opening SQLite")?,
        ))
    }

    /// Runs a statement without parameters; answers how many rows it wrote.
    pub async fn run(&self, sql: String) -> anyhow::Result<u64> {
        let failed = format!("running {sql}");
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        Ok(match self {
            Self::Postgres(pool) => sql.execute(pool).await.context(failed)?.rows_affected(),
            Self::Sqlite(pool) => sql.execute(pool).await.context(failed)?.rows_affected(),
        })
    }

    /// The whole numbers of the one row that a query answers.
    pub async fn numbers<const N: usize>(&self, sql: &'static str) -> anyhow::Result<[i64; N]> {
        let mut numbers = [0; N];
        match self {
            Self::Postgres(pool) => {
                let row = sqlx::query(sql).fetch_one(pool).await.context(sql)?;
                for (at, number) in numbers.iter_mut().enumerate() {
                    *number = row.try_get(at)?;
                }
            }
            Self::Sqlite(pool) => {
                let row = sqlx::query(sql).fetch_one(pool).await.context(sql)?;
                for (at, number) in numbers.iter_mut().enumerate() {
                    *number = row.try_get(at)?;
                }
            }
        }
        Ok(numbers)
    }

    /// The texts of the first column.
    pub async fn texts(&self, sql: String) -> anyhow::Result<Vec<String>> {
        Ok(match self {
            Self::Postgres(pool) => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await?,
            Self::Sqlite(pool) => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await?,
        })
    }

    /// Closes the connections.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite(pool) => pool.close().await,
        }
    }
}
