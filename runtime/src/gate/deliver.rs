//! Hands decisions to the runs. At least once: a run that has taken one ignores it the second time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use runnel_engine::run::{CancelMode, GateInput, Input};
use runnel_engine::{RunId, TaskIx, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend};

use super::HANDOVER;
use super::kept::read_kept;
use super::pass::{Answer, Verdict};
use super::rows::{WAIT_COLUMNS, WaitRow};
use crate::apply::{Appliers, InputsReply, RowSet, Shell, TICKET, delete_tickets};
use crate::error::StoreError;
use crate::store::failed_to;

/// Decisions that are handed over again at a time.
const AGAIN_MAX: usize = 500;

/// Hands over what was decided, and waits until the runs have taken it.
pub(super) async fn answers(
    shell: &Arc<Shell>,
    appliers: &Appliers,
    answers: Vec<Answer>,
) -> Result<(), StoreError> {
    let mut by_run: BTreeMap<RunId, Vec<Answer>> = BTreeMap::new();
    for answer in answers {
        by_run.entry(answer.ticket.run).or_default().push(answer);
    }
    let sent = by_run.iter().map(|(run, answers)| {
        let inputs = answers.iter().map(input).collect();
        appliers.apply(*run, inputs)
    });
    let mut orphans = Vec::new();
    for ((_, answers), reply) in by_run.iter().zip(join_all(sent).await) {
        match reply {
            Ok(InputsReply::Done { .. }) => {}
            Ok(InputsReply::UnknownRun) => orphans.extend(answers.iter().map(|answer| answer.ticket)),
            Err(StoreError::Stopping) => return Err(StoreError::Stopping),
            // the applier has logged it; the decision stands in its row and is handed over again
            Err(_) => {}
        }
    }
    if orphans.is_empty() {
        return Ok(());
    }
    // the run was deleted: nobody gives back for it
    shell
        .store
        .tx("delete questions of deleted runs", {
            let shell = Arc::clone(shell);
            move |tx| {
                let rows = || {
                    let mut rows = RowSet::new(shell.backend, TICKET);
                    for ticket in &orphans {
                        rows.id(ticket.run.0).int(ticket.ix).int(ticket.attempt);
                    }
                    rows
                };
                let statements = ["gate_wait", "concurrency_slot"]
                    .map(|table| rows().bind(shell.backend, &delete_tickets(shell.backend, table), vec![]));
                Box::pin(async move {
                    for statement in statements {
                        tx.execute_raw(statement)
                            .await
                            .map_err(failed_to("delete questions of deleted runs"))?;
                    }
                    Ok(())
                })
            }
        })
        .await
}

fn input(answer: &Answer) -> Input {
    let Ok(ix) = u32::try_from(answer.ticket.ix) else {
        return Input::Gate(match answer.verdict {
            Verdict::Admitted | Verdict::Cached(_) => GateInput::RunAdmitted,
            Verdict::Turned => GateInput::RunTurned,
        });
    };
    let (task, attempt) = (TaskIx(ix), answer.ticket.attempt);
    Input::Gate(match &answer.verdict {
        Verdict::Admitted => GateInput::Admitted { task, attempt },
        Verdict::Turned => GateInput::Turned { task, attempt },
        Verdict::Cached(kept) => GateInput::Cached {
            task,
            attempt,
            output: Arc::clone(&kept.output),
            source: kept.source,
            kept_at: kept.kept_at,
        },
    })
}

/// Asks runs to make room. Those that are being cancelled already do nothing.
pub(super) async fn displace(appliers: &Appliers, runs: BTreeSet<RunId>) -> Result<(), StoreError> {
    let cancel = Input::CancelRequested {
        mode: CancelMode::Graceful,
        actor: Arc::from("runnel"),
        reason: Some(Arc::from("a newer run of the concurrency group takes the place")),
    };
    let sent = runs.iter().map(|run| appliers.apply(*run, vec![cancel.clone()]));
    for reply in join_all(sent).await {
        if let Err(StoreError::Stopping) = reply {
            return Err(StoreError::Stopping);
        }
    }
    Ok(())
}

/// Hands over decisions that nobody has taken in time: whoever made them has died, or could not reach the run.
pub(super) async fn again(shell: &Arc<Shell>, appliers: &Appliers, now: Timestamp) -> Result<(), StoreError> {
    let lock = if shell.backend == DbBackend::Postgres {
        " FOR UPDATE SKIP LOCKED"
    } else {
        ""
    };
    let handover = i64::try_from(HANDOVER.as_micros()).unwrap_or(i64::MAX);
    let sql = format!(
        "UPDATE gate_wait AS w SET decided_at = {} WHERE w.id IN (SELECT id FROM gate_wait WHERE state <> 0 AND decided_at <= {} \
         ORDER BY decided_at LIMIT {AGAIN_MAX}{lock}) RETURNING {}",
        now.0,
        now.0.saturating_sub(handover),
        // SQLite knows no alias in RETURNING
        WAIT_COLUMNS.replace("w.", "")
    );
    let (backend, failed) = (shell.backend, failed_to("hand decisions over again"));
    let found = shell
        .store
        .tx("hand decisions over again", move |tx| {
            let sql = sql.clone();
            Box::pin(async move {
                let rows = tx
                    .query_all_raw(sea_orm::Statement::from_string(backend, sql))
                    .await
                    .map_err(failed)?;
                let rows: Vec<WaitRow> = rows.iter().map(WaitRow::read).collect::<Result<_, _>>()?;
                let wanted = rows.iter().filter(|row| row.state == 2).filter_map(|row| {
                    Some((row.namespace.as_str(), row.request.cache.as_ref()?.key.as_str()))
                });
                let kept = read_kept(tx, backend, wanted, None).await?;
                let mut answers = Vec::new();
                let mut lost = Vec::new();
                for row in &rows {
                    let key = row.request.cache.as_ref().map(|cache| cache.key.clone());
                    let verdict = match row.state {
                        1 => Some(Verdict::Admitted),
                        3 => Some(Verdict::Turned),
                        _ => kept
                            .get(&(row.namespace.clone(), key.unwrap_or_default()))
                            .cloned()
                            .map(Verdict::Cached),
                    };
                    match verdict {
                        Some(verdict) => answers.push(Answer {
                            ticket: row.ticket,
                            verdict,
                        }),
                        None => lost.push(row.id.to_string()),
                    }
                }
                if !lost.is_empty() {
                    // the kept result was tidied away meanwhile: the question is open again
                    let sql = format!(
                        "UPDATE gate_wait SET state = 0, decided_at = NULL WHERE id IN ({})",
                        lost.join(", ")
                    );
                    tx.execute_raw(sea_orm::Statement::from_string(backend, sql))
                        .await
                        .map_err(failed)?;
                }
                Ok(answers)
            })
        })
        .await?;
    answers(shell, appliers, found).await
}
