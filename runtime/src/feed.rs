//! Live wake-ups: who waits for news of a run, of a log or of everything is told *that* there is news, and reads it from the table.
//!
//! A doorbell, never data: nothing is lost when one is missed, because the reader always continues from its cursor. Rings of
//! the same topic coalesce, so that a slow reader costs no memory; a topic nobody waits for costs none either.
//!
//! Between replicas PostgreSQL notifications name the runs. They may be lost, so that the feed is polled too, slowly; when the
//! connection that listens was away and is back, every doorbell rings once.

mod listen;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runnel_engine::RunId;
use sea_orm::Statement;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::Actor;
use crate::error::StoreError;
use crate::orchestrator::Orchestrator;
use crate::store::{Backend, Store};
use crate::view::RunView;

/// What a doorbell rings for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Any event.
    All,
    /// Changes of one run.
    Run(RunId),
    /// The end of one run; in between it may ring for nothing.
    End(RunId),
    /// Events of one run, once the feed of all runs shows them.
    Feed(RunId),
    /// Log lines of one run.
    Log(RunId),
}

/// What one commit changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Runs that have new events.
    pub runs: Vec<RunId>,
    /// Those of them that may have ended.
    pub ended: Vec<RunId>,
    /// Runs that have new log lines.
    pub logs: Vec<RunId>,
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.logs.is_empty()
    }
}

/// The doorbells of one process.
#[derive(Clone)]
pub(crate) struct Feed {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    /// Tells this process's own notifications from those of others.
    instance: Uuid,
    poll_interval: Duration,
    stop: CancellationToken,
    all: watch::Sender<()>,
    /// PostgreSQL: events were committed that [`Topic::All`] has not been rung for, see [`listen`].
    committed: watch::Sender<()>,
    /// PostgreSQL: runs somebody waits for, with events that the feed may still hide.
    hidden: Mutex<HashSet<RunId>>,
    topics: Mutex<HashMap<Topic, watch::Sender<()>>>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

impl Feed {
    /// Doorbells that end when `stop` is cancelled.
    pub(crate) fn new(
        backend: Backend,
        instance: Uuid,
        poll_interval: Duration,
        stop: CancellationToken,
    ) -> Self {
        let inner = Inner {
            backend,
            instance,
            poll_interval,
            stop,
            all: watch::Sender::new(()),
            committed: watch::Sender::new(()),
            hidden: Mutex::default(),
            topics: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Starts what connects the doorbells of several replicas; nothing with SQLite, whose one process writes everything.
    pub(crate) fn start(&self, store: &Store, tasks: &TaskTracker) {
        match self.inner.backend {
            Backend::Sqlite => {}
            Backend::Postgres => {
                tasks.spawn(listen::listen(self.clone(), store.clone()));
                tasks.spawn(listen::poll(self.clone(), store.clone()));
                tasks.spawn(listen::follow_horizon(self.clone(), store.clone()));
            }
        }
    }

    /// Rings for a commit of this process; call after it.
    pub(crate) fn ring(&self, news: &News) {
        if news.is_empty() {
            return;
        }
        {
            let topics = self.topics();
            let runs = news.runs.iter().map(|run| Topic::Run(*run));
            let ended = news.ended.iter().map(|run| Topic::End(*run));
            let logs = news.logs.iter().map(|run| Topic::Log(*run));
            for topic in runs.chain(ended).chain(logs) {
                if let Some(bell) = topics.get(&topic) {
                    bell.send_replace(());
                }
            }
        }
        if !news.runs.is_empty() {
            self.ring_all_topic(&news.runs);
        }
    }

    /// The statement that tells other replicas, to be run at the commit or after it.
    pub(crate) fn announcement(&self, news: &News) -> Option<Statement> {
        match self.inner.backend {
            Backend::Sqlite => None,
            Backend::Postgres if news.is_empty() => None,
            Backend::Postgres => {
                let payload = listen::encode(self.inner.instance, news);
                let values = [listen::CHANNEL.into(), payload.into()];
                Some(self.inner.backend.statement("SELECT pg_notify($1, $2)", values))
            }
        }
    }

    /// Subscribes.
    pub(crate) fn doorbell(&self, topic: Topic) -> Doorbell {
        let bell = match topic {
            Topic::All => self.inner.all.subscribe(),
            Topic::Run(_) | Topic::End(_) | Topic::Feed(_) | Topic::Log(_) => self
                .topics()
                .entry(topic)
                .or_insert_with(|| watch::Sender::new(()))
                .subscribe(),
        };
        Doorbell {
            topic,
            bell: Some(bell),
            feed: self.clone(),
        }
    }

    /// Rings every doorbell: for when it is not known what was missed.
    fn ring_everything(&self) {
        for bell in self.topics().values() {
            bell.send_replace(());
        }
        self.inner.all.send_replace(());
    }

    /// With PostgreSQL an event that is committed may still be above the horizon of the feed: [`listen::follow_horizon`] rings when
    /// it can be read.
    fn ring_all_topic(&self, runs: &[RunId]) {
        match self.inner.backend {
            Backend::Sqlite => self.ring_visible(runs.iter()),
            Backend::Postgres => {
                {
                    let topics = self.topics();
                    let awaited = runs.iter().filter(|run| topics.contains_key(&Topic::Feed(**run)));
                    self.hidden().extend(awaited);
                }
                self.inner.committed.send_replace(());
            }
        }
    }

    /// The runs to ring for once what was committed until now can be read.
    fn take_hidden(&self) -> HashSet<RunId> {
        std::mem::take(&mut *self.hidden())
    }

    /// Everything committed when the runs were taken can be read now.
    fn ring_visible<'r>(&self, runs: impl Iterator<Item = &'r RunId>) {
        let topics = self.topics();
        for bell in runs.filter_map(|run| topics.get(&Topic::Feed(*run))) {
            bell.send_replace(());
        }
        self.inner.all.send_replace(());
    }

    fn hidden(&self) -> MutexGuard<'_, HashSet<RunId>> {
        self.inner.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, watch::Sender<()>>> {
        // every change of the map is one call that cannot panic half-way
        self.inner.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for news. Rings coalesce: one wake-up may stand for many commits.
#[derive(Debug)]
pub struct Doorbell {
    topic: Topic,
    /// `None` only while it is dropped.
    bell: Option<watch::Receiver<()>>,
    feed: Feed,
}

impl Doorbell {
    /// Resolves at the next news since the last call; a missed notification delays it by the poll interval at most.
    /// `false` when the orchestrator has stopped. Dropping the future loses nothing.
    pub async fn rung(&mut self) -> bool {
        let Some(bell) = &mut self.bell else { return false };
        tokio::select! {
            biased; // what was committed before the stop is still told
            changed = bell.changed() => changed.is_ok(),
            () = self.feed.inner.stop.cancelled() => false,
        }
    }
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        let mut topics = self.feed.topics();
        self.bell = None;
        if topics
            .get(&self.topic)
            .is_some_and(|bell| bell.receiver_count() == 0)
        {
            topics.remove(&self.topic);
        }
    }
}

impl Orchestrator {
    /// Subscribes to a topic. Read from the table after this call, then wait.
    #[must_use]
    pub fn doorbell(&self, topic: Topic) -> Doorbell {
        self.feed().doorbell(topic)
    }

    /// Waits until a run has ended, and answers it. It is read when the wait begins and when it may have ended, not at
    /// every change. `None`: there is no such run in the actor's namespace, or the orchestrator stopped first.
    ///
    /// # Errors
    /// The run cannot be read.
    pub async fn ended(&self, actor: &Actor, run: RunId) -> Result<Option<RunView>, StoreError> {
        let mut bell = self.doorbell(Topic::End(run));
        loop {
            match self.reads().run_together(actor, run).await? {
                None => return Ok(None),
                Some(now) if now.status.is_terminal() => return Ok(Some(now)),
                Some(_) if !bell.rung().await => return Ok(None),
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn feed() -> (Feed, CancellationToken) {
        let stop = CancellationToken::new();
        (
            Feed::new(
                Backend::Sqlite,
                Uuid::from_u128(9),
                Duration::from_secs(5),
                stop.clone(),
            ),
            stop,
        )
    }

    fn run(n: u128) -> RunId {
        RunId(Uuid::from_u128(n))
    }

    fn is_rung(bell: &mut Doorbell) -> Option<bool> {
        bell.rung().now_or_never()
    }

    #[test]
    fn rings_coalesce_and_only_for_the_topic() {
        let (feed, _stop) = feed();
        let (mut one, mut two, mut all) = (
            feed.doorbell(Topic::Run(run(1))),
            feed.doorbell(Topic::Run(run(2))),
            feed.doorbell(Topic::All),
        );
        let news = News {
            runs: vec![run(1)],
            ..News::default()
        };
        feed.ring(&news);
        feed.ring(&news);
        assert_eq!((is_rung(&mut one), is_rung(&mut one)), (Some(true), None));
        assert_eq!((is_rung(&mut two), is_rung(&mut all)), (None, Some(true)));
    }

    #[test]
    fn who_waits_for_the_end_hears_nothing_else() {
        let (feed, _stop) = feed();
        let mut end = feed.doorbell(Topic::End(run(1)));
        let news = |ended| News {
            runs: vec![run(1)],
            ended,
            logs: vec![],
        };
        feed.ring(&news(vec![]));
        assert_eq!(is_rung(&mut end), None);
        feed.ring(&news(vec![run(1)]));
        assert_eq!(is_rung(&mut end), Some(true));
    }

    #[test]
    fn log_lines_do_not_ring_for_events() {
        let (feed, _stop) = feed();
        let (mut events, mut log, mut all) = (
            feed.doorbell(Topic::Run(run(1))),
            feed.doorbell(Topic::Log(run(1))),
            feed.doorbell(Topic::All),
        );
        feed.ring(&News {
            logs: vec![run(1)],
            ..News::default()
        });
        assert_eq!(
            (is_rung(&mut events), is_rung(&mut log), is_rung(&mut all)),
            (None, Some(true), None)
        );
    }

    #[test]
    fn a_topic_is_forgotten_with_its_last_doorbell() {
        let (feed, _stop) = feed();
        let (first, second) = (
            feed.doorbell(Topic::Run(run(1))),
            feed.doorbell(Topic::Run(run(1))),
        );
        drop(first);
        assert_eq!(feed.topics().len(), 1);
        drop(second);
        assert_eq!(feed.topics().len(), 0);
    }

    #[test]
    fn the_last_news_are_told_before_the_stop() {
        let (feed, stop) = feed();
        let mut bell = feed.doorbell(Topic::Run(run(1)));
        feed.ring(&News {
            runs: vec![run(1)],
            ..News::default()
        });
        stop.cancel();
        assert_eq!(
            (is_rung(&mut bell), is_rung(&mut bell)),
            (Some(true), Some(false))
        );
    }
}
