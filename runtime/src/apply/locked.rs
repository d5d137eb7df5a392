//! The way of a batch after a lost race or an unknown commit: under locks, in one transaction.

use std::sync::{Arc, Mutex, PoisonError};

use runnel_engine::{Moment, RunId};
use sea_orm::DatabaseTransaction;

use super::applier::{Applier, Failure, Shell, TRIES_MAX};
use super::commit;
use super::fetch::{Fetch, Missing};
use super::load::{self, Lock};
use super::round::{Item, Round};
use super::save::{Saved, Statements};
use crate::error::StoreError;

impl Applier {
    /// After a lost race or an unknown commit: everything is read again under a lock, in the transaction that saves.
    ///
    /// No service is asked while rows are locked: large values that the transaction turns out to need are read or written
    /// after its rollback, and it begins again.
    pub(super) async fn try_locked(&mut self, items: &Arc<Vec<Item>>) -> Result<Round, Failure> {
        for item in items.iter() {
            drop(self.cache.take(item.run()));
        }
        let shell = Arc::clone(&self.shell);
        let moment = shell.moment();
        let mut tries = 0;
        loop {
            let missing = Arc::new(Mutex::new(Missing::default()));
            let (work_items, work_shell) = (Arc::clone(items), Arc::clone(&shell));
            let work_missing = Arc::clone(&missing);
            let applied = shell
                .batch_store
                .tx("apply a batch again", move |tx| {
                    let (items, shell) = (Arc::clone(&work_items), Arc::clone(&work_shell));
                    let missing = Arc::clone(&work_missing);
                    Box::pin(async move { apply_locked(tx, &items, &shell, moment, &missing).await })
                })
                .await;
            let missing = std::mem::take(&mut *missing.lock().unwrap_or_else(PoisonError::into_inner));
            tries += 1;
            match applied {
                Err(StoreError::Aborted { .. }) if !missing.is_empty() && tries < TRIES_MAX => {
                    missing.supply(&shell.payloads).await.map_err(Failure::from)?;
                }
                applied => return applied.map_err(Failure::from),
            }
        }
    }
}

/// What [`Applier::try_locked`] does in its transaction.
async fn apply_locked(
    tx: &DatabaseTransaction,
    items: &[Item],
    shell: &Shell,
    moment: Moment,
    missing: &Mutex<Missing>,
) -> Result<Round, StoreError> {
    let mut ids: Vec<RunId> = items.iter().map(Item::run).collect();
    ids.sort_unstable();
    ids.dedup();
    let fetch = Fetch::Memory(&shell.payloads, missing);
    let how = (Lock::Rows, &fetch);
    let known = load::runs(tx, shell.backend, &shell.sql, &shell.versions, &ids, how).await?;
    let starts = items.iter().filter_map(|item| match item {
        Item::Start { row, .. } => Some(row),
        Item::Inputs { .. } => None,
    });
    let holders = load::key_holders(tx, shell.backend, &shell.sql, starts).await?;
    let mut round = Round::compute(items.iter(), known, &holders, moment);
    let mut parcels = round.pack(&shell.payloads);
    parcels.retain(|parcel| !shell.payloads.is_written(&parcel.reference));
    if !parcels.is_empty() {
        missing.lock().unwrap_or_else(PoisonError::into_inner).writes = parcels;
        return Err(StoreError::Aborted {
            action: "write a payload in a transaction",
        });
    }
    round.lease(shell);
    let statements = Statements::build(shell.backend, &shell.sql, &round.turns, &[])?;
    if commit::write(statements, round.has_start(), tx).await? == Saved::LostRace {
        // only an idempotency key can be taken while the runs are locked
        return Err(StoreError::Conflict {
            action: "take an idempotency key",
        });
    }
    Ok(round)
}
