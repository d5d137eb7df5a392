//! Dead letters: listing, grouping, replaying, discarding.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use runnel_runtime::dead_letters::{
    self, DeadLetterFilter as Filter, DeadLetterView, Kind, Resolved, Selection, Status,
};
use runnel_runtime::query::window::Window;
use uuid::Uuid;

use super::connection::Connection;
use super::cursor::Cursor;
use super::enums::FailureCategory;
use super::filters::DateTimeFilter;
use super::id;
use super::paging::window;
use super::run::{Run, TaskFailure};
use super::scalars::DateTime;
use super::session::open;
use super::user_error::{ErrorCode, UserError};
use crate::auth::Permission;
use crate::error::ApiError;

/// Longest reason in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// What came to its end. New values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Kind")]
pub(crate) enum DeadLetterKind {
    /// A task with `on_exhausted: dead_letter` that used up its attempts.
    Task,
    /// An attempt whose message could not be sent.
    MessageUndeliverable,
    /// A task message that was received too often without an end of its attempt.
    MessagePoison,
    /// A message in the dead-letter queue of a task queue that is not a task message.
    QueueDlq,
}

/// What became of a dead letter. New values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Status")]
pub(crate) enum DeadLetterStatus {
    /// It waits for a person.
    Open,
    /// What it is about was tried again.
    Replayed,
    /// Somebody decided that it is not worth another try.
    Discarded,
}

/// Which statuses of dead letters.
#[derive(Debug, InputObject)]
pub(crate) struct DeadLetterStatusFilter {
    /// This status.
    eq: Option<DeadLetterStatus>,
    /// One of these statuses.
    r#in: Option<Vec<DeadLetterStatus>>,
}

/// Which dead letters; all conditions must hold.
#[derive(Debug, Default, InputObject)]
pub(crate) struct DeadLetterFilter {
    /// By status.
    status: Option<DeadLetterStatusFilter>,
    /// Of these kinds.
    kinds: Option<Vec<DeadLetterKind>>,
    /// Key of the workflow.
    workflow: Option<String>,
    /// Id of the run.
    run: Option<ID>,
    /// Key of the task; an item of a fan-out as `clean[42]`.
    task: Option<String>,
    /// Code of the failure.
    code: Option<String>,
    /// Of this group.
    fingerprint: Option<String>,
    /// When it was kept.
    at: Option<DateTimeFilter>,
}

/// Something that failed for good and waits for a person.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetter(DeadLetterView);

/// Something that failed for good and waits for a person.
#[Object]
impl DeadLetter {
    /// Opaque id.
    async fn id(&self) -> ID {
        id::dead_letter(self.0.id)
    }

    /// What came to its end.
    async fn kind(&self) -> DeadLetterKind {
        self.0.kind.into()
    }

    /// What became of it.
    async fn status(&self) -> DeadLetterStatus {
        self.0.status.into()
    }

    /// When it was kept.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Key of the workflow.
    async fn workflow(&self) -> Option<&str> {
        self.0.workflow.as_deref()
    }

    /// Id of the run.
    async fn run_id(&self) -> Option<ID> {
        self.0.run.map(id::run)
    }

    /// The run; null when it is gone, or when there was none.
    async fn run(&self, ctx: &Context<'_>) -> Result<Option<Run>, ApiError> {
        match self.0.run {
            Some(run) => Ok(super::session::load(ctx, run).await?.map(Run)),
            None => Ok(None),
        }
    }

    /// Key of the task; an item of a fan-out as `clean[42]`.
    async fn task(&self) -> Option<&str> {
        self.0.task.as_deref()
    }

    /// The attempt.
    async fn attempt(&self) -> Option<u32> {
        self.0.attempt
    }

    /// The task queue.
    async fn queue(&self) -> Option<&str> {
        self.0.queue.as_deref()
    }

    /// Why it failed, with its traceback where there is one.
    async fn error(&self) -> TaskFailure {
        TaskFailure::from(self.0.failure.clone())
    }

    /// Resolved input of the task, or the text of the message; the first 64 KiB, secrets as marks.
    async fn payload(&self, ctx: &Context<'_>) -> Result<Option<String>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let payload = session.orchestrator.dead_letter_payload(&self.0).await;
        payload.map_err(|e| ApiError::store(&e))
    }

    /// The same for failures of the same kind: workflow, task, category, code, and the message without its numbers.
    async fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// When it was replayed or discarded.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(DateTime)
    }

    /// Who replayed or discarded it.
    async fn resolved_by(&self) -> Option<&str> {
        self.0.resolved_by.as_deref()
    }

    /// Why it was discarded.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }
}

/// Dead letters about failures of the same kind.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeadLetterGroup {
    /// What they have in common; `deadLetterReplay` takes it.
    fingerprint: String,
    /// Key of the workflow.
    workflow: Option<String>,
    /// Kind of the failure.
    category: FailureCategory,
    /// Code of the failure.
    code: String,
    /// Begin of one of the messages.
    summary: String,
    /// How many there are.
    count: i32,
    /// When the first was kept.
    first_at: DateTime,
    /// When the last was kept.
    last_at: DateTime,
}

/// Names dead letters: by id, by group, or by filter. Filters and groups mean open letters, 1,000 at most at once.
#[derive(Debug, InputObject)]
pub(crate) struct DeadLetterIdsInput {
    /// Ids of letters, 1,000 at most.
    ids: Option<Vec<ID>>,
    /// All of this group.
    fingerprint: Option<String>,
    /// All that the filter takes.
    filter: Option<DeadLetterFilter>,
    /// Only count.
    #[graphql(default)]
    dry_run: bool,
    /// A repeated request with the same key answers as before.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// Names dead letters to discard.
#[derive(Debug, InputObject)]
pub(crate) struct DeadLetterDiscardInput {
    /// Ids of letters, 1,000 at most.
    ids: Option<Vec<ID>>,
    /// All of this group.
    fingerprint: Option<String>,
    /// All that the filter takes.
    filter: Option<DeadLetterFilter>,
    /// Why they are not worth another try.
    reason: String,
    /// Only count.
    #[graphql(default)]
    dry_run: bool,
    /// A repeated request with the same key answers as before.
    idempotency_key: Option<String>,
    /// Echoed in the answer.
    client_mutation_id: Option<String>,
}

/// A dead letter that could not be acted on; it stays open.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeadLetterUnresolved {
    /// Id of the letter.
    dead_letter_id: ID,
    /// Why.
    message: String,
}

/// What a replay or a discard did.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeadLetterPayload {
    /// How many open letters were named; with `dryRun` nothing was done with them.
    matched: i32,
    /// The named letters as they are now.
    dead_letters: Vec<DeadLetter>,
    /// Those that the state of their run did not allow to replay.
    unresolved: Vec<DeadLetterUnresolved>,
    /// Whether this is the answer of an earlier request with the same idempotency key.
    is_replay: bool,
    /// Why nothing was done, or which letters do not exist.
    user_errors: Vec<UserError>,
    /// As given.
    client_mutation_id: Option<String>,
}

/// A place in the list of letters.
struct DeadLetterId(Uuid);

impl Cursor for DeadLetterId {
    const TAG: char = 'd';
    fn write(&self) -> String {
        self.0.simple().to_string()
    }
    fn read(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl DeadLetterGroup {
    fn of(group: dead_letters::DeadLetterGroup) -> Self {
        let category = serde_json::from_value(serde_json::Value::from(group.category));
        Self {
            fingerprint: group.fingerprint,
            workflow: group.workflow,
            category: category.unwrap_or(runnel_engine::run::Category::Internal).into(),
            code: group.code,
            summary: group.summary,
            count: i32::try_from(group.count).unwrap_or(i32::MAX),
            first_at: DateTime(group.first_at),
            last_at: DateTime(group.last_at),
        }
    }
}

/// Queries of dead letters.
#[derive(Debug, Default)]
pub(crate) struct DeadLetterQuery;

/// Queries of dead letters.
#[Object]
impl DeadLetterQuery {
    /// Dead letters, newest first: what failed for good and waits for a person.
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 50, desc = "Most items, 1 to 200.", name = "first")] size: i32,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last items instead of the first, 1 to 200.")] last: Option<i32>,
        #[graphql(desc = "With `last`: only items before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these letters.")] filter: Option<DeadLetterFilter>,
    ) -> Result<Connection<DeadLetter>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let window = match window(size, after.as_deref(), last, before.as_deref())? {
            Window::First { size, after } => Window::First {
                size,
                after: after.map(|DeadLetterId(id)| id),
            },
            Window::Last { size, before } => Window::Last {
                size,
                before: before.map(|DeadLetterId(id)| id),
            },
        };
        let filter = read_filter(filter.unwrap_or_default())?;
        let page = session
            .orchestrator
            .list_dead_letters(session.actor, &filter, window)
            .await
            .map_err(|e| ApiError::store(&e))?;
        Ok(Connection::new(
            page,
            |view| DeadLetterId(view.id).encode(),
            DeadLetter,
        ))
    }

    /// One dead letter; null when there is none.
    async fn dead_letter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the letter.")] id: ID,
    ) -> Result<Option<DeadLetter>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let Some(id) = id::parse_dead_letter(&id) else {
            return Ok(None);
        };
        let found = session.orchestrator.find_dead_letter(session.actor, id).await;
        found
            .map(|letter| letter.map(DeadLetter))
            .map_err(|e| ApiError::store(&e))
    }

    /// Dead letters by what they have in common, the largest group first, 200 groups at most.
    async fn dead_letter_groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these letters.")] filter: Option<DeadLetterFilter>,
    ) -> Result<Vec<DeadLetterGroup>, ApiError> {
        let session = open(ctx, Permission::RunsRead)?;
        let filter = read_filter(filter.unwrap_or_default())?;
        let groups = session
            .orchestrator
            .group_dead_letters(session.actor, &filter)
            .await
            .map_err(|e| ApiError::store(&e))?;
        Ok(groups.into_iter().map(DeadLetterGroup::of).collect())
    }
}

/// Mutations of dead letters.
#[derive(Debug, Default)]
pub(crate) struct DeadLetterMutation;

/// Mutations of dead letters.
#[Object]
impl DeadLetterMutation {
    /// Tries again what the letters are about, so that their runs go on: the task is retried, also in a run that has ended.
    async fn dead_letter_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which letters.")] input: DeadLetterIdsInput,
    ) -> Result<DeadLetterPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let selection = match select(input.ids, input.fingerprint, input.filter)? {
            Ok(selection) => selection,
            Err(refused) => return Ok(refused_payload(*refused, input.client_mutation_id)),
        };
        let resolved = session
            .orchestrator
            .replay_dead_letters(session.actor, &selection, input.dry_run)
            .await
            .map_err(|e| ApiError::store(&e))?;
        Ok(payload(resolved, input.client_mutation_id))
    }

    /// Decides that the letters are not worth another try; what they are about stays failed.
    async fn dead_letter_discard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which letters, and why.")] input: DeadLetterDiscardInput,
    ) -> Result<DeadLetterPayload, ApiError> {
        let session = open(ctx, Permission::RunsOperate)?;
        let selection = match select(input.ids, input.fingerprint, input.filter)? {
            Ok(selection) => selection,
            Err(refused) => return Ok(refused_payload(*refused, input.client_mutation_id)),
        };
        let reason: String = input.reason.chars().take(REASON_CHARS_MAX).collect();
        let resolved = session
            .orchestrator
            .discard_dead_letters(session.actor, &selection, Some(reason), input.dry_run)
            .await
            .map_err(|e| ApiError::store(&e))?;
        Ok(payload(resolved, input.client_mutation_id))
    }
}

fn payload(resolved: Resolved, client_mutation_id: Option<String>) -> DeadLetterPayload {
    let missing = |id: Uuid| {
        let message = format!("there is no dead letter `{}`", id::dead_letter(id).as_str());
        UserError::not_found(ErrorCode::DeadLetterNotFound, message, "ids")
    };
    DeadLetterPayload {
        matched: i32::try_from(resolved.matched).unwrap_or(i32::MAX),
        dead_letters: resolved.letters.into_iter().map(DeadLetter).collect(),
        unresolved: resolved
            .unresolved
            .into_iter()
            .map(|unresolved| DeadLetterUnresolved {
                dead_letter_id: id::dead_letter(unresolved.id),
                message: unresolved.message,
            })
            .collect(),
        is_replay: false,
        user_errors: resolved.unknown.into_iter().map(missing).collect(),
        client_mutation_id,
    }
}

fn refused_payload(error: UserError, client_mutation_id: Option<String>) -> DeadLetterPayload {
    DeadLetterPayload {
        matched: 0,
        dead_letters: Vec::new(),
        unresolved: Vec::new(),
        is_replay: false,
        user_errors: vec![error],
        client_mutation_id,
    }
}

/// One of the three forms; an id that cannot be one names nothing.
fn select(
    ids: Option<Vec<ID>>,
    fingerprint: Option<String>,
    filter: Option<DeadLetterFilter>,
) -> Result<Result<Selection, Box<UserError>>, ApiError> {
    if let Some(ids) = ids {
        let most = usize::try_from(dead_letters::RESOLVE_MAX).unwrap_or(usize::MAX);
        if ids.len() > most {
            let message = format!("`ids` has {} items; the limit is {most}", ids.len());
            return Ok(Err(Box::new(UserError::input(message, "ids"))));
        }
        let mut parsed = Vec::with_capacity(ids.len());
        for id in &ids {
            let Some(id) = id::parse_dead_letter(id) else {
                let message = format!("there is no dead letter `{}`", id.as_str());
                let error = UserError::not_found(ErrorCode::DeadLetterNotFound, message, "ids");
                return Ok(Err(Box::new(error)));
            };
            parsed.push(id);
        }
        return Ok(Ok(Selection::Ids(parsed)));
    }
    if fingerprint.is_none() && filter.is_none() {
        let message = "name letters by `ids`, `fingerprint` or `filter`";
        return Ok(Err(Box::new(UserError::input(message, "ids"))));
    }
    let mut filter = read_filter(filter.unwrap_or_default())?;
    filter.fingerprint = fingerprint.or(filter.fingerprint);
    Ok(Ok(Selection::Filter(Box::new(filter))))
}

fn read_filter(filter: DeadLetterFilter) -> Result<Filter, ApiError> {
    let run = match filter.run {
        Some(id) => {
            let run = id::parse_run(&id);
            Some(run.ok_or_else(|| ApiError::input("`filter.run` is not the id of a run"))?)
        }
        None => None,
    };
    let statuses = filter.status.map(|status| {
        let all = status.r#in.unwrap_or_default().into_iter().chain(status.eq);
        all.map(Status::from).collect()
    });
    let (since, until) = filter.at.map_or((None, None), |span| span.span());
    Ok(Filter {
        status_in: statuses,
        kind_in: filter
            .kinds
            .map(|kinds| kinds.into_iter().map(Kind::from).collect()),
        workflow: filter.workflow,
        run,
        task: filter.task,
        code: filter.code,
        fingerprint: filter.fingerprint,
        since,
        until,
    })
}
