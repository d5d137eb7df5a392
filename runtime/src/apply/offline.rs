//! The shell's decisions without its database, its queue and its loops: what a simulation drives in their place.
//!
//! Everything here is the code that the loops use: what a batch does to its runs ([`Batch`]), which states are remembered
//! ([`States`]), which messages a relay may send ([`Books`]), what a message holds and what reports become. The caller plays
//! the database and the queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use runnel_engine::run::{Command, Input, NewRun, Outcome, Record, RunContext, RunState, RunStatus};
use runnel_engine::{Moment, Plan, RunId, TaskIx, Timestamp, WorkflowId, WorkflowVersionId};
use runnel_queue::{ReportBatch, TokenKeys};
use uuid::Uuid;

use super::cache::Cache;
use super::load::{KeyHolder, Loaded};
use super::publish::collect;
use super::round::{self, Round};
use super::turn::{Known, Lease};
use super::{InputsReply, Rerun, StartReply, StartRow};
use crate::intake::Sorted;
use crate::message::{self, Body};
use crate::relay::{AttemptKey, Desk, LEASE, News};
use crate::wait::CallbackAddress;
use crate::workflows::CompiledVersion;

pub use super::Parent;
pub use crate::child::DEPTH_MAX;

/// How long outbox rows belong to the relay that holds them.
pub const OUTBOX_LEASE: std::time::Duration = LEASE;

/// A workflow version, ready to run.
#[derive(Debug, Clone)]
pub struct Version(Arc<CompiledVersion>);

impl Version {
    /// The first version of a workflow.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        Self(Arc::new(CompiledVersion {
            id: WorkflowVersionId(Uuid::nil()),
            workflow_id: WorkflowId(Uuid::nil()),
            number: 1,
            key: plan.workflow().id.as_str().into(),
            namespace: "default".into(),
            plan,
            upstream_keys: Arc::default(),
        }))
    }

    /// Its plan.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.0.plan
    }
}

/// A run as it was read from its rows, or as it is after a commit.
#[derive(Debug)]
pub struct Stored(Known);

impl Stored {
    /// A run whose row has this version number.
    #[must_use]
    pub fn new(of: &Version, state: RunState, version: i64) -> Self {
        Self(Known::new(Arc::clone(&of.0), state, version))
    }

    /// The same, of a run that a task of another run started or did not.
    #[must_use]
    pub fn below(mut self, has_parent: bool) -> Self {
        self.0.has_parent = has_parent;
        self
    }

    /// The number of the row that it equals.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.0.version
    }

    /// The message of an attempt that is still to be executed; `None` for one that nobody wants.
    #[must_use]
    pub fn message(&self, keys: &TokenKeys, at: Attempt, moment: &Moment) -> Option<String> {
        let body = message::body_if_wanted(
            keys,
            &CallbackAddress::default(),
            &self.0.meta,
            &self.0.state,
            at.task,
            at.attempt,
            moment,
        );
        ready(body)
    }
}

fn ready(body: Body) -> Option<String> {
    match body {
        Body::Ready(text, _) => Some(text),
        Body::Gone | Body::Refused(_) => None,
    }
}

/// The states that an applier remembers between two batches.
#[derive(Debug)]
pub struct States(Cache);

impl States {
    /// Nothing remembered, room for this many tasks.
    #[must_use]
    pub fn new(tasks_max: usize) -> Self {
        Self(Cache::new(tasks_max))
    }

    /// Takes a run out.
    pub fn take(&mut self, run: RunId) -> Option<Stored> {
        self.0.take(run).map(Stored)
    }

    /// Remembers a run.
    pub fn put(&mut self, stored: Stored) {
        self.0.put(stored.0);
    }
}

/// One thing to apply.
#[derive(Debug, Clone)]
pub struct Item(round::Item);

impl Item {
    /// A run to make.
    #[must_use]
    pub fn start(version: &Version, context: RunContext, idempotency_key: &str) -> Self {
        Self::start_with(version, context, idempotency_key, None, None)
    }

    /// A run to make for a task of another run.
    #[must_use]
    pub fn child(version: &Version, context: RunContext, idempotency_key: &str, parent: Parent) -> Self {
        Self::start_with(version, context, idempotency_key, Some(parent), None)
    }

    /// A run to make that repeats another one, and takes these results over from it.
    #[must_use]
    pub fn rerun(
        version: &Version,
        context: RunContext,
        idempotency_key: &str,
        of: RunId,
        kept: Vec<(TaskIx, Arc<str>)>,
    ) -> Self {
        let rerun = Arc::new(Rerun { of, kept });
        Self::start_with(version, context, idempotency_key, None, Some(rerun))
    }

    fn start_with(
        version: &Version,
        context: RunContext,
        idempotency_key: &str,
        parent: Option<Parent>,
        rerun: Option<Arc<Rerun>>,
    ) -> Self {
        let row = StartRow {
            meta: Arc::clone(&version.0),
            idempotency_key: Some(idempotency_key.to_owned()),
            request_hash: None,
            inputs: "{}".into(),
            tags: Vec::new(),
            ignores_cache: false,
            actor: "client".into(),
            rerun,
            audit: None,
            parent,
        };
        Self(round::Item::Start {
            new: NewRun {
                context,
                trigger: None,
            },
            row,
        })
    }

    /// Inputs of a run that exists.
    #[must_use]
    pub fn inputs(run: RunId, inputs: Vec<Input>) -> Self {
        Self(round::Item::Inputs {
            run,
            inputs,
            audit: None,
        })
    }

    /// The run that it concerns.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.0.run()
    }

    /// The idempotency key of a start.
    #[must_use]
    pub fn start_key(&self) -> Option<&str> {
        match &self.0 {
            round::Item::Start { row, .. } => row.idempotency_key.as_deref(),
            round::Item::Inputs { .. } => None,
        }
    }

    /// What happened to an existing run; empty for a start.
    #[must_use]
    pub fn inputs_of(&self) -> &[Input] {
        match &self.0 {
            round::Item::Start { .. } => &[],
            round::Item::Inputs { inputs, .. } => inputs,
        }
    }

    /// The same, to be changed.
    pub fn inputs_mut(&mut self) -> Option<&mut Vec<Input>> {
        match &mut self.0 {
            round::Item::Start { .. } => None,
            round::Item::Inputs { inputs, .. } => Some(inputs),
        }
    }
}

/// What the caller of an item is told after the commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The start made this run.
    Created(RunId),
    /// The idempotency key belongs to this run.
    KeyTaken(RunId),
    /// There is no such run.
    UnknownRun,
    /// One outcome an input, and the run's status after all of them.
    Done(Vec<Outcome>, RunStatus),
    /// The item cannot be applied.
    Failed(String),
}

/// A batch of items, computed and not yet saved.
#[derive(Debug)]
pub struct Batch(Round);

/// What of a run is to be saved.
#[derive(Debug)]
pub struct Change<'a> {
    /// The run.
    pub run: RunId,
    /// What it runs.
    pub version: Version,
    /// The idempotency key of a run that this batch makes; `None` for one that exists.
    pub start_key: Option<&'a str>,
    /// The task that started it, of a child run that this batch makes.
    pub parent: Option<Parent>,
    /// Whether it ended in this batch and a parent is to hear of it.
    pub has_ended_as_child: bool,
    /// The number of the row that the change was computed from.
    pub guard: i64,
    /// The state after the batch.
    pub state: &'a RunState,
    /// History to append.
    pub records: &'a [Record],
    /// What is to be done after the commit.
    pub commands: &'a [Command],
    /// Rows of tasks to change.
    pub changed_tasks: Vec<TaskIx>,
    /// Tasks from this index on have no row yet.
    pub stored_tasks: usize,
    /// One a dispatch among the commands: whether this process sends it right after the commit.
    pub is_mine: Vec<bool>,
    /// When the inputs were applied.
    pub now: Timestamp,
}

impl Batch {
    /// Applies the items in order to the runs that were read, given the runs that hold idempotency keys.
    #[must_use]
    pub fn compute(
        items: &[Item],
        read: Vec<(RunId, Stored)>,
        keys: &[(String, RunId)],
        moment: Moment,
    ) -> Self {
        let known: Loaded = read
            .into_iter()
            .map(|(run, stored)| (run, Ok(stored.0)))
            .collect();
        let holders: Vec<KeyHolder> = keys
            .iter()
            .map(|(key, run)| KeyHolder {
                id: run.0,
                namespace: "default".to_owned(),
                idempotency_key: key.clone(),
                request_hash: None,
            })
            .collect();
        let mut round = Round::compute(items.iter().map(|item| &item.0), known, &holders, moment);
        // the order of a hash map is none; a simulation must not depend on it
        round.turns.sort_by_key(super::turn::Turn::run);
        Self(round)
    }

    /// Decides which new messages this process sends itself.
    pub fn lease(&mut self, books: &Books) {
        self.0.lease_with(|_, _, _| true, || books.0.room());
    }

    /// Runs that the batch leaves as they were.
    #[must_use]
    pub fn unchanged(&self) -> Vec<(RunId, i64)> {
        let turns = self.0.turns.iter().filter(|turn| !turn.is_changed);
        turns.map(|turn| (turn.run(), turn.known.version)).collect()
    }

    /// What is to be saved.
    pub fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        self.0
            .turns
            .iter()
            .filter(|turn| turn.is_changed)
            .map(|turn| Change {
                run: turn.run(),
                version: Version(Arc::clone(&turn.known.meta)),
                start_key: turn
                    .start
                    .as_ref()
                    .map(|start| start.idempotency_key.as_deref().unwrap_or_default()),
                parent: turn.start.as_ref().and_then(|start| start.parent),
                has_ended_as_child: turn.has_ended_as_child(),
                guard: turn.known.version,
                state: &turn.known.state,
                records: &turn.effects.records,
                commands: &turn.effects.commands,
                changed_tasks: turn.changed_tasks().collect(),
                stored_tasks: turn.stored_tasks,
                is_mine: turn.leased.iter().map(|lease| *lease == Lease::Mine).collect(),
                now: turn.moment.now,
            })
    }

    /// Ends the batch after its commit: states to remember, news for the relay, the next alarms and the answers.
    #[must_use]
    pub fn publish(self, keys: &TokenKeys) -> Published {
        let mut published = Published::default();
        let mut news = News::default();
        for turn in self.0.turns {
            if turn.is_failed {
                continue;
            }
            if !turn.is_changed {
                published.states.push(Stored(turn.known));
                continue;
            }
            collect(keys, &CallbackAddress::default(), &turn, &mut news);
            published.alarms.extend(turn.known.state.wake_at);
            published.has_errands |= turn.has_errands();
            published.states.push(Stored(turn.committed()));
        }
        published.news = Tidings::of(news);
        published.answers = self.0.answers.into_iter().map(answer).collect();
        published
    }
}

fn answer(answer: Result<round::Answer, crate::error::StoreError>) -> Answer {
    match answer {
        Ok(round::Answer::Start(StartReply::Created(view))) => Answer::Created(view.id),
        Ok(round::Answer::Start(StartReply::KeyTaken { run, .. })) => Answer::KeyTaken(run),
        Ok(round::Answer::Inputs(InputsReply::UnknownRun)) => Answer::UnknownRun,
        Ok(round::Answer::Inputs(InputsReply::Done { outcomes, status })) => Answer::Done(outcomes, status),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// What follows a commit.
#[derive(Debug, Default)]
pub struct Published {
    /// To be remembered.
    pub states: Vec<Stored>,
    /// For the relay.
    pub news: Tidings,
    /// For the waker.
    pub alarms: Vec<Timestamp>,
    /// Whether something is to be done about child runs, or about a parent.
    pub has_errands: bool,
    /// One an item.
    pub answers: Vec<Answer>,
}

/// An attempt: the key of its outbox row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskIx,
    /// The attempt.
    pub attempt: u32,
}

impl From<AttemptKey> for Attempt {
    fn from(key: AttemptKey) -> Self {
        Self {
            run: key.run,
            task: key.task,
            attempt: key.attempt,
        }
    }
}

/// A message that this process sends.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// What it is of.
    pub at: Attempt,
    /// Where it goes.
    pub queue: String,
    /// 0–100.
    pub priority: u8,
    /// `None` when nobody wants it any more.
    pub body: Option<String>,
}

/// What a commit means to the relay.
#[derive(Debug, Default)]
pub struct Tidings {
    /// To be sent now.
    pub parcels: Vec<Parcel>,
    /// Queues with rows that found no room.
    pub backlog: Vec<String>,
    /// Changed tasks, each with its attempt while a message of it is out.
    pub touched: Vec<(RunId, TaskIx, Option<u32>)>,
}

impl Tidings {
    fn of(news: News) -> Self {
        let parcels = news.dispatches.into_iter().map(|dispatch| Parcel {
            at: dispatch.key.into(),
            queue: dispatch.queue,
            priority: dispatch.priority,
            body: ready(dispatch.body),
        });
        Self {
            parcels: parcels.collect(),
            backlog: news.backlog,
            touched: news.touched,
        }
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parcels.is_empty() && self.backlog.is_empty() && self.touched.is_empty()
    }
}

/// A relay's books: which attempts are out, per task queue.
#[derive(Debug)]
pub struct Books(Desk);

impl Books {
    /// Nothing is out; at most this many may be, per queue.
    #[must_use]
    pub fn new(outstanding_max: usize) -> Self {
        Self(Desk::new(outstanding_max))
    }

    /// A message goes out.
    pub fn send(&mut self, at: Attempt, queue: &str) {
        let key = AttemptKey {
            run: at.run,
            task: at.task,
            attempt: at.attempt,
        };
        self.0.send(key, queue, &Arc::from("default"));
    }

    /// A task has changed; `attempt` is the one that is out, if any.
    pub fn touch(&mut self, run: RunId, task: TaskIx, attempt: Option<u32>) {
        self.0.touch(run, task, attempt);
    }

    /// Notes whether a queue has rows that found no room.
    pub fn set_backlog(&mut self, queue: &str, has_backlog: bool) {
        self.0.set_backlog(queue, has_backlog);
    }

    /// Free places of a queue.
    #[must_use]
    pub fn free(&self, queue: &str) -> usize {
        self.0.free(queue)
    }

    /// Queues with a backlog that a claim would help now, in order.
    #[must_use]
    pub fn claimable(&self) -> Vec<String> {
        let mut queues = self.0.claimable();
        queues.sort_unstable();
        queues
    }

    /// Attempts of full queues, in order: another replica may have heard of their end.
    #[must_use]
    pub fn doubtful(&self) -> Vec<Attempt> {
        let mut attempts: Vec<Attempt> = self.0.doubtful().into_iter().map(Attempt::from).collect();
        attempts.sort_unstable();
        attempts
    }
}

/// What workers report, as inputs of runs; the number says how many reports had no valid token.
#[must_use]
pub fn sort_reports(keys: &TokenKeys, batches: &[ReportBatch]) -> (BTreeMap<RunId, Vec<Input>>, u64) {
    let sorted = Sorted::of(keys, batches);
    (sorted.inputs, sorted.forged)
}
