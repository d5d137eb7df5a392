//! What a PostgreSQL server counts of its statements.

use sqlx::Connection as _;

use crate::cluster::Cluster;

/// Reads the server's own count of the statements in the database of a cluster.
#[derive(Debug)]
pub struct Statements(sqlx::PgConnection);

impl Statements {
    /// Begins to watch.
    ///
    /// # Errors
    /// It is no PostgreSQL, or the server does not count.
    pub async fn of(cluster: &Cluster) -> anyhow::Result<Self> {
        let mut watcher = sqlx::PgConnection::connect(cluster.database_url()).await?;
        sqlx::query("CREATE EXTENSION pg_stat_statements")
            .execute(&mut watcher)
            .await?;
        Ok(Self(watcher))
    }

    /// Begins to count anew.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn reset(&mut self) -> anyhow::Result<()> {
        sqlx::query("SELECT pg_stat_statements_reset()")
            .execute(&mut self.0)
            .await?;
        Ok(())
    }

    /// The sum of a column over the statements of this database that match a pattern, since the last reset.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn sum(&mut self, column: &str, pattern: &str) -> anyhow::Result<i64> {
        let sql = format!(
            "SELECT coalesce(sum({column}), 0)::bigint FROM pg_stat_statements \
             WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query ~* '{pattern}'"
        );
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut self.0)
            .await?)
    }
}
