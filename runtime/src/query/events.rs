//! The history: of one run, and the feed of all.
//!
//! A row holds the records of one commit on one run; it is unpacked here. On PostgreSQL the feed shows only rows below the
//! oldest transaction that still runs: everything older has ended, so nothing can appear behind a reader's cursor.

use std::sync::Arc;

use runnel_engine::RunId;
use runnel_engine::run::Record;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use uuid::Uuid;

use super::{Reads, limit};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::store::{Backend, failed_to};
use crate::view::convert::json;
use crate::view::{EventFilter, EventView, FeedCursor, FeedPage, Page, PageRequest};

/// Most rows that one call looks at: a filter that nothing passes answers an empty page with a cursor, not a long wait.
const SCAN_ROWS_MAX: usize = 1_000;

/// Rows of one statement.
const CHUNK_ROWS: usize = 250;

/// One stored row.
struct Row {
    run: RunId,
    place: FeedCursor,
    /// `None`: of another namespace.
    records: Option<String>,
}

impl Row {
    fn read(row: &QueryResult) -> Result<Self, StoreError> {
        let failed = failed_to("read events");
        let run: Uuid = row.try_get_by_index(0).map_err(failed)?;
        let place = FeedCursor {
            xid: row.try_get_by_index(1).map_err(failed)?,
            position: row.try_get_by_index(2).map_err(failed)?,
            seq: row.try_get_by_index(3).map_err(failed)?,
        };
        Ok(Self {
            run: RunId(run),
            place,
            records: row.try_get_by_index(4).map_err(failed)?,
        })
    }

    fn unpack(self) -> Result<Vec<EventView>, StoreError> {
        let Some(text) = self.records else {
            return Ok(Vec::new());
        };
        let records: Vec<Record> = json(
            "event",
            format!("{} up to {}", self.run, self.place.seq),
            "records",
            &text,
        )?;
        let view = |record: Record| EventView {
            run_id: self.run,
            cursor: FeedCursor {
                seq: record.seq,
                ..self.place
            },
            record: Arc::new(record),
        };
        Ok(records.into_iter().map(view).collect())
    }
}

pub(super) async fn of_run(
    reads: &Reads,
    actor: &Actor,
    run: RunId,
    request: PageRequest<i64>,
) -> Result<Page<EventView>, StoreError> {
    let limit = limit(&request);
    let mut after = request.after.unwrap_or(0).max(0);
    let mut items = Vec::new();
    loop {
        // a row has one record at least, so that one more than the page needs is enough
        let chunk = (limit + 1).min(CHUNK_ROWS);
        let rows = rows_of_run(reads, actor, run, after, chunk).await?;
        let is_last = rows.len() < chunk;
        for row in rows {
            let end = row.place.seq;
            items.extend(row.unpack()?.into_iter().filter(|event| event.record.seq > after));
            after = after.max(end);
            if items.len() > limit {
                return Ok(super::page(items, limit, request.after.is_some()));
            }
        }
        if is_last {
            return Ok(super::page(items, limit, request.after.is_some()));
        }
    }
}

async fn rows_of_run(
    reads: &Reads,
    actor: &Actor,
    run: RunId,
    after: i64,
    chunk: usize,
) -> Result<Vec<Row>, StoreError> {
    let (p1, p2, p3) = reads.store.backend().pick(("$1", "$2", "$3"), ("?1", "?2", "?3"));
    // the row that holds the next record is the last one that begins at or before it
    let sql = format!(
        "SELECT run_id, xid, position, last_seq, records FROM event WHERE run_id = {p1} AND namespace = {p2} AND first_seq >= \
         COALESCE((SELECT max(first_seq) FROM event WHERE run_id = {p1} AND first_seq <= {p3}), 0) \
         ORDER BY first_seq LIMIT {chunk}"
    );
    let values = [run.0.into(), (&*actor.namespace).into(), (after + 1).into()];
    fetch(reads, reads.store.backend().statement(sql, values)).await
}

pub(super) async fn list(
    reads: &Reads,
    actor: &Actor,
    filter: EventFilter,
    request: PageRequest<FeedCursor>,
) -> Result<Page<EventView>, StoreError> {
    let has_previous = request.after.is_some();
    let mut request = request;
    loop {
        let page = scan(reads, actor, &filter, request.clone()).await?;
        if !page.items.is_empty() || !page.has_next {
            return Ok(Page {
                items: page.items,
                has_next: page.has_next,
                has_previous,
            });
        }
        request.after = page.scanned_to;
    }
}

pub(super) async fn scan(
    reads: &Reads,
    actor: &Actor,
    filter: &EventFilter,
    request: PageRequest<FeedCursor>,
) -> Result<FeedPage, StoreError> {
    let limit = limit(&request);
    let start = request.after.unwrap_or_default();
    let mut page = FeedPage {
        items: Vec::new(),
        has_next: false,
        scanned_to: request.after,
    };
    let mut scanned = 0;
    // the row of the cursor may hold more records than have been read, so that a scan begins with it
    let mut from = start;
    while scanned < SCAN_ROWS_MAX {
        let chunk = (limit + 2).min(CHUNK_ROWS).min(SCAN_ROWS_MAX - scanned);
        let statement = feed_rows(reads.store.backend(), actor, filter, from, scanned == 0, chunk);
        let rows = fetch(reads, statement).await?;
        scanned += rows.len();
        let is_last = rows.len() < chunk;
        for row in rows {
            let place = row.place;
            for event in row
                .unpack()?
                .into_iter()
                .filter(|event| event.cursor > start && passes(filter, event))
            {
                if page.items.len() == limit {
                    page.has_next = true;
                    return Ok(page);
                }
                page.scanned_to = Some(event.cursor);
                page.items.push(event);
            }
            page.scanned_to = page.scanned_to.max(Some(place));
            from = place;
        }
        if is_last {
            return Ok(page);
        }
    }
    page.has_next = true;
    Ok(page)
}

fn passes(filter: &EventFilter, event: &EventView) -> bool {
    let EventFilter {
        run,
        task_key,
        kind_in,
        attempt,
        actor,
        reason,
        at_gte,
        at_lt,
        any,
        all,
        not,
    } = filter;
    let record = &event.record;
    let is_same = |wanted: &Option<String>, given: &Option<String>| wanted.is_none() || wanted == given;
    run.is_none_or(|run| run == event.run_id)
        && is_same(task_key, &record.key)
        && is_same(actor, &record.actor)
        && is_same(reason, &record.reason)
        && kind_in.as_ref().is_none_or(|kinds| kinds.contains(&record.kind))
        && attempt.is_none_or(|attempt| record.attempt == Some(attempt))
        && at_gte.is_none_or(|from| record.at >= from)
        && at_lt.is_none_or(|until| record.at < until)
        && all.iter().flatten().all(|part| passes(part, event))
        && any
            .as_ref()
            .is_none_or(|parts| parts.iter().any(|part| passes(part, event)))
        && !not.as_ref().is_some_and(|part| passes(part, event))
}

/// The next rows of the feed, in its order.
pub(super) fn feed_rows(
    backend: Backend,
    actor: &Actor,
    filter: &EventFilter,
    from: FeedCursor,
    is_inclusive: bool,
    chunk: usize,
) -> Statement {
    let compare = if is_inclusive { ">=" } else { ">" };
    let mut values: Vec<Value> = vec![(&*actor.namespace).into(), from.position.into()];
    if backend == Backend::Postgres {
        values.push(from.xid.into());
    }
    let own = backend.pick("namespace = $1", "namespace = ?1");
    let (place, order) = match filter.run {
        None => backend.pick(
            (
                format!("(xid, position) {compare} ($3, $2) AND xid < {HORIZON}"),
                "xid, position",
            ),
            (format!("position {compare} ?2"), "position"),
        ),
        Some(run) => {
            values.push(run.0.into());
            // A run's rows are in feed order and in order of seq: they are found by the latter from the cursor's row on, and the
            // feed's own index, where all other runs' rows lie between, is of no use (hence the sums).
            let place = backend.pick(
                format!(
                    "run_id = $4 AND first_seq >= COALESCE((SELECT c.first_seq FROM event c \
                     WHERE c.xid = $3 AND c.position = $2 AND c.run_id = $4), 0) \
                     AND (xid + 0, position) {compare} ($3, $2) AND xid + 0 < {HORIZON}"
                ),
                format!(
                    "run_id = ?3 AND first_seq >= COALESCE((SELECT c.first_seq FROM event c \
                     WHERE c.position = ?2 AND c.run_id = ?3), 0) AND +position {compare} ?2"
                ),
            );
            (place, "first_seq")
        }
    };
    let sql = format!(
        "SELECT run_id, xid, position, last_seq, CASE WHEN {own} THEN records END FROM event \
         WHERE {place} ORDER BY {order} LIMIT {chunk}"
    );
    backend.statement(sql, values)
}

/// PostgreSQL: the oldest transaction that still runs. Rows of those that began before it are all there.
const HORIZON: &str = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint";

pub(super) async fn head(reads: &Reads) -> Result<FeedCursor, StoreError> {
    let sql = match reads.store.backend() {
        Backend::Postgres => format!(
            "SELECT run_id, xid, position, last_seq, NULL::text FROM event WHERE xid < {HORIZON} \
             ORDER BY xid DESC, position DESC LIMIT 1"
        ),
        Backend::Sqlite => {
            "SELECT run_id, xid, position, last_seq, NULL FROM event ORDER BY position DESC LIMIT 1"
                .to_owned()
        }
    };
    Ok(fetch(reads, reads.store.backend().statement(sql, []))
        .await?
        .first()
        .map(|row| row.place)
        .unwrap_or_default())
}

async fn fetch(reads: &Reads, statement: Statement) -> Result<Vec<Row>, StoreError> {
    let rows = reads
        .store
        .read()
        .query_all_raw(statement)
        .await
        .map_err(failed_to("read events"))?;
    rows.iter().map(Row::read).collect()
}
