//! Results that were kept, and that stand for the work of others.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use runnel_engine::{RunId, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::apply::{Column, Kind, RowSet, source};
use crate::error::StoreError;
use crate::store::failed_to;

const KEY: &[Column] = &[("namespace", Kind::Text), ("name", Kind::Text)];

/// A kept result.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub output: Arc<str>,
    pub source: RunId,
    pub kept_at: Timestamp,
}

/// Kept results by namespace and key; only those good at the given moment, where one is given.
pub(super) async fn read_kept<C: ConnectionTrait>(
    db: &C,
    backend: DbBackend,
    wanted: impl Iterator<Item = (&str, &str)>,
    good_at: Option<Timestamp>,
) -> Result<HashMap<(String, String), Kept>, StoreError> {
    let mut rows = RowSet::new(backend, KEY);
    let wanted: BTreeSet<(&str, &str)> = wanted.collect();
    for (namespace, key) in wanted {
        rows.text(namespace).text(key);
    }
    let mut kept = HashMap::new();
    if rows.is_empty() {
        return Ok(kept);
    }
    let sql = format!(
        "SELECT r.namespace, r.key, r.output, r.run_id, r.kept_at FROM {} JOIN result_cache r \
         ON r.namespace = c.namespace AND r.key = c.name WHERE r.expires_at > {}",
        source(backend, KEY),
        good_at.map_or(i64::MIN, |at| at.0)
    );
    let failed = failed_to("read kept results");
    let found = db.query_all_raw(rows.bind(backend, &sql, vec![])).await;
    for row in found.map_err(failed)? {
        let place: (String, String) = (
            row.try_get_by_index(0).map_err(failed)?,
            row.try_get_by_index(1).map_err(failed)?,
        );
        let output: String = row.try_get_by_index(2).map_err(failed)?;
        let run: uuid::Uuid = row.try_get_by_index(3).map_err(failed)?;
        let result = Kept {
            output: Arc::from(output),
            source: RunId(run),
            kept_at: Timestamp(row.try_get_by_index(4).map_err(failed)?),
        };
        kept.insert(place, result);
    }
    Ok(kept)
}
