//! PostgreSQL: news from other replicas, and the moment at which the global feed can be read.

use std::time::Duration;

use runnel_engine::RunId;
use sea_orm::{ConnectionTrait, DbErr};
use sqlx::postgres::PgListener;
use uuid::Uuid;

use super::{Feed, News};
use crate::store::Store;

/// The channel of all replicas in one database.
pub(super) const CHANNEL: &str = "runnel";

/// PostgreSQL refuses payloads of 8,000 bytes; past this the notification says "anything may have changed".
const PAYLOAD_BYTES_MAX: usize = 7_900;

/// First and longest pause between two looks at a horizon that has not moved far enough.
const HORIZON_PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));

/// `<instance>;<runs with events>;<runs with log lines>`, ids as 32 hex digits with commas; `<instance>;*` for everything.
pub(super) fn encode(instance: Uuid, news: &News) -> String {
    let list = |ids: &[RunId]| {
        ids.iter()
            .map(|id| id.0.simple().to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let text = format!("{};{};{}", instance.simple(), list(&news.runs), list(&news.logs));
    if text.len() > PAYLOAD_BYTES_MAX {
        format!("{};*", instance.simple())
    } else {
        text
    }
}

/// What a notification says.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Own,
    News(News),
    /// Too many to name, or written by a newer replica in a form not known here.
    Anything,
}

fn decode(own: Uuid, payload: &str) -> Heard {
    let mut parts = payload.split(';');
    if parts.next().and_then(|id| Uuid::parse_str(id).ok()) == Some(own) {
        return Heard::Own;
    }
    let list = |part: Option<&str>| -> Option<Vec<RunId>> {
        part?
            .split(',')
            .filter(|id| !id.is_empty())
            .map(|id| Uuid::parse_str(id).ok().map(RunId))
            .collect()
    };
    match (list(parts.next()), list(parts.next()), parts.next()) {
        // how the runs are is not said
        (Some(runs), Some(logs), None) => Heard::News(News {
            ended: runs.clone(),
            runs,
            logs,
        }),
        _ => Heard::Anything,
    }
}

/// Rings for the commits of other replicas until the feed stops.
pub(super) async fn listen(feed: Feed, store: Store) {
    let stop = feed.inner.stop.clone();
    while !stop.is_cancelled() {
        // ends only with an error: the connection is lost or was never there
        let error = tokio::select! {
            error = hear(&feed, &store) => error,
            () = stop.cancelled() => return,
        };
        tracing::warn!(%error, "notifications from other replicas are interrupted; polling");
        tokio::select! {
            () = tokio::time::sleep(feed.inner.poll_interval) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Rings every doorbell when anything was committed since the last look: a notification may have been lost with the
/// connection, or with the replica that was about to send it.
pub(super) async fn poll(feed: Feed, store: Store) {
    let stop = feed.inner.stop.clone();
    let mut last = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(feed.inner.poll_interval) => {}
            () = stop.cancelled() => return,
        }
        match horizon(&store).await {
            Ok(now) => {
                if last.is_some_and(|last| last != now.newest_event) {
                    feed.ring_everything();
                }
                last = Some(now.newest_event);
            }
            Err(error) => tracing::debug!(%error, "the feed cannot be polled"),
        }
    }
}

async fn hear(feed: &Feed, store: &Store) -> sqlx::Error {
    match hear_until_lost(feed, store).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

async fn hear_until_lost(feed: &Feed, store: &Store) -> Result<std::convert::Infallible, sqlx::Error> {
    let pool = store.postgres().ok_or(sqlx::Error::PoolClosed)?;
    let mut listener = PgListener::connect_with(pool).await?;
    // the pool may be closed only once every connection is back, also this one
    listener.ignore_pool_close_event(false);
    listener.listen(CHANNEL).await?;
    // whatever was committed before the channel was open
    feed.ring_everything();
    loop {
        match listener.try_recv().await? {
            Some(notification) => match decode(feed.inner.instance, notification.payload()) {
                Heard::Own => {}
                Heard::News(news) => feed.ring(&news),
                Heard::Anything => feed.ring_everything(),
            },
            // the connection was lost and is opened anew by the next call
            None => feed.ring_everything(),
        }
    }
}

/// Rings when committed events have come below the horizon of the feed: [`super::Topic::All`] for the first time, the
/// topics of their runs once more, for readers of the feed that want one run only.
///
/// An event that was just committed may be hidden for a moment, while an older transaction runs. A doorbell that rang at
/// the commit would wake its reader too early, and perhaps nothing would wake it again.
pub(super) async fn follow_horizon(feed: Feed, store: Store) {
    let stop = feed.inner.stop.clone();
    let mut committed = feed.inner.committed.subscribe();
    loop {
        tokio::select! {
            changed = committed.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
        let runs = feed.take_hidden();
        if feed.inner.all.receiver_count() == 0 && runs.is_empty() {
            continue;
        }
        let mut pause = HORIZON_PAUSE.0;
        let mut first: Option<Horizon> = None;
        loop {
            match horizon(&store).await {
                Ok(now) => {
                    let target = first.get_or_insert(now).newest_event;
                    if now.oldest_running > target {
                        break;
                    }
                }
                Err(error) => tracing::debug!(%error, "the horizon of the feed cannot be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(HORIZON_PAUSE.1),
                () = stop.cancelled() => return,
            }
        }
        feed.ring_visible(runs.iter());
    }
}

/// What hides committed events from the feed.
#[derive(Debug, Clone, Copy)]
struct Horizon {
    oldest_running: i64,
    newest_event: i64,
}

async fn horizon(store: &Store) -> Result<Horizon, DbErr> {
    let sql = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, \
               COALESCE((SELECT xid FROM event ORDER BY xid DESC LIMIT 1), 0)";
    let row = store
        .read()
        .query_one_raw(store.backend().statement(sql, []))
        .await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the horizon of the feed".to_owned()))?;
    Ok(Horizon {
        oldest_running: row.try_get_by_index(0)?,
        newest_event: row.try_get_by_index(1)?,
    })
}

#[cfg(test)]
mod tests {
    use sea_orm::{Database, EntityTrait, TransactionTrait};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::feed::{Doorbell, Topic};
    use crate::query::sample::{Sample, events, run_id};

    const HERE: Uuid = Uuid::from_u128(1);
    const THERE: Uuid = Uuid::from_u128(2);

    fn runs(n: u128) -> Vec<RunId> {
        (0..n).map(|n| RunId(Uuid::from_u128(n))).collect()
    }

    #[test]
    fn news_survive_the_notification() {
        let news = News {
            runs: runs(3),
            ended: runs(3),
            logs: runs(1),
        };
        assert_eq!(decode(HERE, &encode(THERE, &news)), Heard::News(news.clone()));
        assert_eq!(decode(HERE, &encode(HERE, &news)), Heard::Own);
    }

    #[test]
    fn what_does_not_fit_or_is_not_known_means_anything() {
        let payload = encode(
            THERE,
            &News {
                runs: runs(300),
                ..News::default()
            },
        );
        assert!(payload.len() < 8_000);
        assert_eq!(decode(HERE, &payload), Heard::Anything);
        assert_eq!(decode(HERE, "v2 something else"), Heard::Anything);
    }

    /// A feed of a replica; notifications alone must ring it, so that it polls once an hour.
    fn replica(sample: &Sample, instance: Uuid, stop: &CancellationToken, tasks: &TaskTracker) -> Feed {
        let hour = Duration::from_secs(3_600);
        let feed = Feed::new(sample.reads.store.backend(), instance, hour, stop.clone());
        feed.start(&sample.reads.store, tasks);
        feed
    }

    async fn rung(bell: &mut Doorbell) -> bool {
        tokio::time::timeout(Duration::from_secs(20), bell.rung())
            .await
            .expect("the doorbell rings")
    }

    async fn announce(sample: &Sample, feed: &Feed, news: &News) {
        let statement = feed.announcement(news).expect("a statement");
        let told = sample.reads.store.tx("announce", move |tx| {
            let statement = statement.clone();
            Box::pin(async move {
                tx.execute_raw(statement)
                    .await
                    .map_err(crate::store::failed_to("announce"))?;
                Ok(())
            })
        });
        told.await.expect("told");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn another_replica_rings_for_the_runs_it_is_told_of() {
        let sample = Sample::postgres().await.unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (here, there) = (
            replica(&sample, HERE, &stop, &tasks),
            replica(&sample, THERE, &stop, &tasks),
        );
        let (mut bell, mut other) = (
            there.doorbell(Topic::Run(run_id(1))),
            there.doorbell(Topic::Run(run_id(2))),
        );
        // both ring once when the channel is open
        assert!(rung(&mut bell).await && rung(&mut other).await);
        announce(
            &sample,
            &here,
            &News {
                runs: vec![run_id(1)],
                ..News::default()
            },
        )
        .await;
        assert!(rung(&mut bell).await);
        assert!(
            futures_util::FutureExt::now_or_never(other.rung()).is_none(),
            "nothing happened to this run"
        );
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        // a ring from before the stop may still be waiting; then the doorbell says that it is over
        while bell.rung().await {}
        sample.reads.store.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_feed_rings_when_its_events_can_be_read() {
        let sample = Sample::postgres().await.unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let feed = replica(&sample, HERE, &stop, &tasks);
        let mut all = feed.doorbell(Topic::All);
        let mut one = feed.doorbell(Topic::Feed(run_id(2)));
        assert!(rung(&mut all).await, "the channel is open");
        let _ = futures_util::FutureExt::now_or_never(one.rung());
        // an older transaction hides what is committed now, and tells nobody when it ends
        let older = Database::connect(&sample.url)
            .await
            .expect("connects")
            .begin()
            .await
            .expect("begun");
        let insert = runnel_entity::event::Entity::insert(events("default", run_id(1), 1..=1).unwrap());
        insert.exec_without_returning(&older).await.expect("inserted");
        sample
            .insert(vec![events("default", run_id(2), 1..=1).unwrap()])
            .await
            .unwrap();
        feed.ring(&News {
            runs: vec![run_id(2)],
            ..News::default()
        });
        older.commit().await.expect("committed");
        assert!(
            rung(&mut all).await && rung(&mut one).await,
            "now the feed shows it"
        );
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
