//! Operations on many runs.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use runnel_runtime::bulk::{
    BULK_RUNS_MAX, BulkAccepted, BulkAction as ViewAction, BulkFailure as ViewFailure, BulkRequest, BulkView,
};

use super::connection::Connection;
use super::cursor::{BulkPlace, Cursor};
use super::enums::CancelMode;
use super::filters::{RunFilter, run_filter};
use super::id;
use super::paging::{Count, window};
use super::run::Run;
use super::scalars::DateTime;
use super::session::{BulkAt, load, open};
use super::user_error::UserError;
use crate::auth::Permission;
use crate::error::ApiError;

/// Longest idempotency key in bytes.
const KEY_BYTES_MAX: usize = 256;

/// What is done to each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum BulkAction {
    /// As `runCancel`; of runs that have not ended.
    Cancel,
    /// As `runPause`; of runs that wait or run and are not paused.
    Pause,
    /// As `runResume`; of paused runs.
    Resume,
    /// As `taskRetry` of each failed task; of runs that failed or timed out.
    RetryFailed,
    /// As `runRerun`, from where `rerunFrom` says, with the same version and inputs; of runs that have ended.
    Rerun,
}

/// Where each run of a `RERUN` begins. Chosen tasks are for `runRerun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum BulkRerunFrom {
    /// With what did not succeed, in the same run; of runs of which something did not.
    Failed,
    /// At the beginning, each as a new run.
    Start,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum BulkStatus {
    /// Accepted; nothing is done yet.
    Pending,
    /// At work.
    Running,
    /// Every run is decided.
    Finished,
}

/// Arguments of `runsBulk`.
#[derive(Debug, InputObject)]
pub(crate) struct RunsBulkInput {
    /// What is done to each run.
    action: BulkAction,
    /// To which runs; of them those that the action is legal for. `{}` means all.
    filter: RunFilter,
    /// Further condition: a small part of CEL, see the page of FILTER_INVALID.
    query: Option<String>,
    /// To how many at most, 1 to 10,000: the newest first.
    #[graphql(default = 1000)]
    limit: i32,
    /// How runs are cancelled; of no meaning to other actions.
    #[graphql(default_with = "CancelMode::Graceful")]
    mode: CancelMode,
    /// Where each run begins again; of no meaning to other actions than `RERUN`.
    #[graphql(default_with = "BulkRerunFrom::Failed")]
    rerun_from: BulkRerunFrom,
    /// Count what matches, do nothing.
    #[graphql(default)]
    dry_run: bool,
    /// Why; kept in the history of each run.
    reason: Option<String>,
    /// A repeated request with the same key answers the same operation.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// What `runsBulk` did.
#[derive(Debug, SimpleObject)]
pub(crate) struct RunsBulkPayload {
    /// The operation, which goes on in the background; null for a dry run and when it was refused.
    operation: Option<BulkOperation>,
    /// How many runs match and allow the action, the limit aside; null when it was refused.
    matched: Option<Count>,
    /// Whether the operation existed already under the idempotency key.
    is_replay: bool,
    /// Why it was refused.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// A run that could not be operated on.
#[derive(Debug, Clone)]
pub(crate) struct BulkFailure(ViewFailure);

/// A run that could not be operated on.
#[Object]
impl BulkFailure {
    /// Id of the run.
    async fn run_id(&self) -> ID {
        id::run(self.0.run)
    }

    /// The run; null when it is gone.
    async fn run(&self, ctx: &Context<'_>) -> Result<Option<Run>, ApiError> {
        Ok(load(ctx, self.0.run).await?.map(Run))
    }

    /// Why, for programs: a code of user errors.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// Why, for people: one sentence.
    async fn message(&self) -> &str {
        &self.0.message
    }
}

/// An operation on many runs: those that matched when it was accepted.
#[derive(Debug, Clone)]
pub(crate) struct BulkOperation(pub(crate) BulkView);

/// An operation on many runs: those that matched when it was accepted.
#[Object]
impl BulkOperation {
    /// Opaque id.
    pub(crate) async fn id(&self) -> ID {
        id::bulk(self.0.id)
    }

    /// What is done to each run, as in `BulkAction`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// How far it is.
    async fn status(&self) -> BulkStatus {
        match (self.0.started_at, self.0.finished_at) {
            (_, Some(_)) => BulkStatus::Finished,
            (Some(_), None) => BulkStatus::Running,
            (None, None) => BulkStatus::Pending,
        }
    }

    /// Number of its runs.
    async fn total(&self) -> u32 {
        self.0.total
    }

    /// Number of runs that it was done to, or that were so already.
    async fn done(&self) -> u32 {
        self.0.done
    }

    /// Number of runs that refused it; see `failures`.
    async fn failed(&self) -> u32 {
        self.0.failed
    }

    /// Why, as given.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Who asked for it.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// When it was accepted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the first run was operated on.
    async fn started_at(&self) -> Option<DateTime> {
        self.0.started_at.map(DateTime)
    }

    /// When every run was decided.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }

    /// The runs that refused it, newest first.
    async fn failures(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
    ) -> Result<Connection<BulkFailure>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let window = window(size, after.as_deref(), last, before.as_deref())?;
        let window = window.map(|place: BulkPlace| place.0);
        let page = session.orchestrator.bulk_failures(self.0.id, window).await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        let count = Count::exactly(i64::from(self.0.failed));
        Ok(
            Connection::new(page, |failure| BulkPlace(failure.seq).encode(), BulkFailure)
                .counted(Some(count)),
        )
    }
}

/// Queries of operations on many runs.
#[derive(Debug, Default)]
pub(crate) struct BulkQuery;

/// Queries of operations on many runs.
#[Object]
impl BulkQuery {
    /// An operation on many runs by its id; null when there is none.
    async fn bulk_operation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the operation.")] id: ID,
    ) -> Result<Option<BulkOperation>, ApiError> {
        open(ctx, Permission::RunsRead)?;
        match id::parse(&id) {
            Some(runnel_runtime::view::NodeRef::Bulk(id)) => {
                Ok(load(ctx, BulkAt(id)).await?.map(BulkOperation))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Operations on many runs, newest first.
    async fn bulk_operations(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
    ) -> Result<Connection<BulkOperation>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let window = window(size, after.as_deref(), last, before.as_deref())?;
        let page = session.orchestrator.list_bulk(session.actor, window).await;
        let page = page.map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(page, |view| view.id.encode(), BulkOperation))
    }
}

/// Mutations of many runs.
#[derive(Debug, Default)]
pub(crate) struct BulkMutation;

/// Mutations of many runs.
#[Object]
impl BulkMutation {
    /// Does something to all runs that match: accepted at once, worked off in the background, also after a restart.
    /// Ask with `dryRun` first how many there are.
    async fn runs_bulk(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and to which runs.")] input: RunsBulkInput,
    ) -> Result<RunsBulkPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let (is_dry_run, client_mutation_id) = (input.dry_run, input.client_mutation_id.clone());
        let mut payload = RunsBulkPayload {
            operation: None,
            matched: None,
            is_replay: false,
            user_errors: Vec::new(),
            client_mutation_id,
        };
        let request = match request_of(input)? {
            Ok(request) => request,
            Err(refusal) => {
                payload.user_errors.push(refusal);
                return Ok(payload);
            }
        };
        if is_dry_run {
            let matched = session.orchestrator.count_bulk(session.actor, &request).await;
            payload.matched = Some(matched.map_err(|e| ApiError::store(&e))?.into());
            return Ok(payload);
        }
        let accepted = session.orchestrator.create_bulk(session.actor, request).await;
        match accepted.map_err(|e| ApiError::store(&e))? {
            BulkAccepted::Accepted(view) => payload.accept(view, false),
            BulkAccepted::Replay(view) => payload.accept(view, true),
            BulkAccepted::KeyTaken(view) => {
                let holder = id::bulk(view.id).to_string();
                let message = format!("the idempotency key was used for another request, {holder}");
                payload.user_errors.push(UserError::key_taken(message));
            }
        }
        Ok(payload)
    }
}

impl RunsBulkPayload {
    fn accept(&mut self, view: BulkView, is_replay: bool) {
        self.matched = Some(Count::exactly(i64::from(view.total)));
        self.operation = Some(BulkOperation(view));
        self.is_replay = is_replay;
    }
}

fn request_of(input: RunsBulkInput) -> Result<Result<BulkRequest, UserError>, ApiError> {
    let limit = u32::try_from(input.limit)
        .ok()
        .filter(|limit| (1..=BULK_RUNS_MAX).contains(limit));
    let Some(limit) = limit else {
        let message = format!("`limit` must be from 1 to {BULK_RUNS_MAX}");
        return Ok(Err(UserError::input(message, "limit")));
    };
    let is_bad = |key: &String| key.is_empty() || key.len() > KEY_BYTES_MAX;
    if input.idempotency_key.as_ref().is_some_and(is_bad) {
        let message = format!("`idempotencyKey` must have 1 to {KEY_BYTES_MAX} bytes");
        return Ok(Err(UserError::input(message, "idempotencyKey")));
    }
    let action = match input.action {
        BulkAction::Cancel => ViewAction::Cancel {
            is_immediate: input.mode == CancelMode::Now,
        },
        BulkAction::Pause => ViewAction::Pause,
        BulkAction::Resume => ViewAction::Resume,
        BulkAction::RetryFailed => ViewAction::RetryFailed,
        BulkAction::Rerun => ViewAction::Rerun {
            is_from_start: input.rerun_from == BulkRerunFrom::Start,
        },
    };
    Ok(Ok(BulkRequest {
        action,
        filter: run_filter(Some(input.filter), input.query.as_deref())?,
        limit,
        reason: input.reason.map(|reason| reason.chars().take(1_000).collect()),
        idempotency_key: input.idempotency_key,
    }))
}
