//! What limits many runs together: who waits (`gate_wait`), who holds a place (`concurrency_slot`), the state of groups, rates
//! and breakers (`gate`), what ended attempts say about breakers (`circuit_verdict`), kept results (`result_cache`). The outbox
//! learns the namespace and the rank of its messages, so that namespaces take turns and waiting makes up for priority.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, integer, small_integer, small_integer_null, string, text,
    uuid,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            gate_wait(),
            concurrency_slot(),
            gate(),
            circuit_verdict(),
            result_cache(),
        ] {
            manager.create_table(table).await?;
        }
        let db = manager.get_connection();
        for statement in STATEMENTS {
            db.execute_unprepared(statement).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            for setting in POSTGRES {
                db.execute_unprepared(setting).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for statement in DOWN {
            db.execute_unprepared(statement).await?;
        }
        for table in [
            "result_cache",
            "circuit_verdict",
            "gate",
            "concurrency_slot",
            "gate_wait",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE UNIQUE INDEX gate_wait_ticket ON gate_wait (run_id, ix, attempt)",
    // the first of each lane, whatever waits behind it
    "CREATE INDEX gate_wait_lane ON gate_wait (namespace, lane, rank, id) WHERE state = 0",
    // decided and not yet taken: to be handed over again after a crash
    "CREATE INDEX gate_wait_decided ON gate_wait (decided_at) WHERE state <> 0",
    "CREATE INDEX concurrency_slot_group ON concurrency_slot (namespace, group_name)",
    "CREATE INDEX result_cache_end ON result_cache (expires_at)",
    "ALTER TABLE outbox ADD COLUMN namespace varchar NOT NULL DEFAULT 'default'",
    "ALTER TABLE outbox ADD COLUMN rank bigint NOT NULL DEFAULT 0",
    // 6 s of waiting are one point of priority
    "UPDATE outbox SET rank = created_at - priority * 6000000, \
     namespace = COALESCE((SELECT r.namespace FROM run r WHERE r.id = outbox.run_id), 'default')",
    "CREATE INDEX outbox_turn ON outbox (queue, namespace, rank, id)",
    "DROP INDEX outbox_order",
];

const DOWN: &[&str] = &[
    "CREATE INDEX outbox_order ON outbox (queue, priority DESC, id)",
    "DROP INDEX outbox_turn",
    "ALTER TABLE outbox DROP COLUMN rank",
    "ALTER TABLE outbox DROP COLUMN namespace",
];

const POSTGRES: &[&str] = &[
    // rows live for milliseconds, as those of the outbox
    "ALTER TABLE gate_wait SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)",
    "ALTER TABLE concurrency_slot SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)",
    "ALTER TABLE circuit_verdict SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000)",
    "ALTER TABLE gate SET (fillfactor = 70)",
];

/// One that asks to begin: an attempt of a task, or a run (`ix` -1, `attempt` 0).
fn gate_wait() -> TableCreateStatement {
    Table::create()
        .table("gate_wait")
        .col(big_pk_auto("id"))
        .col(string("namespace"))
        .col(text("lane"))
        .col(big_integer("rank"))
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(integer("attempt"))
        // 0 waits, 1 admitted, 2 takes a kept result, 3 turned away
        .col(small_integer("state"))
        .col(big_integer("since"))
        .col(big_integer_null("decided_at"))
        .col(text("request"))
        .to_owned()
}

/// A place that is held.
fn concurrency_slot() -> TableCreateStatement {
    Table::create()
        .table("concurrency_slot")
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(integer("attempt"))
        .col(string("namespace"))
        .col(text("group_name"))
        .col(integer("holders_max"))
        .col(big_integer("held_at"))
        .primary_key(Index::create().col("run_id").col("ix").col("attempt"))
        .to_owned()
}

/// State of one gate. `kind`: 0 group (only a lock), 1 rate, 2 breaker.
fn gate() -> TableCreateStatement {
    Table::create()
        .table("gate")
        .col(string("namespace"))
        .col(small_integer("kind"))
        .col(text("name"))
        .col(text("state"))
        .col(big_integer("changed_at"))
        .primary_key(Index::create().col("namespace").col("kind").col("name"))
        .to_owned()
}

/// How an attempt ended that a breaker had let pass: 1 well, 0 badly, NULL says nothing.
fn circuit_verdict() -> TableCreateStatement {
    Table::create()
        .table("circuit_verdict")
        .col(big_pk_auto("id"))
        .col(string("namespace"))
        .col(text("name"))
        .col(uuid("run_id"))
        .col(integer("ix"))
        .col(integer("attempt"))
        .col(small_integer_null("verdict"))
        .col(big_integer("at"))
        .to_owned()
}

/// A result that later runs may take.
fn result_cache() -> TableCreateStatement {
    Table::create()
        .table("result_cache")
        .col(string("namespace"))
        .col(string("key"))
        .col(text("output"))
        .col(uuid("run_id"))
        .col(big_integer("kept_at"))
        .col(big_integer("expires_at"))
        .primary_key(Index::create().col("namespace").col("key"))
        .to_owned()
}
