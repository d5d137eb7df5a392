//! Runs and their child runs: starts children, cancels them, and tells parents how they ended.
//!
//! Guarantees: every errand is done at least once, also after a crash and by any replica; doing one twice changes nothing:
//! a child is made once for each attempt of its parent's task, a cancel of a run that ended is ignored, and a parent takes
//! the end of a child only while it waits for it. A turn takes a constant number of statements beside those of the applied
//! batches, whatever the number of errands. Never decides about a status: that is `engine`.

mod claim;
mod end;
mod start;
mod stop;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use runnel_engine::RunId;
use runnel_engine::run::{ChildInput, Input, Outcome};
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::apply::{Appliers, InputsReply, Shell, errand};
use crate::error::StoreError;
use claim::Errand;

pub(crate) use claim::is_due;

/// Most runs above a run; a workflow that starts itself ends here.
pub const DEPTH_MAX: u32 = 16;

/// Errands of one turn.
const CLAIM_MAX: usize = 500;

/// How long who claimed an errand may take before another replica does it as well.
const LEASE: Duration = Duration::from_secs(30);

/// Wakes the loop after a commit that wrote errands.
#[derive(Debug, Clone, Default)]
pub(crate) struct ErrandBell {
    inner: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: Notify,
    busy: AtomicUsize,
}

impl ErrandBell {
    /// There is something to do.
    pub(crate) fn ring(&self) {
        self.inner.rung.notify_one();
    }

    /// Whether a turn is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.inner.busy.load(Ordering::SeqCst) > 0
    }
}

/// The loop.
pub(crate) struct Errands {
    shell: Arc<Shell>,
    appliers: Appliers,
    vars: Arc<Map<String, Value>>,
    poll_interval: Duration,
}

impl Errands {
    pub(crate) fn new(
        shell: Arc<Shell>,
        appliers: Appliers,
        vars: Arc<Map<String, Value>>,
        poll_interval: Duration,
    ) -> Self {
        Self {
            shell,
            appliers,
            vars,
            poll_interval,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let bell = self.shell.errands.clone();
        loop {
            bell.inner.busy.fetch_add(1, Ordering::SeqCst);
            let turn = self.turn().await;
            bell.inner.busy.fetch_sub(1, Ordering::SeqCst);
            match turn {
                Ok(true) if !stop.is_cancelled() => continue,
                Ok(_) | Err(StoreError::Stopping) => {}
                Err(error) => tracing::warn!(%error, "errands of child runs are done later"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = bell.inner.rung.notified() => {}
                () = tokio::time::sleep(self.poll_interval) => {}
            }
        }
    }

    /// Does what is due; whether there was anything.
    async fn turn(&self) -> Result<bool, StoreError> {
        let claimed = claim::take(&self.shell, CLAIM_MAX).await?;
        if claimed.errands.is_empty() {
            return Ok(false);
        }
        let (mut starts, mut stops, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for errand in claimed.errands {
            match errand.kind {
                errand::START => starts.push(errand),
                errand::ENDED => ends.push(errand),
                _ => stops.push(errand),
            }
        }
        let mut done = self.start_children(starts).await?;
        done.extend(self.stop_children(stops).await?);
        done.extend(self.tell_parents(ends).await?);
        claim::finish(&self.shell, done, claimed.leased_until).await?;
        Ok(true)
    }

    /// Tells runs what became of children, and gives what each said; an entry that failed is left out and done again later.
    async fn tell(&self, news: Vec<(RunId, Errand, ChildInput)>) -> Result<Vec<(Errand, Told)>, StoreError> {
        let mut by_run: BTreeMap<RunId, (Vec<Errand>, Vec<Input>)> = BTreeMap::new();
        for (run, errand, input) in news {
            let (errands, inputs) = by_run.entry(run).or_default();
            errands.push(errand);
            inputs.push(Input::Child(input));
        }
        let applied = by_run
            .into_iter()
            .map(|(run, (errands, inputs))| async move { (errands, self.appliers.apply(run, inputs).await) });
        let mut told = Vec::new();
        for (errands, answer) in join_all(applied).await {
            match answer {
                Ok(InputsReply::Done { outcomes, .. }) => {
                    let outcomes = outcomes.into_iter().map(Told::Heard);
                    told.extend(errands.into_iter().zip(outcomes));
                }
                Ok(InputsReply::UnknownRun) => {
                    told.extend(errands.into_iter().map(|errand| (errand, Told::Gone)));
                }
                Err(StoreError::Stopping) => return Err(StoreError::Stopping),
                // the applier has logged it; the errands are claimed again when their lease is over
                Err(_) => {}
            }
        }
        Ok(told)
    }
}

/// What a run that was told something made of it.
#[derive(Debug)]
enum Told {
    /// It was applied or ignored.
    Heard(Outcome),
    /// There is no such run any more.
    Gone,
}
