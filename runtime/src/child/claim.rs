//! Claims errands that nobody holds, and removes those that are done.

use runnel_engine::{RunId, TaskIx};
use sea_orm::{ConnectionTrait, QueryResult};

use super::LEASE;
use crate::apply::{Column, Kind, RowSet, Shell, source};
use crate::error::StoreError;
use crate::store::failed_to;

const CLAIM_POSTGRES: &str = "\
    WITH picked AS MATERIALIZED (SELECT run_id, ix, attempt, kind FROM errand WHERE leased_until <= $1 \
    ORDER BY leased_until, created_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
    UPDATE errand SET leased_until = $3 FROM picked WHERE errand.run_id = picked.run_id AND errand.ix = picked.ix \
    AND errand.attempt = picked.attempt AND errand.kind = picked.kind \
    RETURNING errand.run_id, errand.ix, errand.attempt, errand.kind";

const CLAIM_SQLITE: &str = "\
    UPDATE errand SET leased_until = ?3 WHERE rowid IN (SELECT rowid FROM errand WHERE leased_until <= ?1 \
    ORDER BY leased_until, created_at LIMIT ?2) RETURNING run_id, ix, attempt, kind";

const DUE_POSTGRES: &str = "SELECT 1 FROM errand WHERE leased_until <= $1 LIMIT 1";
const DUE_SQLITE: &str = "SELECT 1 FROM errand WHERE leased_until <= ?1 LIMIT 1";

/// The key of an errand.
pub(super) const ERRAND_KEY: &[Column] = &[
    ("run_id", Kind::Id),
    ("ix", Kind::Int),
    ("attempt", Kind::Int),
    ("kind", Kind::Int),
];

/// Something to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Errand {
    /// The parent, or, for the notice of an end, the child.
    pub run: RunId,
    /// The parent's task.
    pub task: TaskIx,
    /// Its attempt.
    pub attempt: u32,
    /// See [`crate::apply::errand`].
    pub kind: i16,
}

impl Errand {
    /// From the first four columns of a row.
    pub(super) fn of(row: &QueryResult) -> Result<Self, sea_orm::DbErr> {
        let number = |at: usize| -> Result<u32, sea_orm::DbErr> {
            let n: i32 = row.try_get_by_index(at)?;
            u32::try_from(n).map_err(|_| sea_orm::DbErr::Type(format!("negative number {n} in an errand")))
        };
        Ok(Self {
            run: RunId(row.try_get_by_index(0)?),
            task: TaskIx(number(1)?),
            attempt: number(2)?,
            kind: row.try_get_by_index(3)?,
        })
    }
}

/// Whether an errand waits that nobody holds.
pub(crate) async fn is_due(shell: &Shell) -> Result<bool, StoreError> {
    let backend = shell.store.backend();
    let now = shell.clock.now();
    let statement = backend.statement(backend.pick(DUE_POSTGRES, DUE_SQLITE), [now.0.into()]);
    let found = shell.store.read().query_one_raw(statement).await;
    Ok(found.map_err(failed_to("look for errands"))?.is_some())
}

/// Errands that are held, and until when.
pub(super) struct Claimed {
    pub errands: Vec<Errand>,
    pub leased_until: i64,
}

/// Claims up to `max` errands, the oldest first. Looks before it writes: an idle server writes nothing.
pub(super) async fn take(shell: &Shell, max: usize) -> Result<Claimed, StoreError> {
    let mut claimed = Claimed {
        errands: Vec::new(),
        leased_until: shell.clock.now().after(LEASE).0,
    };
    if !is_due(shell).await? {
        return Ok(claimed);
    }
    let backend = shell.store.backend();
    let now = shell.clock.now();
    let statement = backend.statement(
        backend.pick(CLAIM_POSTGRES, CLAIM_SQLITE),
        [
            now.0.into(),
            i64::try_from(max).unwrap_or(i64::MAX).into(),
            claimed.leased_until.into(),
        ],
    );
    let failed = failed_to("claim errands");
    let rows = shell
        .store
        .tx("claim errands", move |tx| {
            let statement = statement.clone();
            Box::pin(async move { tx.query_all_raw(statement).await.map_err(failed) })
        })
        .await?;
    for row in &rows {
        claimed.errands.push(Errand::of(row).map_err(failed)?);
    }
    Ok(claimed)
}

/// Removes errands that are done: one statement, none when there is none. One that was asked for again since it was claimed
/// stays: a run that was read as open may have ended again, and its parent is still to hear of it.
pub(super) async fn finish(shell: &Shell, done: Vec<Errand>, leased_until: i64) -> Result<(), StoreError> {
    if done.is_empty() {
        return Ok(());
    }
    let rows = source(shell.backend, ERRAND_KEY);
    let sql = shell.store.backend().pick(
        format!(
            "DELETE FROM errand USING {rows} WHERE errand.run_id = c.run_id AND errand.ix = c.ix \
                 AND errand.attempt = c.attempt AND errand.kind = c.kind AND errand.leased_until = {leased_until}"
        ),
        format!(
            "DELETE FROM errand WHERE (run_id, ix, attempt, kind) IN \
                 (SELECT c.run_id, c.ix, c.attempt, c.kind FROM {rows}) AND leased_until = {leased_until}"
        ),
    );
    let statement = keys(shell, &done).bind(shell.backend, &sql, vec![]);
    shell
        .store
        .tx("remove errands", move |tx| {
            let statement = statement.clone();
            Box::pin(async move {
                tx.execute_raw(statement)
                    .await
                    .map(drop)
                    .map_err(failed_to("remove errands"))
            })
        })
        .await
}

/// The keys as rows of a statement.
pub(super) fn keys(shell: &Shell, errands: &[Errand]) -> RowSet {
    let mut rows = RowSet::new(shell.backend, ERRAND_KEY);
    for errand in errands {
        rows.id(errand.run.0)
            .int(errand.task.0)
            .int(errand.attempt)
            .int(errand.kind);
    }
    rows
}

/// One row an errand, whatever is joined to them.
pub(super) async fn read(
    shell: &Shell,
    errands: &[Errand],
    columns: &str,
    joins: &str,
) -> Result<Vec<QueryResult>, StoreError> {
    let sql = format!(
        "SELECT c.run_id, CAST(c.ix AS integer) AS ix, CAST(c.attempt AS integer) AS attempt, \
         CAST(c.kind AS smallint) AS kind, {columns} FROM {} {joins}",
        source(shell.backend, ERRAND_KEY)
    );
    let statement = keys(shell, errands).bind(shell.backend, &sql, vec![]);
    let found = shell.store.read().query_all_raw(statement).await;
    found.map_err(failed_to("read errands"))
}
