//! The database schema of Runnel as an ordered list of migrations, the same list on SQLite and on PostgreSQL.
//!
//! Rules: a released migration is never edited; a new one only adds (columns with a default, tables, indexes), so that the
//! program before it keeps working while replicas are replaced; nothing here imports `entity`, because entities follow the
//! newest schema and a migration must mean the same for ever.

use std::collections::BTreeSet;

pub use sea_orm_migration::prelude::MigratorTrait;
use sea_orm_migration::prelude::{DbErr, MigrationTrait};
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement};

mod m20261121_000001_initial;
mod m20261121_000002_waits;
mod m20261121_000003_children;
mod m20261121_000004_schedules;
mod m20261121_000005_data;
mod m20261121_000006_audit;
mod m20261121_000007_gates;
mod m20261121_000008_dead_letters;
mod m20261121_000012_event_delivery;
mod m20261121_000020_audit_age;
mod m20261121_000025_kept_payloads;
mod m20261121_000026_failed_runs;
mod m20261121_000027_retention;

/// Runs the migrations.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_initial::Migration),
            Box::new(m20261121_000002_waits::Migration),
            Box::new(m20261121_000003_children::Migration),
            Box::new(m20261121_000004_schedules::Migration),
            Box::new(m20261121_000005_data::Migration),
            Box::new(m20261121_000006_audit::Migration),
            Box::new(m20261121_000007_gates::Migration),
            Box::new(m20261121_000008_dead_letters::Migration),
            Box::new(m20261121_000012_event_delivery::Migration),
            Box::new(m20261121_000020_audit_age::Migration),
            Box::new(m20261121_000025_kept_payloads::Migration),
            Box::new(m20261121_000026_failed_runs::Migration),
            Box::new(m20261121_000027_retention::Migration),
        ]
    }
}

/// The first migration that the database has and this program does not know: the schema was made by a newer one.
///
/// # Errors
/// The database does not answer.
pub async fn find_unknown<C: ConnectionTrait>(db: &C) -> Result<Option<String>, DbErr> {
    let known: BTreeSet<String> = Migrator::migrations()
        .iter()
        .map(|m| m.name().to_owned())
        .collect();
    Ok(applied(db).await?.into_iter().find(|name| !known.contains(name)))
}

/// Names of the migrations that the database still lacks, in order.
///
/// # Errors
/// The database does not answer.
pub async fn pending<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let applied: BTreeSet<String> = applied(db).await?.into_iter().collect();
    let known = Migrator::migrations();
    Ok(known
        .iter()
        .map(|m| m.name().to_owned())
        .filter(|name| !applied.contains(name))
        .collect())
}

/// Names in the migration table, in order; none when the table does not exist yet.
async fn applied<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    use sea_orm_migration::sea_orm::DbBackend;
    let backend = db.get_database_backend();
    let exists = match backend {
        DbBackend::Postgres => {
            "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'seaql_migrations'"
        }
        _ => "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    let count = match db.query_one_raw(Statement::from_string(backend, exists)).await? {
        Some(row) => row.try_get_by_index::<i64>(0)?,
        None => 0,
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let rows = db
        .query_all_raw(Statement::from_string(
            backend,
            "SELECT version FROM seaql_migrations ORDER BY version",
        ))
        .await?;
    rows.iter().map(|row| row.try_get_by_index::<String>(0)).collect()
}
