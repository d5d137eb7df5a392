//! Claims rows of the outbox that nobody holds, and makes their messages.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use runnel_engine::run::TaskStatus;
use runnel_engine::{RunId, TaskIx, Timestamp};
use sea_orm::{ConnectionTrait, QueryResult};
use tokio::sync::oneshot;

use super::{AttemptKey, Dispatch, LEASE};
use crate::apply::{Appliers, Column, Kind, RenderWork, RowSet, Shell, Work, source};
use crate::error::StoreError;
use crate::message::Body;
use crate::store::failed_to;

/// Rows of one claim.
pub(super) const CLAIM_MAX: usize = 1_000;

/// The namespaces of a queue take turns, each with its first by rank (priority with ageing), and what is out already counts
/// as turns they had: what `gate::deal` of the engine does, over an index that holds everything the order needs. A namespace with a long backlog costs one walk of it, up to
/// the number of rows wanted.
const CLAIM_POSTGRES: &str = "\
    WITH RECURSIVE ns AS ( \
    (SELECT namespace FROM outbox WHERE queue = $1 ORDER BY namespace LIMIT 1) \
    UNION ALL SELECT n.namespace FROM ns CROSS JOIN LATERAL \
    (SELECT namespace FROM outbox WHERE queue = $1 AND namespace > ns.namespace ORDER BY namespace LIMIT 1) n), \
    picked AS MATERIALIZED (SELECT p.id, row_number() OVER (PARTITION BY ns.namespace ORDER BY p.rank, p.id) \
    + COALESCE(($6::jsonb ->> ns.namespace)::bigint, 0) AS turn, p.rank \
    FROM ns CROSS JOIN LATERAL (SELECT id, rank FROM outbox o WHERE o.queue = $1 AND o.namespace = ns.namespace \
    AND o.leased_until <= $2 AND o.kind IN (SELECT jsonb_array_elements_text($3::jsonb)) \
    ORDER BY o.rank, o.id LIMIT $4 FOR UPDATE SKIP LOCKED) p ORDER BY turn, p.rank, p.id LIMIT $4) \
    UPDATE outbox SET leased_until = $5 FROM picked WHERE outbox.id = picked.id \
    RETURNING run_id, ix, attempt, priority, namespace";

const CLAIM_SQLITE: &str = "\
    UPDATE outbox SET leased_until = ?5 WHERE id IN ( \
    WITH RECURSIVE ns(namespace) AS ( \
    SELECT namespace FROM (SELECT namespace FROM outbox WHERE queue = ?1 ORDER BY namespace LIMIT 1) \
    UNION ALL SELECT (SELECT n.namespace FROM outbox n WHERE n.queue = ?1 AND n.namespace > ns.namespace \
    ORDER BY n.namespace LIMIT 1) FROM ns WHERE ns.namespace IS NOT NULL) \
    SELECT id FROM (SELECT o.id, o.rank, row_number() OVER (PARTITION BY o.namespace ORDER BY o.rank, o.id) \
    + COALESCE((SELECT value FROM json_each(?6) WHERE key = o.namespace), 0) AS turn \
    FROM ns JOIN outbox o ON o.id IN (SELECT x.id FROM outbox x WHERE x.queue = ?1 AND x.namespace = ns.namespace \
    AND x.leased_until <= ?2 AND x.kind IN (SELECT value FROM json_each(?3)) ORDER BY x.rank, x.id LIMIT ?4)) \
    ORDER BY turn, rank, id LIMIT ?4) \
    RETURNING run_id, ix, attempt, priority, namespace";

const WAITING_POSTGRES: &str = "SELECT DISTINCT queue, kind FROM outbox WHERE leased_until <= $1";
const WAITING_SQLITE: &str = "SELECT DISTINCT queue, kind FROM outbox WHERE leased_until <= ?1";

/// A claimed row.
#[derive(Debug, Clone)]
struct Claimed {
    key: AttemptKey,
    priority: u8,
    namespace: Arc<str>,
}

/// Task types that wait in the outbox without a lease, per queue.
pub(crate) async fn waiting(
    shell: &Shell,
    now: Timestamp,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let backend = shell.store.backend();
    let statement = backend.statement(backend.pick(WAITING_POSTGRES, WAITING_SQLITE), [now.0.into()]);
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    let found = shell.store.rows("look into the outbox", statement, read);
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (queue, kind) in found.await? {
        kinds.entry(queue).or_default().push(kind);
    }
    Ok(kinds)
}

/// Claims up to `max` rows of the queue, namespaces in turn and each in the order of its ranks, and makes their messages. The second
/// value tells whether there may be more.
pub(super) async fn claim(
    shell: &Shell,
    appliers: &Appliers,
    queue: &str,
    kinds: &[String],
    max: usize,
) -> Result<(Vec<Dispatch>, bool), StoreError> {
    let max = max.min(CLAIM_MAX);
    let mut claimed = take(shell, queue, kinds, max).await?;
    let has_more = claimed.len() == max;
    claimed.sort_by_key(|row| std::cmp::Reverse(row.priority));
    let mut by_run: BTreeMap<RunId, Vec<Claimed>> = BTreeMap::new();
    for row in claimed {
        by_run.entry(row.key.run).or_default().push(row);
    }
    let rendered = by_run
        .into_iter()
        .map(|(run, rows)| render(appliers, queue, run, rows));
    let mut dispatches = Vec::new();
    for rendered in futures_util::future::join_all(rendered).await {
        match rendered {
            Ok(rendered) => dispatches.extend(rendered),
            // one bad run holds up no other; its rows are claimed again when their lease is over
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    dispatches.sort_by_key(|dispatch| std::cmp::Reverse(dispatch.priority));
    Ok((dispatches, has_more))
}

async fn render(
    appliers: &Appliers,
    queue: &str,
    run: RunId,
    rows: Vec<Claimed>,
) -> Result<Vec<Dispatch>, StoreError> {
    let (reply, answer) = oneshot::channel();
    let attempts = rows.iter().map(|row| (row.key.task, row.key.attempt)).collect();
    appliers
        .send(Work::Render(RenderWork { run, attempts, reply }))
        .await?;
    let bodies = answer.await.map_err(|_| StoreError::Stopping)??;
    let dispatch = |(row, body): (Claimed, Body)| Dispatch {
        key: row.key,
        queue: queue.to_owned(),
        namespace: row.namespace,
        priority: row.priority,
        since: None,
        body,
    };
    Ok(rows.into_iter().zip(bodies).map(dispatch).collect())
}

async fn take(shell: &Shell, queue: &str, kinds: &[String], max: usize) -> Result<Vec<Claimed>, StoreError> {
    let backend = shell.store.backend();
    let now = shell.clock.now();
    let shares: serde_json::Map<String, serde_json::Value> = shell
        .relay
        .shares(queue)
        .into_iter()
        .map(|(namespace, count)| (namespace.to_string(), count.into()))
        .collect();
    let shares = serde_json::Value::Object(shares);
    let statement = backend.statement(
        backend.pick(CLAIM_POSTGRES, CLAIM_SQLITE),
        [
            queue.into(),
            now.0.into(),
            serde_json::Value::from(kinds).to_string().into(),
            i64::try_from(max).unwrap_or(i64::MAX).into(),
            now.after(LEASE).0.into(),
            shares.to_string().into(),
        ],
    );
    let failed = failed_to("claim outbox rows");
    let rows = shell.store.write("claim outbox rows", statement).await?;
    rows.iter().map(|row| claimed(row).map_err(failed)).collect()
}

fn claimed(row: &QueryResult) -> Result<Claimed, sea_orm::DbErr> {
    let priority: i16 = row.try_get_by_index(3)?;
    let namespace: String = row.try_get_by_index(4)?;
    Ok(Claimed {
        key: key(row)?,
        priority: u8::try_from(priority).map_err(negative)?,
        namespace: Arc::from(namespace),
    })
}

fn key(row: &QueryResult) -> Result<AttemptKey, sea_orm::DbErr> {
    let (run, task, attempt): (uuid::Uuid, i32, i32) = (
        row.try_get_by_index(0)?,
        row.try_get_by_index(1)?,
        row.try_get_by_index(2)?,
    );
    let task = TaskIx(u32::try_from(task).map_err(negative)?);
    Ok(AttemptKey {
        run: RunId(run),
        task,
        attempt: u32::try_from(attempt).map_err(negative)?,
    })
}

fn negative(_: std::num::TryFromIntError) -> sea_orm::DbErr {
    sea_orm::DbErr::Type("a stored number is out of its range".to_owned())
}

const OUT_COLUMNS: &[Column] = &[("run_id", Kind::Id), ("ix", Kind::Int), ("attempt", Kind::Int)];

/// Of the given attempts, those that have not ended.
pub(super) async fn still_out(shell: &Shell, keys: &[AttemptKey]) -> Result<HashSet<AttemptKey>, StoreError> {
    let mut rows = RowSet::new(shell.backend, OUT_COLUMNS);
    for key in keys {
        rows.id(key.run.0).int(key.task.0).int(key.attempt);
    }
    let sql = format!(
        "SELECT t.run_id, t.ix, t.attempt FROM {} JOIN task t ON t.run_id = c.run_id AND t.ix = c.ix \
         AND t.attempt = c.attempt AND t.status IN ({}, {})",
        source(shell.backend, OUT_COLUMNS),
        TaskStatus::Queued as u8,
        TaskStatus::Running as u8
    );
    let failed = failed_to("count what is out");
    let found = shell
        .store
        .read()
        .query_all_raw(rows.bind(shell.backend, &sql, vec![]))
        .await
        .map_err(failed)?;
    found.iter().map(|row| key(row).map_err(failed)).collect()
}
