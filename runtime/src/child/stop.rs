//! Cancels child runs whose parents do not want them any more.

use std::sync::Arc;

use futures_util::future::join_all;
use runnel_engine::RunId;
use runnel_engine::run::{CancelMode, Input};

use super::Errands;
use super::claim::{self, Errand};
use crate::apply::errand;
use crate::error::StoreError;
use crate::store::failed_to;

const JOINS: &str = "JOIN run child ON child.parent_run_id = c.run_id AND child.parent_ix = c.ix \
    AND child.parent_attempt = c.attempt";

impl Errands {
    /// Cancels children; gives the errands that are done. One without a child is done: whoever makes the child later sees
    /// that nobody wants it.
    pub(super) async fn stop_children(&self, errands: Vec<Errand>) -> Result<Vec<Errand>, StoreError> {
        if errands.is_empty() {
            return Ok(Vec::new());
        }
        let rows = claim::read(&self.shell, &errands, "child.id", JOINS).await?;
        let failed = failed_to("read a child run");
        let mut children = Vec::with_capacity(rows.len());
        for row in &rows {
            let child: uuid::Uuid = row.try_get_by_index(4).map_err(failed)?;
            children.push((Errand::of(row).map_err(failed)?, RunId(child)));
        }
        let cancels = children.into_iter().map(|(errand, child)| async move {
            let input = Input::CancelRequested {
                mode: if errand.kind == errand::CANCEL_NOW {
                    CancelMode::Now
                } else {
                    CancelMode::Graceful
                },
                actor: Arc::from(format!("run:{}", errand.run)),
                reason: Some(Arc::from("the parent's task does not wait for it any more")),
            };
            (errand, self.appliers.apply(child, vec![input]).await)
        });
        let mut done = errands;
        for (errand, answer) in join_all(cancels).await {
            match answer {
                Ok(_) => {}
                Err(StoreError::Stopping) => return Err(StoreError::Stopping),
                Err(_) => done.retain(|other| *other != errand),
            }
        }
        Ok(done)
    }
}
