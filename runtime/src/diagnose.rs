//! What a database is like, for whoever checks an installation. Changes nothing, and makes no file.

use std::path::Path;
use std::time::Duration;

use runnel_engine::definition::Workflow;
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use crate::clock::{Clock, SystemClock};
use crate::config::DatabaseConfig;
use crate::error::StoreError;
use crate::store::{Backend, connect_to_look, failed_to};

/// What a database is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// Which one.
    pub backend: Backend,
    /// Version of the program that keeps it.
    pub version: String,
    /// Settings that decide what a crash of the machine can take, each with its value.
    pub durability: Vec<(String, String)>,
    /// How far its clock is from that of this machine, as far as that can be told; a database in this process has none.
    pub skew: Option<Duration>,
    /// Connections that it allows.
    pub connections_max: Option<u32>,
    /// A migration that this program does not know: the database is newer.
    pub unknown_migration: Option<String>,
    /// Migrations that it lacks: it is older.
    pub pending_migrations: Vec<String>,
    /// Timeouts of tasks that are longer than the given limit: workflow, task and seconds.
    pub long_timeouts: Vec<(String, String, u64)>,
}

/// Most timeouts that are told.
const LONG_TIMEOUTS_MAX: usize = 20;

/// Workflows whose newest version is looked at.
const WORKFLOWS_MAX: u32 = 500;

const WORKFLOWS: &str = "SELECT w.key, v.definition FROM workflow w JOIN workflow_version v \
    ON v.workflow_id = w.id AND v.number = w.latest_version ORDER BY w.key LIMIT ";

/// Looks at a database. With a limit, tasks are named whose timeout is longer.
///
/// # Errors
/// It cannot be reached or read, or there is no such file.
pub async fn diagnose(config: &DatabaseConfig, limit: Option<Duration>) -> Result<DatabaseFacts, StoreError> {
    if let Some(file) = file_of(&config.url)
        && !Path::new(file).exists()
    {
        return Err(StoreError::Corrupt {
            table: "database",
            problem: format!("there is no file {file}"),
        });
    }
    let (backend, connection) = connect_to_look(config).await?;
    let looked = look(backend, &connection, limit).await;
    // closing has no outcome that anybody could act on
    let _ = connection.close_by_ref().await;
    looked
}

async fn look(
    backend: Backend,
    connection: &sea_orm::DatabaseConnection,
    limit: Option<Duration>,
) -> Result<DatabaseFacts, StoreError> {
    let failed = failed_to("look at the database");
    let ask = async |sql: &str| -> Result<QueryResult, StoreError> {
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.map_err(failed)?;
        row.ok_or(StoreError::Conflict {
            action: "look at the database",
        })
    };
    let mut facts = DatabaseFacts {
        backend,
        version: String::new(),
        durability: Vec::new(),
        skew: None,
        connections_max: None,
        unknown_migration: runnel_migration::find_unknown(connection).await.map_err(failed)?,
        pending_migrations: runnel_migration::pending(connection).await.map_err(failed)?,
        long_timeouts: Vec::new(),
    };
    match backend {
        Backend::Postgres => {
            let before = SystemClock.now();
            let row = ask(
                "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), \
                 current_setting('full_page_writes'), current_setting('max_connections')::int, \
                 (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
            )
            .await?;
            let after = SystemClock.now();
            let text = |at: usize| row.try_get_by_index::<String>(at).map_err(failed);
            facts.version = text(0)?;
            for (at, name) in [(1, "fsync"), (2, "synchronous_commit"), (3, "full_page_writes")] {
                facts.durability.push((name.to_owned(), text(at)?));
            }
            let connections: i32 = row.try_get_by_index(4).map_err(failed)?;
            facts.connections_max = u32::try_from(connections).ok();
            let there: i64 = row.try_get_by_index(5).map_err(failed)?;
            facts.skew = Some(apart(there, before.0, after.0));
        }
        Backend::Sqlite => {
            let text = |row: QueryResult| row.try_get_by_index::<String>(0).map_err(failed);
            facts.version = text(ask("SELECT sqlite_version()").await?)?;
            facts.durability.push((
                "journal_mode".to_owned(),
                text(ask("PRAGMA journal_mode").await?)?,
            ));
        }
    }
    if let Some(limit) = limit.filter(|_| facts.pending_migrations.is_empty()) {
        let sql = format!("{WORKFLOWS}{WORKFLOWS_MAX}");
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        for row in connection.query_all_raw(statement).await.map_err(failed)? {
            let (key, definition): (String, String) = (
                row.try_get_by_index(0).map_err(failed)?,
                row.try_get_by_index(1).map_err(failed)?,
            );
            facts
                .long_timeouts
                .extend(long_timeouts(&key, &definition, limit));
        }
        facts.long_timeouts.truncate(LONG_TIMEOUTS_MAX);
    }
    Ok(facts)
}

/// The tasks of a stored workflow that may take longer. What cannot be read is a finding of `verify`, not of this.
fn long_timeouts(key: &str, definition: &str, limit: Duration) -> Vec<(String, String, u64)> {
    let Ok(workflow) = serde_json::from_str::<Workflow>(definition) else {
        return Vec::new();
    };
    let tasks = workflow.tasks.into_iter();
    tasks
        .filter_map(|task| {
            let timeout = task.timeout.filter(|timeout| *timeout > limit)?;
            Some((key.to_owned(), task.key, timeout.as_secs()))
        })
        .collect()
}

/// How far a moment is outside of the time in which it was asked for.
fn apart(there: i64, before: i64, after: i64) -> Duration {
    let micros = (before - there).max(there - after).max(0);
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The file of an SQLite database; `None` for one in memory and for other databases.
fn file_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split('?').next().unwrap_or(rest);
    (!path.is_empty() && path != ":memory:" && !url.contains("mode=memory")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_only_by_what_the_question_does_not_explain() {
        assert_eq!(apart(150, 100, 200), Duration::ZERO);
        assert_eq!(apart(40, 100, 200), Duration::from_micros(60));
        assert_eq!(apart(250, 100, 200), Duration::from_micros(50));
    }

    #[test]
    fn the_file_of_a_url_is_found() {
        assert_eq!(
            file_of("sqlite:///var/lib/runnel.db?mode=rwc"),
            Some("/var/lib/runnel.db")
        );
        assert_eq!(file_of("sqlite://.runnel/runnel.db"), Some(".runnel/runnel.db"));
        assert_eq!(file_of("sqlite::memory:"), None);
        assert_eq!(file_of("postgres://a/b"), None);
    }
}
