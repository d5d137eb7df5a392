//! Where the time of tasks went, from the history of their runs.

use std::collections::{BTreeMap, HashMap};

use runnel_engine::explain::{Stopwatch, TimeSpent};
use runnel_engine::{RunId, TaskIx, Timestamp};
use runnel_entity::{event, run};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::Reads;
use crate::actor::Actor;
use crate::error::StoreError;
use crate::query::owned::is_own;
use crate::store::failed_to;

/// Longest history whose time is divided, in records.
pub const TIMED_RECORDS_MAX: i64 = 50_000;
/// Event rows read at a time.
const EVENTS_PER_READ: u64 = 500;

/// Where the time of each task of the runs went, by index. A run with too long a history has no entry.
pub(in crate::query) async fn time_spent(
    reads: &Reads,
    actor: &Actor,
    ids: &[RunId],
) -> Result<HashMap<RunId, BTreeMap<TaskIx, TimeSpent>>, StoreError> {
    let rows: Vec<(Uuid, i64, Option<i64>)> = run::Entity::find()
        .filter(run::Column::Id.is_in(ids.iter().map(|id| id.0)))
        .filter(is_own(actor))
        .filter(run::Column::NextSeq.lte(TIMED_RECORDS_MAX))
        .select_only()
        .columns([run::Column::Id, run::Column::NextSeq, run::Column::FinishedAt])
        .into_tuple()
        .all(reads.store.read())
        .await
        .map_err(failed_to("read runs"))?;
    let mut watches: HashMap<RunId, (Stopwatch, Option<i64>)> = rows
        .into_iter()
        .map(|(id, _, finished_at)| (RunId(id), (Stopwatch::default(), finished_at)))
        .collect();
    let wanted: Vec<Uuid> = watches.keys().map(|id| id.0).collect();
    let mut after: Option<(Uuid, i64)> = None;
    loop {
        let mut page = event::Entity::find()
            .filter(event::Column::RunId.is_in(wanted.iter().copied()))
            .order_by_asc(event::Column::RunId)
            .order_by_asc(event::Column::FirstSeq)
            .limit(EVENTS_PER_READ);
        if let Some((run, seq)) = after {
            page = page.filter(
                Condition::any().add(event::Column::RunId.gt(run)).add(
                    Condition::all()
                        .add(event::Column::RunId.eq(run))
                        .add(event::Column::FirstSeq.gt(seq)),
                ),
            );
        }
        let rows = page
            .all(reads.store.read())
            .await
            .map_err(failed_to("read events"))?;
        for row in &rows {
            let records: Vec<runnel_engine::run::Record> =
                serde_json::from_str(&row.records).map_err(|error| StoreError::Corrupt {
                    table: "event",
                    problem: format!("{} {}: {error}", row.run_id, row.first_seq),
                })?;
            if let Some((watch, _)) = watches.get_mut(&RunId(row.run_id)) {
                records.iter().for_each(|record| watch.read(record));
            }
        }
        match rows.last() {
            Some(last) if rows.len() as u64 == EVENTS_PER_READ => after = Some((last.run_id, last.first_seq)),
            _ => break,
        }
    }
    let now = reads.clock.now();
    Ok(watches
        .into_iter()
        .map(|(id, (watch, finished_at))| (id, watch.stop(finished_at.map_or(now, Timestamp))))
        .collect())
}
