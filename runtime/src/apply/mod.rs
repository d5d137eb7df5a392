//! The one place where runs change: inputs in, one transaction a batch, effects out.
//!
//! Guarantees: inputs of a run are applied in the order of their arrival, each batch in one transaction with a constant
//! number of statements; nothing leaves (message, doorbell, answer) before its commit; a lost race with another replica
//! starts again from the rows; one run that cannot be applied does not stop the others. Nothing here decides about a
//! status: that is `engine`.

mod applier;
mod cache;
mod combine;
mod commit;
mod convert;
mod fetch;
mod load;
mod locked;
pub mod offline;
mod offload;
mod publish;
mod round;
mod rows;
mod save;
mod side;
mod sql;
mod turn;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use runnel_engine::run::{Input, NewRun, Outcome, RunStatus, RunTrace};
use runnel_engine::{RunId, TaskIx};
use runnel_telemetry::SpanContext;
use tokio::sync::{mpsc, oneshot};

use crate::audit::{self, Draft};
use crate::error::StoreError;
use crate::message::Body;
use crate::trace;
use crate::workflows::CompiledVersion;

pub(crate) use applier::{Applier, Shell};
pub(crate) use convert::large_item;
pub(crate) use fetch::Fetch;
pub(crate) use load::state_of;
pub(crate) use rows::{Column, Kind, RowSet, ids, source};
pub(crate) use side::errand;
pub(crate) use side::{TICKET, delete_tickets};
pub(crate) use sql::{OUTBOX_KEY, Sql, ids_in};

/// Items that wait in front of one applier before its callers wait too.
const INBOX_MAX: usize = 8_192;

/// Something for an applier.
pub(crate) enum Work {
    /// A run to make.
    Start(Box<StartWork>),
    /// Inputs of an existing run.
    Inputs(InputsWork),
    /// Messages to make for outbox rows that were not sent at once.
    Render(RenderWork),
}

/// A run to make.
pub(crate) struct StartWork {
    /// What the engine needs.
    pub new: NewRun,
    /// What only the row needs.
    pub row: StartRow,
    /// Where to say that it is committed.
    pub reply: oneshot::Sender<Result<StartReply, StoreError>>,
}

/// The facts of a new run that the engine does not read.
#[derive(Debug, Clone)]
pub(crate) struct StartRow {
    pub meta: Arc<CompiledVersion>,
    pub idempotency_key: Option<String>,
    pub request_hash: Option<String>,
    pub inputs: Arc<str>,
    pub tags: Vec<String>,
    /// Kept results are not taken.
    pub ignores_cache: bool,
    pub actor: Arc<str>,
    /// The run that this one repeats, and what it takes over from it.
    pub rerun: Option<Arc<Rerun>>,
    /// The mutation that starts it.
    pub audit: Option<Arc<Draft>>,
    /// The task that started it, of a child run.
    pub parent: Option<Parent>,
}

impl StartRow {
    /// Where the run stands in the traces of others: below the request that starts it, or linked to the task that waits for it.
    fn trace(&self) -> Option<RunTrace> {
        let parent = self.audit.as_ref().and_then(|draft| draft.trace());
        let link = self.parent.and_then(|parent| parent.trace);
        trace::stored(parent, link)
    }
}

/// The task that started a run, and where the run stands below the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// Its task.
    pub task: TaskIx,
    /// The attempt of it.
    pub attempt: u32,
    /// The first run above.
    pub root: RunId,
    /// How many runs are above.
    pub depth: u32,
    /// Its wait for the run in a trace, where there is one.
    pub trace: Option<SpanContext>,
}

/// What a run takes over from the one that it repeats.
#[derive(Debug)]
pub(crate) struct Rerun {
    /// The other run.
    pub of: RunId,
    /// Good results: tasks of the new run with the JSON texts of their outputs.
    pub kept: Vec<(TaskIx, Arc<str>)>,
}

/// What became of a start.
#[derive(Debug)]
pub(crate) enum StartReply {
    /// Committed now.
    Created(Box<crate::view::RunView>),
    /// The idempotency key belongs to this run.
    KeyTaken {
        run: RunId,
        request_hash: Option<String>,
    },
}

/// Inputs of an existing run.
pub(crate) struct InputsWork {
    pub run: RunId,
    pub inputs: Vec<Input>,
    /// The mutation that they come from.
    pub audit: Option<Arc<Draft>>,
    /// Where to say that they are committed; `None` when nobody waits.
    pub reply: Option<oneshot::Sender<Result<InputsReply, StoreError>>>,
}

/// What became of inputs.
#[derive(Debug)]
pub(crate) enum InputsReply {
    /// There is no such run.
    UnknownRun,
    /// One outcome an input, and the run's status after all of them.
    Done {
        outcomes: Vec<Outcome>,
        status: RunStatus,
    },
}

/// Messages to make.
pub(crate) struct RenderWork {
    pub run: RunId,
    pub attempts: Vec<(TaskIx, u32)>,
    /// One answer an attempt, in the same order.
    pub reply: oneshot::Sender<Result<Vec<Body>, StoreError>>,
}

/// The way to the appliers.
#[derive(Clone)]
pub(crate) struct Appliers {
    inboxes: Arc<[mpsc::Sender<Work>]>,
    waiting: Arc<AtomicUsize>,
}

/// The other end of one inbox.
pub(crate) struct Inbox {
    pub(super) receiver: mpsc::Receiver<Work>,
    pub(super) waiting: Arc<AtomicUsize>,
}

impl Appliers {
    /// One inbox an applier.
    pub(crate) fn new(count: usize) -> (Self, Vec<Inbox>) {
        let waiting = Arc::new(AtomicUsize::new(0));
        let (inboxes, receivers): (Vec<_>, Vec<_>) =
            (0..count.max(1)).map(|_| mpsc::channel(INBOX_MAX)).unzip();
        let receivers = receivers
            .into_iter()
            .map(|receiver| Inbox {
                receiver,
                waiting: Arc::clone(&waiting),
            })
            .collect();
        (
            Self {
                inboxes: inboxes.into(),
                waiting,
            },
            receivers,
        )
    }

    /// Hands work to the applier that owns the run.
    pub(crate) async fn send(&self, work: Work) -> Result<(), StoreError> {
        let run = match &work {
            Work::Start(start) => start.new.context.id,
            Work::Inputs(inputs) => inputs.run,
            Work::Render(render) => render.run,
        };
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        let owner = hasher.finish() % self.inboxes.len() as u64;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let sent = self.inboxes[usize::try_from(owner).unwrap_or_default()]
            .send(work)
            .await;
        sent.map_err(|_| {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            StoreError::Stopping
        })
    }

    /// Applies inputs and waits for their commit. The row of the mutation that they come from is committed with them.
    pub(crate) async fn apply(&self, run: RunId, inputs: Vec<Input>) -> Result<InputsReply, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Inputs(InputsWork {
            run,
            inputs,
            audit: audit::current(),
            reply: Some(reply),
        }))
        .await?;
        answer.await.map_err(|_| StoreError::Stopping)?
    }

    /// Work that is not finished, whether it waits or is being applied.
    pub(crate) fn unfinished(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}
