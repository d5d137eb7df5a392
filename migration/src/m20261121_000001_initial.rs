//! The first schema: namespaces, workflows, runs, tasks, history, outbox, logs and workers.
//!
//! Indexes are few on purpose. A completion updates one `task` and one `run` row, and on PostgreSQL such an update stays
//! inside its page (HOT) only while no indexed column changes; so no index names a column that every update touches, and
//! the updated tables leave 30 % of each page free.

use sea_orm_migration::prelude::{
    ColumnDef, DbErr, DeriveMigrationName, Expr, Index, MigrationTrait, SchemaManager, Table,
    TableCreateStatement,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, boolean, integer, pk_uuid, small_integer, string, text,
    text_null, uuid,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            namespace(),
            workflow(),
            workflow_version(),
            run(),
            task(),
            outbox(),
            task_log(),
            worker(),
        ] {
            manager.create_table(table).await?;
        }
        manager
            .create_table(event(manager.get_database_backend()))
            .await?;
        let db = manager.get_connection();
        for index in INDEXES {
            db.execute_unprepared(index).await?;
        }
        match manager.get_database_backend() {
            DbBackend::Postgres => {
                for setting in POSTGRES {
                    db.execute_unprepared(setting).await?;
                }
            }
            DbBackend::Sqlite => {
                db.execute_unprepared("CREATE UNIQUE INDEX event_seq ON event (run_id, first_seq)")
                    .await?;
            }
            other => {
                return Err(DbErr::Migration(format!(
                    "{other:?} is not supported; use SQLite or PostgreSQL"
                )));
            }
        }
        db.execute_unprepared("INSERT INTO namespace (id, created_at) VALUES ('default', 0)")
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "worker",
            "task_log",
            "outbox",
            "event",
            "task",
            "run",
            "workflow_version",
            "workflow",
            "namespace",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX workflow_key ON workflow (namespace, key)",
    "CREATE UNIQUE INDEX workflow_version_number ON workflow_version (workflow_id, number)",
    "CREATE UNIQUE INDEX workflow_version_hash ON workflow_version (workflow_id, hash)",
    // lists of runs walk these by keyset, in both directions
    "CREATE INDEX run_created ON run (namespace, created_at, id)",
    "CREATE INDEX run_workflow ON run (workflow_id, created_at, id)",
    "CREATE UNIQUE INDEX run_idempotency ON run (namespace, idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE INDEX run_wake ON run (wake_at) WHERE wake_at IS NOT NULL",
    // status numbers from 10 on are terminal
    "CREATE INDEX run_live ON run (id) WHERE status < 10",
    // at most one message of an attempt waits to be sent
    "CREATE UNIQUE INDEX outbox_attempt ON outbox (run_id, ix, attempt)",
    "CREATE INDEX outbox_order ON outbox (queue, priority DESC, id)",
    "CREATE INDEX task_log_task ON task_log (run_id, ix, id)",
    // a chunk that is delivered twice is stored once
    "CREATE UNIQUE INDEX task_log_chunk ON task_log (run_id, ix, attempt, digest)",
];

const POSTGRES: &[&str] = &[
    "CREATE INDEX event_feed ON event (xid, position)",
    "ALTER TABLE task SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)",
    "ALTER TABLE run SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)",
    // rows live for milliseconds: without this the relay would walk over the dead ones
    "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)",
];

const FEED_ORDER: &str =
    "GREATEST(pg_current_xact_id()::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)";

fn namespace() -> TableCreateStatement {
    Table::create()
        .table("namespace")
        .col(string("id").primary_key())
        .col(big_integer("created_at"))
        .to_owned()
}

fn workflow() -> TableCreateStatement {
    Table::create()
        .table("workflow")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(string("key"))
        .col(text("name"))
        .col(integer("latest_version"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .to_owned()
}

fn workflow_version() -> TableCreateStatement {
    Table::create()
        .table("workflow_version")
        .col(pk_uuid("id"))
        .col(uuid("workflow_id"))
        .col(integer("number"))
        .col(string("hash"))
        .col(text("definition"))
        .col(text("source"))
        .col(string("dialect"))
        .col(integer("task_count"))
        .col(big_integer("created_at"))
        .col(text("created_by"))
        .to_owned()
}

fn run() -> TableCreateStatement {
    Table::create()
        .table("run")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(uuid("workflow_id"))
        .col(uuid("workflow_version_id"))
        .col(integer("workflow_version"))
        .col(small_integer("status"))
        .col(boolean("is_paused"))
        .col(big_integer("version"))
        .col(big_integer("next_seq"))
        .col(big_integer_null("wake_at"))
        .col(small_integer("priority"))
        .col(text_null("idempotency_key"))
        .col(text_null("request_hash"))
        .col(text("inputs"))
        .col(text("vars"))
        .col(text_null("outputs"))
        .col(text_null("error"))
        .col(text("tags"))
        .col(text("counts"))
        .col(boolean("has_tolerated_failures"))
        .col(text("extra"))
        .col(big_integer("created_at"))
        .col(text("created_by"))
        .col(big_integer_null("started_at"))
        .col(big_integer_null("finished_at"))
        .to_owned()
}

fn task() -> TableCreateStatement {
    Table::create()
        .table("task")
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(text("key"))
        .col(integer("template"))
        .col(text_null("item"))
        .col(text("kind"))
        .col(text("queue"))
        .col(small_integer("status"))
        .col(integer("attempt"))
        .col(integer("retries"))
        .col(integer("losses"))
        .col(big_integer_null("wake_at"))
        .col(big_integer_null("ready_at"))
        .col(big_integer_null("queued_at"))
        .col(big_integer_null("started_at"))
        .col(big_integer_null("heartbeat_at"))
        .col(big_integer_null("finished_at"))
        .col(text_null("worker"))
        .col(text_null("input"))
        .col(text_null("output"))
        .col(text_null("error"))
        .col(text_null("extra"))
        .primary_key(Index::create().col("run_id").col("ix"))
        .to_owned()
}

/// One row a commit and run. The feed of all runs is read in order of (xid, position).
///
/// SQLite has one writer, and `position` alone ascends with the commits. On PostgreSQL a transaction may commit later than
/// one that began after it, so a reader stops below the oldest transaction that still runs. That only skips nothing if
/// `xid` is at least the id of the writing transaction; and a run's rows stay in order only if it is also at least that of
/// every transaction that the writer's snapshot saw end, because the one before it on the same run may have a higher id.
fn event(backend: DbBackend) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("event")
        .col(uuid("run_id"))
        .col(big_integer("first_seq"))
        .col(big_integer("last_seq"))
        .col(string("namespace"))
        .col(big_integer("at"))
        .col(text("records"));
    if backend == DbBackend::Postgres {
        table
            .col(big_integer("xid").default(Expr::cust(FEED_ORDER)))
            .col(
                ColumnDef::new("position")
                    .custom("bigint GENERATED BY DEFAULT AS IDENTITY")
                    .not_null(),
            )
            .primary_key(Index::create().col("run_id").col("first_seq"))
            .to_owned()
    } else {
        // the rowid is the position: the walk of the feed needs no index, and AUTOINCREMENT never gives a number twice
        table
            .col(big_integer("xid").default(0))
            .col(big_pk_auto("position"))
            .to_owned()
    }
}

fn outbox() -> TableCreateStatement {
    Table::create()
        .table("outbox")
        .col(big_pk_auto("id"))
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(integer("attempt"))
        .col(text("queue"))
        .col(text("kind"))
        .col(small_integer("priority"))
        .col(big_integer("created_at"))
        .col(big_integer("leased_until"))
        .to_owned()
}

fn task_log() -> TableCreateStatement {
    Table::create()
        .table("task_log")
        .col(big_pk_auto("id"))
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(integer("attempt"))
        .col(string("digest"))
        .col(integer("line_count"))
        .col(text("lines"))
        .col(big_integer("created_at"))
        .to_owned()
}

fn worker() -> TableCreateStatement {
    Table::create()
        .table("worker")
        .col(string("id").primary_key())
        .col(text("queue"))
        .col(text("types"))
        .col(integer("slots"))
        .col(big_integer("started_at"))
        .col(big_integer("seen_at"))
        .col(big_integer_null("left_at"))
        .to_owned()
}
