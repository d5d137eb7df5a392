//! Schedules, triggers, what became of each of their moments, and the events that came in.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, boolean, integer, integer_null, pk_uuid, small_integer,
    string, string_null, text, text_null, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            schedule(),
            event_trigger(),
            trigger_outcome(),
            backfill(),
            inbound_event(),
        ] {
            manager.create_table(table).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "inbound_event",
            "backfill",
            "trigger_outcome",
            "event_trigger",
            "schedule",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX schedule_key ON schedule (namespace, key)",
    "CREATE INDEX schedule_workflow ON schedule (workflow_id)",
    // the scheduler's one query walks these three, and each holds only what is due some day
    "CREATE INDEX schedule_next ON schedule (next_at) WHERE next_at IS NOT NULL",
    "CREATE INDEX backfill_next ON backfill (next_at) WHERE next_at IS NOT NULL",
    "CREATE INDEX trigger_outcome_due ON trigger_outcome (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX trigger_outcome_open ON trigger_outcome (owner_id) WHERE is_open",
    "CREATE INDEX trigger_outcome_owner ON trigger_outcome (owner_id, created_at, id)",
    "CREATE INDEX trigger_outcome_list ON trigger_outcome (namespace, created_at, id)",
    "CREATE INDEX trigger_outcome_age ON trigger_outcome (created_at)",
    "CREATE INDEX backfill_schedule ON backfill (schedule_id, created_at)",
    "CREATE UNIQUE INDEX event_trigger_key ON event_trigger (namespace, key)",
    "CREATE INDEX event_trigger_workflow ON event_trigger (workflow_id)",
    "CREATE INDEX event_trigger_type ON event_trigger (namespace, event_type) WHERE event_type IS NOT NULL",
    // an event that is delivered twice is stored once
    "CREATE UNIQUE INDEX inbound_event_id ON inbound_event (namespace, source, event_id)",
    // look-back of waiting tasks
    "CREATE INDEX inbound_event_type ON inbound_event (namespace, event_type, received_at)",
    "CREATE INDEX inbound_event_age ON inbound_event (received_at)",
];

fn schedule() -> TableCreateStatement {
    Table::create()
        .table("schedule")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(string("key"))
        .col(uuid("workflow_id"))
        .col(string("workflow_key"))
        .col(integer_null("version"))
        .col(small_integer("origin"))
        .col(string_null("slot"))
        .col(text("spec"))
        .col(text("policy"))
        .col(text("inputs"))
        .col(small_integer("priority").default(-1))
        .col(text("tags"))
        .col(boolean("is_enabled"))
        .col(boolean("is_paused"))
        .col(text_null("pause_reason"))
        .col(text_null("paused_by"))
        .col(big_integer("cursor"))
        .col(big_integer_null("next_at"))
        .col(text("buffered"))
        .col(integer("failures"))
        .col(big_integer("revision"))
        .col(big_integer("created_at"))
        .col(text("created_by"))
        .col(big_integer("updated_at"))
        .to_owned()
}

fn event_trigger() -> TableCreateStatement {
    Table::create()
        .table("event_trigger")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(string("key"))
        .col(uuid("workflow_id"))
        .col(string("workflow_key"))
        .col(small_integer("origin"))
        .col(string_null("slot"))
        .col(small_integer("kind"))
        .col(string_null("event_type"))
        .col(text("rule"))
        .col(boolean("is_enabled"))
        .col(boolean("is_paused"))
        .col(text_null("pause_reason"))
        .col(text_null("paused_by"))
        .col(big_integer("rate_tat").default(0))
        .col(text_null("secret_key"))
        .col(integer("secret_generation").default(0))
        .col(text_null("previous_key"))
        .col(integer("previous_generation").default(0))
        .col(big_integer_null("previous_until"))
        .col(big_integer("created_at"))
        .col(text("created_by"))
        .col(big_integer("updated_at"))
        .to_owned()
}

fn trigger_outcome() -> TableCreateStatement {
    Table::create()
        .table("trigger_outcome")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(uuid("owner_id"))
        .col(text("owner_key"))
        .col(uuid_null("backfill_id"))
        .col(small_integer("kind"))
        .col(small_integer("status"))
        .col(text_null("reason"))
        .col(text_null("detail"))
        .col(big_integer_null("nominal_at"))
        .col(text_null("event_source"))
        .col(text_null("event_id"))
        .col(uuid_null("run_id"))
        .col(text_null("request"))
        .col(boolean("is_open"))
        .col(big_integer_null("due_at"))
        .col(integer("attempts").default(0))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .to_owned()
}

fn backfill() -> TableCreateStatement {
    Table::create()
        .table("backfill")
        .col(pk_uuid("id"))
        .col(string("namespace"))
        .col(uuid("schedule_id"))
        .col(big_integer("from_at"))
        .col(big_integer("until_at"))
        .col(big_integer("cursor"))
        .col(integer("max_parallel"))
        .col(integer("total"))
        .col(integer("begun"))
        .col(small_integer("status"))
        .col(big_integer_null("next_at"))
        .col(big_integer("created_at"))
        .col(text("created_by"))
        .col(big_integer_null("finished_at"))
        .to_owned()
}

fn inbound_event() -> TableCreateStatement {
    Table::create()
        .table("inbound_event")
        .col(big_pk_auto("position"))
        .col(string("namespace"))
        .col(text("source"))
        .col(text("event_id"))
        .col(text("event_type"))
        .col(text_null("subject"))
        .col(big_integer_null("time"))
        .col(big_integer("received_at"))
        .col(text("event"))
        .to_owned()
}
