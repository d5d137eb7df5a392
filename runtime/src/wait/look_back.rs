//! Offers to tasks that began to wait the events that came before.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::QueryResult;

use super::rows::{Waiting, offer};
use crate::apply::{Appliers, Column, Kind, RowSet, Shell, source};
use crate::error::StoreError;

/// Waits of one turn.
const WAITS: usize = 500;
/// Events of one read: each may be large.
const EVENTS: usize = 50;

/// A wait, and from when on events count for it.
struct Looking {
    waiting: Waiting,
    from: i64,
}

/// An event that came.
struct Came {
    position: i64,
    received_at: i64,
    event: Arc<str>,
}

/// Looks back for every wait that has not.
pub(super) async fn run(shell: &Arc<Shell>, appliers: &Appliers) -> Result<(), StoreError> {
    loop {
        let waits = unlooked(shell).await?;
        let count = waits.values().map(Vec::len).sum::<usize>();
        for ((namespace, subject), group) in waits {
            look(shell, appliers, &namespace, &subject, &group).await?;
            mark(shell, &group).await?;
        }
        if count < WAITS {
            return Ok(());
        }
    }
}

/// Waits that have not looked back, by namespace and type.
async fn unlooked(shell: &Shell) -> Result<BTreeMap<(String, String), Vec<Looking>>, StoreError> {
    let sql = format!(
        "SELECT run_id, ix, attempt, namespace, subject, look_back_from FROM wait \
         WHERE must_look_back = 1 ORDER BY run_id, ix LIMIT {WAITS}"
    );
    let statement = shell.store.backend().statement(sql, []);
    let read = |row: &QueryResult| {
        let key: (String, String) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
        let looking = Looking {
            waiting: Waiting::read(row)?,
            from: row.try_get_by_index(5)?,
        };
        Ok((key, looking))
    };
    let mut waits: BTreeMap<(String, String), Vec<Looking>> = BTreeMap::new();
    for (key, looking) in shell.store.rows("find new waits", statement, read).await? {
        waits.entry(key).or_default().push(looking);
    }
    Ok(waits)
}

async fn look(
    shell: &Shell,
    appliers: &Appliers,
    namespace: &str,
    subject: &str,
    group: &[Looking],
) -> Result<(), StoreError> {
    let Some(from) = group.iter().map(|looking| looking.from).min() else {
        return Ok(());
    };
    let mut open: Vec<&Looking> = group.iter().collect();
    let mut after = (from, i64::MIN);
    while !open.is_empty() {
        let events = came(shell, namespace, subject, after).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = (last.received_at, last.position);
        let is_last = events.len() < EVENTS;
        let offers = open.iter().flat_map(|looking| {
            let events = events.iter().filter(|event| event.received_at >= looking.from);
            events.map(|event| (looking.waiting.clone(), Arc::clone(&event.event)))
        });
        let gone = offer(appliers, offers.collect()).await?;
        open.retain(|looking| !gone.contains(&looking.waiting));
        if is_last {
            return Ok(());
        }
    }
    Ok(())
}

/// Events of a type in the order of their arrival.
async fn came(
    shell: &Shell,
    namespace: &str,
    subject: &str,
    after: (i64, i64),
) -> Result<Vec<Came>, StoreError> {
    let sql = format!(
        "SELECT position, received_at, event FROM inbound_event \
         WHERE namespace = $1 AND event_type = $2 AND (received_at, position) > ($3, $4) \
         ORDER BY received_at, position LIMIT {EVENTS}"
    );
    let values = [namespace.into(), subject.into(), after.0.into(), after.1.into()];
    let statement = shell.store.backend().statement(sql, values);
    let read = |row: &QueryResult| {
        let event: String = row.try_get_by_index(2)?;
        Ok(Came {
            position: row.try_get_by_index(0)?,
            received_at: row.try_get_by_index(1)?,
            event: Arc::from(event),
        })
    };
    shell.store.rows("look back at events", statement, read).await
}

const KEYS: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int), ("attempt", Kind::Int)];

/// These waits have seen all that came before them.
async fn mark(shell: &Arc<Shell>, group: &[Looking]) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE wait SET must_look_back = 0 FROM {} \
         WHERE wait.run_id = c.run_id AND wait.ix = c.ix AND wait.attempt = c.attempt",
        source(shell.backend, KEYS)
    );
    let mut rows = RowSet::new(shell.backend, KEYS);
    for Looking { waiting, .. } in group {
        rows.id(waiting.run.0).int(waiting.ix.0).int(waiting.attempt);
    }
    let statement = rows.bind(shell.backend, &sql, vec![]);
    shell
        .store
        .execute("mark waits as looked back", statement)
        .await?;
    Ok(())
}
