//! Rows to read in tests, on both databases.

use std::sync::Arc;

use runnel_engine::run::{Record, RecordKind, RunStatus, TaskStatus};
use runnel_engine::source::Format;
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_entity::{event, run, task, task_log, worker};
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use uuid::Uuid;

use super::Reads;
use crate::actor::Actor;
use crate::clock::{ManualClock, SeededEntropy};
use crate::config::DatabaseConfig;
use crate::error::{PublishError, StoreError};
use crate::orchestrator::{PublishRequest, Published};
use crate::store::{Schema, Store, failed_to};
use crate::temporary_postgres::TemporaryPostgres;

/// Now, in all samples.
pub(crate) const NOW: i64 = 1_700_000_000_000_000;

/// A store with reads, and what it lives in.
pub(crate) struct Sample {
    pub reads: Reads,
    pub clock: Arc<ManualClock>,
    pub actor: Actor,
    pub url: String,
    _home: Home,
}

/// What kept a sample from being made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SampleError {
    #[error("making the directory of a sample")]
    Directory(#[source] std::io::Error),
    #[error("opening the store of a sample")]
    Open(#[source] StoreError),
    #[error("publishing a sample")]
    Publish(#[source] PublishError),
    #[error("inserting a sample")]
    Insert(#[source] StoreError),
    #[error("writing the records of a sample")]
    Records(#[source] serde_json::Error),
}

enum Home {
    Directory(#[expect(dead_code, reason = "deleted when dropped")] tempfile::TempDir),
    Server(#[expect(dead_code, reason = "stopped when dropped")] TemporaryPostgres),
}

impl Sample {
    pub(crate) async fn sqlite() -> Result<Self, SampleError> {
        let dir = tempfile::tempdir().map_err(SampleError::Directory)?;
        let url = format!("sqlite://{}/runnel.db?mode=rwc", dir.path().display());
        Self::open(url, Home::Directory(dir)).await
    }

    pub(crate) async fn postgres() -> Result<Self, SampleError> {
        let server = TemporaryPostgres::start();
        Self::open(server.url(), Home::Server(server)).await
    }

    async fn open(url: String, home: Home) -> Result<Self, SampleError> {
        let config = DatabaseConfig {
            url: url.clone(),
            connections: 4,
            is_sqlite_relaxed: false,
        };
        let entropy = Arc::new(SeededEntropy::new(1));
        let store = Store::open(&config, entropy.clone(), Schema::Migrate)
            .await
            .map_err(SampleError::Open)?;
        let clock = Arc::new(ManualClock::new(Timestamp(NOW)));
        let reads = Reads::new(store, clock.clone(), entropy, vec!["shell".to_owned()]);
        Ok(Self {
            reads,
            clock,
            actor: actor("default"),
            url,
            _home: home,
        })
    }

    pub(crate) async fn publish(&self, source: &str) -> Result<Published, SampleError> {
        let request = PublishRequest {
            source: source.to_owned(),
            format: Format::Yaml,
            is_dry_run: false,
        };
        crate::workflows::publish(&self.reads, &self.actor, request)
            .await
            .map_err(SampleError::Publish)
    }

    /// Inserts rows of one table.
    pub(crate) async fn insert<A>(&self, rows: Vec<A>) -> Result<(), SampleError>
    where
        A: ActiveModelTrait + Clone + Send + Sync + 'static,
    {
        let insert = self.reads.store.tx("insert a sample", move |tx| {
            let rows = rows.clone();
            Box::pin(async move {
                let insert = <A::Entity as EntityTrait>::insert_many(rows);
                insert
                    .exec_without_returning(tx)
                    .await
                    .map_err(failed_to("insert a sample"))?;
                Ok(())
            })
        });
        insert.await.map_err(SampleError::Insert)
    }
}

/// The nth run, created n seconds after [`NOW`].
pub(crate) fn run(n: u32, published: &Published) -> run::ActiveModel {
    let model = run::Model {
        workflow_id: published.workflow.id.0,
        workflow_version_id: published.version.id.0,
        workflow_version: published.version.number,
        created_at: NOW + i64::from(n) * 1_000_000,
        ..bare_run(run_id(n).0)
    };
    model.into_active_model().reset_all()
}

/// A run to which nothing has happened yet, and whose workflow has its id.
pub(crate) fn bare_run(id: Uuid) -> run::Model {
    run::Model {
        id,
        namespace: "default".to_owned(),
        workflow_id: id,
        workflow_version_id: id,
        workflow_version: 1,
        status: RunStatus::Running as i16,
        is_paused: false,
        version: 1,
        next_seq: 1,
        wake_at: None,
        priority: 50,
        idempotency_key: None,
        request_hash: None,
        inputs: "{}".to_owned(),
        vars: "{}".to_owned(),
        outputs: None,
        error: None,
        tags: "[]".to_owned(),
        counts: "{}".to_owned(),
        has_tolerated_failures: false,
        extra: "{}".to_owned(),
        created_at: 0,
        created_by: "anonymous".to_owned(),
        started_at: None,
        finished_at: None,
        parent_run_id: None,
        parent_ix: None,
        parent_attempt: None,
        root_run_id: None,
        depth: 0,
        rerun_of: None,
    }
}

pub(crate) fn run_id(n: u32) -> RunId {
    RunId(Uuid::from_u128(u128::from(n)))
}

pub(crate) fn task(run: RunId, ix: i32, key: &str, kind: &str, status: TaskStatus) -> task::ActiveModel {
    let model = task::Model {
        run_id: run.0,
        ix,
        key: key.to_owned(),
        template: ix,
        item: None,
        kind: kind.to_owned(),
        queue: "default".to_owned(),
        status: status as i16,
        attempt: 0,
        retries: 0,
        losses: 0,
        wake_at: None,
        ready_at: None,
        queued_at: None,
        started_at: None,
        heartbeat_at: None,
        finished_at: None,
        worker: None,
        input: None,
        output: None,
        error: None,
        progress: None,
        checkpoint: None,
        extra: None,
    };
    model.into_active_model().reset_all()
}

/// Records with the given numbers, in one row.
pub(crate) fn events(
    namespace: &str,
    run: RunId,
    seqs: std::ops::RangeInclusive<i64>,
) -> Result<event::ActiveModel, SampleError> {
    let record = |seq| Record {
        seq,
        kind: if seq == 1 {
            RecordKind::RunCreated
        } else {
            RecordKind::TaskReady
        },
        task: (seq > 1).then_some(TaskIx(0)),
        key: (seq > 1).then(|| format!("t{seq}")),
        attempt: None,
        at: Timestamp(NOW),
        actor: None,
        reason: None,
        data: None,
        usage: None,
    };
    let records: Vec<Record> = seqs.clone().map(record).collect();
    let records = serde_json::to_string(&records).map_err(SampleError::Records)?;
    Ok(event::ActiveModel {
        position: NotSet,
        run_id: Set(run.0),
        first_seq: Set(*seqs.start()),
        last_seq: Set(*seqs.end()),
        xid: NotSet,
        namespace: Set(namespace.to_owned()),
        at: Set(NOW),
        records: Set(records),
    })
}

pub(crate) fn worker(name: &str, types: &str, seen_at: i64) -> worker::ActiveModel {
    worker::ActiveModel {
        id: Set(name.to_owned()),
        queue: Set("default".to_owned()),
        types: Set(types.to_owned()),
        slots: Set(4),
        started_at: Set(NOW),
        seen_at: Set(seen_at),
        left_at: Set(None),
    }
}

pub(crate) fn log(run: RunId, ix: i32, attempt: i32, text: &str) -> task_log::ActiveModel {
    task_log::ActiveModel {
        id: NotSet,
        run_id: Set(run.0),
        ix: Set(ix),
        attempt: Set(attempt),
        digest: Set(text.to_owned()),
        line_count: Set(1),
        lines: Set(format!(r#"[{{"at_us":1,"stream":"stdout","text":"{text}"}}]"#)),
        created_at: Set(NOW),
    }
}

pub(crate) fn actor(namespace: &str) -> Actor {
    Actor {
        name: Arc::from("anonymous"),
        namespace: Arc::from(namespace),
    }
}
