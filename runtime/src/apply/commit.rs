//! How a computed batch reaches the database: as one statement where it can, else step by step in a transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use runnel_queue::crash_point;
use sea_orm::{DatabaseTransaction, Statement};

use super::applier::{Failure, Shell};
use super::round::Round;
use super::save::{Saved, Statements};
use crate::error::StoreError;
use crate::relay::AttemptKey;
use crate::store::Once;

/// Saves a batch with one statement, which the database commits with its answer.
pub(super) async fn at_once(shell: &Shell, round: &Round, statement: Statement) -> Result<(), Failure> {
    before_commit(round.has_start());
    match shell.batch_store.once("apply a batch", statement).await {
        Ok(Once::Written(_)) => Ok(()),
        Ok(Once::Refused) => Err(Failure::LostRace),
        Err(error) => Err(Failure::from(error)),
    }
}

/// Saves a batch with its statements one after the other, in a transaction.
pub(super) async fn in_steps(
    shell: &Arc<Shell>,
    round: Round,
    sent: &[AttemptKey],
    statements: Statements,
) -> Result<Round, Failure> {
    let round = Arc::new(round);
    let (work_round, work_shell, work_sent) = (Arc::clone(&round), Arc::clone(shell), sent.to_vec());
    let lost = Arc::new(AtomicBool::new(false));
    let work_lost = Arc::clone(&lost);
    let ready = Mutex::new(Some(statements));
    let saved = shell
        .batch_store
        .tx("apply a batch", move |tx| {
            let (round, shell, sent, lost) = (&work_round, &work_shell, &work_sent, &work_lost);
            let ready = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
            let statements = ready.map_or_else(
                || Statements::build(shell.backend, &shell.sql, &round.turns, sent),
                Ok,
            );
            let lost = Arc::clone(lost);
            let has_start = round.has_start();
            Box::pin(async move {
                if write(statements?, has_start, tx).await? == Saved::LostRace {
                    lost.store(true, Ordering::SeqCst);
                    return Err(StoreError::Aborted {
                        action: "apply a batch",
                    });
                }
                Ok(())
            })
        })
        .await;
    if let Err(error) = saved {
        return Err(if lost.load(Ordering::SeqCst) {
            Failure::LostRace
        } else {
            Failure::from(error)
        });
    }
    // the transaction has ended, so nothing else holds the round
    Arc::into_inner(round).ok_or(Failure::Unknown(StoreError::Aborted {
        action: "apply a batch",
    }))
}

/// The last thing before every commit of a batch, on whichever way it came.
pub(super) async fn write(
    statements: Statements,
    has_start: bool,
    tx: &DatabaseTransaction,
) -> Result<Saved, StoreError> {
    let saved = statements.execute(tx).await?;
    if saved == Saved::All {
        before_commit(has_start);
    }
    Ok(saved)
}

fn before_commit(has_start: bool) {
    if has_start {
        crash_point!("start.before_commit");
    } else {
        crash_point!("complete.before_commit");
    }
}
