//! Tells subscribers that something was committed: in this process at once, in other replicas a moment later.
//!
//! The notification of other replicas is not part of the transactions it tells of: PostgreSQL lets only one transaction
//! with a notification commit at a time, which would put all writers in a row. It is a doorbell; a lost one costs the
//! reader one poll interval.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use runnel_engine::RunId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::feed::{Feed, News};
use crate::store::Store;

/// How long news gather for one notification.
const GATHER: Duration = Duration::from_millis(20);

/// Rings the doorbells.
#[derive(Clone)]
pub(crate) struct Announcer {
    feed: Feed,
    inner: Arc<Inner>,
}

struct Inner {
    /// What other replicas have not been told yet.
    untold: Mutex<News>,
    has_news: Notify,
}

impl Announcer {
    pub(crate) fn new(feed: Feed) -> Self {
        Self {
            feed,
            inner: Arc::new(Inner {
                untold: Mutex::default(),
                has_news: Notify::new(),
            }),
        }
    }

    /// Rings for runs with new events, some of which have ended with them.
    pub(crate) fn ring(&self, runs: Vec<RunId>, ended: Vec<RunId>) {
        self.tell(News {
            runs,
            ended,
            logs: Vec::new(),
        });
    }

    /// Rings for runs with new log lines.
    pub(crate) fn ring_logs(&self, logs: Vec<RunId>) {
        self.tell(News {
            logs,
            ..News::default()
        });
    }

    fn tell(&self, news: News) {
        if news.is_empty() {
            return;
        }
        self.feed.ring(&news);
        let mut untold = self.inner.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.runs.extend(news.runs);
        untold.logs.extend(news.logs);
        drop(untold);
        self.inner.has_news.notify_one();
    }

    /// Tells other replicas until `stop`.
    pub(crate) async fn run(self, store: Store, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.announce(&store).await,
                () = self.inner.has_news.notified() => {}
            }
            self.announce(&store).await;
            tokio::time::sleep(GATHER).await;
        }
    }

    async fn announce(&self, store: &Store) {
        let mut news = std::mem::take(&mut *self.inner.untold.lock().unwrap_or_else(PoisonError::into_inner));
        for runs in [&mut news.runs, &mut news.logs] {
            runs.sort_unstable();
            runs.dedup();
        }
        let Some(statement) = self.feed.announcement(&news) else {
            return;
        };
        let told = store.write("notify other replicas", statement);
        if let Err(error) = told.await {
            tracing::debug!(%error, "other replicas were not notified; they poll");
        }
    }
}
