//! Why tasks and runs do not run now, and where their time went. The reasons themselves are `runnel_engine::explain`; here is
//! what they are made of, in a constant number of statements.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runnel_engine::explain::{
    Blocker, GateFacts, GroupFacts, Holder, QueueFacts, RunFacts, Stopwatch, TaskFacts, TimeSpent,
    UpstreamFact, run_blockers, task_blockers,
};
use runnel_engine::gate::{Breaker, GateKey, GateKind, RateState};
use runnel_engine::run::{RunExtra, RunStatus, TaskStatus};
use runnel_engine::{RunId, TaskIx, Timestamp, WorkflowVersionId};
use runnel_entity::{event, run};
use runnel_queue::PayloadRef;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect,
};
use uuid::Uuid;

use super::{Reads, workers};
use crate::actor::Actor;
use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::gate::{GATE_KEY, WAIT_COLUMNS, WaitRow, kind_of, push_key, ticket};
use crate::payload::Payloads;
use crate::store::failed_to;
use crate::workflows::CompiledVersion;

/// Tasks of a run whose reasons stand for the run.
const OF_RUN_MAX: u32 = 20;
/// Holders of a group that are named.
const HOLDERS_MAX: u32 = 20;
/// Longest history whose time is divided, in records.
pub const TIMED_RECORDS_MAX: i64 = 50_000;
/// Event rows read at a time.
const EVENTS_PER_READ: u64 = 500;

/// A task, as its row is asked for here.
type TaskKey = (RunId, TaskIx);

const TASK_KEY: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int)];

/// Why each of the tasks does not run now. Tasks of other namespaces have no entry.
pub(super) async fn of_tasks(
    reads: &Reads,
    payloads: &Payloads,
    actor: &Actor,
    keys: &[TaskKey],
) -> Result<HashMap<TaskKey, Vec<Blocker>>, StoreError> {
    let ids: BTreeSet<RunId> = keys.iter().map(|(run, _)| *run).collect();
    let explained = Explained::read((reads, payloads), actor, &ids, keys).await?;
    let now = reads.clock.now();
    let mut blockers = HashMap::with_capacity(keys.len());
    for key in keys {
        if let Some((parent, facts)) = explained.facts_of(*key) {
            let found = task_blockers(&parent.version.plan, &parent.facts, &facts, now);
            blockers.insert(*key, found);
        }
    }
    Ok(blockers)
}

/// Why each of the runs does not run now; nothing for one of which an attempt runs.
pub(super) async fn of_runs(
    reads: &Reads,
    payloads: &Payloads,
    actor: &Actor,
    ids: &[RunId],
) -> Result<HashMap<RunId, Vec<Blocker>>, StoreError> {
    let set: BTreeSet<RunId> = ids.iter().copied().collect();
    let open = open_tasks(reads, &set).await?;
    let keys: Vec<TaskKey> = open
        .iter()
        .flat_map(|(run, tasks)| tasks.iter().map(|ix| (*run, *ix)))
        .collect();
    let explained = Explained::read((reads, payloads), actor, &set, &keys).await?;
    let now = reads.clock.now();
    let mut blockers = HashMap::with_capacity(ids.len());
    for id in &set {
        let Some(parent) = explained.parents.get(id) else {
            continue;
        };
        let gate = explained.gates.get(&(*id, -1));
        let of_tasks = keys.iter().filter(|(run, _)| run == id).filter_map(|key| {
            let (parent, facts) = explained.facts_of(*key)?;
            Some(task_blockers(&parent.version.plan, &parent.facts, &facts, now))
        });
        let of_tasks: Vec<Blocker> = of_tasks.flatten().collect();
        blockers.insert(*id, run_blockers(&parent.facts, gate, of_tasks, now));
    }
    Ok(blockers)
}

/// Some tasks of each run that wait for something but upstreams; none of a run of which an attempt runs.
async fn open_tasks(
    reads: &Reads,
    ids: &BTreeSet<RunId>,
) -> Result<BTreeMap<RunId, Vec<TaskIx>>, StoreError> {
    const RUN: &[Column] = &[("id", Kind::Id)];
    let backend: DbBackend = reads.store.backend().into();
    let mut rows = RowSet::new(backend, RUN);
    for id in ids {
        rows.id(id.0);
    }
    let mut open: BTreeMap<RunId, Vec<TaskIx>> = BTreeMap::new();
    if rows.is_empty() {
        return Ok(open);
    }
    let sql = format!(
        "SELECT run_id, ix FROM (SELECT t.run_id, t.ix, row_number() OVER (PARTITION BY t.run_id ORDER BY t.ix) AS n \
         FROM {} JOIN task t ON t.run_id = c.id WHERE t.status IN ({}, {}, {}, {}) AND NOT EXISTS \
         (SELECT 1 FROM task r WHERE r.run_id = c.id AND r.status = {})) AS o WHERE n <= {OF_RUN_MAX} ORDER BY run_id, ix",
        source(backend, RUN),
        TaskStatus::Ready as u8,
        TaskStatus::Queued as u8,
        TaskStatus::Waiting as u8,
        TaskStatus::RetryWait as u8,
        TaskStatus::Running as u8
    );
    let failed = failed_to("read what a run waits for");
    let found = reads
        .store
        .read()
        .query_all_raw(rows.bind(backend, &sql, vec![]))
        .await
        .map_err(failed)?;
    for row in found {
        let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
        let ix: i32 = row.try_get_by_index(1).map_err(failed)?;
        open.entry(RunId(id))
            .or_default()
            .push(TaskIx(u32::try_from(ix).unwrap_or(0)));
    }
    Ok(open)
}

/// A run of the tasks.
struct Parent {
    version: Arc<CompiledVersion>,
    facts: RunFacts,
}

/// Everything that the reasons are made of.
struct Explained {
    parents: HashMap<RunId, Parent>,
    tasks: HashMap<TaskKey, TaskRow>,
    /// By run and index of the task; -1 for the run.
    gates: HashMap<(RunId, i32), GateFacts>,
    /// Pairs of queue and type that a worker serves.
    served: BTreeSet<(String, String)>,
    local_types: Arc<[String]>,
    /// Messages that wait to be sent, by queue.
    backlogs: HashMap<String, u64>,
    /// Places of those among them.
    positions: HashMap<TaskKey, u64>,
}

struct TaskRow {
    template: TaskIx,
    is_item: bool,
    status: TaskStatus,
    attempt: u32,
    wake_at: Option<Timestamp>,
    ready_at: Option<Timestamp>,
    queued_at: Option<Timestamp>,
    input: Option<String>,
}

impl Explained {
    async fn read(
        (reads, payloads): (&Reads, &Payloads),
        actor: &Actor,
        ids: &BTreeSet<RunId>,
        keys: &[TaskKey],
    ) -> Result<Self, StoreError> {
        let parents = parents(reads, actor, ids).await?;
        let mut wanted: BTreeSet<TaskKey> = BTreeSet::new();
        for (run, ix) in keys {
            let Some(parent) = parents.get(run) else { continue };
            wanted.insert((*run, *ix));
            if ix.at() < parent.version.plan.len() {
                wanted.extend(parent.version.plan.upstreams(*ix).iter().map(|up| (*run, *up)));
            }
        }
        let mut tasks = tasks(reads, &wanted).await?;
        fill(payloads, &mut tasks).await;
        let has = |status: TaskStatus| {
            keys.iter()
                .any(|key| tasks.get(key).is_some_and(|t| t.status == status))
        };
        let is_pending = parents
            .values()
            .any(|parent| parent.facts.status == RunStatus::Pending);
        let gates = if has(TaskStatus::Ready) || is_pending {
            gates(reads, &parents, keys).await?
        } else {
            HashMap::new()
        };
        let (mut served, mut backlogs, mut positions) = (BTreeSet::new(), HashMap::new(), HashMap::new());
        if has(TaskStatus::Queued) || has(TaskStatus::Ready) {
            let workers = workers::alive(reads).await?;
            served = workers
                .into_iter()
                .flat_map(|worker| {
                    let queue = worker.queue.clone();
                    worker.types.into_iter().map(move |kind| (queue.clone(), kind))
                })
                .collect();
            backlogs = self::backlogs(reads).await?;
            positions = self::positions(reads, keys).await?;
        }
        Ok(Self {
            parents,
            tasks,
            gates,
            served,
            local_types: Arc::clone(&reads.local_types),
            backlogs,
            positions,
        })
    }

    fn facts_of(&self, key: TaskKey) -> Option<(&Parent, TaskFacts)> {
        let parent = self.parents.get(&key.0)?;
        let row = self.tasks.get(&key)?;
        let plan = &parent.version.plan;
        let definition = plan.task(row.template);
        let upstreams = if row.is_item {
            &[][..]
        } else {
            plan.upstreams(row.template)
        };
        let upstreams = upstreams.iter().filter_map(|up| {
            Some(UpstreamFact {
                key: plan.task(*up).key.clone(),
                status: self.tasks.get(&(key.0, *up))?.status,
            })
        });
        let is_served = self.local_types.contains(&definition.kind)
            || self
                .served
                .contains(&(definition.queue.clone(), definition.kind.clone()));
        let facts = TaskFacts {
            template: row.template,
            is_item: row.is_item,
            status: row.status,
            attempt: row.attempt,
            wake_at: row.wake_at,
            ready_at: row.ready_at,
            queued_at: row.queued_at,
            input: row.input.clone(),
            upstreams: upstreams.collect(),
            gate: self
                .gates
                .get(&(key.0, i32::try_from(key.1.0).unwrap_or(i32::MAX)))
                .cloned(),
            queue: QueueFacts {
                is_served,
                position: self.positions.get(&key).copied(),
                backlog: self.backlogs.get(&definition.queue).copied().unwrap_or(0),
            },
        };
        Some((parent, facts))
    }
}

async fn parents(
    reads: &Reads,
    actor: &Actor,
    ids: &BTreeSet<RunId>,
) -> Result<HashMap<RunId, Parent>, StoreError> {
    let rows: Vec<(Uuid, Uuid, i16, bool, String)> = run::Entity::find()
        .filter(run::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(run::Column::Namespace.eq(&*actor.namespace))
        .select_only()
        .columns([
            run::Column::Id,
            run::Column::WorkflowVersionId,
            run::Column::Status,
            run::Column::IsPaused,
            run::Column::Extra,
        ])
        .into_tuple()
        .all(reads.store.read())
        .await
        .map_err(failed_to("read runs"))?;
    let mut wanted: Vec<WorkflowVersionId> = rows.iter().map(|row| WorkflowVersionId(row.1)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let versions = reads.versions.get_all(&wanted).await?;
    let mut parents = HashMap::with_capacity(rows.len());
    for (id, version, status, is_paused, extra) in rows {
        let (Some(version), Some(status)) = (
            versions.get(&WorkflowVersionId(version)),
            RunStatus::from_code(status),
        ) else {
            continue;
        };
        // what cannot be read here is reported by whoever applies the run
        let extra: RunExtra = serde_json::from_str(&extra).unwrap_or_default();
        let facts = RunFacts {
            status,
            is_paused,
            pause: extra.pause.clone(),
            outcome: extra.outcome,
        };
        let parent = Parent {
            version: Arc::clone(version),
            facts,
        };
        parents.insert(RunId(id), parent);
    }
    Ok(parents)
}

fn task_keys(backend: DbBackend, keys: impl IntoIterator<Item = TaskKey>) -> RowSet {
    let mut rows = RowSet::new(backend, TASK_KEY);
    for (run, ix) in keys {
        rows.id(run.0).int(ix.0);
    }
    rows
}

/// Puts the values in place of references to large inputs. One that cannot be had leaves its reason without details.
async fn fill(payloads: &Payloads, tasks: &mut HashMap<TaskKey, TaskRow>) {
    for task in tasks.values_mut() {
        if let Some(reference) = task.input.as_deref().and_then(PayloadRef::read) {
            let text = payloads.read(&reference).await.ok();
            task.input = text.map(|text| text.to_string());
        }
    }
}

async fn tasks(reads: &Reads, wanted: &BTreeSet<TaskKey>) -> Result<HashMap<TaskKey, TaskRow>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = task_keys(backend, wanted.iter().copied());
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT t.run_id, t.ix, t.template, CASE WHEN t.item IS NULL THEN 0 ELSE 1 END, t.status, t.attempt, t.wake_at, \
         t.ready_at, t.queued_at, CASE WHEN t.status = {} AND t.item IS NULL THEN t.input END \
         FROM {} JOIN task t ON t.run_id = c.run_id AND t.ix = c.ix",
        TaskStatus::Waiting as u8,
        source(backend, TASK_KEY)
    );
    let failed = failed_to("read tasks");
    let found = reads
        .store
        .read()
        .query_all_raw(rows.bind(backend, &sql, vec![]))
        .await
        .map_err(failed)?;
    let read = |row: &QueryResult| {
        let run: Uuid = row.try_get_by_index(0)?;
        let (ix, template, is_item): (i32, i32, i32) = (
            row.try_get_by_index(1)?,
            row.try_get_by_index(2)?,
            row.try_get_by_index(3)?,
        );
        let (status, attempt): (i16, i32) = (row.try_get_by_index(4)?, row.try_get_by_index(5)?);
        let moment =
            |at: usize| Ok::<_, sea_orm::DbErr>(row.try_get_by_index::<Option<i64>>(at)?.map(Timestamp));
        let task = TaskRow {
            template: TaskIx(u32::try_from(template).unwrap_or(0)),
            is_item: is_item != 0,
            status: TaskStatus::from_code(status).unwrap_or(TaskStatus::Blocked),
            attempt: u32::try_from(attempt).unwrap_or(0),
            wake_at: moment(6)?,
            ready_at: moment(7)?,
            queued_at: moment(8)?,
            input: row.try_get_by_index(9)?,
        };
        Ok(((RunId(run), TaskIx(u32::try_from(ix).unwrap_or(0))), task))
    };
    found
        .iter()
        .map(read)
        .collect::<Result<_, sea_orm::DbErr>>()
        .map_err(failed)
}

/// What the tasks and the pending runs ask of the gates, and how these stand: four statements.
async fn gates(
    reads: &Reads,
    parents: &HashMap<RunId, Parent>,
    keys: &[TaskKey],
) -> Result<HashMap<(RunId, i32), GateFacts>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let mut rows = RowSet::new(backend, TASK_KEY);
    for (run, ix) in keys {
        rows.id(run.0).int(ix.0);
    }
    for (run, parent) in parents {
        if parent.facts.status == RunStatus::Pending {
            rows.id(run.0).int(-1);
        }
    }
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT {WAIT_COLUMNS}, (SELECT count(*) FROM gate_wait b WHERE b.state = 0 AND b.namespace = w.namespace \
         AND b.lane = w.lane AND (b.rank, b.id) < (w.rank, w.id)) \
         FROM {} JOIN gate_wait w ON w.run_id = c.run_id AND w.ix = c.ix WHERE w.state = 0",
        source(backend, TASK_KEY)
    );
    let failed = failed_to("read questions to the gates");
    let found = reads
        .store
        .read()
        .query_all_raw(rows.bind(backend, &sql, vec![]))
        .await
        .map_err(failed)?;
    let mut asked = Vec::with_capacity(found.len());
    let mut wanted: BTreeSet<GateKey> = BTreeSet::new();
    for row in &found {
        let ahead: i64 = row.try_get_by_index(9).map_err(failed)?;
        let wait = WaitRow::read(row)?;
        wanted.extend(wait.request.keys(&wait.namespace));
        asked.push((wait, u64::try_from(ahead).unwrap_or(0) + 1));
    }
    let groups = groups(reads, &wanted).await?;
    let (rates, breakers) = states(reads, &wanted).await?;
    let facts = asked.into_iter().map(|(wait, position)| {
        let find = |kind| {
            wait.request
                .keys(&wait.namespace)
                .into_iter()
                .find(|key| key.kind == kind)
        };
        let group = find(GateKind::Group).and_then(|key| groups.get(&key).cloned());
        let rate = find(GateKind::Rate).and_then(|key| rates.get(&key).copied());
        let breaker = find(GateKind::Circuit).and_then(|key| breakers.get(&key).cloned());
        let facts = GateFacts {
            position,
            group: group.unwrap_or_default(),
            rate: rate.unwrap_or_default(),
            breaker: breaker.unwrap_or_default(),
            request: wait.request,
        };
        ((wait.ticket.run, wait.ticket.ix), facts)
    });
    Ok(facts.collect())
}

fn gate_keys<'k>(backend: DbBackend, keys: impl Iterator<Item = &'k GateKey>) -> RowSet {
    let mut rows = RowSet::new(backend, GATE_KEY);
    for key in keys {
        push_key(&mut rows, key);
    }
    rows
}

async fn groups(
    reads: &Reads,
    wanted: &BTreeSet<GateKey>,
) -> Result<HashMap<GateKey, GroupFacts>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = gate_keys(backend, wanted.iter().filter(|key| key.kind == GateKind::Group));
    let mut groups: HashMap<GateKey, GroupFacts> = HashMap::new();
    if rows.is_empty() {
        return Ok(groups);
    }
    let sql = format!(
        "SELECT h.namespace, h.group_name, h.held, h.smallest, h.run_id, h.ix, h.attempt, h.held_at, t.key FROM ( \
         SELECT s.*, count(*) OVER g AS held, min(s.holders_max) OVER g AS smallest, \
         row_number() OVER (PARTITION BY s.namespace, s.group_name ORDER BY s.held_at, s.run_id, s.ix) AS n \
         FROM {} JOIN concurrency_slot s ON s.namespace = c.namespace AND s.group_name = c.name \
         WINDOW g AS (PARTITION BY s.namespace, s.group_name)) AS h \
         LEFT JOIN task t ON t.run_id = h.run_id AND t.ix = h.ix WHERE h.n <= {HOLDERS_MAX} ORDER BY h.n",
        source(backend, GATE_KEY)
    );
    let failed = failed_to("read the holders of groups");
    let found = reads
        .store
        .read()
        .query_all_raw(rows.bind(backend, &sql, vec![]))
        .await
        .map_err(failed)?;
    for row in &found {
        let key = GateKey {
            namespace: row.try_get_by_index(0).map_err(failed)?,
            kind: GateKind::Group,
            name: row.try_get_by_index(1).map_err(failed)?,
        };
        let held: i64 = row.try_get_by_index(2).map_err(failed)?;
        let smallest: i32 = row.try_get_by_index(3).map_err(failed)?;
        let since: i64 = row.try_get_by_index(7).map_err(failed)?;
        let group = groups.entry(key).or_default();
        group.held = u32::try_from(held).unwrap_or(u32::MAX);
        group.smallest_limit = u32::try_from(smallest).ok();
        group.holders.push(Holder {
            ticket: ticket(row, 4)?,
            task: row.try_get_by_index(8).map_err(failed)?,
            since: Timestamp(since),
        });
    }
    Ok(groups)
}

type States = (HashMap<GateKey, RateState>, HashMap<GateKey, Breaker>);

async fn states(reads: &Reads, wanted: &BTreeSet<GateKey>) -> Result<States, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = gate_keys(backend, wanted.iter().filter(|key| key.kind != GateKind::Group));
    let mut states = States::default();
    if rows.is_empty() {
        return Ok(states);
    }
    let sql = format!(
        "SELECT g.namespace, g.kind, g.name, g.state FROM {} JOIN gate g \
         ON g.namespace = c.namespace AND g.kind = c.kind AND g.name = c.name WHERE g.state <> '{{}}'",
        source(backend, GATE_KEY)
    );
    let failed = failed_to("read the gates");
    let found = reads
        .store
        .read()
        .query_all_raw(rows.bind(backend, &sql, vec![]))
        .await
        .map_err(failed)?;
    for row in &found {
        let kind: i16 = row.try_get_by_index(1).map_err(failed)?;
        let Some(kind) = kind_of(kind) else { continue };
        let key = GateKey {
            namespace: row.try_get_by_index(0).map_err(failed)?,
            kind,
            name: row.try_get_by_index(2).map_err(failed)?,
        };
        let state: String = row.try_get_by_index(3).map_err(failed)?;
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            table: "gate",
            problem: error.to_string(),
        };
        if kind == GateKind::Rate {
            states
                .0
                .insert(key, serde_json::from_str(&state).map_err(corrupt)?);
        } else {
            states
                .1
                .insert(key, serde_json::from_str(&state).map_err(corrupt)?);
        }
    }
    Ok(states)
}

async fn backlogs(reads: &Reads) -> Result<HashMap<String, u64>, StoreError> {
    let sql = "SELECT queue, count(*) FROM outbox GROUP BY queue";
    let failed = failed_to("count the outbox");
    let found = reads
        .store
        .read()
        .query_all_raw(reads.store.backend().statement(sql, []))
        .await
        .map_err(failed)?;
    let mut backlogs = HashMap::new();
    for row in found {
        let count: i64 = row.try_get_by_index(1).map_err(failed)?;
        backlogs.insert(
            row.try_get_by_index(0).map_err(failed)?,
            u64::try_from(count).unwrap_or(0),
        );
    }
    Ok(backlogs)
}

async fn positions(reads: &Reads, keys: &[TaskKey]) -> Result<HashMap<TaskKey, u64>, StoreError> {
    let backend: DbBackend = reads.store.backend().into();
    let rows = task_keys(backend, keys.iter().copied());
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT o.run_id, o.ix, (SELECT count(*) FROM outbox b WHERE b.queue = o.queue AND b.namespace = o.namespace \
         AND (b.rank, b.id) < (o.rank, o.id)) FROM {} JOIN outbox o ON o.run_id = c.run_id AND o.ix = c.ix",
        source(backend, TASK_KEY)
    );
    let failed = failed_to("find places in the outbox");
    let found = reads
        .store
        .read()
        .query_all_raw(rows.bind(backend, &sql, vec![]))
        .await
        .map_err(failed)?;
    let mut positions = HashMap::new();
    for row in found {
        let run: Uuid = row.try_get_by_index(0).map_err(failed)?;
        let ix: i32 = row.try_get_by_index(1).map_err(failed)?;
        let ahead: i64 = row.try_get_by_index(2).map_err(failed)?;
        positions.insert(
            (RunId(run), TaskIx(u32::try_from(ix).unwrap_or(0))),
            u64::try_from(ahead).unwrap_or(0) + 1,
        );
    }
    Ok(positions)
}

/// Where the time of each task of the runs went, by index. A run with too long a history has no entry.
pub(super) async fn time_spent(
    reads: &Reads,
    actor: &Actor,
    ids: &[RunId],
) -> Result<HashMap<RunId, BTreeMap<TaskIx, TimeSpent>>, StoreError> {
    let rows: Vec<(Uuid, i64, Option<i64>)> = run::Entity::find()
        .filter(run::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(run::Column::Namespace.eq(&*actor.namespace))
        .filter(run::Column::NextSeq.lte(TIMED_RECORDS_MAX))
        .select_only()
        .columns([run::Column::Id, run::Column::NextSeq, run::Column::FinishedAt])
        .into_tuple()
        .all(reads.store.read())
        .await
        .map_err(failed_to("read runs"))?;
    let mut watches: HashMap<RunId, (Stopwatch, Option<i64>)> = rows
        .into_iter()
        .map(|(id, _, finished_at)| (RunId(id), (Stopwatch::default(), finished_at)))
        .collect();
    let wanted: Vec<Uuid> = watches.keys().map(|id| id.0).collect();
    let mut after: Option<(Uuid, i64)> = None;
    loop {
        let mut page = event::Entity::find()
            .filter(event::Column::RunId.is_in(wanted.iter().copied()))
            .order_by_asc(event::Column::RunId)
            .order_by_asc(event::Column::FirstSeq)
            .limit(EVENTS_PER_READ);
        if let Some((run, seq)) = after {
            page = page.filter(
                Condition::any().add(event::Column::RunId.gt(run)).add(
                    Condition::all()
                        .add(event::Column::RunId.eq(run))
                        .add(event::Column::FirstSeq.gt(seq)),
                ),
            );
        }
        let rows = page
            .all(reads.store.read())
            .await
            .map_err(failed_to("read events"))?;
        for row in &rows {
            let records: Vec<runnel_engine::run::Record> =
                serde_json::from_str(&row.records).map_err(|error| StoreError::Corrupt {
                    table: "event",
                    problem: format!("{} {}: {error}", row.run_id, row.first_seq),
                })?;
            if let Some((watch, _)) = watches.get_mut(&RunId(row.run_id)) {
                records.iter().for_each(|record| watch.read(record));
            }
        }
        match rows.last() {
            Some(last) if rows.len() as u64 == EVENTS_PER_READ => after = Some((last.run_id, last.first_seq)),
            _ => break,
        }
    }
    let now = reads.clock.now();
    Ok(watches
        .into_iter()
        .map(|(id, (watch, finished_at))| (id, watch.stop(finished_at.map_or(now, Timestamp))))
        .collect())
}
