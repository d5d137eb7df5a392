//! The loop of one applier: take what waits, compute, save, publish.
//!
//! An idle applier applies a single input at once; while a transaction is in flight, others gather and share the next one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use runnel_engine::{Moment, RunId, TaskIx};
use runnel_queue::TokenKeys;
use sea_orm::DbBackend;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cache::{CACHED_TASKS_MAX, Cache};
use super::commit;
use super::fetch::{self, Fetch};
use super::load::{self, Loaded, Lock};
use super::round::{Answer, Item, Round};
use super::save::Statements;
use super::sql::Sql;
use super::turn::Known;
use super::{Inbox, InputsReply, InputsWork, RenderWork, StartReply, StartWork, Work};
use crate::announcer::Announcer;
use crate::child::ErrandBell;
use crate::clock::{self, Clock, Entropy};
use crate::error::StoreError;
use crate::gate::GateHandle;
use crate::message::{self, Body};
use crate::meters::{METERS, QUARANTINED, RETRIES};
use crate::payload::Payloads;
use crate::registry::Registry;
use crate::relay::RelayHandle;
use crate::schedule::ScheduleBell;
use crate::store::Store;
use crate::trigger::Refusals;
use crate::wait::{CallbackAddress, Waits};
use crate::waker::Alarm;
use crate::workflows::Versions;

/// Transactions of one batch that may fail for a reason that can pass, before its callers are told.
pub(super) const TRIES_MAX: u32 = 5;

/// Pause after a commit whose outcome is unknown: the database is probably restarting.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(100);

/// How often a batch lets other tasks of the process go first before it begins.
const GATHER_TURNS: u32 = 2;

/// What every applier shares.
pub(crate) struct Shell {
    pub store: Store,
    /// What batches are read and saved through, so that their statements are counted apart.
    pub batch_store: Store,
    /// Batches begun.
    pub batches: AtomicU64,
    pub backend: DbBackend,
    pub sql: Sql,
    pub versions: Versions,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub token_keys: TokenKeys,
    pub relay: RelayHandle,
    pub alarm: Alarm,
    pub errands: ErrandBell,
    pub gate: GateHandle,
    pub announcer: Announcer,
    pub registry: Registry,
    pub waits: Waits,
    pub callbacks: CallbackAddress,
    pub schedules: ScheduleBell,
    pub refusals: Refusals,
    pub runs_kept_days: u32,
    pub batch_max: usize,
    pub appliers: usize,
    pub payloads: Payloads,
    /// What traces call the queue service.
    pub messaging_system: &'static str,
}

/// One applier: owner of a slice of the runs.
pub(crate) struct Applier {
    pub(super) shell: Arc<Shell>,
    pub(super) cache: Cache,
    /// When the batch at work was begun.
    pub(super) begun: Instant,
    inbox: Inbox,
}

/// The way back to the caller of an item.
enum Reply {
    Start(oneshot::Sender<Result<StartReply, StoreError>>),
    Inputs(Option<oneshot::Sender<Result<InputsReply, StoreError>>>),
}

/// Why a batch was not saved.
pub(super) enum Failure {
    /// Another replica was faster: load under a lock.
    LostRace,
    /// It may have been saved: load again.
    Unknown(StoreError),
    /// The database is away or busy.
    Busy(StoreError),
    /// Something in the batch cannot be saved.
    Bad(StoreError),
}

impl Applier {
    pub(crate) fn new(shell: Arc<Shell>, inbox: Inbox) -> Self {
        let cache = Cache::new(CACHED_TASKS_MAX / shell.appliers.max(1));
        Self {
            shell,
            cache,
            begun: Instant::now(),
            inbox,
        }
    }

    /// Runs until `stop`, then applies what still waits and ends.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let first = tokio::select! {
                biased;
                work = self.inbox.receiver.recv() => work,
                () = stop.cancelled(), if !self.inbox.receiver.is_closed() => {
                    // refuses new work; what was accepted is still received
                    self.inbox.receiver.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            let works = self.gather(first).await;
            let count = works.len();
            self.process(works).await;
            self.inbox.waiting.fetch_sub(count, Ordering::SeqCst);
        }
    }

    /// Takes what waits, after it has let those go first who are about to bring more: with a commit come answers to many at
    /// once, who act on them within microseconds, and a statement for two of them costs little more than for one.
    async fn gather(&mut self, first: Work) -> Vec<Work> {
        let mut works = vec![first];
        for turn in 0.. {
            while works.len() < self.shell.batch_max {
                let Ok(work) = self.inbox.receiver.try_recv() else {
                    break;
                };
                works.push(work);
            }
            if turn == GATHER_TURNS || works.len() >= self.shell.batch_max {
                break;
            }
            tokio::task::yield_now().await;
        }
        works
    }

    async fn process(&mut self, works: Vec<Work>) {
        let (mut items, mut replies, mut renders) = (Vec::new(), Vec::new(), Vec::new());
        for work in works {
            match work {
                Work::Start(start) => {
                    let StartWork { new, row, reply } = *start;
                    items.push(Item::Start { new, row });
                    replies.push(Reply::Start(reply));
                }
                Work::Inputs(work) => {
                    let InputsWork {
                        run,
                        mut inputs,
                        audit,
                        reply,
                    } = work;
                    if let Err(error) = fetch::fill_inputs(&mut inputs, &self.shell.payloads).await {
                        Reply::Inputs(reply).send(Err(error));
                        continue;
                    }
                    items.push(Item::Inputs { run, inputs, audit });
                    replies.push(Reply::Inputs(reply));
                }
                Work::Render(render) => renders.push(render),
            }
        }
        if !items.is_empty() {
            self.shell.batches.fetch_add(1, Ordering::Relaxed);
            METERS
                .batch_items
                .record(f64::from(u32::try_from(items.len()).unwrap_or(u32::MAX)));
            self.begun = Instant::now();
            self.apply(items, replies).await;
            METERS.batch_seconds.record(self.begun.elapsed().as_secs_f64());
        }
        for render in renders {
            let rendered = self.render(&render).await;
            // a relay that no longer waits takes the row up again at its next poll
            let _ = render.reply.send(rendered);
        }
    }

    /// Applies a batch; when something in it cannot be applied, each item alone, so that it harms no other.
    async fn apply(&mut self, items: Vec<Item>, replies: Vec<Reply>) {
        let items = Arc::new(items);
        match self.apply_together(&items).await {
            Ok(answers) => replies
                .into_iter()
                .zip(answers)
                .for_each(|(reply, answer)| reply.send(answer)),
            Err(Failure::Bad(error)) if items.len() > 1 => {
                tracing::warn!(items = items.len(), %error, "batch is applied one by one");
                let items = Arc::into_inner(items).unwrap_or_default();
                for (item, reply) in items.into_iter().zip(replies) {
                    self.apply_alone(item, reply).await;
                }
            }
            Err(failure) => {
                let error = failure.into_error();
                tracing::warn!(items = items.len(), %error, "batch was not applied");
                for reply in replies {
                    reply.send(Err(StoreError::Busy {
                        action: "apply a batch",
                        attempts: TRIES_MAX,
                    }));
                }
            }
        }
    }

    async fn apply_alone(&mut self, item: Item, reply: Reply) {
        let run = item.run();
        match self.apply_together(&Arc::new(vec![item])).await {
            Ok(mut answers) => match answers.pop() {
                Some(answer) => reply.send(answer),
                None => reply.send(Err(StoreError::Aborted {
                    action: "apply an input",
                })),
            },
            Err(failure) => {
                let error = failure.into_error();
                quarantine(run, &error);
                reply.send(Err(error));
            }
        }
    }

    /// Tries until the batch is saved, or something other than bad luck prevents it.
    async fn apply_together(
        &mut self,
        items: &Arc<Vec<Item>>,
    ) -> Result<Vec<Result<Answer, StoreError>>, Failure> {
        let mut tries = 0;
        loop {
            let result = match tries {
                0 => self.try_cached(items).await,
                _ => self.try_locked(items).await,
            };
            tries += 1;
            match result {
                Ok(round) => return Ok(self.publish(round)),
                Err(Failure::LostRace) if tries < TRIES_MAX => {
                    metrics::counter!(RETRIES, "reason" => "lost_race").increment(1);
                }
                Err(Failure::Unknown(error)) if tries < TRIES_MAX => {
                    metrics::counter!(RETRIES, "reason" => "commit_unknown").increment(1);
                    tracing::warn!(%error, "batch is loaded again, its commit may have taken place");
                    tokio::time::sleep(UNKNOWN_PAUSE).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The usual way: states from the cache, no lock before the first write, the version guards.
    async fn try_cached(&mut self, items: &Arc<Vec<Item>>) -> Result<Round, Failure> {
        let shell = Arc::clone(&self.shell);
        let mut known = Loaded::new();
        let mut cached = HashMap::new();
        let mut missing = Vec::new();
        for item in items.iter().filter(|item| matches!(item, Item::Inputs { .. })) {
            let run = item.run();
            if known.contains_key(&run) || missing.contains(&run) {
                continue;
            }
            match self.cache.take(run) {
                Some(state) => {
                    cached.insert(run, state.version);
                    known.insert(run, Ok(state));
                }
                None => missing.push(run),
            }
        }
        let read = shell.batch_store.read();
        if !missing.is_empty() {
            let loaded = load::runs(
                read,
                shell.backend,
                &shell.sql,
                &shell.versions,
                &missing,
                (Lock::None, &Fetch::Store(&shell.payloads)),
            )
            .await;
            known.extend(loaded.map_err(Failure::from)?);
        }
        let starts = items.iter().filter_map(|item| match item {
            Item::Start { row, .. } => Some(row),
            Item::Inputs { .. } => None,
        });
        let holders = load::key_holders(read, shell.backend, &shell.sql, starts)
            .await
            .map_err(Failure::from)?;
        let round = Round::compute(items.iter(), known, &holders, shell.moment());
        // A change is guarded by the version. That nothing changed is believed of a cached state only when it is the
        // current one: another replica may have dispatched what a report is about.
        let changed: HashSet<RunId> = round
            .turns
            .iter()
            .filter(|turn| turn.is_changed)
            .map(super::turn::Turn::run)
            .collect();
        cached.retain(|run, _| !changed.contains(run));
        if !cached.is_empty() {
            let current = load::are_current(read, shell.backend, &shell.sql, &cached).await;
            if !current.map_err(Failure::from)? {
                return Err(Failure::LostRace);
            }
        }
        if round.turns.iter().all(|turn| !turn.is_changed) {
            return Ok(round);
        }
        self.save(round).await
    }

    async fn save(&mut self, mut round: Round) -> Result<Round, Failure> {
        let shell = Arc::clone(&self.shell);
        let parcels = round.pack(&shell.payloads);
        if !parcels.is_empty() {
            shell.payloads.write(&parcels).await.map_err(Failure::from)?;
        }
        let sent = shell.relay.take_sent();
        round.lease(&shell);
        let saved = match Statements::build(shell.backend, &shell.sql, &round.turns, &sent) {
            Ok(statements) => match statements.into_one(shell.backend) {
                Ok(statement) => commit::at_once(&shell, &round, statement).await.map(|()| round),
                Err(statements) => commit::in_steps(&shell, round, &sent, statements).await,
            },
            Err(error) => Err(Failure::Bad(error)),
        };
        if saved.is_err() {
            shell.relay.put_back_sent(sent);
        }
        saved
    }

    /// Makes the messages of outbox rows that were not sent at once. That one is not wanted is believed only of rows
    /// just read: another replica may have moved the run on since it was cached.
    async fn render(&mut self, work: &RenderWork) -> Result<Vec<Body>, StoreError> {
        if let Some(known) = self.cache.take(work.run) {
            let bodies = self.render_from(&known, work);
            if bodies.iter().all(|body| !matches!(body, Body::Gone)) {
                self.cache.put(known);
                return Ok(bodies);
            }
        }
        let (shell, ids) = (Arc::clone(&self.shell), [work.run]);
        let read = shell.store.read();
        let mut loaded = load::runs(
            read,
            shell.backend,
            &shell.sql,
            &shell.versions,
            &ids,
            (Lock::None, &Fetch::Store(&shell.payloads)),
        )
        .await?;
        match loaded
            .remove(&work.run)
            .transpose()
            .inspect_err(|error| quarantine(work.run, error))?
        {
            Some(known) => {
                let bodies = self.render_from(&known, work);
                self.cache.put(known);
                Ok(bodies)
            }
            None => Ok(work.attempts.iter().map(|_| Body::Gone).collect()),
        }
    }

    fn render_from(&self, known: &Known, work: &RenderWork) -> Vec<Body> {
        let (keys, moment) = (&self.shell.token_keys, self.shell.moment());
        let body = |(task, attempt): &(TaskIx, u32)| {
            message::body_if_wanted(
                keys,
                &self.shell.callbacks,
                &known.meta,
                &known.state,
                *task,
                *attempt,
                &moment,
            )
        };
        work.attempts.iter().map(body).collect()
    }
}

impl Shell {
    pub(super) fn moment(&self) -> Moment {
        clock::moment(&*self.clock, &*self.entropy)
    }
}

impl Reply {
    /// A caller that no longer waits has lost interest, not the result: it is committed.
    fn send(self, answer: Result<Answer, StoreError>) {
        match (self, answer) {
            (Self::Start(reply), Ok(Answer::Start(answer))) => drop(reply.send(Ok(answer))),
            (Self::Start(reply), Err(error)) => drop(reply.send(Err(error))),
            (Self::Inputs(Some(reply)), Ok(Answer::Inputs(answer))) => drop(reply.send(Ok(answer))),
            (Self::Inputs(Some(reply)), Err(error)) => drop(reply.send(Err(error))),
            (Self::Inputs(None), _)
            | (Self::Start(_), Ok(Answer::Inputs(_)))
            | (Self::Inputs(_), Ok(Answer::Start(_))) => {}
        }
    }
}

impl Failure {
    fn into_error(self) -> StoreError {
        match self {
            Self::LostRace => StoreError::Busy {
                action: "apply a batch",
                attempts: TRIES_MAX,
            },
            Self::Unknown(error) | Self::Busy(error) | Self::Bad(error) => error,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::CommitUnknown { .. } => Self::Unknown(error),
            StoreError::Busy { .. } | StoreError::Open(_) | StoreError::Stopping => Self::Busy(error),
            StoreError::Statement { .. }
            | StoreError::Conflict { .. }
            | StoreError::Aborted { .. }
            | StoreError::Corrupt { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::OlderSchema { .. }
            // applied one by one, the runs without large values go on
            | StoreError::Payload(_) => Self::Bad(error),
        }
    }
}

fn quarantine(run: RunId, error: &StoreError) {
    metrics::counter!(QUARANTINED).increment(1);
    tracing::error!(%run, error = error as &dyn std::error::Error, "run cannot be applied; it stays as it is");
}
