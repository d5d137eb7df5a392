//! Starts the child runs that attempts ask for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures_util::future::join_all;
use runnel_engine::inputs::StartFacts;
use runnel_engine::run::{
    Category, ChildInput, ChildRequest, NewRun, Outcome, RunContext, TaskFailure, TaskStatus,
};
use runnel_engine::{RunId, TaskIx};
use runnel_queue::PayloadRef;
use sea_orm::FromQueryResult;
use serde_json::json;
use tokio::sync::oneshot;

use super::claim::{self, Errand};
use super::{DEPTH_MAX, Errands, Told};
use crate::apply::{Parent, StartReply, StartRow, StartWork, Work, errand};
use crate::error::{StartError, StoreError};
use crate::inputs;
use crate::start::TAGS_MAX;
use crate::store::failed_to;
use crate::trace;
use crate::workflows::{CompiledVersion, Lookup};

/// In place of the hash of a request: what marks the run of a key as made by an errand.
const REQUEST_HASH: &str = "child";

const DETAILS: &str = "r.namespace, r.priority, r.tags, r.created_by, r.depth, r.root_run_id, r.extra AS run_extra, \
    t.status AS task_status, t.attempt AS task_attempt, t.input, child.id AS child_id";

const JOINS: &str = "JOIN run r ON r.id = c.run_id JOIN task t ON t.run_id = c.run_id AND t.ix = c.ix \
    LEFT JOIN run child ON child.parent_run_id = c.run_id AND child.parent_ix = c.ix AND child.parent_attempt = c.attempt";

/// What is known of the parent of a child to start.
#[derive(Debug, Clone, FromQueryResult)]
struct Details {
    namespace: String,
    priority: i16,
    tags: String,
    created_by: String,
    depth: i32,
    root_run_id: Option<uuid::Uuid>,
    run_extra: String,
    task_status: i16,
    task_attempt: i32,
    input: Option<String>,
    child_id: Option<uuid::Uuid>,
    /// Why the value of the input is gone for good.
    #[sea_orm(skip)]
    lost: Option<String>,
    /// The value of the input cannot be had now.
    #[sea_orm(skip)]
    is_late: bool,
}

impl Details {
    /// Whether the parent still waits for a child of this attempt.
    fn is_wanted(&self, errand: &Errand) -> bool {
        self.task_status == TaskStatus::Waiting as i16
            && u32::try_from(self.task_attempt) == Ok(errand.attempt)
    }

    fn request(&self) -> Result<ChildRequest, String> {
        if let Some(problem) = &self.lost {
            return Err(format!("the input of the task is lost: {problem}"));
        }
        let text = self.input.as_deref().unwrap_or("null");
        let input = serde_json::from_str(text).map_err(|error| error.to_string())?;
        ChildRequest::of(&input)
    }
}

/// Versions that the starts of one turn ask for, each looked up once.
type Versions = HashMap<(String, String, Option<i32>), Lookup>;

/// A start, and where its answer comes.
type Prepared = (StartWork, oneshot::Receiver<Result<StartReply, StoreError>>);

impl Errands {
    /// Starts children; gives the errands that are done.
    pub(super) async fn start_children(&self, errands: Vec<Errand>) -> Result<Vec<Errand>, StoreError> {
        if errands.is_empty() {
            return Ok(Vec::new());
        }
        let rows = claim::read(&self.shell, &errands, DETAILS, JOINS).await?;
        let failed = failed_to("read what a child run is started from");
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let details = Details::from_query_result(row, "").map_err(failed)?;
            found.insert(Errand::of(row).map_err(failed)?, details);
        }
        self.fill(&mut found).await;
        let (mut done, mut wanted, mut unwanted) = (Vec::new(), Vec::new(), Vec::new());
        for errand in errands {
            match found.remove(&errand) {
                Some(details) if details.is_late => {}
                Some(details) if details.is_wanted(&errand) => wanted.push((errand, details)),
                Some(details) if details.child_id.is_some() => unwanted.push((errand, details)),
                // nobody waits for it, and it was never made
                Some(_) | None => done.push(errand),
            }
        }
        let versions = self.versions_of(&wanted).await?;
        let starts = wanted.iter().map(|(errand, details)| async {
            let answer = self.start_child(errand, details, &versions).await;
            (*errand, answer)
        });
        let mut news = Vec::new();
        for (errand, answer) in join_all(starts).await {
            match answer {
                Ok(input) => news.push((errand.run, errand, input)),
                Err(StoreError::Stopping) => return Err(StoreError::Stopping),
                Err(error) => tracing::warn!(run = %errand.run, %error, "child run is started later"),
            }
        }
        let details: HashMap<Errand, Details> = wanted.into_iter().chain(unwanted.clone()).collect();
        for (errand, told) in self.tell(news).await? {
            if is_refused(&told) {
                unwanted.extend(details.get(&errand).cloned().map(|details| (errand, details)));
            } else {
                done.push(errand);
            }
        }
        done.extend(self.cancel_orphans(unwanted).await?);
        Ok(done)
    }

    /// Puts the values in place of references to large inputs. One that cannot be had now is an errand for later.
    async fn fill(&self, found: &mut HashMap<Errand, Details>) {
        let large = found.iter_mut().filter_map(|(errand, details)| {
            let reference = PayloadRef::read(details.input.as_deref()?)?;
            Some((errand, details, reference))
        });
        for (errand, details, reference) in large {
            match self.shell.payloads.read(&reference).await {
                Ok(text) => details.input = Some(text.to_string()),
                Err(StoreError::Corrupt { problem, .. }) => details.lost = Some(problem),
                Err(error) => {
                    tracing::warn!(run = %errand.run, %error, "the input of a child run cannot be read now");
                    details.is_late = true;
                }
            }
        }
    }

    /// Children whose parents gave up before they heard of them. One that nobody waits for lives on by itself.
    async fn cancel_orphans(&self, orphans: Vec<(Errand, Details)>) -> Result<Vec<Errand>, StoreError> {
        let (orphans, free): (Vec<_>, Vec<_>) = orphans
            .into_iter()
            .partition(|(_, details)| details.request().is_ok_and(|request| request.wait));
        let mut done: Vec<Errand> = free.into_iter().map(|(errand, _)| errand).collect();
        let stops = orphans.into_iter().map(|(errand, _)| Errand {
            kind: errand::CANCEL,
            ..errand
        });
        let stopped = self.stop_children(stops.collect()).await?;
        done.extend(stopped.into_iter().map(|errand| Errand {
            kind: errand::START,
            ..errand
        }));
        Ok(done)
    }

    async fn versions_of(&self, wanted: &[(Errand, Details)]) -> Result<Versions, StoreError> {
        let mut versions = Versions::new();
        for (_, details) in wanted {
            let Ok(request) = details.request() else { continue };
            let question = (details.namespace.clone(), request.workflow, request.version);
            if let Entry::Vacant(place) = versions.entry(question) {
                let (namespace, key, number) = place.key();
                let answer = self.shell.versions.find(namespace, key, *number).await?;
                place.insert(answer);
            }
        }
        Ok(versions)
    }

    /// Starts one child, or finds the one that was started before.
    async fn start_child(
        &self,
        errand: &Errand,
        details: &Details,
        versions: &Versions,
    ) -> Result<ChildInput, StoreError> {
        let refused = |failure| ChildInput::Refused {
            task: errand.task,
            attempt: errand.attempt,
            failure,
        };
        let started = |child| ChildInput::Started {
            task: errand.task,
            attempt: errand.attempt,
            child,
        };
        if let Some(child) = details.child_id {
            return Ok(started(RunId(child)));
        }
        let (work, answer) = match self.prepare(errand, details, versions) {
            Ok(prepared) => prepared,
            Err(failure) => return Ok(refused(*failure)),
        };
        self.appliers.send(Work::Start(Box::new(work))).await?;
        Ok(match answer.await.map_err(|_| StoreError::Stopping)?? {
            StartReply::Created(run) => started(run.id),
            StartReply::KeyTaken { run, request_hash } if request_hash.as_deref() == Some(REQUEST_HASH) => {
                started(run)
            }
            StartReply::KeyTaken { run, .. } => refused(failure(
                "IDEMPOTENCY_KEY",
                format!("the key of the child run is held by another run, {run}"),
            )),
        })
    }

    fn prepare(
        &self,
        errand: &Errand,
        details: &Details,
        versions: &Versions,
    ) -> Result<Prepared, Box<TaskFailure>> {
        let request = details
            .request()
            .map_err(|message| Box::new(failure("INPUT", message)))?;
        let depth = depth_of(details, &request)?;
        let question = (
            details.namespace.clone(),
            request.workflow.clone(),
            request.version,
        );
        let version = version_in(versions.get(&question), &request)?;
        let workflow = version.plan.workflow();
        let now = self.shell.clock.now();
        let id = RunId(self.shell.entropy.uuid(now));
        let priority = u8::try_from(details.priority).unwrap_or(workflow.priority);
        let facts = StartFacts {
            run: id,
            priority,
            created_at: now,
            workflow_version: version.number,
            vars: &self.vars,
            trigger: None,
        };
        let inputs = inputs::resolve(workflow, &request.inputs, &facts).map_err(refusal)?;
        let context = RunContext {
            id,
            inputs: inputs.values,
            vars: Arc::clone(&self.vars),
            workflow_version: version.number,
            priority,
            created_at: now,
            created_by: details.created_by.as_str().into(),
        };
        let mut tags = workflow.tags.clone();
        let inherited: Vec<String> = serde_json::from_str(&details.tags).unwrap_or_default();
        tags.extend(inherited.into_iter().filter(|tag| !workflow.tags.contains(tag)));
        tags.truncate(TAGS_MAX);
        let row = StartRow {
            meta: version,
            idempotency_key: Some(format!(
                "child/{}/{}/{}",
                errand.run, errand.task.0, errand.attempt
            )),
            request_hash: Some(REQUEST_HASH.to_owned()),
            inputs: inputs.text,
            tags,
            actor: details.created_by.as_str().into(),
            audit: None,
            ignores_cache: false,
            rerun: None,
            parent: Some(Parent {
                run: errand.run,
                task: TaskIx(errand.task.0),
                attempt: errand.attempt,
                root: details.root_run_id.map_or(errand.run, RunId),
                depth,
                trace: trace::of_waiting_parent(
                    errand.run,
                    TaskIx(errand.task.0),
                    errand.attempt,
                    &details.run_extra,
                ),
            }),
        };
        let (reply, answer) = oneshot::channel();
        let new = NewRun {
            context,
            trigger: None,
        };
        Ok((StartWork { new, row, reply }, answer))
    }
}

/// How many runs the child will be below.
fn depth_of(details: &Details, request: &ChildRequest) -> Result<u32, Box<TaskFailure>> {
    let depth = u32::try_from(details.depth)
        .unwrap_or(DEPTH_MAX)
        .saturating_add(1);
    if depth > DEPTH_MAX {
        let message = format!(
            "a run of `{}` here would be below {depth} others; child runs nest at most {DEPTH_MAX} deep",
            request.workflow
        );
        return Err(Box::new(failure("CHILD_DEPTH", message)));
    }
    Ok(depth)
}

/// Whether a parent that was told of its child did not want it any more.
fn is_refused(told: &Told) -> bool {
    use runnel_engine::run::Stale;
    match told {
        Told::Heard(Outcome::Ignored(stale)) => match stale {
            Stale::RunIsTerminal | Stale::TaskIsTerminal | Stale::OldAttempt => true,
            Stale::AlreadyInForce | Stale::NothingDue => false,
        },
        Told::Heard(Outcome::Applied | Outcome::Refused(_)) => false,
        Told::Gone => true,
    }
}

fn failure(code: &str, message: String) -> TaskFailure {
    TaskFailure::new(Category::Input, code, message, false)
}

fn version_in(
    answer: Option<&Lookup>,
    request: &ChildRequest,
) -> Result<Arc<CompiledVersion>, Box<TaskFailure>> {
    let key = &request.workflow;
    match answer {
        Some(Lookup::Found(version)) => Ok(Arc::clone(version)),
        Some(Lookup::UnknownVersion { latest }) => {
            let version = request.version.unwrap_or(*latest);
            let message = format!("workflow `{key}` has no version {version}; the latest is {latest}");
            Err(Box::new(failure("UNKNOWN_VERSION", message)))
        }
        Some(Lookup::UnknownWorkflow) | None => {
            let message = format!("workflow `{key}` does not exist; publish it first");
            Err(Box::new(failure("UNKNOWN_WORKFLOW", message)))
        }
    }
}

/// What is wrong with the inputs of a child, as the failure of the task that gave them.
fn refusal(error: StartError) -> Box<TaskFailure> {
    let details = match &error {
        StartError::Inputs(problems) => {
            let problems: Vec<_> = problems
                .iter()
                .map(|problem| json!({"path": problem.path, "message": problem.message}))
                .collect();
            Some(json!({"problems": problems}))
        }
        _ => None,
    };
    Box::new(TaskFailure {
        details,
        ..failure("INPUTS", error.to_string())
    })
}
