//! Offers events that came to the tasks that wait for their type.

use std::collections::BTreeSet;
use std::sync::Arc;

use runnel_engine::TaskIx;
use sea_orm::QueryResult;
use uuid::Uuid;

use super::EVENT;
use super::rows::{Waiting, offer};
use crate::apply::{Appliers, Column, Kind, RowSet, Shell, source};
use crate::error::StoreError;

/// Events of one turn.
const EVENTS: usize = 50;
/// Waits of one read.
const WAITS: usize = 500;

/// An event that has not been offered to all.
struct Undelivered {
    position: i64,
    /// Namespace and type.
    key: (String, String),
    event: Arc<str>,
}

/// Delivers every event that has not been.
pub(super) async fn run(shell: &Arc<Shell>, appliers: &Appliers) -> Result<(), StoreError> {
    loop {
        let events = undelivered(shell).await?;
        if events.is_empty() {
            return Ok(());
        }
        // most events are waited for by nobody: one statement says so of all
        let wanted = wanted(shell, &events).await?;
        for event in events.iter().filter(|event| wanted.contains(&event.key)) {
            deliver(shell, appliers, event).await?;
        }
        mark(shell, &events).await?;
        if events.len() < EVENTS {
            return Ok(());
        }
    }
}

async fn undelivered(shell: &Shell) -> Result<Vec<Undelivered>, StoreError> {
    let sql = format!(
        "SELECT position, namespace, event_type, event FROM inbound_event \
         WHERE delivered_at IS NULL ORDER BY position LIMIT {EVENTS}"
    );
    let statement = shell.store.backend().statement(sql, []);
    let read = |row: &QueryResult| {
        let event: String = row.try_get_by_index(3)?;
        Ok(Undelivered {
            position: row.try_get_by_index(0)?,
            key: (row.try_get_by_index(1)?, row.try_get_by_index(2)?),
            event: Arc::from(event),
        })
    };
    shell.store.rows("find events to deliver", statement, read).await
}

const TYPES: &[Column] = &[("namespace", Kind::Text), ("event_type", Kind::Text)];

/// Of the events' types, those that a task waits for.
async fn wanted(shell: &Shell, events: &[Undelivered]) -> Result<BTreeSet<(String, String)>, StoreError> {
    let types: BTreeSet<&(String, String)> = events.iter().map(|event| &event.key).collect();
    let mut rows = RowSet::new(shell.backend, TYPES);
    for (namespace, event_type) in types {
        rows.text(namespace).text(event_type);
    }
    let sql = format!(
        "SELECT c.namespace, c.event_type FROM {} WHERE EXISTS (SELECT 1 FROM wait w \
         WHERE w.kind = {EVENT} AND w.namespace = c.namespace AND w.subject = c.event_type)",
        source(shell.backend, TYPES)
    );
    let statement = rows.bind(shell.backend, &sql, vec![]);
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    let found = shell
        .store
        .rows("find types that are waited for", statement, read);
    Ok(found.await?.into_iter().collect())
}

async fn deliver(shell: &Shell, appliers: &Appliers, event: &Undelivered) -> Result<(), StoreError> {
    let mut after: (Uuid, i64) = (Uuid::nil(), -1);
    loop {
        let sql = format!(
            "SELECT run_id, ix, attempt FROM wait WHERE kind = {EVENT} AND namespace = $1 AND subject = $2 \
             AND (run_id, ix) > ($3, $4) ORDER BY run_id, ix LIMIT {WAITS}"
        );
        let (namespace, event_type) = &event.key;
        let values = [
            namespace.as_str().into(),
            event_type.as_str().into(),
            after.0.into(),
            after.1.into(),
        ];
        let statement = shell.store.backend().statement(sql, values);
        let waits = shell
            .store
            .rows("find waits for an event", statement, Waiting::read)
            .await?;
        let Some(Waiting {
            run, ix: TaskIx(ix), ..
        }) = waits.last()
        else {
            return Ok(());
        };
        after = (run.0, i64::from(*ix));
        let is_last = waits.len() < WAITS;
        let offers = waits
            .into_iter()
            .map(|waiting| (waiting, Arc::clone(&event.event)));
        offer(appliers, offers.collect()).await?;
        if is_last {
            return Ok(());
        }
    }
}

const POSITIONS: &[Column] = &[("position", Kind::Int)];

/// These events have been offered to all that waited when they came; who waits later looks back.
async fn mark(shell: &Arc<Shell>, events: &[Undelivered]) -> Result<(), StoreError> {
    let mut rows = RowSet::new(shell.backend, POSITIONS);
    for event in events {
        rows.int(event.position);
    }
    let now = shell.clock.now().0;
    let sql = format!(
        "UPDATE inbound_event SET delivered_at = {now} FROM {} WHERE inbound_event.position = c.position",
        source(shell.backend, POSITIONS)
    );
    let statement = rows.bind(shell.backend, &sql, vec![]);
    shell.store.execute("mark events as delivered", statement).await?;
    Ok(())
}
