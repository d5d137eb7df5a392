//! Workers.

use std::time::Duration;

use runnel_entity::worker;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::Reads;
use crate::error::StoreError;
use crate::store::failed_to;
use crate::view::WorkerView;
use crate::view::convert::worker_from_row;

/// A worker that has not reported for this long is taken for gone: three of its 30 s reports.
pub(crate) const WORKER_SEEN_WITHIN: Duration = Duration::from_secs(90);

/// Those that can be expected to take a task now.
pub(super) async fn alive(reads: &Reads) -> Result<Vec<WorkerView>, StoreError> {
    let seen_within = i64::try_from(WORKER_SEEN_WITHIN.as_micros()).unwrap_or(i64::MAX);
    let rows = worker::Entity::find()
        .filter(worker::Column::LeftAt.is_null())
        .filter(worker::Column::SeenAt.gte(reads.clock.now().0.saturating_sub(seen_within)))
        .all(reads.store.read())
        .await;
    rows.map_err(failed_to("read workers"))?
        .into_iter()
        .map(worker_from_row)
        .collect()
}
