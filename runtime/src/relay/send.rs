//! The loop of the relay.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use runnel_engine::run::Input;
use runnel_queue::{Outgoing, QueueError, QueueName, SendFailure, TaskQueue, crash_point};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claim::{self, CLAIM_MAX};
use super::ensured::Ensured;
use super::{AttemptKey, Call, CallReceiver, Dispatch, News};
use crate::apply::{Appliers, InputsWork, OUTBOX_KEY, RowSet, Shell, Work};
use crate::error::StoreError;
use crate::message::{self, Body};
use crate::meters::METERS;

/// Messages of one call to the queue.
const SEND_MAX: usize = 200;

/// How long sent rows wait for a commit to take them along.
const FLUSH: Duration = Duration::from_millis(50);

/// First pause after the queue failed; doubles up to the lease, then the rows are left to the table.
const BACKOFF: Duration = Duration::from_millis(100);
const TRIES_MAX: u32 = 5;

/// A message on its way.
#[derive(Debug)]
struct Parcel {
    key: AttemptKey,
    body: String,
    traceparent: Option<String>,
    since: Option<Instant>,
}

/// What became of one call to the queue.
struct Delivered {
    queue: String,
    tries: u32,
    accepted: Vec<AttemptKey>,
    /// To be sent again.
    failed: Vec<Parcel>,
    /// Never to be sent again, and why.
    refused: Vec<(AttemptKey, String)>,
}

/// The loop.
pub(crate) struct Relay {
    shell: Arc<Shell>,
    appliers: Appliers,
    queue: Arc<dyn TaskQueue>,
    ensured: Ensured,
    poll_interval: Duration,
    calls: CallReceiver,
    sends: JoinSet<Delivered>,
}

impl Relay {
    pub(crate) fn new(
        shell: Arc<Shell>,
        appliers: Appliers,
        queue: Arc<dyn TaskQueue>,
        poll_interval: Duration,
        calls: CallReceiver,
    ) -> Self {
        Self {
            shell,
            appliers,
            queue,
            ensured: Ensured::default(),
            poll_interval,
            calls,
            sends: JoinSet::new(),
        }
    }

    /// Runs until `stop`; then sends what it holds and deletes what was sent.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let relay = self.shell.relay.clone();
        let mut next_poll = Instant::now();
        loop {
            tokio::select! {
                Some(call) = self.calls.0.recv() => {
                    let finished = self.take(call).await;
                    relay.shared.unfinished.fetch_sub(finished, Ordering::SeqCst);
                }
                Some(delivered) = self.sends.join_next() => {
                    if let Ok(delivered) = delivered {
                        self.settle(delivered).await;
                    }
                    relay.shared.unfinished.fetch_sub(1, Ordering::SeqCst);
                    self.claim_backlog().await;
                }
                () = relay.shared.has_sent.notified() => {
                    self.flush_later(&stop);
                }
                () = tokio::time::sleep_until(next_poll) => {
                    self.poll().await;
                    next_poll = Instant::now() + self.poll_interval;
                }
                () = stop.cancelled() => break,
            }
        }
        self.finish().await;
    }

    /// Takes a call and all that wait behind it; answers how many.
    async fn take(&mut self, first: Call) -> usize {
        let mut finished = 0;
        let mut news = News::default();
        let mut must_look = false;
        let mut next = Some(first);
        while let Some(call) = next {
            finished += 1;
            match call {
                Call::News(more) => {
                    news.dispatches.extend(more.dispatches);
                    news.backlog.extend(more.backlog);
                    news.touched.extend(more.touched);
                }
                Call::Look => must_look = true,
            }
            next = if finished < SEND_MAX {
                self.calls.0.try_recv().ok()
            } else {
                None
            };
        }
        {
            let mut desk = self.shell.relay.desk();
            for dispatch in &news.dispatches {
                desk.send(dispatch.key, &dispatch.queue, &dispatch.namespace);
            }
            for (run, task, attempt) in news.touched {
                desk.touch(run, task, attempt);
            }
            for queue in &news.backlog {
                desk.set_backlog(queue, true);
            }
        }
        self.dispatch(news.dispatches).await;
        if must_look {
            self.poll().await;
        } else {
            self.claim_backlog().await;
        }
        finished
    }

    /// Sends messages, highest priority first. What is not to be sent leaves the outbox.
    async fn dispatch(&mut self, mut dispatches: Vec<Dispatch>) {
        dispatches.sort_by_key(|dispatch| std::cmp::Reverse(dispatch.priority));
        let mut parcels: BTreeMap<String, Vec<Parcel>> = BTreeMap::new();
        let mut gone = Vec::new();
        for Dispatch {
            key,
            queue,
            body,
            since,
            ..
        } in dispatches
        {
            match body {
                Body::Ready(body, traceparent) => parcels.entry(queue).or_default().push(Parcel {
                    key,
                    body,
                    traceparent,
                    since,
                }),
                Body::Gone => {
                    self.shell.relay.desk().touch(key.run, key.task, None);
                    gone.push(key);
                }
                Body::Refused(failure) => self.fail(key, failure).await,
            }
        }
        self.shell.relay.put_back_sent(gone);
        for (queue, mut parcels) in parcels {
            while parcels.len() > SEND_MAX {
                let rest = parcels.split_off(SEND_MAX);
                self.send(
                    queue.clone(),
                    std::mem::replace(&mut parcels, rest),
                    0,
                    Duration::ZERO,
                );
            }
            self.send(queue, parcels, 0, Duration::ZERO);
        }
    }

    fn send(&mut self, queue: String, parcels: Vec<Parcel>, tries: u32, pause: Duration) {
        self.shell.relay.shared.unfinished.fetch_add(1, Ordering::SeqCst);
        let (service, ensured) = (Arc::clone(&self.queue), self.ensured.clone());
        self.sends.spawn(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            deliver(&*service, &ensured, queue, parcels, tries + 1).await
        });
    }

    /// Books the outcome of a call to the queue.
    async fn settle(&mut self, delivered: Delivered) {
        let Delivered {
            queue,
            tries,
            accepted,
            failed,
            refused,
        } = delivered;
        METERS.sent.increment(accepted.len() as u64);
        self.shell.relay.put_back_sent(accepted);
        for (key, reason) in refused {
            self.fail(key, message::refused_by_queue(&reason)).await;
        }
        if failed.is_empty() {
            return;
        }
        METERS.failed.increment(failed.len() as u64);
        if tries < TRIES_MAX {
            let most = BACKOFF.saturating_mul(1 << tries.min(10));
            let jitter = self.shell.entropy.bits() % u64::try_from(most.as_micros()).unwrap_or(1).max(1);
            self.send(queue, failed, tries, most / 2 + Duration::from_micros(jitter / 2));
        } else {
            // their lease ends about now; the poll takes them up
            let mut desk = self.shell.relay.desk();
            for parcel in failed {
                desk.touch(parcel.key.run, parcel.key.task, None);
            }
        }
    }

    /// An attempt that cannot be sent ends as failed; its row leaves the outbox.
    async fn fail(&mut self, key: AttemptKey, failure: runnel_engine::run::TaskFailure) {
        let now = self.shell.clock.now();
        let timings = runnel_engine::run::Timings {
            worker: "relay".into(),
            started_at: now,
            finished_at: now,
            ..runnel_engine::run::Timings::default()
        };
        let input = Input::AttemptFailed {
            task: key.task,
            attempt: key.attempt,
            failure,
            timings,
        };
        let work = InputsWork {
            run: key.run,
            inputs: vec![input],
            audit: None,
            reply: None,
        };
        match self.appliers.send(Work::Inputs(work)).await {
            Ok(()) => self.shell.relay.put_back_sent(vec![key]),
            Err(error) => tracing::debug!(%error, run = %key.run, "attempt stays in the outbox"),
        }
    }

    /// Claims rows of the queues whose backlog now finds room.
    async fn claim_backlog(&mut self) {
        let queues = self.shell.relay.desk().claimable();
        if queues.is_empty() {
            return;
        }
        let now = self.shell.clock.now();
        match claim::waiting(&self.shell, now).await {
            Ok(waiting) => {
                for queue in queues {
                    let kinds = waiting.get(&queue).map_or(&[][..], Vec::as_slice);
                    self.claim(&queue, kinds).await;
                }
            }
            Err(error) => tracing::warn!(%error, "relay could not look into the outbox"),
        }
    }

    /// Claims what nobody holds: after a crash, after the queue was away, when a worker has come.
    async fn poll(&mut self) {
        let now = self.shell.clock.now();
        let mut waiting = match claim::waiting(&self.shell, now).await {
            Ok(waiting) => waiting,
            Err(error) => return tracing::warn!(%error, "relay could not look into the outbox"),
        };
        let is_served = |queue: &String, kind: &String| self.shell.registry.is_served(queue, kind, now);
        let has_unserved = waiting
            .iter()
            .any(|(queue, kinds)| kinds.iter().any(|kind| !is_served(queue, kind)));
        if has_unserved && let Err(error) = self.shell.registry.refresh(&self.shell.store, now).await {
            tracing::warn!(%error, "relay could not look for workers");
        }
        self.verify_full_queues().await;
        for (queue, kinds) in &mut waiting {
            kinds.retain(|kind| self.shell.registry.is_served(queue, kind, now));
        }
        for (queue, kinds) in waiting {
            self.claim(&queue, &kinds).await;
        }
    }

    async fn claim(&mut self, queue: &str, kinds: &[String]) {
        let now = self.shell.clock.now();
        let kinds: Vec<String> = kinds
            .iter()
            .filter(|kind| self.shell.registry.is_served(queue, kind, now))
            .cloned()
            .collect();
        if kinds.is_empty() {
            self.shell.relay.desk().set_backlog(queue, false);
            return;
        }
        let free = self.shell.relay.desk().free(queue);
        if free == 0 {
            self.shell.relay.desk().set_backlog(queue, true);
            return;
        }
        match claim::claim(&self.shell, &self.appliers, queue, &kinds, free.min(CLAIM_MAX)).await {
            Ok((dispatches, has_more)) => {
                {
                    let mut desk = self.shell.relay.desk();
                    desk.set_backlog(queue, has_more);
                    dispatches
                        .iter()
                        .for_each(|dispatch| desk.send(dispatch.key, &dispatch.queue, &dispatch.namespace));
                }
                self.dispatch(dispatches).await;
            }
            Err(StoreError::Stopping) => {}
            Err(error) => tracing::warn!(%error, queue, "relay could not claim outbox rows"),
        }
    }

    /// Frees the places of attempts whose end another replica has heard of.
    async fn verify_full_queues(&self) {
        let keys = self.shell.relay.desk().doubtful();
        if keys.is_empty() {
            return;
        }
        match claim::still_out(&self.shell, &keys).await {
            Ok(out) => {
                let mut desk = self.shell.relay.desk();
                for key in keys.iter().filter(|key| !out.contains(key)) {
                    desk.touch(key.run, key.task, None);
                }
            }
            Err(error) => tracing::warn!(%error, "relay could not count what is out"),
        }
    }

    /// Gives the next commits a moment to take the sent rows along, then deletes those that are left.
    fn flush_later(&mut self, stop: &CancellationToken) {
        let relay = self.shell.relay.clone();
        if relay.sent().is_empty() {
            return;
        }
        let flush = FlushLater {
            shell: Arc::clone(&self.shell),
            stop: stop.clone(),
        };
        if !relay.shared.is_flushing.swap(true, Ordering::SeqCst) {
            tokio::spawn(flush.run());
        }
    }

    async fn finish(mut self) {
        while let Ok(call) = self.calls.0.try_recv() {
            if let Call::News(news) = call {
                self.dispatch(news.dispatches).await;
            }
        }
        while let Some(delivered) = self.sends.join_next().await {
            if let Ok(delivered) = delivered {
                self.shell.relay.put_back_sent(delivered.accepted);
            }
        }
        if let Err(error) = flush(&self.shell).await {
            tracing::warn!(%error, "sent messages stay in the outbox and are sent again");
        }
    }
}

struct FlushLater {
    shell: Arc<Shell>,
    stop: CancellationToken,
}

impl FlushLater {
    async fn run(self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(FLUSH) => {}
        }
        self.shell.relay.shared.is_flushing.store(false, Ordering::SeqCst);
        if let Err(error) = flush(&self.shell).await {
            tracing::warn!(%error, "sent messages were not deleted from the outbox yet");
        }
    }
}

/// Deletes the rows of all sent messages.
pub(crate) async fn flush(shell: &Arc<Shell>) -> Result<(), StoreError> {
    loop {
        let keys = shell.relay.take_sent();
        if keys.is_empty() {
            return Ok(());
        }
        let mut rows = RowSet::new(shell.backend, OUTBOX_KEY);
        for key in &keys {
            rows.id(key.run.0).int(key.task.0).int(key.attempt);
        }
        let statement = rows.bind(shell.backend, &shell.sql.delete_outbox, vec![]);
        let deleted = shell.store.write("delete from the outbox", statement).await;
        if let Err(error) = deleted {
            shell.relay.put_back_sent(keys);
            return Err(error);
        }
    }
}

async fn deliver(
    service: &dyn TaskQueue,
    ensured: &Ensured,
    queue: String,
    parcels: Vec<Parcel>,
    tries: u32,
) -> Delivered {
    let sent = send_all(service, ensured, &QueueName(queue.clone()), &parcels).await;
    let mut delivered = Delivered {
        queue,
        tries,
        accepted: Vec::new(),
        failed: Vec::new(),
        refused: Vec::new(),
    };
    match sent {
        Ok(failures) => {
            let mut failures: BTreeMap<usize, _> = failures.into_iter().map(|f| (f.index, f)).collect();
            for (index, parcel) in parcels.into_iter().enumerate() {
                match failures.remove(&index) {
                    None => {
                        METERS.dispatched(parcel.since);
                        delivered.accepted.push(parcel.key);
                    }
                    Some(failure) if failure.is_permanent => {
                        delivered.refused.push((parcel.key, failure.message))
                    }
                    Some(_) => delivered.failed.push(parcel),
                }
            }
        }
        Err(error) => {
            tracing::warn!(
                queue = delivered.queue,
                tries,
                error = &error as &dyn std::error::Error,
                "messages were not sent"
            );
            delivered.failed = parcels;
        }
    }
    delivered
}

async fn send_all(
    service: &dyn TaskQueue,
    ensured: &Ensured,
    queue: &QueueName,
    parcels: &[Parcel],
) -> Result<Vec<SendFailure>, QueueError> {
    ensured.ensure(service, queue).await?;
    let outgoing = |parcel: &Parcel| Outgoing {
        body: parcel.body.clone(),
        delay: Duration::ZERO,
        traceparent: parcel.traceparent.clone(),
    };
    crash_point!("relay.before_send");
    let sent = service.send(queue, parcels.iter().map(outgoing).collect()).await;
    crash_point!("relay.after_send");
    if let Err(QueueError::NotFound { .. }) = &sent {
        // somebody has deleted it
        ensured.forget(queue);
    }
    sent
}
