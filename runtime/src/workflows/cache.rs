//! Compiled versions, shared by all runs of a version.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runnel_engine::{Plan, Workflow, WorkflowId, WorkflowVersionId};
use runnel_entity::{workflow, workflow_version};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::error::StoreError;
use crate::store::{Store, failed_to};
use crate::view::convert::{corrupt, json};

/// Static tasks of all cached versions together: about 100 MB of plans at the very most. The least recently used goes first.
const CACHED_TASKS_MAX: usize = 50_000;

/// Questions for a latest version that are remembered as in flight; past it they are asked each on their own.
const FLIGHTS_MAX: usize = 1_024;

/// A version, ready to run.
#[derive(Debug)]
pub(crate) struct CompiledVersion {
    pub id: WorkflowVersionId,
    pub workflow_id: WorkflowId,
    pub number: i32,
    pub key: Arc<str>,
    pub namespace: Arc<str>,
    pub plan: Arc<Plan>,
    /// Keys of the upstreams by template index.
    pub upstream_keys: Arc<Vec<Vec<String>>>,
}

/// The answer to "which version is meant".
#[derive(Debug, Clone)]
pub(crate) enum Lookup {
    Found(Arc<CompiledVersion>),
    UnknownWorkflow,
    UnknownVersion { latest: i32 },
}

/// The compiled versions of one process.
#[derive(Clone)]
pub(crate) struct Versions {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    cached: Mutex<Cached>,
    flights: Mutex<HashMap<Question, Arc<Flight>>>,
}

#[derive(Default)]
struct Cached {
    versions: HashMap<WorkflowVersionId, (Arc<CompiledVersion>, u64)>,
    tasks: usize,
    uses: u64,
}

impl Cached {
    fn get(&mut self, id: WorkflowVersionId) -> Option<Arc<CompiledVersion>> {
        self.uses += 1;
        let uses = self.uses;
        let (version, used) = self.versions.get_mut(&id)?;
        *used = uses;
        Some(Arc::clone(version))
    }

    fn insert(&mut self, version: Arc<CompiledVersion>) {
        self.uses += 1;
        self.tasks += version.plan.len().max(1);
        if let Some((old, _)) = self.versions.insert(version.id, (version, self.uses)) {
            self.tasks -= old.plan.len().max(1);
        }
        while self.tasks > CACHED_TASKS_MAX && self.versions.len() > 1 {
            let Some(oldest) = self
                .versions
                .iter()
                .min_by_key(|(_, (_, used))| *used)
                .map(|(id, _)| *id)
            else {
                break;
            };
            if let Some((old, _)) = self.versions.remove(&oldest) {
                self.tasks -= old.plan.len().max(1);
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    namespace: String,
    key: String,
    number: Option<i32>,
}

/// Callers that ask the same at the same time share a statement, but only one that began after they asked: what was
/// published before a start was requested is always seen by it.
#[derive(Default)]
struct Flight {
    asked: AtomicU64,
    /// The last answer, and how many had asked when its statement began.
    answered: tokio::sync::Mutex<(u64, Option<Known>)>,
}

/// What the statement said: the workflow's latest number, and the version asked for.
type Known = Option<(i32, Option<WorkflowVersionId>)>;

impl Versions {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                cached: Mutex::default(),
                flights: Mutex::default(),
            }),
        }
    }

    /// A version that exists, because a run is pinned to it.
    pub(crate) async fn get(&self, id: WorkflowVersionId) -> Result<Arc<CompiledVersion>, StoreError> {
        let mut found = self.get_all(&[id]).await?;
        found
            .remove(&id)
            .ok_or_else(|| corrupt("workflow_version", format!("{id} does not exist")))
    }

    /// Those of the versions that exist; two statements for all that are not cached.
    pub(crate) async fn get_all(
        &self,
        ids: &[WorkflowVersionId],
    ) -> Result<HashMap<WorkflowVersionId, Arc<CompiledVersion>>, StoreError> {
        let mut found = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        {
            let mut cached = self.cached();
            for id in ids {
                match cached.get(*id) {
                    Some(version) => drop(found.insert(*id, version)),
                    None => missing.push(id.0),
                }
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        let db = self.inner.store.read();
        let versions = workflow_version::Entity::find().filter(workflow_version::Column::Id.is_in(missing));
        let versions = versions
            .all(db)
            .await
            .map_err(failed_to("read workflow versions"))?;
        let parents = workflow::Entity::find()
            .filter(workflow::Column::Id.is_in(versions.iter().map(|v| v.workflow_id)));
        let parents = parents.all(db).await.map_err(failed_to("read workflows"))?;
        for row in versions {
            let parent = parents
                .iter()
                .find(|parent| parent.id == row.workflow_id)
                .cloned();
            let parent = parent
                .ok_or_else(|| corrupt("workflow_version", format!("{} belongs to no workflow", row.id)))?;
            let version = compile(row, parent).await?;
            self.remember(Arc::clone(&version));
            found.insert(version.id, version);
        }
        Ok(found)
    }

    /// The version with the number, or the latest one as of now.
    pub(crate) async fn find(
        &self,
        namespace: &str,
        key: &str,
        number: Option<i32>,
    ) -> Result<Lookup, StoreError> {
        let question = Question {
            namespace: namespace.to_owned(),
            key: key.to_owned(),
            number,
        };
        match self.ask(question).await? {
            None => Ok(Lookup::UnknownWorkflow),
            Some((latest, None)) => Ok(Lookup::UnknownVersion { latest }),
            Some((_, Some(id))) => Ok(Lookup::Found(self.get(id).await?)),
        }
    }

    /// Remembers a version that was just made.
    pub(super) fn remember(&self, version: Arc<CompiledVersion>) {
        self.cached().insert(version);
    }

    async fn ask(&self, question: Question) -> Result<Known, StoreError> {
        let flight = {
            let mut flights = self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner);
            if flights.len() >= FLIGHTS_MAX {
                flights.retain(|_, flight| Arc::strong_count(flight) > 1);
            }
            Arc::clone(flights.entry(question.clone()).or_default())
        };
        let ticket = flight.asked.fetch_add(1, Ordering::SeqCst);
        let mut answered = flight.answered.lock().await;
        match &*answered {
            (began_at, Some(known)) if *began_at > ticket => Ok(*known),
            _ => {
                let began_at = flight.asked.load(Ordering::SeqCst);
                let known = self.read_latest(&question).await?;
                *answered = (began_at, Some(known));
                Ok(known)
            }
        }
    }

    async fn read_latest(&self, question: &Question) -> Result<Known, StoreError> {
        use sea_orm::ConnectionTrait;
        let store = &self.inner.store;
        let (p1, p2, p3) = store.backend().pick(("$1", "$2", "$3"), ("?1", "?2", "?3"));
        // one text for each question, so that the server finds one plan for all of its answers
        let (number, asked) = match question.number {
            Some(number) => (p3, Some(number)),
            None => ("w.latest_version", None),
        };
        let sql = format!(
            "SELECT w.latest_version, v.id FROM workflow w LEFT JOIN workflow_version v \
             ON v.workflow_id = w.id AND v.number = {number} WHERE w.namespace = {p1} AND w.key = {p2}"
        );
        let mut values = vec![question.namespace.as_str().into(), question.key.as_str().into()];
        values.extend(asked.map(sea_orm::Value::from));
        let failed = failed_to("find a workflow version");
        let row = store
            .read()
            .query_one_raw(store.backend().statement(sql, values))
            .await
            .map_err(failed)?;
        row.map(|row| {
            let id: Option<Uuid> = row.try_get_by_index(1).map_err(failed)?;
            Ok((
                row.try_get_by_index(0).map_err(failed)?,
                id.map(WorkflowVersionId),
            ))
        })
        .transpose()
    }

    fn cached(&self) -> MutexGuard<'_, Cached> {
        self.inner.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiles on a blocking thread: ten thousand tasks take a while, and their parser wants a deep stack.
async fn compile(
    row: workflow_version::Model,
    parent: workflow::Model,
) -> Result<Arc<CompiledVersion>, StoreError> {
    let work = move || {
        let definition: Workflow = json("workflow_version", row.id, "definition", &row.definition)?;
        let plan = Plan::build(definition)
            .map_err(|error| corrupt("workflow_version", format!("definition of {}: {error}", row.id)))?;
        Ok(Arc::new(CompiledVersion::new(&row, &parent, Arc::new(plan))))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| StoreError::Aborted {
        action: "compile a workflow version",
    })?
}

impl CompiledVersion {
    pub(super) fn new(row: &workflow_version::Model, parent: &workflow::Model, plan: Arc<Plan>) -> Self {
        Self {
            id: WorkflowVersionId(row.id),
            workflow_id: WorkflowId(row.workflow_id),
            number: row.number,
            key: Arc::from(parent.key.as_str()),
            namespace: Arc::from(parent.namespace.as_str()),
            upstream_keys: Arc::new(upstream_keys(&plan)),
            plan,
        }
    }
}

fn upstream_keys(plan: &Plan) -> Vec<Vec<String>> {
    let count = u32::try_from(plan.len()).unwrap_or(u32::MAX);
    (0..count)
        .map(|ix| {
            let upstreams = plan.upstreams(runnel_engine::TaskIx(ix));
            upstreams
                .iter()
                .map(|upstream| plan.task(*upstream).key.clone())
                .collect()
        })
        .collect()
}
