//! Why tasks and runs do not run now, and where their time went. The reasons themselves are `runnel_engine::explain`; here is
//! what they are made of, in a constant number of statements.

mod gates;
mod outbox;
mod rows;
mod time;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use runnel_engine::explain::{
    Blocker, GateFacts, QueueFacts, TaskFacts, UpstreamFact, run_blockers, task_blockers,
};
use runnel_engine::run::{RunStatus, TaskStatus};
use runnel_engine::{RunId, TaskIx};
use runnel_queue::PayloadRef;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult};

use super::{Reads, workers};
use crate::actor::Actor;
use crate::apply::{Column, Kind, RowSet};
use crate::error::StoreError;
use crate::payload::Payloads;

pub use time::TIMED_RECORDS_MAX;
pub(super) use time::time_spent;

use rows::Parent;

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
    let open = rows::open_tasks(reads, &set).await?;
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

/// Everything that the reasons are made of.
struct Explained {
    parents: HashMap<RunId, Parent>,
    /// What their rows say.
    tasks: HashMap<TaskKey, TaskFacts>,
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

impl Explained {
    async fn read(
        (reads, payloads): (&Reads, &Payloads),
        actor: &Actor,
        ids: &BTreeSet<RunId>,
        keys: &[TaskKey],
    ) -> Result<Self, StoreError> {
        let parents = rows::parents(reads, actor, ids).await?;
        let mut wanted: BTreeSet<TaskKey> = BTreeSet::new();
        for (run, ix) in keys {
            let Some(parent) = parents.get(run) else { continue };
            wanted.insert((*run, *ix));
            if ix.at() < parent.version.plan.len() {
                wanted.extend(parent.version.plan.upstreams(*ix).iter().map(|up| (*run, *up)));
            }
        }
        let mut tasks = rows::tasks(reads, &wanted).await?;
        fill(payloads, &mut tasks).await;
        let has = |status: TaskStatus| {
            keys.iter()
                .any(|key| tasks.get(key).is_some_and(|t| t.status == status))
        };
        let is_pending = parents
            .values()
            .any(|parent| parent.facts.status == RunStatus::Pending);
        let gates = if has(TaskStatus::Ready) || is_pending {
            gates::of(reads, &parents, keys).await?
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
            backlogs = outbox::backlogs(reads).await?;
            positions = outbox::positions(reads, keys).await?;
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
            ..row.clone()
        };
        Some((parent, facts))
    }
}

/// The rows of a statement over a set of rows.
async fn answers(
    reads: &Reads,
    rows: RowSet,
    sql: &str,
    failed: impl Fn(DbErr) -> StoreError,
) -> Result<Vec<QueryResult>, StoreError> {
    let statement = rows.bind(reads.store.backend().into(), sql, vec![]);
    reads.store.read().query_all_raw(statement).await.map_err(failed)
}

fn task_keys(backend: DbBackend, keys: impl IntoIterator<Item = TaskKey>) -> RowSet {
    let mut rows = RowSet::new(backend, TASK_KEY);
    for (run, ix) in keys {
        rows.id(run.0).int(ix.0);
    }
    rows
}

/// Puts the values in place of references to large inputs. One that cannot be had leaves its reason without details.
async fn fill(payloads: &Payloads, tasks: &mut HashMap<TaskKey, TaskFacts>) {
    for task in tasks.values_mut() {
        if let Some(reference) = task.input.as_deref().and_then(PayloadRef::read) {
            let text = payloads.read(&reference).await.ok();
            task.input = text.map(|text| text.to_string());
        }
    }
}
