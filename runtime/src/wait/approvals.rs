//! The inbox: approvals that wait for a decision.

use std::sync::Arc;

use runnel_engine::run::{Approval, TaskStatus, Voter};
use runnel_engine::{RunId, TaskIx};
use runnel_entity::task;
use sea_orm::{ConnectionTrait, FromQueryResult, Value};
use uuid::Uuid;

use super::APPROVAL;
use super::error::WaitError;
use crate::actor::Actor;
use crate::error::{OperateError, StoreError};
use crate::orchestrator::Orchestrator;
use crate::store::failed_to;
use crate::view::convert::task_from_row;
use crate::view::{Page, PageRequest, TaskView};

/// Rows of one read.
const READ: u32 = 200;
/// Most approvals that are looked at for one page; those after them are on the next one.
const SCAN_MAX: usize = 2_000;

/// An approval of a task, open or decided.
#[derive(Debug, Clone)]
pub struct ApprovalView {
    /// The run.
    pub run_id: RunId,
    /// The task.
    pub ix: TaskIx,
    /// Key of the task.
    pub key: String,
    /// Whether it waits for a decision.
    pub is_open: bool,
    /// What is asked, and the votes so far.
    pub approval: Arc<Approval>,
}

/// Which approvals.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// Only those of this run.
    pub run: Option<RunId>,
    /// Only those that this caller may decide and has not voted on; the groups of the caller.
    pub mine: Option<Arc<[Arc<str>]>>,
}

impl ApprovalView {
    /// The approval of a task; `None` for one that never asked.
    #[must_use]
    pub fn of_task(task: &TaskView) -> Option<Self> {
        let approval = task.approval.clone()?;
        Some(Self {
            run_id: task.run_id,
            ix: task.ix,
            key: task.key.clone(),
            is_open: task.status == TaskStatus::Waiting,
            approval,
        })
    }

    /// Whether the caller may vote now. `started_by` is who started the run.
    #[must_use]
    pub fn can_resolve(&self, actor: &Actor, groups: &[Arc<str>], started_by: &str) -> bool {
        let voter = Voter {
            name: &actor.name,
            groups,
        };
        self.is_open && self.approval.admit(voter, started_by).is_ok()
    }
}

struct Row {
    since: i64,
    created_by: String,
    view: ApprovalView,
}

impl Orchestrator {
    /// Approvals that wait, the oldest first. The cursor is when the wait began, the run and the task.
    ///
    /// # Errors
    /// The store fails.
    pub async fn list_approvals(
        &self,
        actor: &Actor,
        filter: ApprovalFilter,
        request: PageRequest<(i64, RunId, TaskIx)>,
    ) -> Result<Page<(i64, ApprovalView)>, StoreError> {
        let limit = request.first.clamp(1, crate::query::PAGE_MAX) as usize;
        let has_previous = request.after.is_some();
        let mut after = request.after;
        let mut items = Vec::new();
        let mut scanned = 0;
        loop {
            let rows = self.read_approvals(actor, filter.run, after).await?;
            let is_last = rows.len() < READ as usize;
            for row in rows {
                scanned += 1;
                after = Some((row.since, row.view.run_id, row.view.ix));
                let is_meant = filter.mine.as_ref().is_none_or(|groups| {
                    row.view.can_resolve(actor, groups, &row.created_by)
                        && row.view.approval.vote_of(&actor.name).is_none()
                });
                if !is_meant {
                    continue;
                }
                if items.len() == limit {
                    return Ok(page(items, true, has_previous));
                }
                items.push((row.since, row.view));
            }
            if is_last || scanned >= SCAN_MAX {
                return Ok(page(items, !is_last, has_previous));
            }
        }
    }

    async fn read_approvals(
        &self,
        actor: &Actor,
        run: Option<RunId>,
        after: Option<(i64, RunId, TaskIx)>,
    ) -> Result<Vec<Row>, StoreError> {
        let store = &self.reads().store;
        let (since, after_run, ix) = after.map_or((i64::MIN, Uuid::nil(), -1), |(since, run, ix)| {
            (since, run.0, i64::from(ix.0))
        });
        let of_run = run.map_or("", |_| " AND w.run_id = $5");
        let sql = format!(
            "SELECT t.*, w.since AS w_since, r.created_by AS r_created_by FROM wait w \
             JOIN task t ON t.run_id = w.run_id AND t.ix = w.ix JOIN run r ON r.id = w.run_id \
             WHERE w.namespace = $1 AND w.kind = {APPROVAL} AND (w.since, w.run_id, w.ix) > ($2, $3, $4){of_run} \
             ORDER BY w.since, w.run_id, w.ix LIMIT {READ}"
        );
        let mut values: Vec<Value> = vec![
            actor.namespace.to_string().into(),
            since.into(),
            after_run.into(),
            ix.into(),
        ];
        values.extend(run.map(|run| Value::from(run.0)));
        let failed = failed_to("list approvals");
        let rows = store
            .read()
            .query_all_raw(store.backend().statement(sql, values))
            .await
            .map_err(failed)?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let since: i64 = row.try_get("", "w_since").map_err(failed)?;
            let created_by: String = row.try_get("", "r_created_by").map_err(failed)?;
            let task = task_from_row(task::Model::from_query_result(&row, "").map_err(failed)?)?;
            if let Some(view) = ApprovalView::of_task(&task) {
                found.push(Row {
                    since,
                    created_by,
                    view,
                });
            }
        }
        Ok(found)
    }

    /// The namespace of a run, for whoever proves by a token to belong there.
    pub(super) async fn actor_of(&self, run: RunId) -> Result<Actor, WaitError> {
        let store = &self.reads().store;
        let sql = "SELECT namespace FROM run WHERE id = $1";
        let failed = failed_to("find the namespace of a run");
        let row = store
            .read()
            .query_one_raw(store.backend().statement(sql, [run.0.into()]))
            .await
            .map_err(failed)?
            .ok_or(OperateError::UnknownRun)?;
        let namespace: String = row.try_get_by_index(0).map_err(failed)?;
        Ok(Actor {
            name: "callback".into(),
            namespace: namespace.into(),
        })
    }
}

fn page(items: Vec<(i64, ApprovalView)>, has_next: bool, has_previous: bool) -> Page<(i64, ApprovalView)> {
    Page {
        items,
        has_next,
        has_previous,
    }
}
