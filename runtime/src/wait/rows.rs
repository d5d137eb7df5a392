//! The rows of events and waits that have not met yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use runnel_engine::run::{Input, Outcome, Stale, WaitInput};
use runnel_engine::{RunId, TaskIx};
use sea_orm::QueryResult;
use uuid::Uuid;

use crate::apply::{Appliers, InputsReply};
use crate::error::StoreError;

/// A task that waits for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub run: RunId,
    pub ix: TaskIx,
    pub attempt: u32,
}

impl Waiting {
    /// From the first three columns of a row.
    pub fn read(row: &QueryResult) -> Result<Self, sea_orm::DbErr> {
        let run: Uuid = row.try_get_by_index(0)?;
        let ix: i32 = row.try_get_by_index(1)?;
        let attempt: i32 = row.try_get_by_index(2)?;
        Ok(Self {
            run: RunId(run),
            ix: TaskIx(u32::try_from(ix).unwrap_or_default()),
            attempt: u32::try_from(attempt).unwrap_or_default(),
        })
    }
}

/// Offers events to tasks, each run in one batch. Answers the tasks that wait no more.
pub(super) async fn offer(
    appliers: &Appliers,
    offers: Vec<(Waiting, Arc<str>)>,
) -> Result<Vec<Waiting>, StoreError> {
    let mut by_run: BTreeMap<RunId, Vec<(Waiting, Arc<str>)>> = BTreeMap::new();
    for (waiting, event) in offers {
        by_run.entry(waiting.run).or_default().push((waiting, event));
    }
    let applied = by_run.iter().map(|(run, offers)| {
        let inputs = offers.iter().map(|(waiting, event)| {
            Input::Wait(WaitInput::Event {
                task: waiting.ix,
                attempt: waiting.attempt,
                event: Arc::clone(event),
            })
        });
        appliers.apply(*run, inputs.collect())
    });
    let mut gone = Vec::new();
    for ((_, offers), applied) in by_run.iter().zip(join_all(applied).await) {
        match applied {
            Ok(InputsReply::UnknownRun) => gone.extend(offers.iter().map(|(waiting, _)| waiting.clone())),
            Ok(InputsReply::Done { outcomes, .. }) => {
                for ((waiting, _), outcome) in offers.iter().zip(outcomes) {
                    if is_over(&outcome) {
                        gone.push(waiting.clone());
                    }
                }
            }
            // the applier has logged it; one broken run must not keep events from the others
            Err(StoreError::Corrupt { .. }) => gone.extend(offers.iter().map(|(waiting, _)| waiting.clone())),
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
}

fn is_over(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Ignored(Stale::RunIsTerminal | Stale::TaskIsTerminal | Stale::OldAttempt)
    )
}
