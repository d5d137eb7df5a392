//! Tells parents how their child runs ended.

use std::sync::Arc;

use runnel_engine::run::{ChildInput, RunStatus, TaskFailure};
use runnel_engine::{RunId, TaskIx};
use sea_orm::FromQueryResult;

use super::Errands;
use super::claim::{self, Errand};
use crate::error::StoreError;
use crate::store::failed_to;

const DETAILS: &str = "r.parent_run_id, r.parent_ix, r.parent_attempt, r.status, r.outputs, r.error";

const JOINS: &str = "JOIN run r ON r.id = c.run_id";

/// How a run ended, and who is to hear of it.
#[derive(Debug, FromQueryResult)]
struct Ended {
    parent_run_id: Option<uuid::Uuid>,
    parent_ix: Option<i32>,
    parent_attempt: Option<i32>,
    status: i16,
    outputs: Option<String>,
    error: Option<String>,
}

impl Errands {
    /// Tells parents; gives the errands that are done.
    pub(super) async fn tell_parents(&self, errands: Vec<Errand>) -> Result<Vec<Errand>, StoreError> {
        if errands.is_empty() {
            return Ok(Vec::new());
        }
        let rows = claim::read(&self.shell, &errands, DETAILS, JOINS).await?;
        let failed = failed_to("read how a child run ended");
        let (mut news, mut silent) = (Vec::new(), errands);
        for row in &rows {
            let errand = Errand::of(row).map_err(failed)?;
            let ended = Ended::from_query_result(row, "").map_err(failed)?;
            if let Some((parent, input)) = notice(errand.run, ended) {
                silent.retain(|other| *other != errand);
                news.push((parent, errand, input));
            }
        }
        let told = self.tell(news).await?;
        Ok(silent
            .into_iter()
            .chain(told.into_iter().map(|(errand, _)| errand))
            .collect())
    }
}

/// `None` for a run that is gone, or open again: its next end is another errand.
fn notice(child: RunId, ended: Ended) -> Option<(RunId, ChildInput)> {
    let status = RunStatus::from_code(ended.status).filter(|status| status.is_terminal())?;
    let number = |n: Option<i32>| u32::try_from(n?).ok();
    let input = ChildInput::Ended {
        task: TaskIx(number(ended.parent_ix)?),
        attempt: number(ended.parent_attempt)?,
        child,
        status,
        outputs: ended.outputs.map(Arc::from),
        error: ended
            .error
            .and_then(|text| serde_json::from_str::<TaskFailure>(&text).ok()),
    };
    Some((RunId(ended.parent_run_id?), input))
}
