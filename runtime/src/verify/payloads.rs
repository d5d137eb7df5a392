//! A large value that a row refers to is known to the collector of garbage, which keeps it, and is in the payload store.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use runnel_engine::TaskIx;
use runnel_entity::run;
use runnel_queue::PayloadRef;
use runnel_queue::payload::PayloadStore;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult};

use super::{Finding, Problem, VerifyReport};
use crate::apply::large_item;
use crate::error::StoreError;
use crate::payload;
use crate::store::{Backend, Store, failed_to};

const RULE: &str = "payload";

/// Values looked for in the store in one stretch, and at once.
const PAGE: u32 = 500;
const AT_ONCE: usize = 16;

/// References of the rows of a run whose values nothing keeps.
pub(super) async fn check_run(
    snapshot: &DatabaseTransaction,
    backend: Backend,
    run: &run::Model,
) -> Result<Vec<Finding>, StoreError> {
    let mut found: Vec<(Option<TaskIx>, PayloadRef)> = [Some(&run.inputs), run.outputs.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|text| Some((None, PayloadRef::read(text)?)))
        .collect();
    found.extend(references_of_tasks(snapshot, backend, run).await?);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT u.sha256 FROM payload_use u JOIN payload p ON p.sha256 = u.sha256 WHERE u.run_id = $1";
    let failed = failed_to("read what keeps the large values of a run");
    let rows = snapshot
        .query_all_raw(backend.statement(sql, [run.id.into()]))
        .await
        .map_err(failed)?;
    let kept: HashSet<String> = rows
        .iter()
        .map(|row| row.try_get_by_index(0))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    Ok(found
        .into_iter()
        .filter(|(_, reference)| !kept.contains(&reference.sha256))
        .map(|(task, reference)| {
            let message = format!("{reference} stands in the row, and nothing keeps the value");
            (task, RULE, message)
        })
        .collect())
}

async fn references_of_tasks(
    snapshot: &DatabaseTransaction,
    backend: Backend,
    run: &run::Model,
) -> Result<Vec<(Option<TaskIx>, PayloadRef)>, StoreError> {
    let sql = "SELECT ix, input, output, item FROM task WHERE run_id = $1 AND \
               (input LIKE '@payload:%' OR output LIKE '@payload:%' OR item LIKE '%\"value_ref\":{%')";
    let failed = failed_to("read the references of a run's tasks");
    let rows = snapshot
        .query_all_raw(backend.statement(sql, [run.id.into()]))
        .await
        .map_err(failed)?;
    let mut found = Vec::new();
    for row in rows {
        let ix: i32 = row.try_get_by_index(0).map_err(failed)?;
        let text = |at: usize| row.try_get_by_index::<Option<String>>(at).map_err(failed);
        let ix = Some(TaskIx(u32::try_from(ix).unwrap_or(u32::MAX)));
        let (input, output, item) = (text(1)?, text(2)?, text(3)?);
        let references = [input, output]
            .into_iter()
            .flatten()
            .filter_map(|text| PayloadRef::read(&text))
            .chain(item.as_deref().and_then(large_item));
        found.extend(references.map(|reference| (ix, reference)));
    }
    Ok(found)
}

/// Values that runs refer to and the store does not have.
pub(super) async fn check_store(
    store: &Store,
    payloads: &PayloadStore,
    report: &mut VerifyReport,
) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let page = used_after(store, &after).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.sha256);
        let looks: Vec<_> = page.into_iter().map(|wanted| look(payloads, wanted)).collect();
        let missing: Vec<Option<PayloadRef>> = stream::iter(looks)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for reference in missing.into_iter().flatten() {
            report.add(Problem {
                run: None,
                task: None,
                rule: RULE,
                message: format!(
                    "a run refers to {reference}, which {} does not have",
                    payloads.place()
                ),
            });
        }
    }
}

/// The value when the store does not have it.
async fn look(payloads: &PayloadStore, wanted: PayloadRef) -> Result<Option<PayloadRef>, StoreError> {
    let found = payloads.find(&wanted.sha256).await.map_err(payload::failed)?;
    let is_there = found.is_some_and(|found| found.reference.bytes == wanted.bytes);
    Ok((!is_there).then_some(wanted))
}

async fn used_after(store: &Store, after: &str) -> Result<Vec<PayloadRef>, StoreError> {
    let sql = format!(
        "SELECT p.sha256, p.bytes FROM payload p WHERE p.sha256 > $1 AND EXISTS (SELECT 1 FROM payload_use u \
         JOIN run r ON r.id = u.run_id WHERE u.sha256 = p.sha256) ORDER BY p.sha256 LIMIT {PAGE}"
    );
    let read = |row: &QueryResult| {
        let bytes: i64 = row.try_get_by_index(1)?;
        Ok(PayloadRef {
            sha256: row.try_get_by_index(0)?,
            bytes: u64::try_from(bytes).unwrap_or(0),
        })
    };
    let statement = store.backend().statement(&sql, [after.into()]);
    store.rows("list large values", statement, read).await
}
