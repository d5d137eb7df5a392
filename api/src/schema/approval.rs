//! Approvals: what is asked of whom, the votes so far, and the inbox of those that wait.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use runnel_engine::run as engine;
use runnel_engine::{RunId, TaskIx};
use runnel_runtime::view::PageRequest;
use runnel_runtime::wait::{ApprovalFilter as ViewFilter, ApprovalView};

use super::connection::Connection;
use super::cursor::{ApprovalPlace, Cursor, first};
use super::id;
use super::run::Run;
use super::scalars::{DateTime, Json};
use super::session::{load_referred, open, viewer};
use super::task::Task;
use crate::auth::Permission;
use crate::error::ApiError;

/// For or against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum ApprovalDecision {
    /// For it.
    Approve,
    /// Against it.
    Reject,
}

impl ApprovalDecision {
    fn of(is_approved: bool) -> Self {
        if is_approved { Self::Approve } else { Self::Reject }
    }
}

/// How an approval is decided that nobody decided in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "engine::OnExpire")]
pub(crate) enum ApprovalExpiry {
    /// As approved.
    Approve,
    /// As rejected.
    Reject,
    /// The task is `TIMED_OUT`.
    Fail,
}

/// What one person said.
#[derive(Debug, Clone, SimpleObject)]
pub(crate) struct ApprovalVote {
    /// Who.
    by: String,
    /// For or against.
    decision: ApprovalDecision,
    /// A note.
    note: Option<String>,
    /// The filled form.
    form: Option<Json>,
    /// When.
    at: DateTime,
}

/// An approval that a task asks for; also when it has been decided.
#[derive(Debug, Clone)]
pub(crate) struct Approval(pub(crate) ApprovalView);

/// An approval that a task asks for; also when it has been decided.
#[Object]
impl Approval {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::approval(self.0.run_id, self.0.ix)
    }

    /// The run.
    async fn run(&self, ctx: &Context<'_>) -> Result<Run, ApiError> {
        load_referred(ctx, self.0.run_id).await.map(Run)
    }

    /// The task that asks; null when it is gone.
    async fn task(&self, ctx: &Context<'_>) -> Result<Option<Task>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let task = session
            .orchestrator
            .find_task_at(session.actor, self.0.run_id, self.0.ix)
            .await
            .map_err(|e| ApiError::store(&e))?;
        Ok(task.map(|view| Task { view, version: None }))
    }

    /// Key of the task, for `approvalResolve`; an item of a fan-out as `ask[3]`.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// What is asked.
    async fn message(&self) -> &str {
        &self.0.approval.message
    }

    /// JSON Schema (draft 7) that the form of an approving vote satisfies; null when no form is asked for.
    async fn form_schema(&self) -> Option<Json> {
        self.0.approval.form.clone().map(Json::from_json)
    }

    /// Names of people and `group:x` who may decide; empty: everybody who may operate runs.
    async fn approvers(&self) -> &[String] {
        &self.0.approval.approvers
    }

    /// How many different people must approve.
    async fn quorum(&self) -> u32 {
        self.0.approval.quorum
    }

    /// Whether the one who started the run may not decide.
    async fn is_self_approval_refused(&self) -> bool {
        self.0.approval.no_self_approval
    }

    /// The votes so far, one a person.
    async fn votes(&self) -> Vec<ApprovalVote> {
        let votes = self.0.approval.votes.iter();
        votes
            .map(|vote| ApprovalVote {
                by: vote.by.clone(),
                decision: ApprovalDecision::of(vote.is_approved),
                note: vote.note.clone(),
                form: vote.form.clone().map(Json::from_json),
                at: DateTime(vote.at),
            })
            .collect()
    }

    /// Whether it waits for a decision.
    async fn is_open(&self) -> bool {
        self.0.is_open
    }

    /// Whether the caller may vote now.
    async fn can_resolve(&self, ctx: &Context<'_>) -> Result<bool, ApiError> {
        let viewer = viewer(ctx)?;
        if viewer.require(Permission::RunsOperate).is_err() {
            return Ok(false);
        }
        let started_by = load_referred(ctx, self.0.run_id).await?.created_by;
        Ok(self.0.can_resolve(&viewer.actor, &viewer.groups, &started_by))
    }

    /// When it was asked.
    async fn asked_at(&self) -> DateTime {
        DateTime(self.0.approval.asked_at)
    }

    /// When the next reminder is due; null when there is none.
    async fn reminds_at(&self) -> Option<DateTime> {
        self.0.approval.remind_at.filter(|_| self.0.is_open).map(DateTime)
    }

    /// When further approvers are asked; null when there are none, or they have been.
    async fn escalates_at(&self) -> Option<DateTime> {
        self.0
            .approval
            .escalate_at
            .filter(|_| self.0.is_open)
            .map(DateTime)
    }

    /// When it is decided without a vote; null when it waits for ever.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.approval.expires_at.map(DateTime)
    }

    /// How it is decided then.
    async fn on_expire(&self) -> ApprovalExpiry {
        self.0.approval.on_expire.into()
    }
}

/// Which approvals.
#[derive(Debug, Default, InputObject)]
pub(crate) struct ApprovalFilter {
    /// Only those that the caller may decide and has not voted on.
    mine: Option<bool>,
    /// Only those of this run.
    run: Option<ID>,
}

/// Queries of what waits.
#[derive(Debug, Default)]
pub(crate) struct WaitQuery;

/// Queries of what waits.
#[Object]
impl WaitQuery {
    /// Approvals that wait for a decision, the oldest first.
    async fn approvals(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only these approvals.")] filter: Option<ApprovalFilter>,
    ) -> Result<Connection<Approval>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let filter = filter.unwrap_or_default();
        let run = match filter.run.as_ref().map(|id| id::parse_run(id)) {
            None => None,
            Some(Some(run)) => Some(run),
            Some(None) => return Err(ApiError::input("`filter.run` is not the id of a run")),
        };
        let groups = viewer(ctx)?.groups.clone();
        let filter = ViewFilter {
            run,
            mine: filter.mine.unwrap_or(false).then_some(groups),
        };
        let page = PageRequest {
            first: first(size)?,
            after: ApprovalPlace::after(after.as_deref())?.map(|place| (place.since, place.run, place.ix)),
        };
        let page = session
            .orchestrator
            .list_approvals(session.actor, filter, page)
            .await
            .map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(
            page,
            |(since, view)| {
                ApprovalPlace {
                    since: *since,
                    run: view.run_id,
                    ix: view.ix,
                }
                .encode()
            },
            |(_, view)| Approval(view),
        ))
    }
}

/// An approval by its id; `None` for a task that never asked.
pub(super) async fn find_approval(
    ctx: &Context<'_>,
    run: RunId,
    ix: TaskIx,
) -> Result<Option<Approval>, ApiError> {
    let session = open(ctx, Permission::RunsRead)?;
    let task = session
        .orchestrator
        .find_task_at(session.actor, run, ix)
        .await
        .map_err(|e| ApiError::store(&e))?;
    Ok(task.as_ref().and_then(ApprovalView::of_task).map(Approval))
}
