//! `events`: the feed of all runs.

use async_graphql::{Context, Enum, SimpleObject, Subscription};
use async_stream::stream;
use futures_util::Stream;
use runnel_runtime::feed::Topic;
use runnel_runtime::view::{self, FeedCursor, PageRequest};
use runnel_runtime::{Actor, Orchestrator, StoreError};

use super::{PAGE, Resume};
use crate::auth::Permission;
use crate::error::ApiError;
use crate::schema::cursor::Cursor;
use crate::schema::event::Event;
use crate::schema::filters::EventFilter;
use crate::schema::session::open;

/// What a message of the `events` subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum EventMessageKind {
    /// The first message: the place from which events follow.
    Sync,
    /// One event.
    Event,
    /// The server could not keep up with this subscription and ends it: resume after the cursor, nothing is lost.
    Lagged,
    /// The cursor asked for is unknown or no longer kept: read what is needed anew, then subscribe without one.
    Expired,
}

/// A message of the `events` subscription.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct EventMessage {
    /// What it is.
    kind: EventMessageKind,
    /// Place of this message in the feed: resume after it.
    cursor: String,
    /// The event; null unless the kind is `EVENT`.
    event: Option<Event>,
}

/// The feed of events.
#[derive(Debug, Default)]
pub(crate) struct EventSubscription;

#[Subscription]
impl EventSubscription {
    /// Events as they are committed, in order, without a gap or a repeat. Begins with `SYNC`.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these events.")] filter: Option<EventFilter>,
        #[graphql(desc = "Resume after this cursor; from now on when null.")] after: Option<String>,
    ) -> Result<impl Stream<Item = EventMessage> + use<>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let resume = Resume::of(ctx);
        let reader = Reader {
            orchestrator: session.orchestrator.clone(),
            actor: session.actor.clone(),
            filter: filter.unwrap_or_default().into_view()?,
        };
        let head = reader
            .orchestrator
            .feed_head()
            .await
            .map_err(|e| ApiError::store(&e))?;
        let from = match resume.or(after) {
            None => Some(head),
            Some(text) => FeedCursor::decode(&text).filter(|cursor| *cursor <= head),
        };
        Ok(messages(reader, from, head, resume))
    }
}

struct Reader {
    orchestrator: Orchestrator,
    actor: Actor,
    /// `None`: names a run that cannot exist.
    filter: Option<view::EventFilter>,
}

impl Reader {
    async fn page(&self, at: FeedCursor) -> Result<view::FeedPage, StoreError> {
        match &self.filter {
            None => Ok(view::FeedPage {
                items: Vec::new(),
                has_next: false,
                scanned_to: None,
            }),
            Some(filter) => {
                let page = PageRequest {
                    first: PAGE,
                    after: Some(at),
                };
                self.orchestrator
                    .scan_events(&self.actor, filter.clone(), page)
                    .await
            }
        }
    }

    fn topic(&self) -> Topic {
        self.filter
            .as_ref()
            .and_then(|filter| filter.run)
            .map_or(Topic::All, Topic::Feed)
    }
}

fn message(kind: EventMessageKind, at: FeedCursor, event: Option<Event>, resume: &Resume) -> EventMessage {
    let cursor = at.encode();
    resume.set_last(&cursor);
    EventMessage { kind, cursor, event }
}

fn messages(
    reader: Reader,
    from: Option<FeedCursor>,
    head: FeedCursor,
    resume: Resume,
) -> impl Stream<Item = EventMessage> {
    stream! {
        let Some(mut at) = from else {
            yield message(EventMessageKind::Expired, head, None, &resume);
            return;
        };
        let mut doorbell = reader.orchestrator.doorbell(reader.topic());
        yield message(EventMessageKind::Sync, at, None, &resume);
        loop {
            loop {
                let Ok(page) = reader.page(at).await.inspect_err(|e| drop(ApiError::store(e))) else {
                    yield message(EventMessageKind::Lagged, at, None, &resume);
                    return;
                };
                for event in page.items {
                    at = event.cursor;
                    yield message(EventMessageKind::Event, at, Some(Event(event)), &resume);
                }
                // events that the filter did not let pass need not be looked at again
                at = page.scanned_to.unwrap_or(at).max(at);
                if !page.has_next {
                    break;
                }
            }
            if !doorbell.rung().await {
                return;
            }
        }
    }
}
