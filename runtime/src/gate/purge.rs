//! Deletes kept results that are too old and gates that nobody has used for long, in small batches.

use std::sync::Arc;
use std::time::Duration;

use runnel_engine::Timestamp;
use runnel_engine::gate::GateKind;
use sea_orm::ConnectionTrait;

use crate::apply::Shell;
use crate::error::StoreError;
use crate::store::failed_to;

/// Rows of one kind deleted at a time.
const BATCH: u32 = 500;

/// Longer than any window, cooldown or unit of time: the state of a gate unused for so long is that of a fresh one.
const UNUSED: Duration = Duration::from_secs(3 * 24 * 3_600);

/// A kept result that was granted and not yet handed over may be needed for a while.
const EXPIRED: Duration = Duration::from_secs(60);

/// One batch of each.
pub(super) async fn run(shell: &Arc<Shell>, now: Timestamp) -> Result<(), StoreError> {
    let before = |by: Duration| {
        now.0
            .saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
    };
    let look = format!(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM result_cache WHERE expires_at <= {}) \
         OR EXISTS (SELECT 1 FROM gate WHERE changed_at <= {}) THEN 1 ELSE 0 END",
        before(EXPIRED),
        before(UNUSED)
    );
    let failed = failed_to("tidy up the gates");
    let backend = shell.store.backend();
    let found = shell
        .store
        .read()
        .query_one_raw(backend.statement(look, []))
        .await
        .map_err(failed)?;
    let is_needed: i32 = match found {
        Some(row) => row.try_get_by_index(0).map_err(failed)?,
        None => 0,
    };
    if is_needed == 0 {
        return Ok(());
    }
    let statements = [
        format!(
            "DELETE FROM result_cache WHERE (namespace, key) IN (SELECT namespace, key FROM result_cache \
             WHERE expires_at <= {} ORDER BY expires_at LIMIT {BATCH})",
            before(EXPIRED)
        ),
        // a breaker that is not closed goes on to know it
        format!(
            "DELETE FROM gate WHERE (namespace, kind, name) IN (SELECT namespace, kind, name FROM gate \
             WHERE changed_at <= {} AND (kind <> {} OR state LIKE '%\"closed\"%' OR state = '{{}}') LIMIT {BATCH})",
            before(UNUSED),
            GateKind::Circuit as u8
        ),
    ];
    shell
        .store
        .tx("tidy up the gates", move |tx| {
            let statements = statements.clone();
            Box::pin(async move {
                for sql in statements {
                    tx.execute_raw(backend.statement(sql, [])).await.map_err(failed)?;
                }
                Ok(())
            })
        })
        .await
}
